"""Redis beside others: what it may take of their memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackaudit.checks.capacity.eviction import advice, grows, held
from stackaudit.checks.capacity.neighbours import by_name
from stackaudit.link.host import human
from stackaudit.link.services import Instance
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown, Value, plain
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

HALF = 0.5
"""A snapshot forks: pages that change meanwhile are there twice, at worst all of them."""
MODEST = 512 * 1024**2
"""What every machine of a site can spare."""


def redis_maxmemory(stack: Stack) -> Iterator[Verdict]:
    """A Redis that shares its machine has a limit, and room to fork below it.

    Compose files that are variants of each other start the same service in the same way: one finding names them all.
    """
    variants: dict[object, list[Fail]] = {}
    for instance in stack.services.production("redis"):
        shared = _shared(stack, instance)
        if isinstance(shared, Known) and not shared.value:
            continue
        verdict = _judged(stack, instance, shared)
        if isinstance(verdict, Fail):
            variants.setdefault(_started(instance, verdict), []).append(verdict)
        else:
            yield verdict
    for first, *others in variants.values():
        also = tuple(Step(other.site.place, "the same service in another variant") for other in others)
        yield replace(first, related=(*first.related, *also))


def _started(instance: Instance, fail: Fail) -> object:
    """What variants of one service have in common: its name, image and options."""
    if instance.service is None:
        return instance.name
    given = tuple(sorted((name, str(plain(value))) for name, value in instance.given.items()))
    return (instance.service.name, instance.image, given, fail.cause)


def _shared(stack: Stack, instance: Instance) -> Value[str]:
    """What else runs on its machine, "" where nothing does."""
    told = stack.host.services
    if isinstance(told, Known) or instance.origin == "compose":
        beside = by_name(stack, instance.path) - {"redis"}
        if isinstance(told, Known):
            return Known(", ".join(sorted(beside)))
    own = {process.origin.path for process in stack.processes.all}
    if instance.origin == "compose":
        web = ["the site"] if instance.path in own else []
        return Known(", ".join([*web, *sorted(beside)]))
    return Unknown("whether it shares its machine is not known: name `services` in [host]")


def _judged(stack: Stack, instance: Instance, shared: Value[str]) -> Verdict:
    site = Site(instance.setting_place("maxmemory"), f"{instance.name}: maxmemory")
    memory = instance.size("maxmemory")
    if isinstance(memory, Unknown):
        return Unsure(site, memory.why)
    limit, ram = instance.memory, stack.host.memory
    values = {"name": instance.name, "beside": "", "value": human(memory.value), "memory": "", "half": "", "full": ""}
    if not memory.value:
        if isinstance(shared, Unknown):
            return Unsure(site, shared.why)
        own = limit.value if isinstance(limit, Known) else None
        roles = held(stack, instance)
        full = "no worker empties the queue" if roles and "broker" in roles else "more is written than expires"
        told = {"beside": shared.value, "memory": human(own) if own is not None else "", "full": full}
        usual = ("" if roles is not None else "unknown") if instance.audience == "production" else "small"
        if not grows(stack, roles):
            usual = f"expiring-{usual}".rstrip("-")
        size = f"{max(1, int(own * HALF) // 1024**2)}mb" if own is not None else "256mb"
        share = "half of the container's limit" if own is not None else "at most half of what is to spare"
        fix = f"Give it {share}: {advice(stack, instance, size)}"
        return Fail(site, {**values, **told}, cause="limited" if own is not None else usual, fix=fix)
    room: AnyValue = limit if isinstance(limit, Unknown) or limit.value is not None else ram
    if isinstance(room, Unknown):
        if memory.value <= MODEST:
            return Pass(site)
        return Unsure(site, f"how much memory there is, is not known: {room.why}")
    if memory.value > HALF * room.value:
        told = {"memory": human(room.value), "half": human(HALF * room.value)}
        return Fail(site, {**values, **told}, cause="greedy")
    return Pass(site)
