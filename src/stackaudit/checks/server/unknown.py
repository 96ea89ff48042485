"""Settings that no server reads."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from stackaudit.checks.server.names import assigned, nearest, used
from stackaudit.facts import python as ir
from stackaudit.link.processes.gunicorn import BY_NAME
from stackaudit.link.processes.model import Process
from stackaudit.link.processes.options import Argument
from stackaudit.link.processes.server_options import UVICORN
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

ALIASES = {
    "worker": "workers",
    "num_workers": "workers",
    "n_workers": "workers",
    "worker_count": "workers",
    "worker_num": "workers",
    "worker_processes": "workers",
    "worker_type": "worker_class",
    "worker_threads": "threads",
    "thread": "threads",
    "num_threads": "threads",
    "max_request": "max_requests",
    "keep_alive": "keepalive",
    "log_level": "loglevel",
    "access_log": "accesslog",
    "access_logfile": "accesslog",
    "access_log_file": "accesslog",
    "accesslogfile": "accesslog",
    "error_log": "errorlog",
    "error_logfile": "errorlog",
    "log_file": "errorlog",
    "access_logformat": "access_log_format",
    "preload": "preload_app",
    "name": "proc_name",
    "process_name": "proc_name",
    "pid": "pidfile",
    "pid_file": "pidfile",
    "worker_timeout": "timeout",
    "request_timeout": "timeout",
    "log_config": "logconfig",
    "syslog_address": "syslog_addr",
}
"""What people write, from the flags of the command line and from other servers, and what gunicorn calls it."""

ELSEWHERE = frozenset(
    {"limit_concurrency", "limit_max_requests", "timeout_keep_alive", "timeout_graceful_shutdown", "proxy_headers"}
    | {"ws_ping_interval", "ws_ping_timeout", "ws_max_size", "reload_dirs", "reload_includes", "use_colors"}
)
"""uvicorn's words that nobody would choose for a variable of their own."""

_CONFIG_NAME = re.compile(
    r"(gunicorn([._-]?(conf|config|cfg|settings|prod|production))*|(conf|config|settings)[._-]gunicorn)\.(py|conf)"
)


def unknown_setting(stack: Stack) -> Iterator[Verdict]:
    """Every name of a gunicorn configuration and every flag of a server is one that it reads."""
    processes = [process for process in stack.processes.servers if process.audience != "development"]
    commanded = any(process.kind == "gunicorn" for process in stack.processes.servers)
    for path in sorted(stack.files):
        item = stack.files[path]
        if item.kind != "python" or item.unread is not None:
            continue
        if path in stack.processes.loaded_configs:
            yield from _file(path, item.facts)
        elif _CONFIG_NAME.fullmatch(posixpath.basename(path)) and _settings_in(item.facts):
            yield _unloaded(stack, path, item.facts, commanded)
    for process in processes:
        yield from _flags(process)


def _settings_in(facts: ir.Module) -> list[tuple[str, ir.Node]]:
    return [(name, node) for name, node in assigned(facts.body) if name in BY_NAME]


def _file(path: str, facts: ir.Module) -> Iterator[Verdict]:
    """The names that a configuration file which gunicorn loads sets."""
    read = used(facts)
    for name, node in assigned(facts.body):
        site = Site(Place(path, facts.region(node)), f"{path}: {name}")
        if name in BY_NAME:
            yield Pass(site)
        elif name.startswith("_") or name in read:
            continue
        elif name in ELSEWHERE:
            yield Fail(site, {"name": name, "near": ""}, cause="another-server")
        elif (near := ALIASES.get(name) or nearest(name, BY_NAME)) is not None:
            yield Fail(site, {"name": name, "near": near, "default": _default(near)}, fix=f"Rename it to `{near}`.")


def _default(name: str) -> str:
    return repr(BY_NAME[name].default)


def _unloaded(stack: Stack, path: str, facts: ir.Module, commanded: bool) -> Verdict:
    name, node = _settings_in(facts)[0]
    site = Site(Place(path, facts.region(node)), path)
    if not commanded:
        return Unsure(site, "no command that starts gunicorn was found, so nobody knows whether it is loaded")
    for process in stack.processes.servers:
        if process.kind == "gunicorn" and not process.config_path:
            backlog = process.setting("backlog")
            if not isinstance(backlog, Known):
                return Unsure(site, f"{process.name} may load it: {backlog.why}")
    return Fail(site, {"path": path, "name": name}, cause="not-loaded")


def _flags(process: Process) -> Iterator[Verdict]:
    """The flags of a server's command line."""
    if process.kind not in ("gunicorn", "uvicorn"):
        return
    if not process.unknown_flags:
        yield Pass(Site(process.place, f"{process.name} flags"))
    for argument in process.unknown_flags:
        yield _flag(process, argument)


def _flag(process: Process, argument: Argument) -> Verdict:
    text = str(argument.value.value).partition("=")[0] if isinstance(argument.value, Known) else "?"
    site = Site(argument.place, f"{process.name} {text}")
    word = text.lstrip("-").replace("-", "_")
    own, foreign = (BY_NAME.values(), UVICORN) if process.kind == "gunicorn" else (UVICORN, BY_NAME.values())
    words = {flag.lstrip("-").replace("-", "_"): flag for option in own for flag in option.flags}
    if word in ALIASES and process.kind == "gunicorn":
        flags = BY_NAME[ALIASES[word]].flags
        near: str | None = flags[-1] if flags else None
    else:
        found = nearest(word, words)
        near = words[found] if found is not None else None
    elsewhere = any(text in option.flags for option in foreign)
    if near is None and not elsewhere:
        return Unsure(site, f"the {process.kind} that was looked at has no flag {text}, another version may have it")
    hint = f"did you mean `{near}`?" if near else f"it is a flag of {'gunicorn' if own is UVICORN else 'uvicorn'}"
    return Fail(site, {"kind": process.kind, "flag": text, "hint": hint}, cause="flag")
