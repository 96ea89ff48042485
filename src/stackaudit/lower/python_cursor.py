"""Where a walk over libcst's tree stands in the text: spans without `PositionProvider`.

libcst keeps no positions, and its `PositionProvider` triples the time of a parse. The walk visits the tree in source
order instead and takes one token of the text after another, so the place of each token is known when it is taken. A
token that does not stand where the tree says raises `LostError`: a span is right, or there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import libcst as cst

from stackaudit.facts.python import Expr

MAX_DEPTH = 150
"""How deeply statements and expressions may nest in the facts of one file; CPython itself stops at 200 brackets and
100 indentations. Who walks the facts may recurse six frames for each level within Python's own limit of 1,000."""

BLANK = frozenset(" \t\f\r\n\\#")
SKIP = re.compile(r"(?:[ \t\f\r\n]++|\#[^\r\n\0]*+|\\(?:\r\n?|\n))*+").match
SKIP_BETWEEN_STATEMENTS = re.compile(r"(?:[ \t\f\r\n;]++|\#[^\r\n\0]*+|\\(?:\r\n?|\n))*+").match

Lowering: TypeAlias = "Callable[[Cursor, Any, int], Expr]"
EXPRESSIONS: dict[type[cst.CSTNode], Lowering] = {}
"""How each kind of expression is lowered: (cursor, node, offset of its first token) -> facts. Filled by `lowers`."""


class LostError(Exception):
    """The tree and the text disagree at `offset`."""

    def __init__(self, wanted: str, offset: int) -> None:
        super().__init__(f"no {wanted!r} at offset {offset}")
        self.wanted = wanted
        self.offset = offset


class TooDeepError(Exception):
    """Statements or expressions nest deeper than `MAX_DEPTH` at `offset`."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"deeper than {MAX_DEPTH} at offset {offset}")
        self.offset = offset


def lowers(*kinds: type[cst.CSTNode]) -> Callable[[Lowering], Lowering]:
    """Enter a function into `EXPRESSIONS` as the way to lower nodes of `kinds`."""

    def enter(function: Lowering) -> Lowering:
        for kind in kinds:
            EXPRESSIONS[kind] = function
        return function

    return enter


class Cursor:
    """A place in the text: `pos` is the offset behind the last token taken, `depth` how deep the walk is."""

    __slots__ = ("depth", "pos", "text")

    def __init__(self, text: str) -> None:
        # The sentinel spares every look at the next character a check for the end; no Python text holds a NUL.
        self.text = text + "\0"
        self.pos = 0
        self.depth = 0

    def skip(self) -> int:
        """Pass blanks, comments and line breaks; the offset of the next token."""
        pos = self.pos
        if self.text[pos] in BLANK:
            self.pos = pos = SKIP(self.text, pos).end()  # type: ignore[union-attr]
        return pos

    def eat(self, token: str) -> int:
        """Take `token`, which must come next, and return the offset at which it starts."""
        text = self.text
        pos = self.pos
        if text[pos] in BLANK:
            pos = SKIP(text, pos).end()  # type: ignore[union-attr]
        if not text.startswith(token, pos):
            raise LostError(token, pos)
        self.pos = pos + len(token)
        return pos

    def eat_raw(self, token: str) -> int:
        """Take `token` where the cursor stands: inside f-strings blanks are text."""
        pos = self.pos
        if not self.text.startswith(token, pos):
            raise LostError(token, pos)
        self.pos = pos + len(token)
        return pos

    def comma(self) -> None:
        """Take a comma if one comes next."""
        text = self.text
        pos = self.pos
        if text[pos] in BLANK:
            pos = SKIP(text, pos).end()  # type: ignore[union-attr]
        if text[pos] == ",":
            self.pos = pos + 1

    def enter(self, levels: int = 1) -> None:
        """Go `levels` deeper; whoever calls this takes them off `depth` afterwards."""
        self.depth += levels
        if self.depth > MAX_DEPTH:
            raise TooDeepError(self.pos)

    def expr(self, node: Any) -> Expr:
        """Lower an expression with the parentheses around it."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeepError(self.pos)
        parentheses = node.lpar
        if parentheses:
            for _ in parentheses:
                self.eat("(")
        pos = self.pos
        if self.text[pos] in BLANK:
            self.pos = pos = SKIP(self.text, pos).end()  # type: ignore[union-attr]
        result = EXPRESSIONS[node.__class__](self, node, pos)
        if parentheses:
            for _ in node.rpar:
                self.eat(")")
        self.depth -= 1
        return result

    def optional(self, node: Any) -> Expr | None:
        """Lower an expression that may be missing."""
        return None if node is None else self.expr(node)

    def elements(self, nodes: Sequence[Any]) -> tuple[Expr, ...]:
        """Lower the elements of a tuple, list or set with the commas between them."""
        found = []
        for node in nodes:
            # A starred element is an expression of its own; any other is only a wrapper.
            found.append(self.expr(node if node.__class__ is cst.StarredElement else node.value))
            self.comma()
        return tuple(found)
