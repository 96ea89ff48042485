"""Every node is met, in order, whatever kind of statement holds it."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.nodes import nodes
from stackaudit.lower.python import lower

SOURCE = b"""
import a as b, c
from d import (e, f as g)

class C(B, metaclass=M):
    global z
    x: int = 1

    @deco(1)
    async def m(self, p=[q for q in r if s], *, k: {1: "v", **w} = b"y"):
        match p:
            case D(h, i=2) if j < 3 < l:
                await n[1:o]
        try:
            lambda t: f"{u!r:>{v}}"
        except (E, F) as err:
            raise G from None
        with open(a1) as b1, c1:
            del d1
        return (yield not -e1)
"""


def test_nothing_is_missed() -> None:
    names = [node.id for node in nodes(lower(SOURCE, "a.py").body) if isinstance(node, py.Name)]
    expected = "B M x int deco q r q s w p D j l n o u v E F G open a1 b1 c1 d1 e1".split()
    assert sorted(names) == sorted(expected)


def test_what_comes_first_is_met_first() -> None:
    kinds = [type(node).__name__ for node in nodes(lower(b"if a:\n    b = c(d)\nelse:\n    e\n", "a.py").body)]
    assert kinds == ["If", "Name", "Assign", "Name", "Call", "Name", "Name", "ExprStmt", "Name"]
