"""Which Host header Django is told, and whether anybody checks it."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.level import Line
from stackaudit.link.nginx.names import answers_any_name
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


def host_header(stack: Stack) -> Iterator[Verdict]:
    """One site for each line that tells Django the host that a client named."""
    verdicts = once_for_each_place(
        verdict
        for proxied, is_it in django_locations(stack)
        if is_it and proxied.target.by == "proxy_pass"
        for verdict in _judge(stack, proxied)
    )
    yield from one_for_each_cause(verdicts, lambda fail: (fail.cause, fail.site.place.path))


def _judge(stack: Stack, proxied: Proxied) -> Iterator[Verdict]:
    headers = proxied.level.in_force("proxy_set_header")
    if isinstance(headers, Unknown) or stack.settings is None:
        return
    name = "x-forwarded-host" if _reads_forwarded(stack) else "host"
    line = next((line for line in headers.value.lines if _header(line) == name), None)
    if line is None:
        line = next((line for line in headers.value.lines if _header(line) == "host"), None)
    if line is None or len(line.words) < 2 or "$" not in line.words[1].text:
        return
    value = line.words[1].text.lower().replace("{", "").replace("}", "")
    site = Site(line.place, f"{proxied.location.site.name} {line.words[0].text}")
    everybody = _any_host(stack)
    if isinstance(everybody, Known) and not everybody.value:
        yield Pass(site)
        return
    if value.startswith(("$http_host", "$http_x_forwarded_host")):
        reach: Value[bool] = Known(True)
    elif value.startswith("$host"):
        reach = answers_any_name(stack.nginx, proxied.location.server)
    else:
        reach = Known(False)
    if isinstance(reach, Known) and not reach.value:
        yield Pass(site)
        return
    for unknown in (everybody, reach):
        if isinstance(unknown, Unknown):
            yield Unsure(site, unknown.why)
            return
    related = tuple(Step(place, "Django accepts every host") for place in everybody.places[:1])
    cause = "" if value.startswith("$http_") else "any-name"
    values = {"value": line.words[1].text, "header": line.words[0].text, "server": proxied.location.server.title}
    yield Fail(site, values, cause=cause, related=related)


def _header(line: Line) -> str:
    return line.words[0].text.lower() if line.words else ""


def _reads_forwarded(stack: Stack) -> bool:
    value = stack.settings.get("USE_X_FORWARDED_HOST") if stack.settings is not None else None
    return isinstance(value, Known) and bool(value.value)


def _any_host(stack: Stack) -> Value[bool]:
    """Whether ALLOWED_HOSTS holds "*"."""
    assert stack.settings is not None
    value = stack.settings.get("ALLOWED_HOSTS")
    if isinstance(value, Unknown):
        return value
    if not isinstance(value.value, (list, tuple)):
        return Unknown("ALLOWED_HOSTS is no list")
    unknown: Unknown | None = None
    for item in value.value:
        if isinstance(item, Unknown):
            unknown = unknown or item
        elif getattr(item, "value", item) == "*":
            return Known(True, value.places)
    return unknown if unknown is not None else Known(False, value.places)
