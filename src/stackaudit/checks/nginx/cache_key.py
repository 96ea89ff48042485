"""Whether nginx's cache keeps the pages of several hosts apart."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.cache import FAMILY
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_HOST = ("$host", "$http_host", "$server_name", "${host}", "${http_host}", "${server_name}")


def cache_key_omits_host(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that caches what Django answers."""
    cached = [(proxied, zone) for proxied, _ in django_locations(stack) if (zone := _zone(proxied)) is not None]
    verdicts = once_for_each_place(
        _judge(stack, proxied, [other for other, theirs in cached if theirs == zone]) for proxied, zone in cached
    )
    yield from one_for_each_cause(verdicts, lambda fail: (fail.values.get("hosts"), fail.values.get("key")))


def _zone(proxied: Proxied) -> str | None:
    """The zone of the cache in force; None where there is none or it is not known."""
    family = FAMILY.get(proxied.target.by)
    found = proxied.level.in_force(f"{family}_cache") if family else None
    if not isinstance(found, Known) or not found.value.lines:
        return None
    zone = found.value.lines[-1].text(0)
    return zone.value if isinstance(zone, Known) and zone.value != "off" else None


def _judge(stack: Stack, proxied: Proxied, sharing: list[Proxied]) -> Verdict:
    family = FAMILY[proxied.target.by]
    site = Site(proxied.target.line.place, f"{proxied.location.site.name} cache key")
    found = proxied.level.in_force(f"{family}_cache_key")
    if isinstance(found, Unknown):
        return Unsure(site, found.why)
    key = "$scheme$proxy_host$request_uri"
    related: tuple[Step, ...] = ()
    if found.value.lines:
        text = found.value.lines[-1].text(0)
        if isinstance(text, Unknown):
            return Unsure(site, text.why)
        key = " ".join(word.text for word in found.value.lines[-1].words)
        related = (Step(found.value.lines[-1].place, "the key"),)
    elif family != "proxy":
        return Pass(site)
    if any(name in key for name in _HOST) or ("$proxy_host" in key and "$" in proxied.target.address):
        return Pass(site)
    hosts = _hosts(stack, sharing)
    if isinstance(hosts, Unknown):
        return Unsure(site, hosts.why)
    if len(hosts.value) < 2:
        return Pass(site)
    shown = ", ".join(hosts.value[:3]) + (" ..." if len(hosts.value) > 3 else "")
    return Fail(site, {"key": key, "hosts": shown}, related=related)


def _hosts(stack: Stack, sharing: list[Proxied]) -> Value[list[str]]:
    """The host names that reach the pages of one zone; a catch-all counts by ALLOWED_HOSTS."""
    names: dict[str, None] = {}
    for proxied in sharing:
        server = proxied.location.server
        for line in server.level.lines.get("server_name", []):
            for word in line.words:
                if word.hole:
                    return Unknown(f"the template fills in {word.hole}")
        gap = server.level.gap_for("server_name")
        if gap is not None and not server.names:
            return Unknown(gap.why)
        own = [name for name in server.names if name not in ("_", "")]
        names.update(dict.fromkeys(own))
        if any(name.startswith(("*.", ".", "~")) or name.endswith(".*") for name in own):
            names[f"{own[0]} (any)"] = None
        elif not own:
            allowed = _allowed(stack)
            if isinstance(allowed, Unknown):
                return allowed
            names.update(dict.fromkeys(allowed.value))
    return Known(list(names))


def _allowed(stack: Stack) -> Value[list[str]]:
    if stack.production is None:
        return Unknown("the server takes every host name, and no ALLOWED_HOSTS tells which there are")
    value = stack.production.get("ALLOWED_HOSTS")
    if isinstance(value, Unknown) or not isinstance(value.value, (list, tuple)):
        return Unknown("the server takes every host name, and ALLOWED_HOSTS is not known")
    result: list[str] = []
    for item in value.value:
        host = item.value if isinstance(item, Known) else item
        if not isinstance(host, str):
            return Unknown("the server takes every host name, and ALLOWED_HOSTS is not known")
        if host not in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0"):
            result += [host, f"{host} (any)"] if host.startswith((".", "*")) else [host]
    return Known(result)
