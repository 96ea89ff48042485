"""The machine against a rule of thumb for its traffic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.capacity.neighbours import neighbours
from stackaudit.link.host import human
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

GB = 1000**3
SLACK = 0.93
"""A machine sold as 2 GB shows a little less."""


@dataclass(frozen=True)
class Row:
    """A row of the table: up to so many visits a day, these many GB, cores and GB of disk."""

    visits: int
    memory: int
    vcpus: int
    disk: int


TABLE = (
    Row(1_000, 1, 1, 20),
    Row(10_000, 2, 1, 40),
    Row(50_000, 4, 2, 80),
    Row(200_000, 8, 4, 160),
    Row(10**12, 16, 4, 320),
)
"""A sizing guide for Django on virtual servers, with the database on the same machine."""
_DATABASES = frozenset({"postgres", "mysql"})


def host_below_minimum(stack: Stack) -> Iterator[Verdict]:
    """The machine has what a site of its traffic usually takes."""
    servers = [each for each in stack.processes.production_servers if each.kind not in DEVELOPMENT_SERVERS]
    if servers:
        yield _judged(stack, Site(servers[0].place, "the machine"), servers[0].origin.path)


def _judged(stack: Stack, site: Site, path: str) -> Verdict:
    memory, visits = stack.host.memory, stack.host.daily_visitors
    if isinstance(memory, Unknown):
        return Unsure(site, memory.why)
    alone = isinstance(stack.host.services, Known) and not neighbours(stack, path) & _DATABASES
    values = {"memory": human(memory.value), "row": "", "missing": ""}
    if memory.value < SLACK * GB * (0.5 if alone else 1):
        return Fail(site, values)
    if isinstance(visits, Unknown):
        if memory.value < SLACK * 2 * GB and not alone:
            return Fail(site, values, cause="small")
        return Unsure(site, f"what its traffic takes is not known: {visits.why}")
    row = next(row for row in TABLE if visits.value < row.visits)
    values["row"] = f"{visits.value} visits a day: {row.memory} GB, {row.vcpus} vCPU, {row.disk} GB of disk"
    missing = _missing(stack, row, memory.value, alone)
    if isinstance(missing, Unknown):
        return Unsure(site, missing.why)
    if not missing:
        return Pass(site)
    values["missing"] = ", ".join(missing)
    small = memory.value < SLACK * 2 * GB and row.memory >= 2 and not alone
    return Fail(site, values, cause="small-for-traffic" if small else "row")


def _missing(stack: Stack, row: Row, memory: int, alone: bool) -> list[str] | Unknown:
    """What the machine has less of than the row says."""
    found = [human(memory)] if memory < SLACK * row.memory * GB * (0.5 if alone else 1) else []
    vcpus, disk = stack.host.vcpus, stack.host.disk
    if isinstance(vcpus, Unknown):
        return vcpus
    if vcpus.value < row.vcpus:
        found.append(f"{vcpus.value} vCPU")
    if isinstance(disk, Known) and disk.value < SLACK * row.disk * GB:
        found.append(f"{human(disk.value)} of disk")
    return found
