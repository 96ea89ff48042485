"""Expressions as short text, for messages and fixes."""

from __future__ import annotations

import json
from functools import lru_cache

from stackaudit.facts import python as py


def text_of(node: py.Node, limit: int = 90) -> str:
    """The expression as one would write it, shortened with an ellipsis; "" for a statement."""
    text = _whole(node)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def code_of(node: py.Node, limit: int = 90) -> str:
    """The whole expression, as it may be copied; "" where it is longer, or holds what is not written out here."""
    text = _whole(node)
    return text if len(text) <= limit and "…" not in text else ""


@lru_cache(maxsize=10_000)
def _whole(node: py.Node) -> str:
    return _text(node)


def _text(node: py.Node | None) -> str:
    match node:
        case py.Name():
            return node.id
        case py.Attribute():
            return f"{_text(node.value)}.{node.attr}"
        case py.Constant():
            return json.dumps(node.value, ensure_ascii=False) if isinstance(node.value, str) else str(node.value)
        case py.Call():
            args = [_text(arg) for arg in node.args]
            for item in node.keywords:
                args.append(f"{item.name}={_text(item.value)}" if item.name else f"**{_text(item.value)}")
            return f"{_text(node.func)}({', '.join(args)})"
        case py.Subscript():
            return f"{_text(node.value)}[{_text(node.index)}]"
        case py.Slice():
            return f"{_text(node.lower)}:{_text(node.upper)}" + (f":{_text(node.step)}" if node.step else "")
        case py.Starred():
            return f"*{_text(node.value)}"
        case py.Await():
            return f"await {_text(node.value)}"
        case py.Tuple() | py.List():
            inner = ", ".join(_text(item) for item in node.elts)
            return f"[{inner}]" if isinstance(node, py.List) else f"({inner})"
        case py.UnaryOp():
            return f"{node.op} {_text(node.operand)}" if node.op == "not" else f"{node.op}{_text(node.operand)}"
        case py.BinOp():
            return f"{_text(node.left)} {node.op} {_text(node.right)}"
        case py.BoolOp():
            return f"{_text(node.left)} {node.op} {_text(node.right)}"
        case py.Compare():
            parts = [_text(node.left)]
            for op, right in zip(node.ops, node.comparators, strict=True):
                parts += [op, _text(right)]
            return " ".join(parts)
        case py.FormattedValue():
            return f"{{{_text(node.value)}}}"
        case py.JoinedStr():
            return 'f"…"'
        case None:
            return ""
        case _:
            return "…" if hasattr(node, "start") else ""
