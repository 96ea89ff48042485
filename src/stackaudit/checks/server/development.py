"""Production on a server for developers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_ADDRESS = re.compile(r"(?:(?P<host>[\w.-]+|\[[\da-fA-F:]+\]):)?(?P<port>\d+)")


def development_server(stack: Stack) -> Iterator[Verdict]:
    """No command that production runs starts runserver or reloads code on change."""
    for process in stack.processes.servers:
        if process.audience != "development":
            yield _judged(stack, process)


def _judged(stack: Stack, process: Process) -> Verdict:
    site = Site(process.place, process.name)
    command = process.kind
    cause = ""
    if process.kind not in DEVELOPMENT_SERVERS:
        reload = process.setting("reload")
        if isinstance(reload, Unknown):
            return Pass(site) if "has no setting" in reload.why else Unsure(site, f"reload is not known: {reload.why}")
        if reload.value is not True:
            return Pass(site)
        command, cause = f"{process.kind} with reload", "reload"
        site = Site(process.setting_place("reload"), process.name)
    if process.audience == "unknown":
        return Unsure(site, f"{command} starts here and {process.why or 'nothing says whom it is for'}")
    if process.conditions:
        return Unsure(site, f"{command} starts only where {process.conditions[-1]}")
    values = {"command": command, "why": process.why, "app": _app(stack, process), "bind": "", "install": ""}
    if not cause:
        values["bind"] = _bind(process)
        values["install"] = "" if stack.packages.has("gunicorn") else " (which the requirements do not name yet)"
    return Fail(site, values, cause=cause)


def _app(stack: Stack, process: Process) -> str:
    """The application for gunicorn: that of the process, that of the settings, or the only module called wsgi."""
    if isinstance(process.app, Known) and process.app.value:
        return str(process.app.value)
    named = stack.settings.get("WSGI_APPLICATION") if stack.settings is not None else Unknown("no settings")
    if isinstance(named, Known) and named.value and "." in str(named.value):
        module, _, name = str(named.value).rpartition(".")
        return module if name == "application" else f"{module}:{name}"
    found = [module.name for module in stack.modules if module.name.endswith(".wsgi")]
    return found[0] if len(found) == 1 else "config.wsgi"


def _bind(process: Process) -> str:
    """Where gunicorn has to listen to be reached as the development server is: it takes 127.0.0.1:8000 by itself."""
    for argument in process.arguments:
        if isinstance(argument.value, Unknown):
            return f" --bind {argument.written}" if ":" in argument.around[0] else ""
        match = _ADDRESS.fullmatch(argument.value.value)
        if match is not None:
            return f" --bind {match['host'] or '127.0.0.1'}:{match['port']}"
    return ""
