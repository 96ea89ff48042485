"""The tree that nginx would build: http levels with their servers, locations and upstreams, includes brought in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stackaudit.facts.nginx import Directive
from stackaudit.facts.nginx import Nginx as File
from stackaudit.link.nginx import known_files
from stackaudit.link.nginx.include import Includes
from stackaudit.link.nginx.level import Gap, Level, Line
from stackaudit.model.source import Place

DEEPEST = 20
"""How many includes may stand in each other."""

BLOCKS = frozenset(
    {"http", "server", "location", "upstream", "if", "limit_except", "map", "geo", "types", "split_clients", "events"}
)
_OF_HTTP = frozenset(
    {"upstream", "map", "geo", "split_clients", "limit_req_zone", "limit_conn_zone", "log_format", "js_import"}
    | {"proxy_cache_path", "uwsgi_cache_path", "fastcgi_cache_path", "lua_shared_dict"}
)
"""Directives that stand in http and nowhere else."""

_NOT_WEB = frozenset({"stream", "mail"})


class Builder:
    """Builds trees of the files of a repository."""

    def __init__(
        self,
        files: Mapping[str, File],
        includes: Includes,
        stock: Iterable[str],
        inline: Mapping[str, Place] | None = None,
    ) -> None:
        self.files = files
        self.inline = inline or {}
        self.includes = includes
        self.stock = frozenset(stock)
        self.expanded: set[str] = set()

    def build(self) -> list[Level]:
        """Every http level, main files first, then the fragments that nobody includes."""
        mains = [path for path, file in self.files.items() if is_main(file)]
        result: list[Level] = []
        for path in mains:
            level = Level("main", path, self._start(path))
            self._expand(level, self.files[path].directives, path, path, (path,))
            result += level.inside("http")
        targets = {
            target
            for path, file in self.files.items()
            if path not in mains
            for target in self.includes.found_by(path, file.directives)
        }
        rest = [path for path in self.files if path not in self.expanded]
        # what others include comes after its includers have had their turn: left are files that include each other
        for path in sorted(rest, key=lambda path: path in targets):
            names = {directive.name for directive in self.files[path].directives if directive.block is not None}
            if path not in self.expanded and names & {"server", "location"}:
                alone = [other for other in rest if other not in targets]
                result.append(self._fragment(path, alone, bare="server" not in names))
        return result

    def _start(self, path: str) -> Place:
        """Where a file begins: one that stands inside another begins there."""
        return self.inline.get(path) or Place.line(path, 1)

    def _fragment(self, path: str, rest: list[str], *, bare: bool) -> Level:
        """An implied http level around a file and around its neighbours that hold nothing but http's directives.

        A `bare` file holds locations without a server: that one is implied, too.
        """
        place = self._start(path)
        http = Level("http", path, place)
        if path in self.stock:
            for text in known_files.OFFICIAL_IMAGE_HTTP:
                line = known_files.line(text, place)
                http.lines[line.name] = [line]
            http.children.append(Level("types", path, place, http))
        else:
            http.gaps.append(Gap(f"the http block that includes {path} is not in the repository", place))
        folder = path.rpartition("/")[0]
        for other in rest:
            if other != path and other.rpartition("/")[0] == folder and _is_only_http(other, self.files[other]):
                self._expand(http, self.files[other].directives, other, other, (other,))
        level = http
        if bare:
            level = Level("server", path, place, http)
            level.gaps.append(Gap(f"the server block that includes {path} is not in the repository", place))
            http.children.append(level)
        self._expand(level, self.files[path].directives, path, path, (path,))
        return http

    def _expand(
        self, level: Level, directives: Iterable[Directive], path: str, main: str, within: tuple[str, ...]
    ) -> None:
        self.expanded.add(path)
        for directive in directives:
            place = Place(self._start(path).path, directive.region)
            if directive.hole:
                level.gaps.append(Gap(f"the template puts {directive.hole} here", place))
            elif directive.block is not None:
                self._block(level, directive, path, main, within)
            elif directive.name == "include" and directive.args:
                self._include(level, directive, path, main, within)
            else:
                line = Line(directive.name, directive.args, place, directive.maybe)
                level.lines.setdefault(directive.name, []).append(line)

    def _block(self, level: Level, directive: Directive, path: str, main: str, within: tuple[str, ...]) -> None:
        if directive.name in _NOT_WEB:
            return
        place = Place(self._start(path).path, directive.region)
        child = Level(directive.name, path, place, level, directive, directive.maybe)
        level.children.append(child)
        if directive.name in BLOCKS:
            self._expand(child, directive.block or (), path, main, within)

    def _include(self, level: Level, directive: Directive, path: str, main: str, within: tuple[str, ...]) -> None:
        place = Place(self._start(path).path, directive.region)
        word = directive.args[0]
        if word.hole or "$" in word.text:
            level.gaps.append(Gap(f"it includes {word.text}, a name that the template fills in", place))
            return
        found = self.includes.find(word.text, main, path)
        if found:
            for other in found:
                if other in within or len(within) > DEEPEST:
                    level.gaps.append(Gap(f"{other} includes itself", place))
                else:
                    self._expand(level, self.files[other].directives, other, main, (*within, other))
            return
        lines = known_files.lines_of(word.text, place)
        if lines is None:
            why = f"it includes {word.text}, which is not in the repository"
            level.gaps.append(Gap(why, place, known_files.prefixes_of(word.text)))
            return
        for line in lines:
            level.lines.setdefault(line.name, []).append(line)
        if word.text.endswith("mime.types"):
            level.children.append(Level("types", path, place, level))


def is_main(file: File) -> bool:
    """Whether a file holds an http block."""
    return any(directive.name == "http" and directive.block is not None for directive in file.directives)


def _is_only_http(path: str, file: File) -> bool:
    """Whether a file stands in http and holds no server: upstreams, maps, zones, or anything plain in a conf.d."""
    names = {directive.name for directive in file.directives}
    if names & {"server", "location", "http"}:
        return False
    return bool(names & _OF_HTTP) or path.rpartition("/")[0].endswith("conf.d")
