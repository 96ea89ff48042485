"""What nginx tells Django about the visitor."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.level import InForce
from stackaudit.link.nginx.servers import Server, target_of
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_SCHEME = frozenset(
    {"x-forwarded-proto", "x-forwarded-protocol", "x-forwarded-scheme", "x-forwarded-ssl", "x-scheme", "forwarded"}
)

_VALUES = {"Host": "$host", "X-Forwarded-For": "$proxy_add_x_forwarded_for", "X-Forwarded-Proto": "$scheme"}


def proxy_headers(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that hands requests to Django over HTTP."""
    proxied = [
        (item, is_it)
        for item, is_it in django_locations(stack)
        if item.target.by == "proxy_pass" and (item.level is item.location.level or _only_by_condition(item))
    ]
    verdicts = once_for_each_place(_judge(stack, item, is_it) for item, is_it in proxied)
    levels = {item.target.line.place: item.level.in_force("proxy_set_header") for item, _ in proxied}
    yield from one_for_each_cause(verdicts, lambda fail: _cause(fail, levels[fail.site.place]))


def _only_by_condition(item: Proxied) -> bool:
    """Whether an `if` hands on what the location itself opens as a file (`if (!-f $request_filename)`)."""
    return target_of(item.location.level) is None


def _cause(fail: Fail, found: Value[InForce]) -> object:
    """What several failures have in common: the lines that are in force, or that there are none."""
    lines = found.value.places if isinstance(found, Known) else ()
    return (fail.site.place.path, fail.cause, fail.values.get("missing"), lines)


def _judge(stack: Stack, proxied: Proxied, is_django: bool | None) -> Verdict:
    place = proxied.target.line.place
    site = Site(place, f"{proxied.location.site.name} proxy_set_header")
    found = proxied.level.in_force("proxy_set_header")
    if isinstance(found, Unknown):
        return Unsure(site, found.why)
    missing = _missing(found.value, proxied.location.server)
    if not missing:
        return Pass(site)
    if found.value.gap is not None:
        return Unsure(site, found.value.gap.why)
    if is_django is None:
        return Unsure(site, f"nothing tells whether {proxied.target.address} is the Django application")
    lost = _lost(proxied, found.value, missing)
    if missing == ["X-Forwarded-For"] and lost is None and _behind_tls(stack, proxied.location.server):
        return Unsure(
            site,
            "TLS ends before this server (SECURE_PROXY_SSL_HEADER), and what the proxy there tells passes unchanged",
        )
    values = {
        "missing": " and ".join(missing),
        "upstream": proxied.target.address,
        "lines": " ".join(f"proxy_set_header {name} {_VALUES[name]};" for name in missing),
    }
    if lost is not None:
        return Fail(site, values, cause="replaced", related=lost)
    if "Host" in missing:
        return Fail(site, values)
    return Fail(site, values, cause="client-address" if missing == ["X-Forwarded-For"] else "forwarded")


def _behind_tls(stack: Stack, server: Server) -> bool:
    """Whether Django learns of TLS from a proxy that stands before this server, which speaks none."""
    settings = stack.production
    if server.tls != Known(False) or settings is None or settings.doubt:
        return False
    header = settings.get("SECURE_PROXY_SSL_HEADER")
    return not isinstance(header, Known) or bool(header.value)


def _missing(found: InForce, server: Server) -> list[str]:
    """What is not set of Host, X-Forwarded-For (X-Real-IP will do) and X-Forwarded-Proto.

    A server that speaks no TLS has no scheme to tell: what a proxy in front of it wrote must pass unchanged. One that
    listens on a socket file alone has such a proxy, and that one knows the visitor's address.
    """
    names = {}
    for line in found.lines:
        if line.words:
            value = line.words[1].text if len(line.words) > 1 else ""
            names[line.words[0].text.lower()] = value
    result = []
    host = names.get("host", "$proxy_host")
    forwarded_host = names.get("x-forwarded-host")
    if host in ("$proxy_host", "") and not forwarded_host:
        result.append("Host")
    behind = all(listen.address.startswith("unix:") for listen in server.listens)
    if not behind and not {"x-forwarded-for", "x-real-ip", "forwarded"} & names.keys():
        result.append("X-Forwarded-For")
    if server.tls == Known(True) and not _SCHEME & names.keys():
        result.append("X-Forwarded-Proto")
    return result


def _lost(proxied: Proxied, found: InForce, missing: list[str]) -> tuple[Step, ...] | None:
    """The lines of an outer level that would have set what is missing, had the inner one not replaced them all."""
    if found.level is None:
        return None
    wanted = {name.lower() for name in missing}
    for level in found.level.outward():
        if level is found.level:
            continue
        lines = level.lines.get("proxy_set_header", [])
        hits = [line for line in lines if line.words and line.words[0].text.lower() in wanted]
        if hits:
            inner = Step(found.lines[0].place, "this line replaces every proxy_set_header of the outer levels")
            return (inner, *(Step(line.place, f"{line.words[0].text} is lost") for line in hits))
        if lines:
            return None
    return None
