"""proxy_pass with variables: who chooses the server, and whether its name can be looked up."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Nginx, Proxied
from stackaudit.link.nginx.names import answers_any_name, fixed_names
from stackaudit.link.nginx.servers import Server
from stackaudit.link.nginx.variables import HOST, Held, Part, parts, together
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_SCHEME = re.compile(r"\w+://")
_HOST_NAME = re.compile(r"[A-Za-z0-9_.-]+(:\d+)?")


def ssrf(stack: Stack) -> Iterator[Verdict]:
    """One site for each target whose address holds a variable."""
    yield from once_for_each_place(
        verdict for proxied in stack.nginx.proxied for verdict in _chosen(stack.nginx, proxied)
    )


def resolver_missing(stack: Stack) -> Iterator[Verdict]:
    """One site for each target whose address holds a variable."""
    verdicts = once_for_each_place(
        verdict for proxied in stack.nginx.proxied for verdict in _looked_up(stack.nginx, proxied)
    )
    yield from one_for_each_cause(verdicts, lambda fail: (fail.values["name"], fail.site.place.path))


def address_of(proxied: Proxied) -> tuple[Part, ...]:
    """The pieces of a target's address, between its scheme and its path; none where it holds no variable."""
    if "$" not in proxied.target.address:
        return ()
    found: list[Part] = []
    for part in _inlined(parts(proxied.target.address, proxied.level), proxied):
        if part.name:
            found.append(part)
            continue
        text = part.text if found else _SCHEME.sub("", part.text, count=1)
        end = re.search(r"[/?#]", text)
        plain = text[: end.start()] if end is not None else text
        if plain:
            found.append(Part(plain, held=Known(Held(values=(plain,)))))
        if end is not None:
            break
    return tuple(found) if any(part.name for part in found) else ()


def _inlined(pieces: list[Part], proxied: Proxied) -> Iterator[Part]:
    """The pieces; a variable that is set once is replaced by the pieces of its value."""
    for part in pieces:
        line = _only_set(part.name, proxied) if part.name else None
        if line is not None and isinstance(part.held, Known) and part.held.value.values is None:
            yield from parts(line, proxied.level)
        else:
            yield part


def _only_set(name: str, proxied: Proxied) -> str | None:
    """The value of the only `set` of a variable around a location; None where there is none, or several."""
    values = [
        line.words[1].text
        for outer in proxied.level.outward()
        for level in (outer, *outer.inside("if"))
        for line in level.lines.get("set", [])
        if len(line.words) > 1 and line.words[0].text.lower() == "$" + name
    ]
    return values[0] if len(values) == 1 and not re.search(r"\$\d", values[0]) else None


def _chosen(nginx: Nginx, proxied: Proxied) -> Iterator[Verdict]:
    pieces = address_of(proxied)
    if not pieces:
        return
    line = proxied.target.line
    site = Site(line.place, f"{proxied.location.site.name} chooses the server")
    if "internal" in proxied.location.level.lines:
        yield Pass(site)  # only nginx and the application's X-Accel-Redirect get there
        return
    unknown: Unknown | None = None
    for index, part in enumerate(pieces):
        held = _of_host(nginx, proxied.location.server, part)
        if isinstance(held, Unknown):
            unknown = unknown or held
            continue
        alphabet = held.value.alphabet
        if not alphabet:
            continue
        rest = "".join(piece.text or "$" for piece in pieces[index + 1 :])
        related = tuple(Step(place, "the value comes from here") for place in dict.fromkeys(held.value.places))
        values = {"variable": part.text, "target": line.words[0].text}
        before = "".join(piece.text for piece in pieces[:index])
        if before.endswith(":"):
            yield Fail(site, values, cause="port", related=related)
            return
        ends = not re.search(r"[A-Za-z]", rest)
        if alphabet & set("/?#") or (ends and "." in alphabet and not before):
            yield Fail(site, values, related=related)
            return
        if ends:
            unknown = unknown or Unknown(f"nothing tells which hosts the names that {part.text} can hold belong to")
    yield Unsure(site, unknown.why) if unknown is not None else Pass(site)


def _of_host(nginx: Nginx, server: Server, part: Part) -> Value[Held]:
    """`$host` is no riddle in a server that only its own names reach; `$http_host` is what the client wrote."""
    if part.name != "host" or not isinstance(part.held, Known) or part.held.value.alphabet != HOST:
        return part.held
    names = fixed_names(server)
    any_name = answers_any_name(nginx, server)
    if isinstance(any_name, Unknown):
        return any_name
    return Known(Held(values=names)) if names is not None and not any_name.value else part.held


def _looked_up(nginx: Nginx, proxied: Proxied) -> Iterator[Verdict]:
    pieces = address_of(proxied)
    if not pieces:
        return
    line = proxied.target.line
    site = Site(line.place, f"{proxied.location.site.name} looks up its server")
    resolver = proxied.level.in_force("resolver")
    if isinstance(resolver, Known) and resolver.value.lines:
        yield Pass(site)
        return
    whole = together(pieces)
    if isinstance(whole, Unknown):
        yield Unsure(site, whole.why)
        return
    texts = whole.value.values
    if texts is None:
        ending = pieces[-1].text.partition(":")[0] if not pieces[-1].name else ""
        if not re.search(r"\.[A-Za-z]", ending):
            yield Unsure(site, f"nothing tells whether {line.words[0].text} leads to a name or to an address")
            return
        texts = ("*" + ending,)
    names = [
        name for text in texts if (name := _name(text)) and _needs_lookup(nginx, name, _https(line.words[0].text, text))
    ]
    if not names:
        yield Pass(site)
    elif isinstance(resolver, Unknown):
        yield Unsure(site, resolver.why)
    else:
        related = tuple(Step(place, "its name is put together here") for place in dict.fromkeys(whole.value.places))
        yield Fail(site, {"name": names[0], "target": line.words[0].text}, related=related)


def _name(text: str) -> str:
    """The host of `http://host:80/x` or `host:80`."""
    return re.split(r"[/?#]", _SCHEME.sub("", text, count=1), maxsplit=1)[0]


def _https(target: str, text: str) -> bool:
    return (text if "://" in text else target).startswith("https://")


def _needs_lookup(nginx: Nginx, name: str, https: bool) -> bool:
    if name.startswith(("unix:", "[")) or name in nginx.upstreams or _with_port(name, https) in _written_out(nginx):
        return False
    try:
        ipaddress.ip_address(name.partition(":")[0])
    except ValueError:
        return bool(_HOST_NAME.fullmatch(name.lstrip("*")))
    return False


def _with_port(name: str, https: bool) -> str:
    return name if ":" in name else f"{name}:{443 if https else 80}"


def _written_out(nginx: Nginx) -> set[str]:
    """The addresses without variables: nginx looks them up when it starts, and variables find them there."""
    plain = [proxied.target for proxied in nginx.proxied if "$" not in proxied.target.address]
    return {_with_port(target.address, target.scheme == "https") for target in plain}
