"""What happens each time before a server starts."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.processes.chores import Chore
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

ONCE = frozenset({"migrate", "createcachetable"})
"""Commands of manage.py that change the database's tables, and fail where another container runs them too."""


def migrate_on_boot_race(stack: Stack) -> Iterator[Verdict]:
    """One site for each migration that runs when a server or worker starts: whether several may run it at once."""
    found: dict[Place, tuple[Chore, list[Process]]] = {}
    for process in stack.processes.all:
        if process.audience == "development" or process.kind in DEVELOPMENT_SERVERS:
            continue
        for chore in process.chores:
            if chore.name in ONCE and not chore.conditions:
                found.setdefault(chore.place, (chore, []))[1].append(process)
    for chore, processes in found.values():
        yield _judged(chore, processes)


def _judged(chore: Chore, processes: list[Process]) -> Verdict:
    first = processes[0]
    site = Site(chore.place, f"{chore.place.path}: manage.py {chore.name}")
    values = {"command": chore.name, "kind": first.kind, "count": 0, "names": ""}
    services = list(
        dict.fromkeys(process.origin.service for process in processes if process.origin.path == first.origin.path)
    )
    if len(services) > 1:
        steps = [Step(process.place, f"{process.name} starts after it") for process in processes[:6]]
        return Fail(site, {**values, "names": ", ".join(services)}, cause="shared", related=tuple(steps))
    replicas = first.replicas
    if isinstance(replicas, Unknown):
        return Unsure(site, f"how many containers run it is not known: {replicas.why}")
    if replicas.value > 1:
        places = [Step(place, f"{replicas.value} of them start at once") for place in replicas.places[:1]]
        return Fail(site, {**values, "count": replicas.value}, related=tuple(places))
    if first.origin.kind in ("compose", "systemd", "supervisor", "kubernetes"):
        return Pass(site)
    return Unsure(site, "how many containers or dynos start from this is decided outside the repository")
