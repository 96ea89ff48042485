"""Tasks that wait for ever, and messages that are delivered twice because a task takes too long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.data.waiting import advice, waits
from stackaudit.checks.data.workers import production
from stackaudit.facts import python as py
from stackaudit.link.celery import Task
from stackaudit.link.celery.constants import constant
from stackaudit.link.modules import SourceModule
from stackaudit.link.processes.model import Process
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value, plain
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

ENFORCING = frozenset({"prefork", "processes", "default"})
"""Pools that end a task at its limit; gevent ends it at the hard one (celery.concurrency of 5.7)."""

VISIBILITY = {"redis": 3600, "rediss": 3600, "redis+socket": 3600, "sentinel": 3600, "sqs": 1800}
"""When a broker gives an unacknowledged message to another worker, in seconds (kombu 5.7)."""
LONG = 600


def celery_no_time_limit(stack: Stack) -> Iterator[Verdict]:
    """A task that waits for the network without a timeout is ended by a limit."""
    celery = stack.celery
    app = celery.app
    if app is None or not celery.tasks:
        return
    hard, soft = celery.setting("task_time_limit"), celery.setting("task_soft_time_limit")
    workers = production(stack, "celery-worker")
    limit = _given(hard, soft, workers)
    place = limit.places[0] if limit.places else app.place
    site = Site(place, "task_time_limit")
    if isinstance(limit, Unknown):
        yield Unsure(site, limit.why)
        return
    if limit.value:
        pool = next((each for each in map(_idle_pool, workers) if each is not None), None)
        if pool is not None:
            step = Step(pool[0].setting_place("pool"), f"-P {pool[1]}")
            yield Fail(site, {"pool": pool[1], "task": "", "call": ""}, cause="pool", related=(step,))
        else:
            yield Pass(site)
        return
    waiting = [wait for task in celery.tasks if not _limited(task) for wait in waits(stack, task)]
    annotations = celery.setting("task_annotations")
    if not waiting:
        yield Pass(site)
    elif not (isinstance(annotations, Known) and not annotations.value):
        yield Unsure(site, "task_annotations may set limits")
    else:
        related = tuple(Step(wait.place, f"{wait.task.node.name} waits here without a timeout") for wait in waiting[:5])
        first = waiting[0]
        values = {"task": first.task.node.name, "call": first.call, "pool": ""}
        yield Fail(site, values, related=related, fix=advice(stack, waiting))


def _given(hard: AnyValue, soft: AnyValue, workers: list[Process]) -> AnyValue:
    """The limit that holds for all tasks, Known with a false value where none does."""
    for value in (hard, soft):
        if isinstance(value, Known) and value.value:
            return value
    if workers and all(worker.given.get("time_limit") or worker.given.get("soft_time_limit") for worker in workers):
        return Known(True, (workers[0].place,))
    unknown = next((value for value in (hard, soft) if isinstance(value, Unknown)), None)
    if unknown is not None:
        return Unknown(f"a limit may be set: {unknown.why}", unknown.places)
    doubtful = next((value for value in (hard, soft) if isinstance(value, Known) and "default of" in value.note), None)
    if doubtful is not None:
        return Unknown(f"the environment may set a limit ({doubtful.note})", doubtful.places)
    return hard


def _idle_pool(worker: Process) -> tuple[Process, str] | None:
    """The worker's pool, where it enforces no limit."""
    pool = worker.setting("pool")
    if isinstance(pool, Known) and worker.given.get("pool") and pool.value not in ENFORCING | {"gevent"}:
        return worker, str(pool.value)
    return None


def _limited(task: Task) -> bool:
    return bool(task.open) or any(task.options.get(name) is not None for name in ("time_limit", "soft_time_limit"))


@dataclass(frozen=True)
class Delay:
    """A message that stays unacknowledged for `seconds`, and what says so."""

    name: str
    place: Place
    seconds: float
    text: str
    cause: str


def celery_long_tasks(stack: Stack) -> Iterator[Verdict]:
    """No message is unacknowledged for longer than the broker waits before it delivers it again."""
    celery = stack.celery
    if not celery.used:
        return
    timeout = _visibility(stack)
    for delay in _delays(stack):
        site = Site(delay.place, delay.name)
        if isinstance(timeout, Unknown):
            if delay.seconds > min(VISIBILITY.values()):
                yield Unsure(site, timeout.why)
        elif delay.seconds > timeout.value:
            values = {"text": delay.text, "seconds": round(delay.seconds), "timeout": timeout.value}
            steps = tuple(Step(place, f"visibility_timeout is {timeout.value} s") for place in timeout.places[:1])
            yield Fail(site, values, cause=delay.cause, related=steps)
        else:
            yield Pass(site)
    yield from _starving(stack)


def _visibility(stack: Stack) -> Value[int]:
    """When the broker delivers a message again, in seconds."""
    broker = stack.celery.setting("broker_url")
    if isinstance(broker, Unknown):
        return Unknown(f"the broker is not known: {broker.why}")
    if "default of" in broker.note and not broker.value:
        return Unknown(f"the broker is not known: {broker.note}")
    scheme = str(broker.value or "amqp").partition(":")[0]
    if scheme not in VISIBILITY:
        return Unknown(
            f"a broker with {scheme} delivers again by rules of its own (RabbitMQ's consumer_timeout: 30 min)"
        )
    options = stack.celery.setting("broker_transport_options")
    if isinstance(options, Unknown):
        return Unknown(f"visibility_timeout is not known: {options.why}")
    held = options.value if isinstance(options.value, dict) else {}
    given = held.get("visibility_timeout")
    if given is None:
        return Known(VISIBILITY[scheme], (), "the default")
    if isinstance(given, Unknown) or not isinstance(plain(given), (int, float)):
        return Unknown("visibility_timeout is not known", options.places)
    return Known(int(plain(given)), options.places)


def _delays(stack: Stack) -> Iterator[Delay]:
    for sent in stack.celery.sent:
        for keyword in sent.send.call.keywords:
            seconds = _ahead(stack, sent.send.module, keyword)
            if seconds is not None:
                text = f"`{sent.send.name}` is sent with {keyword.name} {_human(seconds)} ahead"
                yield Delay(f"{sent.body.name}: {sent.send.name}", sent.place, seconds, text, "")
    for task, limit in _late(stack):
        text = f"`{task.node.name}` may run for {_human(limit.value)} and acknowledges at the end (acks_late)"
        yield Delay(task.name, limit.places[0], limit.value, text, "runtime")


def _late(stack: Stack) -> Iterator[tuple[Task, Known[float]]]:
    """The tasks that acknowledge when they are done, with the time that their decorator gives them."""
    late = stack.celery.setting("task_acks_late")
    for task in stack.celery.tasks:
        acks = task.option("acks_late") or late
        limit = task.option("time_limit") or task.option("soft_time_limit")
        if (
            isinstance(acks, Known)
            and acks.value
            and isinstance(limit, Known)
            and isinstance(limit.value, (int, float))
        ):
            yield task, limit.map(float)


def _ahead(stack: Stack, module: SourceModule, keyword: py.Keyword) -> float | None:
    """How many seconds a keyword `countdown` or `eta` puts a task off, None where that is not written down."""
    expr: py.Expr | None = None
    if keyword.name == "countdown":
        expr = keyword.value
    elif keyword.name == "eta" and isinstance(keyword.value, py.BinOp) and keyword.value.op == "+":
        expr = keyword.value.right
    if expr is None:
        return None
    value = constant(stack, module, expr)
    number = value.value if isinstance(value, Known) else None
    return float(number) if isinstance(number, (int, float)) and not isinstance(number, bool) else None


def _starving(stack: Stack) -> Iterator[Verdict]:
    """Long tasks that acknowledge late, and whose worker has reserved others meanwhile."""
    multiplier, off = (
        stack.celery.setting("worker_prefetch_multiplier"),
        stack.celery.setting("worker_disable_prefetch"),
    )
    if not (isinstance(multiplier, Known) and isinstance(off, Known)) or off.value or multiplier.value == 1:
        return
    if any(worker.given.get("prefetch_multiplier") for worker in production(stack, "celery-worker")):
        return
    for task, limit in _late(stack):
        if limit.value >= LONG:
            site = Site(task.place, f"{task.name}: prefetch")
            values = {"text": f"`{task.node.name}` may run for {_human(limit.value)}", "seconds": round(limit.value)}
            yield Fail(site, {**values, "timeout": 0, "multiplier": multiplier.value}, cause="prefetch")


def _human(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
