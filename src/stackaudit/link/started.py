"""What the files of a stack start: the simple commands of every command line that they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from stackaudit.facts.commands import Command, Procfile, Script, Step
from stackaudit.facts.services import Compose, Dockerfile, Supervisor, Unit, Uwsgi, Workloads

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

KINDS = ("procfile", "compose", "dockerfile", "shell", "systemd", "supervisor", "kubernetes", "platform")
"""The kinds of files that say what is started."""


def steps(facts: object) -> Iterator[Step]:
    """The steps that one file starts, those of the texts given to `sh -c` among them; none for other facts."""
    for command in _commands(facts):
        yield from _nested(command.steps)
    if isinstance(facts, Script):
        yield from _nested(facts.steps)


def words(stack: Stack) -> frozenset[str]:
    """The words of everything that is started, paths and the last parts of paths."""
    found: set[str] = set()
    for item in stack.files.values():
        texts = [word.text for step in steps(item.facts) for word in step.words]
        if isinstance(item.facts, Uwsgi):
            texts += [option.value.text for option in item.facts.options]
        for text in texts:
            for part in text.split():
                found.update((part, part.rpartition("/")[2]))
    return frozenset(found)


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
