"""Workers and beat: whether tasks run outside of requests, how many at once, and who keeps the clock."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.processes.model import Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

GREEN = frozenset({"gevent", "eventlet"})


def production(stack: Stack, *kinds: str) -> list[Process]:
    """The processes of `kinds` that production runs, or may run where nothing is known to be production's."""
    found = [process for process in stack.processes.all if process.kind in kinds]
    sure = [process for process in found if process.audience == "production"]
    return together(sure or [process for process in found if process.audience == "unknown"])


def celery_eager_in_production(stack: Stack) -> Iterator[Verdict]:
    """Tasks run in workers, not in the requests that send them."""
    celery = stack.celery
    if celery.app is None:
        return
    value = celery.setting("task_always_eager")
    site = Site(value.places[0] if value.places else celery.app.place, "task_always_eager")
    if isinstance(value, Unknown):
        yield Unsure(site, value.why)
    elif not value.value:
        yield Pass(site)
    elif "default of" in value.note:
        yield Unsure(site, f"it is on unless the environment says otherwise ({value.note})")
    else:
        workers = production(stack, "celery-worker")
        related = tuple(Step(worker.place, "this worker gets nothing to do") for worker in workers[:1])
        yield Fail(site, {"value": repr(value.value)}, related=related)


def celery_concurrency_default(stack: Stack) -> Iterator[Verdict]:
    """Somebody decided how many tasks a worker runs at once."""
    for process in production(stack, "celery-worker"):
        verdict = _concurrency(stack, process)
        if verdict is not None:
            yield verdict


def _concurrency(stack: Stack, process: Process) -> Verdict | None:
    pool = _pool(stack, process)
    site = Site(process.place, process.name)
    if isinstance(pool, Unknown):
        return Unsure(site, f"the pool is not known: {pool.why}")
    if pool.value == "solo":
        return None
    given = process.given.get("concurrency") or process.given.get("autoscale")
    if given:
        last = given[-1].value
        return Unsure(site, last.why) if isinstance(last, Unknown) else Pass(site)
    told = stack.celery.setting("worker_concurrency")
    if isinstance(told, Unknown):
        if stack.celery.app is not None:
            return Unsure(site, f"worker_concurrency is not known: {told.why}")
    elif told.value:
        return Pass(site)
    elif "default of" in told.note:
        return Unsure(site, f"the environment may set worker_concurrency ({told.note})")
    elif told.places:
        return Unsure(site, f"worker_concurrency is {told.value!r}")
    if process.more:
        return Unsure(site, f"more may be on the command line: {process.more}")
    values = {"worker": process.origin.service or process.kind, "pool": pool.value}
    if pool.value in GREEN:
        return Fail(site, values, cause="green")
    return Fail(site, values, cause="container" if process.contained or process.origin.kind == "procfile" else "")


def _pool(stack: Stack, process: Process) -> AnyValue:
    if process.given.get("pool"):
        return process.setting("pool")
    told = stack.celery.setting("worker_pool")
    return told if isinstance(told, Known) or stack.celery.app is not None else process.setting("pool")


def celery_beat_duplicated(stack: Stack) -> Iterator[Verdict]:
    """One process keeps the clock of the periodic tasks."""
    clocks = [process for process in production(stack, "celery-worker", "celery-beat") if _keeps_clock(process)]
    for process in clocks:
        beside = [
            other
            for other in clocks
            if other is not process and _together(other, process) and _same_app(other, process)
        ]
        yield _clock(stack, process, beside, clocks)


def _keeps_clock(process: Process) -> bool:
    if process.kind == "celery-beat":
        return True
    beat = process.settings.get("beat")
    return isinstance(beat, Known) and beat.value is True


def _together(one: Process, other: Process) -> bool:
    """Whether two processes belong to one deployment: services of a file, or what lies in one folder."""
    if one.origin.kind != other.origin.kind:
        return False
    if one.origin.kind in ("systemd", "kubernetes"):
        return one.origin.path.rpartition("/")[0] == other.origin.path.rpartition("/")[0]
    return one.origin.path == other.origin.path


def _same_app(one: Process, other: Process) -> bool:
    """Whether two processes may run one application: neither its name nor their folder tells them apart."""
    pairs = ((one.app, other.app), (one.working_directory, other.working_directory))
    return not any(
        isinstance(first, Known) and isinstance(second, Known) and first.value != second.value
        for first, second in pairs
    )


def _clock(stack: Stack, process: Process, beside: list[Process], clocks: list[Process]) -> Verdict:
    site = Site(process.place, f"{process.name}: periodic tasks")
    scheduler = process.settings.get("scheduler") or stack.celery.setting("beat_scheduler")
    if isinstance(scheduler, Known) and "redbeat" in str(scheduler.value).lower():
        return Pass(site)  # RedBeat holds a lock in Redis: the others wait
    values = {"name": process.origin.service or process.kind, "count": 0}
    if isinstance(process.replicas, Unknown):
        return Unsure(site, f"how many of it run is not known: {process.replicas.why}")
    if process.replicas.value > 1:
        places = process.replicas.places
        steps = tuple(Step(place, f"{process.replicas.value} of them") for place in places[:1])
        return Fail(site, {**values, "count": process.replicas.value}, related=steps)
    first = min((other.name for other in beside), default="")
    if beside and first < process.name:
        steps = tuple(Step(other.place, f"{other.name} keeps a clock too") for other in beside)
        return Fail(site, {**values, "count": len(beside) + 1}, cause="several", related=steps)
    if process.kind == "celery-worker" and not beside:
        return Fail(site, values, cause="embedded")
    return Pass(site)
