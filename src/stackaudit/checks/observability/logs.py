"""Logs: files that several processes rotate, and whether a line says how long its request took."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.observability.latency import latency_fix
from stackaudit.checks.observability.tools import TRACERS, launched, package
from stackaudit.link.nginx import Nginx
from stackaudit.link.nginx.servers import Server
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process, together
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import process_count
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown, plain
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

ROTATING = frozenset({"logging.handlers.RotatingFileHandler", "logging.handlers.TimedRotatingFileHandler"})
SAFE = re.compile(r"WatchedFileHandler|concurrent|QueueHandler", re.IGNORECASE)
DURATION = re.compile(r"%\((D|L|T|M)\)s")
"""gunicorn's atoms of the time that a request took: microseconds, seconds, milliseconds."""
_PROXIES = re.compile(r"(^|/)(traefik|caddy|haproxy|envoy|httpd|varnish|openresty)[^/]*$", re.IGNORECASE)
NGINX_DURATION = re.compile(r"\$(\{)?(request_time|upstream_response_time)\b")


def rotating_file_handler(stack: Stack) -> Iterator[Verdict]:
    """A log file that several processes write is rotated by none of them."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    handlers = settings.at("LOGGING", "handlers", default=None)
    held = handlers.value if isinstance(handlers, Known) else None
    for name in held if isinstance(held, dict) else ():
        kind = settings.at("LOGGING", "handlers", name, "class", default="")
        watched = isinstance(kind, Known) and (kind.value in ROTATING or bool(SAFE.search(str(kind.value))))
        if watched and isinstance(kind, Known) and _in_use(settings, str(name)):
            yield _rotating(stack, settings, str(name), kind)


def _in_use(settings: Settings, name: str) -> bool:
    """Whether a logger writes to a handler, as far as the loggers are known."""
    if settings.get("LOGGING_CONFIG") == Known(None):
        return False
    loggers = settings.at("LOGGING", "loggers", default=None)
    held = loggers.value if isinstance(loggers, Known) and isinstance(loggers.value, dict) else {}
    lists = [
        settings.at("LOGGING", "root", "handlers", default=None),
        loggers if isinstance(loggers, Unknown) else None,
    ]
    lists += [settings.at("LOGGING", "loggers", each, "handlers", default=None) for each in held]
    return any(isinstance(each, Unknown) or name in (plain(each.value) or ()) for each in lists if each is not None)


def _rotating(stack: Stack, settings: Settings, name: str, kind: Known[str]) -> Verdict:
    site = Site(settings.place_at("LOGGING", "handlers", name, "class"), f"LOGGING.handlers.{name}")
    if kind.value not in ROTATING:
        return Pass(site)
    if settings.doubt:
        return Unsure(site, settings.doubt)
    file = settings.at("LOGGING", "handlers", name, "filename", default="")
    if isinstance(file, Unknown) and "getpid" in file.why:
        return Pass(site)
    count = process_count(stack)
    if isinstance(count, Unknown):
        return Unsure(site, f"how many processes write the file is not known: {count.why}")
    if count.value < 2:
        return Pass(site)
    steps = tuple(Step(place, "several processes") for place in count.places[:1])
    values = {"handler": name, "kind": kind.value.rpartition(".")[2], "count": count.value}
    return Fail(site, values, related=steps)


def no_latency_in_access_log(stack: Stack) -> Iterator[Verdict]:
    """Somewhere it is written how long each request took."""
    running = [each for each in stack.processes.production_servers if each.kind not in DEVELOPMENT_SERVERS]
    if not running:
        return
    server = together(running)[0]
    site = Site(server.place, f"{server.name}: access log")
    if package(stack, TRACERS) or package(stack, ("django-prometheus",)) or launched(stack):
        yield Pass(site)
        return
    own, proxies = (
        [_served(each) for each in together(running)],
        [_proxied(stack.nginx, each) for each in _fronts(stack)],
    )
    told = [*own, *proxies]
    if any(isinstance(each, Known) and each.value == "duration" for each in told):
        yield Pass(site)
        return
    unknown = next((each.why for each in told if isinstance(each, Unknown)), "") or _others(stack, running)
    if unknown:
        yield Unsure(site, unknown)
        return
    written = [each for each in told if isinstance(each, Known) and each.value == "plain"]
    related = tuple(Step(each.places[0], "a log without the time of the request") for each in written if each.places)
    writes = any(each in written for each in own)
    values = {
        "server": server.kind,
        "log": server.kind if writes else "nginx",
        "beside": _beside(writes, bool(proxies)),
    }
    cause = "" if written else "disabled"
    yield Fail(site, values, cause=cause, related=related[:3], fix=latency_fix(server, writes, bool(proxies)))


def _beside(writes: bool, proxied: bool) -> str:
    """What the message says of the other layer."""
    if not writes:
        return "and the server writes none"
    return "and neither has that of nginx" if proxied else "and no proxy of this repository writes it"


def _served(process: Process) -> AnyValue:
    """What a server writes of each request: "duration", "plain" (a line without it) or "nothing"."""
    if process.kind == "gunicorn":
        return _written(process, "accesslog", "access_log_format", DURATION)
    if process.kind == "uwsgi":
        if process.settings.get("disable-logging") is not None:
            return Known("nothing")
        form = process.settings.get("log-format", Known("msecs"))
        return form if isinstance(form, Unknown) else Known("duration" if "msecs" in str(form.value) else "plain")
    if process.kind == "granian":
        on = process.settings.get("log_access_enabled")
        form = process.settings.get("log_access_fmt", Known("dt_ms"))
        if not isinstance(on, Known) or not on.value:
            return on if isinstance(on, Unknown) else Known("nothing")
        return form if isinstance(form, Unknown) else Known("duration" if "dt_ms" in str(form.value) else "plain")
    if process.kind == "uvicorn":
        on = process.settings.get("access_log")
        return Known("nothing" if isinstance(on, Known) and on.value is False else "plain", (process.place,))
    if process.kind == "daphne":
        return Known("plain", (process.place,))
    return Unknown(f"what {process.kind} writes of a request is not known")


def _written(process: Process, where: str, how: str, duration: re.Pattern[str]) -> AnyValue:
    log, form = process.setting(where), process.setting(how)
    if isinstance(log, Unknown):
        return Unknown(f"whether {process.kind} writes an access log is not known: {log.why}")
    if not log.value:
        return Known("nothing")
    if isinstance(form, Unknown):
        return Unknown(f"the format of {process.kind}'s access log is not known: {form.why}")
    return Known("duration" if duration.search(str(form.value)) else "plain", form.places or log.places)


def _others(stack: Stack, running: list[Process]) -> str:
    """What else stands before the site and may write the time of each request, "" where nothing does."""
    if any(process.origin.kind == "procfile" for process in running):
        return "the platform's router may write it (Heroku's does)"
    found = next((image for image in stack.processes.services.values() if _PROXIES.search(image)), "")
    return f"{found} may write it" if found else ""


def _fronts(stack: Stack) -> list[Server]:
    """The servers of nginx that hand requests on."""
    return list(dict.fromkeys(each.location.server for each in stack.nginx.proxied))


def _proxied(nginx: Nginx, server: Server) -> AnyValue:
    """What nginx writes of each request of a server."""
    found = server.level.in_force("access_log")
    if isinstance(found, Unknown):
        return Unknown(f"nginx's access_log is not known: {found.why}")
    if not found.value.lines:
        if server.http.directive is None:
            return Unknown("the http block of nginx, which may set access_log, is not in the repository")
        return Known("plain", (server.place,))
    for line in found.value.lines:
        words = line.texts()
        if isinstance(words, Unknown):
            return words
        if words.value[:1] == ("off",):
            return Known("nothing")
        name = words.value[1] if len(words.value) > 1 and "=" not in words.value[1] else "combined"
        forms = [form for form in server.http.lines.get("log_format", []) if form.words and form.words[0].text == name]
        if forms and any(NGINX_DURATION.search(word.text) for form in forms for word in form.words):
            return Known("duration", (line.place,))
        if name != "combined" and not forms:
            return Unknown(f"the log_format {name} is not in the repository", (line.place,))
    return Known("plain", found.places)
