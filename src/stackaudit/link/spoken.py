"""Texts that code writes for people to read: what they name is not run by that."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes

_SAYING = frozenset({
    "print", "secho", "debug", "info", "warning", "warn", "error", "critical", "exception",
    "stdout.write", "stderr.write",
})  # fmt: skip
"""Functions of Python, of loggers, of messages and of consoles whose texts somebody reads."""
_ADVICE = frozenset({"hint", "help", "help_text", "verbose_name", "epilog", "usage"})
"""Arguments and attributes of classes that explain something."""
_WRAPPING = frozenset({
    "_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "format", "format_html", "mark_safe", "join", "dedent",
    "strip",
})  # fmt: skip
"""Functions that give a text back in other words."""


def texts(module: SourceModule) -> Iterator[py.Constant]:
    """The texts of a module that are said to people and nothing else.

    Docstrings, messages of errors and asserts, what is logged or printed, hints and helps. A text whose use cannot be
    told is none.
    """
    for node in nodes(module.facts.body):
        if isinstance(node, py.ExprStmt) and not isinstance(node.value, py.Call):
            yield from _parts(node.value)
        elif isinstance(node, py.Assert):
            yield from _parts(node.msg)
        elif isinstance(node, py.ClassDef):
            for stmt in node.body:
                if isinstance(stmt, py.Assign) and any(dotted(target) in _ADVICE for target in stmt.targets):
                    yield from _parts(stmt.value)
        elif isinstance(node, py.Call):
            given = [item.value for item in node.keywords if item.name in _ADVICE]
            for expr in [*given, *(node.args if _says(node) else ())]:
                yield from _parts(expr)


def _says(call: py.Call) -> bool:
    """Whether what is called prints, logs, or makes an error or a warning."""
    func = call.func
    name = func.attr if isinstance(func, py.Attribute) else dotted(func)
    if name == "write" and isinstance(func, py.Attribute):
        held = func.value
        name = f"{held.attr if isinstance(held, py.Attribute) else dotted(held)}.write"
    return name in _SAYING or name.endswith(("Error", "Exception", "Warning"))


def _parts(expr: py.Expr | None) -> Iterator[py.Constant]:
    """The texts that an expression is put together from."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        if isinstance(node, py.Constant):
            yield node
        elif isinstance(node, py.JoinedStr):
            waiting += node.values
        elif isinstance(node, py.BinOp):
            waiting += [node.left, node.right]
        elif isinstance(node, py.IfExp):
            waiting += [node.body, node.orelse]
        elif isinstance(node, (py.Tuple, py.List)):
            waiting += node.elts
        elif isinstance(node, py.Call) and isinstance(node.func, py.Attribute):
            if node.func.attr in _WRAPPING or dotted(node.func.value).endswith("style"):
                waiting += [node.func.value, *node.args]
        elif isinstance(node, py.Call) and dotted(node.func) in _WRAPPING:
            waiting += node.args
