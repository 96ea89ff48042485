"""Memory: what everything together may take against what there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.capacity.neighbours import neighbours
from stackaudit.link.host import human
from stackaudit.link.processes.celery import settled
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process, together
from stackaudit.link.services import Instance, Kind
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

MIB = 1024**2
SYSTEM = 200 * MIB
"""Kernel and services of a small Linux server."""
MASTER = 30 * MIB
"""gunicorn's arbiter: 24 MB measured without preload."""
SHARED = 15 / 36
"""The part of a worker's memory that preload_app shares: 36 MB of PSS became 21 MB (measured on three workers)."""
POSTGRES = 128 * MIB
"""shared_buffers' default."""
POSTGRES_CONNECTION = 5 * MIB
REDIS = 64 * MIB
NGINX_WORKER = 10 * MIB
ARGON2 = 100 * MIB
"""Argon2PasswordHasher takes 102,400 KiB for each login that runs at the same time (django.contrib.auth.hashers)."""
TIGHT = 0.85


@dataclass(frozen=True)
class Part:
    """One term of the sum."""

    text: str
    size: float
    place: Step | None = None


def memory_overcommit(stack: Stack) -> Iterator[Verdict]:
    """Everything that runs on the host fits into its memory, and each container into its limit."""
    everything = [
        process
        for process in settled(stack, stack.processes.all)
        if process.audience != "development" and process.kind not in DEVELOPMENT_SERVERS
    ]
    servers = {process.origin.path for process in stack.processes.production_servers}
    for path in sorted(servers):
        running = together(process for process in everything if process.origin.path == path)
        for process in running:
            if isinstance(process.memory, Unknown) or process.memory.value is not None:
                yield _container(stack, process)
        if any(process.is_server for process in running):
            yield _host(stack, path, running)


def _worker_memory(stack: Stack) -> tuple[int, str]:
    memory = stack.host.worker_memory
    assert isinstance(memory, Known)
    return memory.value, "" if memory.note != "not measured" else ", not measured: set worker-memory in [host]"


def _parts(stack: Stack, process: Process) -> list[Part] | Unknown:
    """What one process takes, term by term."""
    each, _ = _worker_memory(stack)
    count = process.processes
    if isinstance(count, Unknown):
        return Unknown(f"the number of processes of {process.name} is not known: {count.why}")
    name = process.origin.service or process.kind
    step = Step(process.setting_place("workers"), f"{count.value} processes of {name}")
    if process.kind == "gunicorn":
        replicas = process.replicas.value if isinstance(process.replicas, Known) else 1
        parts = [Part(f"{name}: gunicorn's master {human(MASTER * replicas)}", MASTER * replicas)]
        preload = process.setting("preload_app")
        if isinstance(preload, Known) and preload.value is True:
            size = each * SHARED * replicas + count.value * each * (1 - SHARED)
            text = f"{name}: {count.value} workers x {human(each)}, the shared part once = {human(size)}"
            return [Part(text, size, step), *parts]
        text = f"{name}: {count.value} workers x {human(each)} = {human(count.value * each)}"
        return [Part(text, count.value * each, step), *parts]
    if process.kind == "celery-worker":
        total = (count.value + 1) * each
        return [Part(f"{name}: celery, ({count.value} + its parent) x {human(each)} = {human(total)}", total, step)]
    total = count.value * each
    return [Part(f"{name}: {process.kind}, {count.value} x {human(each)} = {human(total)}", total, step)]


def _beside(stack: Stack, kind: Kind, path: str) -> list[Instance]:
    """The instances of the same file, or those that production has at all."""
    found = stack.services.production(kind)
    return [each for each in found if each.path == path] or list(found)


def _postgres(stack: Stack, path: str) -> Part:
    connections, number, buffers = stack.host.postgres_max_connections, 100, POSTGRES
    for instance in _beside(stack, "postgres", path)[:1]:
        most, shared = instance.number("max_connections"), instance.size("shared_buffers")
        number = int(most.value) if isinstance(most, Known) else number
        buffers = shared.value if isinstance(shared, Known) else buffers
    number = connections.value if isinstance(connections, Known) else number
    size = buffers + number * POSTGRES_CONNECTION
    return Part(f"Postgres {human(buffers)} + {number} connections x 5 MiB = {human(size)}", size)


def _redis(stack: Stack, path: str) -> Part:
    limits = [instance.size("maxmemory") for instance in _beside(stack, "redis", path)]
    total = sum(limit.value for limit in limits if isinstance(limit, Known))
    return (
        Part(f"Redis up to {human(total)}", total) if total > REDIS else Part(f"Redis at least {human(REDIS)}", REDIS)
    )


def _services(stack: Stack, path: str) -> list[Part]:
    """What the other services of the machine take at least."""
    found = neighbours(stack, path)
    parts = [Part(f"system {human(SYSTEM)}", SYSTEM)]
    if "postgres" in found:
        parts.append(_postgres(stack, path))
    if "redis" in found:
        parts.append(_redis(stack, path))
    if "nginx" in found or stack.of_kind("nginx"):
        vcpus = stack.host.vcpus
        number = vcpus.value if isinstance(vcpus, Known) else 1
        parts.append(Part(f"nginx {number} x 10 MiB", number * NGINX_WORKER))
    if "celery" in found and not any(
        process.kind == "celery-worker" for process in settled(stack, stack.processes.all)
    ):
        each, _ = _worker_memory(stack)
        parts.append(Part(f"celery, a worker and its parent {human(2 * each)}", 2 * each))
    if _argon2(stack):
        parts.append(Part(f"one login with Argon2 {human(ARGON2)}", ARGON2))
    return parts


def _argon2(stack: Stack) -> bool:
    settings = stack.production
    if settings is None:
        return False
    hashers = settings.get("PASSWORD_HASHERS")
    if not isinstance(hashers, Known) or not isinstance(hashers.value, (list, tuple)) or not hashers.value:
        return False
    first = hashers.value[0]
    return isinstance(first, Known) and "Argon2" in str(first.value)


def _host(stack: Stack, path: str, running: list[Process]) -> Verdict:
    web = max((process for process in running if process.is_server), key=lambda process: process.is_server)
    site = Site(web.setting_place("workers"), f"{path}: memory of the host")
    parts: list[Part] = []
    for process in running:
        found = _parts(stack, process)
        if isinstance(found, Unknown):
            return Unsure(site, found.why)
        parts += found
    return _weighed(stack, site, web, parts + _services(stack, path), stack.host.memory, "host")


def _container(stack: Stack, process: Process) -> Verdict:
    site = Site(process.setting_place("workers"), f"{process.name}: memory of its container")
    if isinstance(process.memory, Unknown):
        return Unsure(site, f"its memory limit is not known: {process.memory.why}")
    replicas = process.replicas.value if isinstance(process.replicas, Known) else 1
    found = _parts(stack, process)
    if isinstance(found, Unknown):
        return Unsure(site, found.why)
    if replicas > 1:
        found = [Part(f"{part.text}, in {replicas} containers", part.size / replicas, part.place) for part in found]
    return _weighed(stack, site, process, found, process.memory, "container")


def _weighed(
    stack: Stack, site: Site, web: Process, parts: list[Part], memory: Known[int] | Unknown, whose: str
) -> Verdict:
    if isinstance(memory, Unknown):
        return Unsure(site, f"the memory of the {whose} is not known: {memory.why}")
    total = sum(part.size for part in parts)
    share = total / memory.value
    if share <= TIGHT:
        return Pass(site)
    each, assumed = _worker_memory(stack)
    count = web.processes
    workers = count.value if isinstance(count, Known) else 1
    others = total - workers * each
    fits = max(0, int((TIGHT * memory.value - others) // each))
    values = {
        "sum": " + ".join(part.text for part in parts),
        "total": human(total),
        "memory": human(memory.value),
        "percent": round(share * 100),
        "fits": fits,
        "workers": workers,
        "assumed": assumed,
        "whose": whose,
    }
    related = tuple(part.place for part in parts if part.place is not None)
    return Fail(site, values, cause="" if share > 1 else "tight", related=related)
