"""What `nginx -t` refuses, or takes without a word and reads otherwise than it was meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from stackaudit.facts.nginx import Directive
from stackaudit.facts.nginx import Nginx as File
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.nginx.servers import Server
from stackaudit.link.nginx.version import at_least
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

HTTP2_DIRECTIVE = (1, 25, 1)
"""The version that brought the directive http2."""

KEEPALIVE_ANYWHERE = (1, 29, 7)
"""From this version on keepalive may stand before the balancing method."""

_SECONDS = re.compile(r"(\d+[yMwdhms]?\s*)+")
_MILLISECONDS = re.compile(r"(\d+(ms|[yMwdhms])?\s*)+")
_TIMES = frozenset(
    {"proxy_read_timeout", "proxy_send_timeout", "proxy_connect_timeout", "uwsgi_read_timeout", "send_timeout"}
    | {"client_body_timeout", "client_header_timeout", "keepalive_timeout", "resolver_timeout", "lingering_timeout"}
)
_PROTOCOLS = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"})
_ONCE = frozenset(
    {"gzip", "root", "alias", "expires", "server_tokens", "client_max_body_size", "proxy_pass", "autoindex", "sendfile"}
    | {"proxy_read_timeout", "proxy_buffering", "proxy_http_version", "proxy_cache", "proxy_cache_key", "default_type"}
)
_UNGRAMMATICAL = frozenset(
    {"a directive has no ; at its end", "a directive has no ; before the }", "the last directive has no ;"}
    | {"a } closes nothing", "a block is never closed", "a ; stands alone: nginx refuses the file"}
)
"""What the reader mends and tells, and nginx refuses."""

_BALANCING = ("least_conn", "ip_hash", "hash", "random", "least_time")


def config_error(stack: Stack) -> Iterator[Verdict]:
    """A site for each error; a server without any is a site that passes."""
    seen: set[tuple[Place, str]] = set()
    yield from _ungrammatical(stack)
    for http in stack.nginx.https:
        broken: set[Level] = set()
        for level in _levels(http):
            for verdict in _of_level(stack, level, http):
                key = (verdict.site.place, verdict.cause if isinstance(verdict, Fail) else "")
                broken.update(level.outward())
                if key not in seen:
                    seen.add(key)
                    yield verdict
        for server in stack.nginx.servers:
            if server.http is http and server.level not in broken:
                verdict = _of_server(stack, server)
                if (verdict.site.place, "") not in seen:
                    seen.add((verdict.site.place, ""))
                    yield verdict


def _ungrammatical(stack: Stack) -> Iterator[Verdict]:
    """Slips of grammar, where no template decides what stands there."""
    paths = {level.path for http in stack.nginx.https for level in _levels(http)}
    for item in stack.of_kind("nginx"):
        if item.path not in paths or not isinstance(item.facts, File) or _is_template(item.facts.directives):
            continue
        told = [note for note in item.facts.notes if note.text in _UNGRAMMATICAL and note.line]
        for note in told[:1]:  # what follows the first slip may only follow from it
            site = Site(Place.line(item.path, note.line), f"the grammar of {item.path}")
            yield Fail(site, {"what": note.text.partition(":")[0]}, cause="grammar")


def _is_template(directives: Iterable[Directive]) -> bool:
    return any(
        each.hole or each.maybe or any(word.hole for word in each.args) or _is_template(each.block or ())
        for each in directives
    )


def _levels(level: Level) -> Iterator[Level]:
    yield level
    for child in level.children:
        yield from _levels(child)


def _of_level(stack: Stack, level: Level, http: Level) -> Iterator[Verdict]:
    if level.kind in ("types", "map", "geo", "split_clients"):
        return
    for name, lines in level.lines.items():
        if name in _ONCE and len(lines) > 1 and not any(line.maybe for line in lines):
            step = (Step(lines[0].place, "the first"),)
            yield Fail(_site(lines[1]), {"name": name}, cause="duplicate", related=step)
        for line in lines:
            yield from _of_line(stack, level, http, line)
    if level.kind == "upstream":
        yield from _balancing(stack, level)
    yield from _twice(level)


def _site(line: Line) -> Site:
    return Site(line.place, f"{line.name} {' '.join(word.text for word in line.words)}"[:120])


def _of_line(stack: Stack, level: Level, http: Level, line: Line) -> Iterator[Verdict]:
    words = [word.text for word in line.words]
    if not words or any(word.hole for word in line.words):
        return
    name = line.name
    if name.endswith("_cache_valid") and not _SECONDS.fullmatch(words[-1]):
        yield Fail(_site(line), {"time": words[-1]}, cause="time")
    elif name in _TIMES and "$" not in words[0] and not _MILLISECONDS.fullmatch(words[0]):
        yield Fail(_site(line), {"time": words[0]}, cause="time")
    elif name in ("proxy_cache", "uwsgi_cache") and words[0] != "off" and "$" not in words[0]:
        if not http.gaps and words[0] not in _zones(http, name):
            yield Fail(_site(line), {"zone": words[0], "path": f"{name}_path"}, cause="zone")
    elif name == "ssl_protocols":
        wrong = [word for word in words if word not in _PROTOCOLS]
        if wrong:
            yield Fail(_site(line), {"value": " ".join(wrong)}, cause="protocol")
    elif name == "proxy_pass":
        yield from _uri(level, line, words[0])
    elif name == "error_log" and words[0] == "off":
        yield Fail(_site(line), {}, cause="log-named-off")
    elif name == "client_max_body_size" and words[0].isdigit() and 0 < int(words[0]) < 1024:
        yield Fail(_site(line), {"number": words[0]}, cause="bytes")
    elif name == "http2" and words[0] == "on":
        has = at_least(stack.nginx.version, HTTP2_DIRECTIVE)
        if has is None:
            yield Unsure(_site(line), "nginx before 1.25.1 does not know it, and the version is not known")
        elif not has:
            yield Fail(_site(line), {"version": _version(stack)}, cause="http2")


def _zones(http: Level, name: str) -> set[str]:
    """The names of the cache zones that http defines."""
    words = [word.text for line in http.lines.get(f"{name}_path", []) for word in line.words]
    return {word.removeprefix("keys_zone=").partition(":")[0] for word in words if word.startswith("keys_zone=")}


def _uri(level: Level, line: Line, target: str) -> Iterator[Verdict]:
    """proxy_pass with a URI where nginx has nothing to replace by it."""
    _, _, rest = target.partition("://")
    has_uri = ":/" in rest[5:] if rest.startswith("unix:") else "/" in rest
    if not has_uri or "$" in target:
        return
    words = [word.text for word in level.directive.args] if level.directive is not None else []
    first = words[0] if words else ""
    named = level.kind == "location" and first.startswith("@")
    regex = level.kind == "location" and first.startswith("~")
    if named or regex or level.kind in ("if", "limit_except"):
        where = "a named location" if named else "a location with an expression" if regex else f"`{level.kind}`"
        yield Fail(_site(line), {"where": where, "target": target}, cause="uri")


def _balancing(stack: Stack, level: Level) -> Iterator[Verdict]:
    keepalive = level.lines.get("keepalive")
    method = next((level.lines[name][0] for name in _BALANCING if name in level.lines), None)
    if not keepalive or method is None or keepalive[0].place.path != method.place.path:
        return
    if keepalive[0].place.region < method.place.region:
        fixed = at_least(stack.nginx.version, KEEPALIVE_ANYWHERE)
        if fixed is False:
            yield Fail(_site(method), {"method": method.name}, cause="balancing")
        elif fixed is None:
            yield Unsure(
                _site(method), "nginx before 1.29.7 loses the keepalive before it, and the version is not known"
            )


def _twice(level: Level) -> Iterator[Verdict]:
    """Two locations of one name: nginx refuses them, but for expressions and named ones."""
    seen: dict[tuple[str, ...], Level] = {}
    for location in level.inside("location"):
        words = location.directive.args if location.directive is not None else ()
        if not words or any(word.hole for word in words) or location.maybe or words[0].text.startswith(("~", "@")):
            continue
        key = tuple(word.text for word in words if word.text != "^~")
        if key in seen:
            step = (Step(seen[key].place, "the first"),)
            site = Site(location.place, f"location {' '.join(key)} again")
            yield Fail(site, {"name": f"location {' '.join(key)}"}, cause="duplicate", related=step)
        seen.setdefault(key, location)


def _of_server(stack: Stack, server: Server) -> Verdict:
    site = Site(server.place, f"{server.title} as nginx reads it")
    speaks = [listen for listen in server.listens if "ssl" in listen.options and listen.line is not None]
    if speaks and not _has_certificate(server):
        found = server.level.in_force("ssl_certificate")
        if isinstance(found, Known):
            return Fail(site, {"port": speaks[0].port}, cause="certificate")
        return Unsure(site, found.why)
    for other in stack.nginx.servers:
        if other is server:
            break
        if other.http is not server.http or other.level.maybe or server.level.maybe:
            continue
        same = [name for name in server.names if name in other.names and not name.startswith("$")]
        sockets = {listen.socket for listen in other.listens if not listen.hole}
        holes = any(word.hole for line in server.level.lines.get("server_name", []) for word in line.words)
        if same and not holes and all(listen.socket in sockets for listen in server.listens):
            step = (Step(other.place, "the one that answers"),)
            return Fail(site, {"name": same[0]}, cause="name-taken", related=step)
    return Pass(site)


def _has_certificate(server: Server) -> bool:
    """Whether a certificate stands anywhere around, be it under a template's condition."""
    names = ("ssl_certificate", "ssl_reject_handshake")
    return any(name in level.lines for level in server.level.outward() for name in names)


def _version(stack: Stack) -> str:
    version = stack.nginx.version
    return str(version.value) if isinstance(version, Known) else "this version"
