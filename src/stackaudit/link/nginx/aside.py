"""nginx's files of the repository that no nginx of production reads: examples, copies, those of developers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from stackaudit.facts.nginx import Nginx as File
from stackaudit.link.nginx.include import Includes, rendered
from stackaudit.link.nginx.tree import is_main

_FOLDERS = re.compile(r"(^|/)(docs?|documentation|examples?|samples?|dev|devel|development|(?<!usr/)local)/")
_NAME = re.compile(
    r"(^|[-_.])(dev|devel|development|local|testing|tests?|debug|samples?|examples?|dist)"
    r"([-_.](conf|nginx|vhost|site|app|default))*$"
)
"""Only such words may follow: `dev` in `dev.shop.org.conf` and `example` in `example.org.conf` are names of sites."""

_PUT_AWAY = re.compile(r"[-_.](disabled|bak|backup|old|orig|save)(\.conf)?$|~$")


def put_aside(files: Mapping[str, File], installed: Iterable[str]) -> set[str]:
    """The configurations that nothing installs or includes and whose names say that production does not have them.

    Where a project has nothing else, its example is what people install: then it stays.
    """
    deployed = set(installed)
    loose = {path for path, file in files.items() if path not in deployed and _has_servers(file)}
    aside = {path for path in loose if _PUT_AWAY.search(path) or _is_for_others(path)}
    kept = [path for path in files if path not in aside]
    if not any(_has_servers(files[path]) for path in kept):
        return {path for path in aside if _PUT_AWAY.search(path)}
    includes = Includes(files, {})
    return aside.difference(*(includes.found_by(path, files[path].directives) for path in kept))


def _is_for_others(path: str) -> bool:
    """Whether a folder or the file's own name says example, documentation or development."""
    lowered = path.lower()
    return bool(_FOLDERS.search(lowered) or _NAME.search(rendered(lowered.rpartition("/")[2])))


def _has_servers(file: File) -> bool:
    return is_main(file) or any(directive.name == "server" for directive in file.directives)
