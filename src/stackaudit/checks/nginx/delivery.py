"""How nginx sends the files that it opens: their types, their log, and the system calls for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stackaudit.checks.nginx.cdn import cdn_in_front
from stackaudit.checks.nginx.served import Served, block_of, static_and_media_files, static_files
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_doubt_for_each_file, one_for_each_cause
from stackaudit.link.nginx.level import Level
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_WANTED = {
    "css": frozenset({"text/css"}),
    "js": frozenset({"application/javascript", "text/javascript", "application/x-javascript"}),
}


def mime_types_missing(stack: Stack) -> Iterator[Verdict]:
    """One site for each block that decides which types the static files have."""
    verdicts = once_for_each_place(_typed(served) for served in static_files(stack))
    yield from one_doubt_for_each_file(_grouped(verdicts))


def _grouped(verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """Failures of one file for the same reason as one."""
    return one_for_each_cause(verdicts, lambda fail: (fail.site.place.path, *fail.values.values()))


def _typed(served: Served) -> Verdict:
    place, name = block_of(served.server)
    deciding = next((outer for outer in served.level.outward() if outer.inside("types")), None)
    if deciding is not None:
        place = next((block.place for block in deciding.inside("types") if block.directive is not None), place)
        name = served.name
    site = Site(place, f"{name}: types")
    plain: dict[str, str] = {}
    for ending, wanted in _WANTED.items():
        found = type_of(served.level, ending)
        if isinstance(found, Unknown):
            return Unsure(site, found.why)
        if found.value and found.value not in wanted:
            plain[f".{ending}"] = found.value
    if not plain:
        return Pass(site)
    return Fail(site, {"files": " and ".join(plain), "type": next(iter(plain.values())), "path": served.path})


def type_of(level: Level, ending: str) -> Value[str]:
    """The Content-Type of files with an ending at a level; "" where mime.types, which knows it, decides.

    The innermost level with a `types` block replaces what outer ones say; several blocks of one level add up, and the
    last line that names an ending wins (nginx 1.22.1, which warns of it).
    """
    for outer in level.outward():
        blocks = outer.inside("types")
        named = [found for block in blocks for found in _named(block, ending)]
        if named:
            return named[-1]
        gap = outer.gap_for("types") or next((inner for block in blocks for inner in block.gaps), None)
        if gap is not None:
            return Unknown(gap.why, (gap.place,))
        if blocks:
            break
    found = level.in_force("default_type")
    if isinstance(found, Unknown):
        return found
    return found.value.lines[-1].text(0) if found.value.lines else Known("text/plain", note="nginx's default")


def _named(block: Level, ending: str) -> list[Known[str]]:
    """The types that a block gives an ending, in the order of the file; "" for those of a distribution's mime.types."""
    if block.directive is None:
        return [Known("", (block.place,))]
    found = [
        (line.place.region, Known(kind, (block.place,)))
        for kind, lines in block.lines.items()
        for line in lines
        if any(word.text.lower() == ending for word in line.words)
    ]
    found += [(inner.place.region, one) for inner in block.inside("types") for one in _named(inner, ending)]
    return [one for _, one in sorted(found, key=lambda item: item[0])]


def static_access_log(stack: Stack) -> Iterator[Verdict]:
    """One site for each location of static files: the line that is in force, or the location."""
    yield from once_for_each_place(_logged(stack, served) for served in static_files(stack))


def _logged(stack: Stack, served: Served) -> Verdict:
    found = served.level.in_force("access_log")
    site = served.site("access_log")
    if isinstance(found, Unknown):
        return Unsure(site, found.why)
    lines = found.value.lines
    if lines and (lines[-1].words[:1] and lines[-1].words[0].text == "off"):
        return Pass(Site(lines[-1].place, site.name))
    if any(word.text.startswith("if=") for line in lines for word in line.words):
        return Pass(Site(lines[-1].place, site.name))
    if not any(proxied.location.server is served.server for proxied in stack.nginx.proxied):
        return Pass(site)  # no page is in this log, and none is drowned
    sign = cdn_in_front(stack, served.level)
    if sign is not None:
        return Unsure(site, f"a CDN stands in front ({sign}), and few requests for files may come this far")
    return Fail(site, {"path": served.path})


def sendfile_off(stack: Stack) -> Iterator[Verdict]:
    """One site for each place that decides, where files go out without TLS: over TLS nginx never uses sendfile."""
    verdicts = once_for_each_place(
        _sent(served)
        for served in static_and_media_files(stack)
        if any(not listen.tls for listen in served.server.listens)
    )
    yield from one_doubt_for_each_file(_grouped(verdicts))


def _sent(served: Served) -> Verdict:
    state = served.level.switched_on("sendfile", served.server.version)
    place, name = block_of(served.server)
    site = Site(state.places[0] if isinstance(state, Known) and state.places else place, f"{name}: sendfile")
    if isinstance(state, Unknown):
        return Unsure(site, state.why)
    return Pass(site) if state.value else Fail(site, {"path": served.path})


def tcp_nopush_without_sendfile(stack: Stack) -> Iterator[Verdict]:
    """One site for each `tcp_nopush on`; it passes where sendfile is on at any level that it reaches."""
    states: dict[Place, list[Value[bool]]] = {}
    names: dict[Place, str] = {}
    for server in stack.nginx.servers:
        for level in (server.level, *(location.level for location in server.every_location)):
            pushed = level.switched_on("tcp_nopush", server.version)
            if isinstance(pushed, Known) and pushed.value:
                place = pushed.places[0]
                names.setdefault(place, f"{server.title}: tcp_nopush")
                states.setdefault(place, []).append(level.switched_on("sendfile", server.version))
    for place, found in states.items():
        site = Site(place, names[place])
        unknown = next((state for state in found if isinstance(state, Unknown)), None)
        if any(isinstance(state, Known) and state.value for state in found):
            yield Pass(site)
        elif unknown is not None:
            yield Unsure(site, unknown.why)
        else:
            yield Fail(site)
