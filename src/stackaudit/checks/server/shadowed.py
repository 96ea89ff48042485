"""Settings that are given twice, so that one of them is dead."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.processes.gunicorn import BY_NAME, CONCURRENCY, converted
from stackaudit.link.processes.model import Process
from stackaudit.link.processes.options import Given
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, plain
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


def setting_shadowed(stack: Stack) -> Iterator[Verdict]:
    """Every value that is given is in force somewhere, or says the same as the one that is."""
    servers = [process for process in stack.processes.servers if process.audience != "development"]
    used = {layers[-1].place for process in servers for layers in process.given.values() if layers}
    judged: set[tuple[Place, Place]] = set()
    for process in servers:
        for name in sorted(process.given):
            layers = process.given[name]
            for dead in layers[:-1]:
                if dead.place in used or (dead.place, layers[-1].place) in judged:
                    continue
                judged.add((dead.place, layers[-1].place))
                yield _judged(process, name, dead, layers[-1])


def _value(process: Process, name: str, given: Given) -> AnyValue:
    if process.kind == "gunicorn" and name in BY_NAME:
        return converted(BY_NAME[name], given.value)
    return given.value


def _judged(process: Process, name: str, dead: Given, effective: Given) -> Verdict:
    site = Site(dead.place, f"{process.name}: {name} in {dead.source}")
    lost, won = _value(process, name, dead), _value(process, name, effective)
    for value in (lost, won):
        if isinstance(value, Unknown):
            return Unsure(site, f"{name} is given twice, by {dead.source} and by {effective.source}, and {value.why}")
    assert isinstance(lost, Known)
    assert isinstance(won, Known)
    if plain(lost) == plain(won):
        return Pass(site)
    values = {
        "name": name,
        "dead": plain(lost),
        "loser": dead.source,
        "effective": plain(won),
        "winner": effective.source,
    }
    step = Step(effective.place, f"{effective.source} sets {name} to {plain(won)!r}")
    return Fail(site, values, cause="concurrency" if dead.source == CONCURRENCY else "", related=(step,))
