"""Several Django projects in one repository: folders that each have a manage.py and settings of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from stackaudit.link.processes import audience
from stackaudit.link.settings import choice
from stackaudit.model.prose import in_words
from stackaudit.model.result import Notification

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_SERVED = ("wsgi.py", "asgi.py")
"""What a server loads of a project."""


def several(stack: Stack) -> tuple[str, ...]:
    """The folders of the projects where there are two or more that a server loads, else none.

    A project is a folder with a manage.py that names settings below it. Folders within each other share one project,
    and what is an example, a demo or a test by its name is none.
    """
    if stack.config.settings:
        return ()
    folders = _folders(stack)
    if len(folders) < 2:
        return ()
    loaded = [module.path for module in stack.modules if module.path.rpartition("/")[2] in _SERVED]
    served = [folder for folder in sorted(folders) if any(path.startswith(f"{folder}/") for path in loaded)]
    return tuple(served) if len(served) > 1 else ()


def notifications(stack: Stack) -> Iterator[Notification]:
    """What a person should know of a repository with several projects."""
    with suppress(Exception):  # the rules that need settings meet the error again, and tell it
        if folders := several(stack):
            text = (
                f"{in_words(folders)} are Django projects of their own and were judged as one stack, so that what was"
                f" found in one may be meant for the other; scan each by itself (stackaudit scan {folders[0]}),"
                " or leave the others out (exclude in the configuration)"
            )
            yield Notification(level="warning", text=text)


def _folders(stack: Stack) -> set[str]:
    found = {}
    for module in stack.modules:
        folder, _, name = module.path.rpartition("/")
        if name != "manage.py" or audience.of_path(folder)[0] == "development":
            continue
        for value in choice.defaults(module):
            settings = choice.locate(stack, value, module.path)
            if settings is not None:
                found[folder] = settings.path
    return {
        folder
        for folder, path in found.items()
        if path.startswith(f"{folder}/") and not any(_is_below(folder, other) for other in found)
    }


def _is_below(folder: str, other: str) -> bool:
    return folder != other and (not other or folder.startswith(f"{other}/"))
