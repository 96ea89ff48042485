"""Where an include leads inside the repository. Nothing outside of it is ever looked at."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from stackaudit.facts.nginx import Directive

_PREFIXES = ("/etc/nginx/", "/usr/local/nginx/conf/", "/usr/local/etc/nginx/", "/opt/nginx/conf/", "/etc/openresty/")
_TEMPLATE_ENDINGS = (".template", ".j2", ".jinja2", ".jinja", ".tpl", ".tmpl", ".erb")


class Includes:
    """Resolves includes among `paths`, the nginx files of the repository.

    `installed` tells for paths on the machine (as Dockerfiles and compose files say) which file of the repository
    lands there.
    """

    def __init__(self, paths: Iterable[str], installed: Mapping[str, str]) -> None:
        self.paths = sorted(paths)
        self.installed = installed

    def find(self, pattern: str, main: str, including: str) -> list[str]:
        """The files that `include pattern` brings in, sorted as nginx does; none where the repository holds none.

        `main` is the main file, whose folder relative patterns start from, `including` the file of the include.
        """
        for candidates in self._ways(pattern, main, including):
            found = [path for path in candidates if path != including]
            if found:
                return found
        return []

    def found_by(self, path: str, directives: Iterable[Directive]) -> Iterator[str]:
        """The files that the directives of `path`, and those inside them, bring in; not what a template names."""
        for directive in _every_directive(directives):
            if directive.name == "include" and directive.args and not directive.args[0].hole:
                yield from self.find(directive.args[0].text, path, path)

    def _ways(self, pattern: str, main: str, including: str) -> Iterator[list[str]]:
        absolute = pattern.startswith("/")
        if absolute:
            hits = {at: path for at, path in self.installed.items() if _matches(at, pattern)}
            yield [hits[at] for at in sorted(hits)]
        tail = pattern
        for prefix in _PREFIXES:
            tail = tail.removeprefix(prefix)
        folders = [posixpath.dirname(main), *_upwards(posixpath.dirname(including))]
        if not tail.startswith("/"):
            for folder in folders:
                yield from self._below(folder, tail)
        parts = [part for part in tail.split("/") if part]
        for start in range(len(parts) - 1):
            yield from self._ending("/".join(parts[start:]))
        if parts and not any(char in parts[-1] for char in "*?["):
            yield self._match(posixpath.join(posixpath.dirname(including), parts[-1]))

    def _below(self, folder: str, tail: str) -> Iterator[list[str]]:
        yield self._match(posixpath.normpath(posixpath.join(folder, tail)))
        if "sites-enabled" in tail:
            yield self._match(
                posixpath.normpath(posixpath.join(folder, tail.replace("sites-enabled", "sites-available")))
            )

    def _ending(self, tail: str) -> Iterator[list[str]]:
        """Files below one folder of any name whose path ends so; several such folders: none of them."""
        for wanted in dict.fromkeys((tail, tail.replace("sites-enabled", "sites-available"))):
            depth = wanted.count("/") + 1
            hits = [path for path in self.paths if _matches("/".join(path.split("/")[-depth:]), wanted)]
            bases = {"/".join(path.split("/")[:-depth]) for path in hits}
            yield hits if len(bases) == 1 else []

    def _match(self, pattern: str) -> list[str]:
        return [path for path in self.paths if _matches(path, pattern) or _matches(rendered(path), pattern)]


def _matches(path: str, pattern: str) -> bool:
    """Whether glob(3) would give `path`: part by part, names with a leading dot only for a dot."""
    names, wanted = path.split("/"), pattern.split("/")
    return len(names) == len(wanted) and all(
        fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
        for name, part in zip(names, wanted, strict=True)
    )


def rendered(path: str) -> str:
    """The name that a template is rendered to."""
    for ending in _TEMPLATE_ENDINGS:
        if path.endswith(ending):
            return path.removesuffix(ending)
    return path


def _every_directive(directives: Iterable[Directive]) -> Iterator[Directive]:
    """The directives, each followed by those inside it."""
    for directive in directives:
        yield directive
        if directive.block is not None:
            yield from _every_directive(directive.block)


def _upwards(folder: str) -> Iterator[str]:
    """`folder` and up to two folders around it."""
    for _ in range(3):
        yield folder
        if not folder:
            return
        folder = posixpath.dirname(folder)
