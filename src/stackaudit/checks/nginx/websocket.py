"""Whether a websocket gets through to the application."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.version import at_least
from stackaudit.link.stack import Stack
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

BY_DEFAULT = (1, 29, 7)
"""From this version on proxied requests are HTTP/1.1 without being told."""


def websocket_upgrade(stack: Stack) -> Iterator[Verdict]:
    """One site for each server, where the project accepts websockets: the location that lets them through, or none."""
    if not any(stack.modules.imports(name) for name in ("channels.routing", "channels.generic.websocket")):
        return
    judged = [
        (proxied, _judge(stack, proxied))
        for proxied, is_it in django_locations(stack)
        if is_it and proxied.target.by == "proxy_pass"
    ]
    for server in stack.nginx.servers:
        here = [(proxied, verdict) for proxied, verdict in judged if proxied.location.server is server]
        if not here:
            continue
        verdicts = [verdict for _, verdict in here]
        best = next((verdict for verdict in verdicts if isinstance(verdict, Pass)), None)
        doubt = next((verdict for verdict in verdicts if isinstance(verdict, Unsure)), None)
        partly = next((verdict for verdict in verdicts if isinstance(verdict, Fail) and verdict.cause), None)
        if best or partly or doubt:
            yield best or partly or doubt or verdicts[0]
        elif server.level.gap_for("location") is not None:
            gap = server.level.gap_for("location")
            yield Unsure(verdicts[0].site, gap.why if gap else "")
        else:
            root = next((verdict for proxied, verdict in here if proxied.location.pattern == "/"), verdicts[0])
            yield root


def _judge(stack: Stack, proxied: Proxied) -> Verdict:
    level = proxied.level
    site = Site(proxied.target.line.place, f"{proxied.location.server.title} websockets")
    headers, version = level.in_force("proxy_set_header"), level.in_force("proxy_http_version")
    if isinstance(headers, Unknown):
        return Unsure(site, headers.why)
    names = {line.words[0].text.lower(): line for line in headers.value.lines if len(line.words) > 1}
    if headers.value.gap is not None and not {"upgrade", "connection"} <= names.keys():
        return Unsure(site, headers.value.gap.why)
    if "upgrade" not in names:
        return Fail(site, {"location": proxied.location.title})
    related = (Step(names["upgrade"].place, "passes Upgrade on"),)
    connection = names["connection"].words[1].text.lower() if "connection" in names else ""
    if "upgrade" not in connection and "$" not in connection:
        return Fail(site, {"missing": 'proxy_set_header Connection "upgrade"'}, cause="incomplete", related=related)
    if isinstance(version, Unknown):
        return Unsure(site, version.why)
    number = version.value.lines[-1].words[0].text if version.value.lines else None
    if number == "1.1":
        return Pass(site)
    modern = at_least(stack.nginx.version, BY_DEFAULT)
    if number is None and modern:
        return Pass(site)
    if number is None and modern is None:
        return Unsure(site, "nginx before 1.29.7 needs proxy_http_version 1.1, and the version is not known")
    return Fail(site, {"missing": "proxy_http_version 1.1"}, cause="incomplete", related=related)
