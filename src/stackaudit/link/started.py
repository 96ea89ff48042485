"""What the files of a stack start: the simple commands of every command line that they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from stackaudit.facts.commands import ARGUMENTS, Command, Procfile, Script, Step
from stackaudit.facts.services import Compose, Dockerfile, Supervisor, Unit, Uwsgi, Workloads

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

KINDS = ("procfile", "compose", "dockerfile", "shell", "systemd", "supervisor", "kubernetes", "platform")
"""The kinds of files that say what is started."""

_ENTRY = re.compile(
    r"/(?:[^/]*[-_.])?(?:boot|cron|deploy|entry(?:point)?|init|job|launch|release|run|serve|start(?:up)?|up|web|worker)s?"
    r"(?:[-_.\d][^/]*)?$|/(?:cron|etc/(?:cont-init|services|s6-overlay)|[^/]*entrypoint)[^/]*\.?d?/",
    re.IGNORECASE,
)
"""Scripts that begin something by their name, or by the folder in which an image or a machine looks for such ones."""
_TOUCHING = frozenset({"chmod", "chown", "complete", "cp", "ln", "mv", "rm"})
"""What names files without running them."""


def steps(facts: object) -> Iterator[Step]:
    """The steps that one file starts, those of the texts given to `sh -c` among them; none for other facts."""
    for command in _commands(facts):
        yield from _nested(command.steps)
    if isinstance(facts, Script):
        yield from _nested(facts.steps)


def words(stack: Stack) -> frozenset[str]:
    """The words of everything that is started, paths and the last parts of paths.

    What a script does with the arguments that it is given counts where something names the script, or its own name says
    that it is what begins a container, a service or a job: `manage.py load "$@"` in a file of its own is a shortcut for
    people.
    """
    found: set[str] = set()
    shortcuts: dict[str, list[Step]] = {}
    for path, item in stack.files.items():
        listed = [step for step in steps(item.facts) if not _touches(step)]
        if isinstance(item.facts, Script) and not _ENTRY.search(f"/{path}"):
            shortcuts.setdefault(path.rpartition("/")[2], []).extend(step for step in listed if _hands_on(step))
            listed = [step for step in listed if not _hands_on(step)]
        if isinstance(item.facts, Uwsgi):
            _add(found, (option.value.text for option in item.facts.options))
        _add(found, (word.text for step in listed for word in step.words))
    while reached := found & shortcuts.keys():
        for name in reached:
            _add(found, [word.text for step in shortcuts.pop(name) for word in step.words])
    return frozenset(found)


def _add(found: set[str], texts: Iterable[str]) -> None:
    for text in texts:
        for part in text.split():
            found.update((part, part.rpartition("/")[2]))


def _hands_on(step: Step) -> bool:
    """Whether a step of a script gets the arguments of the script: `"$@"`."""
    return any(hole.name == ARGUMENTS for word in step.words for hole in word.holes)


def _touches(step: Step) -> bool:
    """Whether a step names files without running them."""
    return bool(step.words) and step.words[0].text in _TOUCHING


def _nested(found: Iterable[Step]) -> Iterator[Step]:
    for step in found:
        yield step
        yield from _nested(step.inner)


def _commands(facts: object) -> Iterator[Command]:
    found: list[Command | None] = []
    if isinstance(facts, Procfile):
        found = [entry.command for entry in facts.entries]
    elif isinstance(facts, Dockerfile):
        for stage in facts.stages:
            found += [stage.cmd, stage.entrypoint, stage.healthcheck, *stage.runs]
    elif isinstance(facts, Compose):
        for service in facts.services:
            found += [service.command, service.entrypoint, service.healthcheck]
    elif isinstance(facts, Unit):
        found = [*facts.commands]
    elif isinstance(facts, Supervisor):
        found = [program.command for program in facts.programs]
    elif isinstance(facts, Workloads):
        for workload in facts.workloads:
            found += [workload.entrypoint, workload.command, *workload.before]
    yield from (command for command in found if command is not None)
