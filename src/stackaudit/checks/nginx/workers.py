"""How many processes and connections nginx has."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.nginx.level import Level
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

SOFT_LIMIT = 1024
"""Open files that Linux grants a process that nobody has given more (the soft RLIMIT_NOFILE)."""


def worker_limits(stack: Stack) -> Iterator[Verdict]:
    """Two sites for each main file: its processes, and its connections."""
    mains = dict.fromkeys(http.parent for http in stack.nginx.https if http.parent is not None)
    for main in mains:
        if main is not None:
            yield _processes(stack, main)
            yield from _connections(stack, main)


def _processes(stack: Stack, main: Level) -> Verdict:
    words = main.word("worker_processes", stack.nginx.version)
    place = words.places[0] if isinstance(words, Known) and words.places else _events(main)
    site = Site(place, "worker_processes")
    if isinstance(words, Unknown):
        return Unsure(site, words.why)
    if words.value != "1":
        return Pass(site)
    cores = stack.host.vcpus
    if isinstance(cores, Unknown):
        return Unsure(site, f"one process is right for one processor, and {cores.why}")
    if cores.value <= 1:
        return Pass(site)
    return Fail(site, {"cores": cores.value, "origin": "" if words.places else ", nginx's default"})


def _events(main: Level) -> Place:
    """What stands for the main level where it says nothing: its events block."""
    blocks = main.inside("events")
    return blocks[0].place if blocks else main.place


def _connections(stack: Stack, main: Level) -> Iterator[Verdict]:
    for events in main.inside("events"):
        words = events.word("worker_connections", stack.nginx.version)
        if isinstance(words, Known) and not words.places:
            continue  # 512, which every system grants
        site = Site(words.places[0] if words.places else events.place, "worker_connections")
        connections, limit = _number(words), _limit(stack, main)
        if isinstance(connections, Unknown):
            yield Unsure(site, connections.why)
        elif isinstance(limit, Unknown):
            yield Pass(site) if connections.value <= SOFT_LIMIT else Unsure(site, limit.why)
        elif connections.value <= limit.value:
            yield Pass(site)
        else:
            values = {"connections": connections.value, "limit": limit.value}
            related = tuple(Step(place, "the limit of open files") for place in limit.places[:1])
            yield Fail(site, values, cause="files", related=related)


def _limit(stack: Stack, main: Level) -> Value[int]:
    """worker_rlimit_nofile. Without it the system's limit holds, which the repository does not tell."""
    found = main.in_force("worker_rlimit_nofile")
    if isinstance(found, Unknown):
        return found
    if found.value.lines:
        return _number(found.value.lines[-1].text(0))
    return Unknown(
        "without worker_rlimit_nofile the system's limit of open files holds, which is not in the repository"
    )


def _number(word: Value[str]) -> Value[int]:
    if isinstance(word, Unknown):
        return word
    if not word.value.isdigit():
        return Unknown(f"{word.value} is no number", word.places)
    return Known(int(word.value), word.places)
