"""Tasks that are sent while their transaction is still open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackaudit.checks.data.sending import surroundings
from stackaudit.facts import python as py
from stackaudit.link.celery import Sent
from stackaudit.link.celery.reading import reads
from stackaudit.link.celery.sends import SIGNATURES, WAYS
from stackaudit.link.celery.survivors import single_rows
from stackaudit.link.celery.touching import loads, may_touch, py_name
from stackaudit.link.models import Model
from stackaudit.link.modules import decorators, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.settings.servers import databases
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_VIEWS = ("django.views.", "rest_framework.", "django.contrib.auth.views.")
HARMLESS = frozenset({
    "all", "annotate", "append", "atomic", "count", "debug", "distinct", "error", "exception", "exclude", "exists",
    "extend", "filter", "first", "format", "get", "in_bulk", "info", "items", "iterator", "join", "keys", "last",
    "latest", "now", "on_commit", "only", "order_by", "prefetch_related", "select_for_update", "select_related",
    "using", "values", "values_list", "warning",
})  # fmt: skip
"""Methods that change nothing in the database; any other one may."""
_EXEMPT = "django.db.transaction.non_atomic_requests"


def celery_delay_in_atomic(stack: Stack) -> Iterator[Verdict]:
    """Whatever a worker looks up in the database has been committed when the worker is told of it.

    A function that sends one task in several branches is one finding.
    """
    celery = stack.celery
    if celery.app is not None:
        eager = celery.setting("task_always_eager")
        if isinstance(eager, Known) and eager.value and "default of" not in eager.note:
            return
    requests = _atomic_requests(stack)
    failed: dict[object, list[Fail]] = {}
    for sent in celery.sent:
        verdict = _judged(stack, sent, requests)
        if isinstance(verdict, Fail):
            failed.setdefault((sent.body.node, sent.send.name, verdict.cause, verdict.flow), []).append(verdict)
        elif verdict is not None:
            yield verdict
    for first, *others in failed.values():
        also = tuple(Step(other.site.place, "it is sent here as well") for other in others)
        yield replace(first, related=(*first.related, *also))


def _judged(stack: Stack, sent: Sent, requests: Known[bool] | Unknown) -> Verdict | None:
    site = Site(sent.place, f"{sent.body.name}: {sent.send.name}")
    if sent.late:
        return Pass(site)
    held, flow = sent.held, sent.held.flow if sent.held is not None else ()
    if held is None:
        if not _in_view(stack, sent):
            return None
        if isinstance(requests, Unknown):
            return Unsure(site, f"ATOMIC_REQUESTS is not known: {requests.why}")
        if not requests.value:
            return Pass(site)
        flow = tuple(Step(place, "ATOMIC_REQUESTS opens one for every view") for place in requests.places[:1])
    if held is not None and held.kind == "block" and len(held.flow) == 1 and not _writes(stack, sent):
        return Pass(site)
    if sent.send.task is not None and sent.send.task[1] is sent.body.node:
        return Pass(site)  # a task that sends itself for the next batch
    read = reads(stack, *sent.send.task) if sent.send.task is not None else None
    if sent.send.task is None and any(_names_a_row(argument) for argument in sent.send.arguments):
        read = True
    if read is None:
        return Unsure(site, f"whether {sent.send.name} looks at the database is not known")
    signal = held is not None and held.kind == "signal"
    if not read or (signal and _about_others(stack, sent)):
        return Pass(site)
    cause = _signal(stack, sent) if signal else ""
    values = {
        "beside": _beside(stack, sent) if cause in ("signal", "another") else "",
        "around": surroundings(sent),
        "task": sent.send.name,
        "held": held.how if held is not None else "the transaction of the request (ATOMIC_REQUESTS)",
        "commit": f"{sent.send.name}.delay_on_commit(...)" if sent.send.way == "delay" else "transaction.on_commit",
    }
    return Fail(site, values, cause=cause, flow=flow)


def _signal(stack: Stack, sent: Sent) -> str:
    """What a receiver's task asks for: the deleted row, another one that stays, or whatever may have changed."""
    if _loads_what_is_deleted(stack, sent):
        return "deleted"
    return "another" if _asks_for_another(stack, sent) else "signal"


def _about_others(stack: Stack, sent: Sent) -> bool:
    """Whether a receiver sends a task that has nothing to do with the model of its signal."""
    if sent.send.task is None:
        return False
    senders = _senders(sent)
    if not senders or len(senders) < len(sent.body.node.decorators):
        return False
    task, call = sent.send.task[1], sent.send.call
    found = [_models(stack, name) for name in senders]
    return all(
        models and not any(may_touch(stack, task, model, call, _surviving(stack, sent, model)) for model in models)
        for models in found
    )


def _surviving(stack: Stack, sent: Sent, model: Model) -> frozenset[py.Node]:
    """The parts of a task that ask for a row which a deletion leaves where it is."""
    if sent.send.task is None or sent.held is None or "_delete" not in sent.held.how:
        return frozenset()
    return single_rows(stack, sent.send.task[1], sent.send.call, model)


def _asks_for_another(stack: Stack, sent: Sent) -> bool:
    """Whether all rows of the deleted row's tables that a task itself asks for outlive the deletion."""
    models = [model for name in _senders(sent) for model in _models(stack, name)]
    return bool(models) and all(_surviving(stack, sent, model) for model in models)


def _senders(sent: Sent) -> list[str]:
    """The models, as they are written, whose signals the function that sends a task receives."""
    return [
        py_name(keyword.value).rpartition(".")[2]
        for decorator in sent.body.node.decorators
        if isinstance(decorator, py.Call)
        for keyword in decorator.keywords
        if keyword.name == "sender"
    ]


def _models(stack: Stack, name: str) -> list[Model]:
    return [model for model in stack.models if model.name == name]


def _loads_what_is_deleted(stack: Stack, sent: Sent) -> bool:
    """Whether a receiver of a deletion sends the key of the deleted row to a task that asks for rows of its model."""
    held = sent.held
    if sent.send.task is None or held is None or "_delete" not in held.how:
        return False
    own = any(
        isinstance(each, py.Attribute) and each.attr in ("pk", "id") and py_name(each.value) == "instance"
        for each in sent.send.arguments
    )
    return own and any(
        loads(stack, sent.send.task[1], model) for name in _senders(sent) for model in _models(stack, name)
    )


def _beside(stack: Stack, sent: Sent) -> str:
    """A sentence about the tasks that other receivers send for the same model at once: they keep their order."""
    senders = set(_senders(sent))
    names = {
        other.send.name
        for other in stack.celery.sent
        if not other.late
        and other.body is not sent.body
        and other.send.name != sent.send.name
        and senders & set(_senders(other))
        and not _loads_what_is_deleted(stack, other)
    }
    if not names:
        return ""
    told = ", ".join(f"`{name}`" for name in sorted(names))
    return (
        f" Other receivers of the same model send {told}: where one undoes what the other does, let these wait for the "
        "commit as well, or their order changes."
    )


def _writes(stack: Stack, sent: Sent) -> bool:
    """Whether the function that sends the task may change the database: a block that only takes locks hides nothing."""
    return any(_may_write(stack, sent, site.call) for site in sent.body.sites)


def _may_write(stack: Stack, sent: Sent, call: py.Call) -> bool:
    if isinstance(call.func, py.Attribute):
        return call.func.attr not in HARMLESS | WAYS.keys() | SIGNATURES
    symbol = stack.modules.resolve(sent.body.module, dotted(call.func) or "?")
    return symbol is None or symbol.kind in ("function", "class", "value")


def _atomic_requests(stack: Stack) -> Known[bool] | Unknown:
    """Whether Django wraps every view in a transaction."""
    settings = stack.settings
    if settings is None:
        return Known(False)
    aliases = databases(settings)
    if isinstance(aliases, Unknown):
        return aliases
    doubt: Unknown | None = None
    for alias, _ in aliases:
        value = settings.at("DATABASES", alias, "ATOMIC_REQUESTS", default=False)
        if isinstance(value, Unknown):
            doubt = doubt or value
        elif value.value:
            return Known(True, value.places)
    return doubt or Known(False)


def _in_view(stack: Stack, sent: Sent) -> bool:
    """Whether a function answers a request itself: a method of a view's class, or a function that takes `request`."""
    body = sent.body
    if any(_is_exempt(stack, sent, path) for path in decorators(body.node)):
        return False
    if body.owner is not None:
        return any(external.startswith(_VIEWS) for external in body.owner.externals)
    return bool(body.node.params) and body.node.params[0].name == "request"


def _is_exempt(stack: Stack, sent: Sent, path: str) -> bool:
    symbol = stack.modules.resolve(sent.body.module, path) if path else None
    return symbol is not None and symbol.name == _EXEMPT


def _names_a_row(argument: py.Expr) -> bool:
    """Whether an argument is a row's key: `order.pk`, `str(user.id)`, `order_id`."""
    return any(
        (isinstance(node, py.Attribute) and (node.attr in ("pk", "id") or node.attr.endswith(("_id", "_pk"))))
        or (isinstance(node, py.Name) and (node.id in ("pk", "id") or node.id.endswith(("_id", "_pk", "_ids", "_pks"))))
        for node in nodes((py.ExprStmt(argument.start, argument.end, argument),))
    )
