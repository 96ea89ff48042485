"""Which Host header Django is told, and whether anybody checks it."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.level import Line
from stackaudit.link.nginx.names import answers_any_name
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_BY_CLIENT = ("$http_host", "$http_x_forwarded_host")


def host_header(stack: Stack) -> Iterator[Verdict]:
    """One site for each line that tells Django the host that a client named."""
    verdicts = once_for_each_place(
        verdict
        for proxied, is_it in django_locations(stack)
        if is_it and proxied.target.by == "proxy_pass"
        for verdict in _judge(stack, proxied)
    )
    yield from one_for_each_cause(verdicts, lambda fail: fail.values["value"])


def _judge(stack: Stack, proxied: Proxied) -> Iterator[Verdict]:
    headers = proxied.level.in_force("proxy_set_header")
    if isinstance(headers, Unknown) or stack.production is None:
        return
    name = "x-forwarded-host" if _reads_forwarded(stack) else "host"
    line = next((line for line in headers.value.lines if _header(line) == name), None)
    if line is None:
        line = next((line for line in headers.value.lines if _header(line) == "host"), None)
    if line is None or len(line.words) < 2 or "$" not in line.words[1].text:
        return
    site = Site(line.place, f"{proxied.location.site.name} {line.words[0].text}")
    everybody = _any_host(stack)
    value = line.words[1].text.lower().replace("{", "").replace("}", "")
    if (isinstance(everybody, Known) and not everybody.value) or not value.startswith(_BY_CLIENT):
        yield Pass(site)
        return
    open_to_all = answers_any_name(stack.nginx, proxied.location.server)
    for unknown in (everybody, open_to_all):
        if isinstance(unknown, Unknown):
            yield Unsure(site, unknown.why)
            return
    if open_to_all == Known(True):
        yield Pass(site)  # nothing turns foreign names away in the first place: settings/allowed-hosts says so
        return
    related = tuple(Step(place, "Django accepts every host") for place in everybody.places[:1])
    values = {"value": line.words[1].text, "header": line.words[0].text}
    yield Fail(site, values, related=related)


def _header(line: Line) -> str:
    return line.words[0].text.lower() if line.words else ""


def _reads_forwarded(stack: Stack) -> bool:
    value = stack.production.get("USE_X_FORWARDED_HOST") if stack.production is not None else None
    return isinstance(value, Known) and bool(value.value)


def _any_host(stack: Stack) -> Value[bool]:
    """Whether ALLOWED_HOSTS holds "*"."""
    assert stack.production is not None
    value = stack.production.get("ALLOWED_HOSTS")
    if isinstance(value, Unknown):
        return value
    if not isinstance(value.value, (list, tuple)):
        return Unknown("ALLOWED_HOSTS is no list")
    notes = [value.note, *(item.note for item in value.value if isinstance(item, Known))]
    default = next(filter(None, map(defaulted, notes)), "")
    if default:
        return Unknown(f"the environment variable {default} decides it and the repository does not set it")
    unknown: Unknown | None = None
    for item in value.value:
        if isinstance(item, Unknown):
            unknown = unknown or item
        elif getattr(item, "value", item) == "*":
            return Known(True, value.places)
    return unknown if unknown is not None else Known(False, value.places)
