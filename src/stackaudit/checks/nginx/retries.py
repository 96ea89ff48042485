"""Requests that nginx sends a second time."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.directives import FAMILY
from stackaudit.link.nginx.level import Line
from stackaudit.link.nginx.servers import Upstream
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


def upstream_retry(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that hands requests to one of several servers of Django."""
    verdicts = once_for_each_place(
        verdict
        for proxied, is_it in django_locations(stack)
        if is_it and proxied.target.by in FAMILY
        for verdict in _judge(stack, proxied)
    )
    yield from one_for_each_cause(verdicts, lambda fail: (fail.cause, fail.values["upstream"], fail.site.place.path))


def _judge(stack: Stack, proxied: Proxied) -> Iterator[Verdict]:
    upstream = stack.nginx.upstreams.get(proxied.target.address)
    if upstream is None:
        return
    servers = [line for line in upstream.level.lines.get("server", []) if not _has(line, "down")]
    if len(servers) < 2:
        return
    site = Site(proxied.target.line.place, f"{proxied.location.site.name} repeated requests")
    family = FAMILY[proxied.target.by]
    cases = _cases(proxied, family)
    tries = proxied.level.in_force(f"{family}_next_upstream_tries")
    for unknown in (cases, tries):
        if isinstance(unknown, Unknown):
            yield Unsure(site, unknown.why)
            return
    assert isinstance(cases, Known) and isinstance(tries, Known)
    once = bool(tries.value.lines) and tries.value.lines[-1].words[0].text == "1"
    values = {"upstream": upstream.name, "count": len(servers), "directive": f"{family}_next_upstream"}
    related = tuple(Step(place, "which failures are repeated") for place in cases.places[:1])
    if "off" in cases.value or once:
        yield Pass(site)
    elif "non_idempotent" in cases.value:
        yield Fail(site, values, cause="writes", related=related)
    elif "timeout" in cases.value and not all(_never_out(line) for line in servers):
        yield Fail(site, values, related=(*related, *_members(upstream, servers)))
    else:
        yield Pass(site)


def _cases(proxied: Proxied, family: str) -> Value[frozenset[str]]:
    """What nginx takes for a reason to ask the next server."""
    found = proxied.level.in_force(f"{family}_next_upstream")
    if isinstance(found, Unknown):
        return found
    if not found.value.lines:
        return Known(frozenset({"error", "timeout"}), note="nginx's default")
    return Known(frozenset(word.text for line in found.value.lines for word in line.words), found.value.places)


def _has(line: Line, option: str) -> bool:
    return any(word.text == option for word in line.words[1:])


def _never_out(line: Line) -> bool:
    """Whether failures never take a server out of the rotation; a backup is only asked when all others are."""
    return _has(line, "max_fails=0") or _has(line, "fail_timeout=0") or _has(line, "backup")


def _members(upstream: Upstream, servers: list[Line]) -> tuple[Step, ...]:
    return (Step(upstream.level.place, f"upstream {upstream.name} has {len(servers)} servers"),)
