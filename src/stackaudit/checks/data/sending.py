"""What stands around a call that sends a task, and changes its meaning when the task waits for the commit."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.celery import Sent
from stackaudit.link.modules import callee
from stackaudit.link.nodes import nodes

_BROAD = frozenset({"Exception", "BaseException", "KombuError"})
"""What surely catches a broker that is down: kombu 5.7 raises its own OperationalError, a KombuError."""


def surroundings(sent: Sent) -> str:
    """Sentences on the `try` that sees a failure to send no longer, and on a send that ends its transaction's block."""
    block = _block(sent)
    within = block.body if block is not None else sent.body.node.body
    lines = sorted(
        sent.send.module.facts.region(handler).line
        for item in nodes(within)
        if isinstance(item, py.Try) and any(node is sent.send.call for node in nodes(item.body))
        for handler in item.handlers
        if _is_broad(handler)
    )
    if lines:
        many, where = len(lines) > 1, ", ".join(map(str, lines))
        told = f" The `except` in line{'s' if many else ''} {where} no longer see{'' if many else 's'}"
        if block is None:
            return f"{told} a failure to send: that comes after the commit."
        return f"{told} a failure to send: put the `try` around the `with`, or send after it."
    if block is not None and isinstance(block.body[-1], py.ExprStmt) and block.body[-1].value is sent.send.call:
        line = sent.send.module.facts.region(block).line
        return (
            f" It is the last statement of the `with` in line {line}: below it the commit is through, where no caller "
            "holds a transaction of its own."
        )
    return ""


def _block(sent: Sent) -> py.With | None:
    """The `with` that holds the transaction open in the function that sends; None where another code does."""
    atomic = next((site.atomic for site in sent.body.sites if site.call is sent.send.call), None)
    for node in nodes(sent.body.node.body):
        if isinstance(node, py.With) and any(item.value is atomic for item in node.items):
            return node
    return None


def _is_broad(handler: py.Handler) -> bool:
    if handler.type is None:
        return True
    types = handler.type.elts if isinstance(handler.type, py.Tuple) else (handler.type,)
    return any(callee(each).rpartition(".")[2] in _BROAD for each in types)
