"""Where an alias lets a visitor climb out of the folder that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx.filled import default_of
from stackaudit.link.nginx.level import Line
from stackaudit.link.nginx.servers import Location, Server
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_TO_A_FILE = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_GREEDY = re.compile(r"\((?:\?P?<[^>]*>)?\.[*+]\??\)")


def alias_traversal(stack: Stack) -> Iterator[Verdict]:
    """One site for each alias."""
    verdicts = list(
        once_for_each_place(verdict for location in stack.nginx.locations for verdict in _judge(location, stack))
    )
    # what a script fills and starts goes before a file that nobody is seen to start
    verdicts.sort(key=lambda verdict: not (isinstance(verdict, Fail) and verdict.values.get("filled")))
    yield from one_for_each_cause(verdicts, _same_pair)


def _same_pair(fail: Fail) -> object:
    """Two files that bring the same folder in the same way, one of them by the default of a template."""
    by_itself = fail.site.place if fail.cause != "open-end" else None
    return (fail.cause, fail.values["path"], fail.values.get("filled") or fail.values["alias"], by_itself)


def _judge(location: Location, stack: Stack) -> Iterator[Verdict]:
    for line in location.level.lines.get("alias", []):
        site = Site(line.place, f"{location.site.name} alias")
        if not line.words or location.modifier in ("=", "@") or "internal" in location.level.lines:
            yield Pass(site)
            continue
        related = (Step(location.level.place, f"the {location.title} that it belongs to"),)
        alias = line.words[0].text
        if location.hole and location.pattern.endswith(location.hole):
            yield Unsure(site, f"the template fills in {location.hole}, and whether that ends with / decides")
        elif location.is_regex:
            yield _of_regex(location, alias, site, related)
        elif location.pattern.endswith("/"):
            yield Pass(site)
        elif line.words[0].hole and alias.endswith(line.words[0].hole):
            yield _filled(stack, location, line, site, related)
        elif alias.endswith("/"):
            values = {"path": location.pattern, "alias": alias}
            yield Fail(site, values, related=related, fix=f"Write location {location.pattern}/ {{ alias {alias}; }}")
        elif _TO_A_FILE.search(alias) and _TO_A_FILE.search(location.pattern):
            yield Pass(site)
        elif alias.rpartition("/")[0] in _served(location.server):
            yield Pass(site)  # the folders beside it are served anyway
        else:
            yield _beside(stack, location, alias, site, related)


def _filled(stack: Stack, location: Location, line: Line, site: Site, related: tuple[Step, ...]) -> Verdict:
    """A path that a template ends: the default of its variable tells, where a script gives one."""
    word = line.words[0]
    told = default_of(stack, word.hole)
    if told is None or told[0].endswith("/"):
        return Unsure(site, f"the template fills in {word.hole}, and whether that ends with / decides")
    values = {"path": location.pattern, "alias": word.text, "filled": word.text.replace(word.hole, told[0])}
    step = Step(told[1], f"{word.hole} is {told[0]} unless the environment says otherwise")
    return Fail(site, {**values, "other": ""}, cause="open-end", related=(*related, step))


def _beside(stack: Stack, location: Location, alias: str, site: Site, related: tuple[Step, ...]) -> Verdict:
    """Without both slashes: it matters where a folder with the same beginning is known to lie beside."""
    values = {"path": location.pattern, "alias": alias, "other": ""}
    for other in stack.nginx.locations:
        for name in ("alias", "root"):
            for line in other.level.lines.get(name, []):
                path = line.words[0].text if line.words else ""
                if path.startswith(alias) and path[len(alias) :][:1] not in ("", "/", "$"):
                    step = Step(line.place, "a folder that begins alike")
                    return Fail(site, {**values, "other": path}, cause="siblings", related=(*related, step))
    return Fail(site, values, cause="open-end", related=related)


def _served(server: Server) -> set[str]:
    """The folders that a server's aliases open to everybody."""
    lines = [line for location in server.every_location for line in location.level.lines.get("alias", [])]
    return {line.words[0].text.rstrip("/") for line in lines if line.words}


def _of_regex(location: Location, alias: str, site: Site, related: tuple[Step, ...]) -> Verdict:
    """`^/media(.*)$` with `alias /srv/media/$1` climbs; with a slash before the group it cannot.

    nginx normalises `/../` before it matches, so what a group holds can climb only by beginning with dots itself.
    """
    group = _GREEDY.search(location.pattern)
    climbs = group is not None and not location.pattern[: group.start()].endswith("/")
    into_folder = re.search(r"/\$(\d|\{?[a-z_])", alias) is not None
    if climbs and into_folder:
        return Fail(site, {"path": location.pattern, "alias": alias}, cause="regex", related=related)
    if climbs and re.search(r"[^/]\$(\d|\{?[a-z_])", alias):
        return Fail(site, {"path": location.pattern, "alias": alias}, cause="group", related=related)
    return Pass(site)
