"""What Django takes for the scheme of a request: what nginx says of it, and whether anybody believes nginx.

gunicorn 27.0.1 and uvicorn 0.54.0 were run for what they believe: gunicorn takes X-Forwarded-Proto "https",
X-Forwarded-Protocol "ssl" and X-Forwarded-Ssl "on" of 127.0.0.1, ::1 and of whoever comes through a unix socket;
uvicorn (and gunicorn's uvicorn workers) X-Forwarded-Proto of 127.0.0.1 and ::1 alone, not of a unix socket.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from stackaudit.link.nginx import Proxied
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.settings import Settings
    from stackaudit.link.stack import Stack

Said: TypeAlias = Literal["own", "https", "passed-on", "nothing", "other"]
"""What a header says: nginx's own scheme, always https, whatever the client sent (set to it, or not set at all: the
client's header goes through as it is), or something else."""

GUNICORN: Mapping[str, str] = {"x-forwarded-proto": "https", "x-forwarded-protocol": "ssl", "x-forwarded-ssl": "on"}
"""gunicorn's secure_scheme_headers."""
FORWARDED = "x-forwarded-proto"
_META = re.compile(r"HTTP_[A-Z0-9_]+")
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")
_LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")


@dataclass(frozen=True, slots=True)
class Header:
    """A header as nginx hands it on, and where that is decided."""

    said: Said
    text: str
    place: Place


def header(proxied: Proxied, name: str) -> Value[Header]:
    """What the application gets as the header `name` (lower case) through a location with proxy_pass."""
    found = proxied.level.in_force("proxy_set_header")
    if isinstance(found, Unknown):
        return found
    for line in found.value.lines:
        if not line.words or line.words[0].text.lower() != name:
            continue
        if len(line.words) < 2 or line.words[1].hole:
            return Unknown("the template fills the header in", (line.place,))
        text = line.words[1].text
        return Known(Header(_said(text, proxied), text, line.place), (line.place,))
    if found.value.gap is not None:
        return Unknown(found.value.gap.why, (found.value.gap.place,))
    return Known(Header("nothing", "", proxied.target.line.place))


def django_header(settings: Settings) -> Value[tuple[str, str] | None]:
    """SECURE_PROXY_SSL_HEADER as the name of a header in lower case and its value; None where it is not set.

    Django looks the name up in `request.META`, where a header is HTTP_ and its name in upper case with underscores:
    under any other name it finds nothing and asks the server.
    """
    value = settings.get("SECURE_PROXY_SSL_HEADER")
    if isinstance(value, Unknown):
        return value
    held = value.value
    if not isinstance(held, (list, tuple)) or len(held) != 2:
        return Known(None) if not held else Unknown("SECURE_PROXY_SSL_HEADER is no pair", value.places)
    pair = [item.value if isinstance(item, Known) else item for item in held]
    unknown = next((item for item in pair if isinstance(item, Unknown)), None)
    if unknown is not None:
        return unknown
    name = str(pair[0])
    if not _META.fullmatch(name):
        return Known(None, value.places)
    return Known((name.removeprefix("HTTP_").replace("_", "-").lower(), str(pair[1])), value.places)


def misspelt_header(settings: Settings) -> dict[str, str]:
    """What SECURE_PROXY_SSL_HEADER names and what it would have to; nothing where it is set right, or not at all."""
    value = settings.get("SECURE_PROXY_SSL_HEADER")
    held = value.value if isinstance(value, Known) else None
    first = held[0].value if isinstance(held, (list, tuple)) and held and isinstance(held[0], Known) else None
    if not isinstance(first, str) or _META.fullmatch(first):
        return {}
    right = f"HTTP_{first.upper().replace('-', '_').removeprefix('HTTP_')}"
    return {"named": first, "right": right}


@dataclass(frozen=True, slots=True)
class Seen:
    """What `request.is_secure()` is for what comes through the TLS of a location, and what that rests on.

    It rests on the header `name` (lower case), of which `wanted` is taken for https. `told` is what the application
    gets, None where that is not known or not asked. `by_setting`: SECURE_PROXY_SSL_HEADER names it, not the server.
    """

    is_https: Value[bool]
    name: str = FORWARDED
    wanted: str = "https"
    told: Header | None = None
    by_setting: bool = False


def seen(stack: Stack, settings: Settings, door: Proxied) -> Seen:
    """How Django sees what comes through the TLS of a location that hands it on."""
    if door.target.scheme == "https":
        return Seen(Known(True))
    if door.target.by != "proxy_pass":
        return Seen(Unknown(f"what {door.target.by} tells of the scheme is not followed"))
    own = django_header(settings)
    if isinstance(own, Unknown):
        return Seen(own)
    name, wanted = own.value or (FORWARDED, "https")
    told = header(door, name)
    if isinstance(told, Unknown):
        return Seen(told, name, wanted)
    said = told.value.said
    is_https: Value[bool]
    if said in ("passed-on", "other"):
        is_https = Unknown(f"what stands before nginx decides what {name} says")
    elif said == "nothing":
        is_https = Known(False, told.places)
    elif own.value is not None:
        is_https = Known(("https" if said == "own" else told.value.text) == wanted, told.places)
    else:
        is_https = _all_believe(stack, door, name)
    return Seen(is_https, name, wanted, told.value, own.value is not None)


SCHEMES = frozenset({*GUNICORN, "x-forwarded-scheme", "x-scheme", "forwarded"})
"""Headers by which proxies tell the scheme."""


def tells_any_scheme(proxied: Proxied) -> bool:
    """Whether nginx sets any header about the scheme there."""
    found = proxied.level.in_force("proxy_set_header")
    return isinstance(found, Known) and any(
        line.words and line.words[0].text.lower() in SCHEMES for line in found.value.lines
    )


def _said(text: str, proxied: Proxied) -> Said:
    variables = _VARIABLE.findall(text)
    if not variables:
        return "https" if text.lower() in ("https", "ssl", "on") else "other"
    if variables == ["scheme"] and text in ("$scheme", "${scheme}"):
        return "own"
    sources = [source for name in variables for source in _sources(name, proxied)]
    if any(source.startswith("http_") for source in sources):
        return "passed-on"
    return "own" if set(sources) & {"scheme", "https", "server_port"} else "other"


def _sources(name: str, proxied: Proxied) -> Iterator[str]:
    """A variable, or those that a map or `set` makes it of."""
    found = False
    for level in proxied.level.outward():
        for line in level.lines.get("set", []):
            if len(line.words) > 1 and line.words[0].text == f"${name}":
                found = True
                yield from _VARIABLE.findall(line.words[1].text)
        for block in level.inside("map"):
            words = block.directive.args if block.directive is not None else ()
            if len(words) > 1 and words[1].text == f"${name}":
                found = True
                yield from _VARIABLE.findall(words[0].text)
    if not found:
        yield name


def _all_believe(stack: Stack, proxied: Proxied, name: str) -> Value[bool]:
    """Whether the server behind a location turns the header `name` of nginx into the scheme of the request."""
    servers = _behind(stack, proxied)
    if not servers:
        return Unknown("the server behind nginx is not in the repository")
    answers = [_believes(server, proxied, name, stack.nginx.addresses(proxied.target)) for server in servers]
    unknown = next((answer for answer in answers if isinstance(answer, Unknown)), None)
    known = [answer.value for answer in answers if isinstance(answer, Known)]
    if unknown is not None or not known:
        return unknown or Unknown("nothing tells")
    if len(set(known)) > 1:
        return Unknown("several servers stand behind it, and not all believe nginx")
    return Known(known[0])


def _behind(stack: Stack, proxied: Proxied) -> list[Process]:
    servers = [item for item in stack.processes.production_servers if item.kind not in DEVELOPMENT_SERVERS]
    hosts = {address.partition(":")[0] for address in stack.nginx.addresses(proxied.target)} | {proxied.target.host}
    return [item for item in servers if item.origin.service in hosts] or servers


def _believes(server: Process, proxied: Proxied, name: str, addresses: tuple[str, ...]) -> Value[bool]:
    if proxied.target.by != "proxy_pass" or server.kind not in ("gunicorn", "uvicorn"):
        return Unknown(f"what {server.kind} makes of the headers of a proxy is not followed")
    uvicorn = server.kind == "uvicorn" or _uvicorn_worker(server)
    if isinstance(uvicorn, Unknown):
        return uvicorn
    if uvicorn:
        wanted = server.settings.get("proxy_headers", Known(True))
        if isinstance(wanted, Unknown):
            return wanted
        if not wanted.value or name != "x-forwarded-proto":
            return Known(False)
    else:
        headers = server.setting("secure_scheme_headers")
        if not isinstance(headers, Known) or headers.value:
            return Unknown("secure_scheme_headers are the project's own")
        if name not in GUNICORN:
            return Known(False)
    allowed = allowed_proxies(server)
    if isinstance(allowed, Unknown):
        return allowed
    if "*" in allowed.value:
        return Known(True)
    return _is_allowed(server, allowed.value, addresses, by_socket=not uvicorn)


def _uvicorn_worker(server: Process) -> bool | Unknown:
    value = server.worker_class
    return value if isinstance(value, Unknown) else "uvicorn" in str(value.value).lower()


def _is_allowed(
    server: Process, allowed: tuple[str, ...], addresses: tuple[str, ...], *, by_socket: bool
) -> Value[bool]:
    if any(address.startswith("unix:") for address in addresses):
        return Known(by_socket)
    hosts = {address.rpartition(":")[0] or address for address in addresses}
    if hosts & set(_LOCAL):
        network = server.origin.option("network_mode")
        if server.contained and not (isinstance(network, Known) and network.value == "host"):
            return Unknown("nothing tells whether nginx runs inside the container of the server")
        return Known(bool({"127.0.0.1", "localhost", "::1"} & set(allowed)))
    others = [item for item in allowed if item not in ("127.0.0.1", "::1", "localhost")]
    if others:
        return Unknown(f"nothing tells whether nginx is {' or '.join(others[:3])}")
    return Known(False)


def allowed_proxies(server: Process) -> Value[tuple[str, ...]]:
    """Whose headers a server believes: forwarded_allow_ips, else FORWARDED_ALLOW_IPS, else those of this machine."""
    given = server.given.get("forwarded_allow_ips")
    value: AnyValue = server.settings.get("forwarded_allow_ips", Known(None))
    if not given and isinstance(value, Known):
        found = server.environment.get("FORWARDED_ALLOW_IPS")
        value = found if found is not None else Known("127.0.0.1,::1")
    if isinstance(value, Unknown):
        return value
    held = value.value
    items = held.split(",") if isinstance(held, str) else list(held or ())
    texts = [item.value if isinstance(item, Known) else item for item in items]
    if any(isinstance(item, Unknown) for item in texts):
        return Unknown("forwarded_allow_ips is not known")
    return Known(tuple(str(item).strip() for item in texts), value.places)
