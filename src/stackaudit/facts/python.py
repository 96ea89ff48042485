"""What a Python file says: a compact form of its statements and expressions.

The names are those of Python's own `ast`, and so is the meaning unless a docstring says otherwise. Every node begins
with `start` and `end`, offsets into the decoded text in code points; parentheses around an expression do not belong to
it. `Module.region` turns offsets into lines and columns.

Statements and expressions nest at most 150 levels deep, so who walks them may recurse. A chain of more than 75 binary
operators is one `Opaque`; a file that nests deeper otherwise is not read at all.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal, TypeAlias, Union

import msgspec

from stackaudit.model.source import Region


class Node(msgspec.Struct, array_like=True, gc=False, eq=False):
    """A node; `end` is exclusive. Nodes are never changed; two of them are equal only where they are the same one."""

    start: int
    end: int


# Expressions


class Name(Node, tag=1):
    id: str


class Attribute(Node, tag=2):
    """`value.attr`; the attribute's own name covers `end - len(attr)` to `end`."""

    value: Expr
    attr: str


class Keyword(Node, tag=False):
    """`name=value`, or `**value` where `name` is None."""

    name: str | None
    value: Expr


class Call(Node, tag=3):
    """`args` may hold `Starred`."""

    func: Expr
    args: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]


class Constant(Node, tag=4):
    """A string, number, boolean or None. Adjacent strings are joined."""

    value: str | int | float | bool | None


class Bytes(Node, tag=5):
    value: bytes


class Opaque(Node, tag=6):
    """Something with no value that matters: `...`, a complex or a giant number, a template string.

    Also a string that UTF-8 cannot carry and a long chain of operators; `kind` says which.
    """

    kind: str


class JoinedStr(Node, tag=7):
    """An f-string: constants and `FormattedValue` in order."""

    values: tuple[Expr, ...]


class FormattedValue(Node, tag=8):
    """`{value!conversion:format_spec}` of an f-string."""

    value: Expr
    conversion: str
    format_spec: tuple[Expr, ...]


class BinOp(Node, tag=9):
    """`op` is the operator as written: "+", "//", "@" ..."""

    left: Expr
    op: str
    right: Expr


class BoolOp(Node, tag=10):
    """`a and b`, `a or b`: always two values (libcst nests chains to the left, and so does this)."""

    op: Literal["and", "or"]
    left: Expr
    right: Expr


class UnaryOp(Node, tag=11):
    """`op` is "not", "-", "+" or "~"."""

    op: str
    operand: Expr


class Compare(Node, tag=12):
    """`ops` as written, with "not in" and "is not" in one word each and `<>` as "!="."""

    left: Expr
    ops: tuple[str, ...]
    comparators: tuple[Expr, ...]


class IfExp(Node, tag=13):
    test: Expr
    body: Expr
    orelse: Expr


class Param(Node, tag=False):
    """A parameter; `kind` is "plain", "positional" (before `/`), "keyword" (after `*`), "args" or "kwargs".

    Its span is that of its name.
    """

    name: str
    kind: Literal["plain", "positional", "keyword", "args", "kwargs"]
    annotation: Expr | None
    default: Expr | None


class Lambda(Node, tag=14):
    params: tuple[Param, ...]
    body: Expr


class Subscript(Node, tag=15):
    """Several indices make one `Tuple` that spans them."""

    value: Expr
    index: Expr


class Slice(Node, tag=16):
    lower: Expr | None
    upper: Expr | None
    step: Expr | None


class Tuple(Node, tag=17):
    elts: tuple[Expr, ...]


class List(Node, tag=18):
    elts: tuple[Expr, ...]


class Set(Node, tag=19):
    elts: tuple[Expr, ...]


class Dict(Node, tag=20):
    """A key of None marks `**value`."""

    keys: tuple[Expr | None, ...]
    values: tuple[Expr, ...]


class Starred(Node, tag=21):
    value: Expr


class Comprehension(Node, tag=False):
    """One `for target in iter if ...` of a comprehension."""

    target: Expr
    iter: Expr
    ifs: tuple[Expr, ...]
    is_async: bool


class Comp(Node, tag=22):
    """A comprehension or generator expression; `value` only for "dict", where `element` is the key."""

    kind: Literal["list", "set", "dict", "generator"]
    element: Expr | None
    value: Expr | None
    generators: tuple[Comprehension, ...]


class Await(Node, tag=23):
    value: Expr


class Yield(Node, tag=24):
    value: Expr | None
    delegates: bool


class NamedExpr(Node, tag=25):
    target: Expr
    value: Expr


Expr: TypeAlias = Union[
    Name, Attribute, Call, Constant, Bytes, Opaque, JoinedStr, FormattedValue, BinOp, BoolOp, UnaryOp, Compare, IfExp,
    Lambda, Subscript, Slice, Tuple, List, Set, Dict, Starred, Comp, Await, Yield, NamedExpr,
]  # fmt: skip


# Statements. The span of a compound statement ends where its last statement ends.


class ExprStmt(Node, tag=40):
    value: Expr


class Assign(Node, tag=41):
    targets: tuple[Expr, ...]
    value: Expr


class AugAssign(Node, tag=42):
    """`op` without the equals sign."""

    target: Expr
    op: str
    value: Expr


class AnnAssign(Node, tag=43):
    target: Expr
    annotation: Expr
    value: Expr | None


class Return(Node, tag=44):
    value: Expr | None


class Raise(Node, tag=45):
    exc: Expr | None
    cause: Expr | None


class Assert(Node, tag=46):
    test: Expr
    msg: Expr | None


class Delete(Node, tag=47):
    targets: tuple[Expr, ...]


class Jump(Node, tag=48):
    kind: Literal["break", "continue", "pass"]


class Scope(Node, tag=49):
    """`global a, b` or `nonlocal a, b`."""

    kind: Literal["global", "nonlocal"]
    names: tuple[str, ...]


class Alias(Node, tag=False):
    """`name as asname`; `name` may be dotted in `Import`."""

    name: str
    asname: str | None


class Import(Node, tag=50):
    names: tuple[Alias, ...]


class ImportFrom(Node, tag=51):
    """`level` counts the leading dots; a single alias "*" imports everything."""

    module: str
    level: int
    names: tuple[Alias, ...]


class If(Node, tag=52):
    """`elif` is an `If` alone in `orelse`."""

    test: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


class For(Node, tag=53):
    target: Expr
    iter: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    is_async: bool


class While(Node, tag=54):
    test: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]


class WithItem(Node, tag=False):
    value: Expr
    target: Expr | None


class With(Node, tag=55):
    items: tuple[WithItem, ...]
    body: tuple[Stmt, ...]
    is_async: bool


class Handler(Node, tag=False):
    type: Expr | None
    name: str | None
    body: tuple[Stmt, ...]


class Try(Node, tag=56):
    body: tuple[Stmt, ...]
    handlers: tuple[Handler, ...]
    orelse: tuple[Stmt, ...]
    finalbody: tuple[Stmt, ...]


class Case(Node, tag=False):
    """A `case`: the names that its pattern binds and the expressions it compares with, in source order."""

    names: tuple[str, ...]
    values: tuple[Expr, ...]
    guard: Expr | None
    body: tuple[Stmt, ...]


class Match(Node, tag=57):
    subject: Expr
    cases: tuple[Case, ...]


class FunctionDef(Node, tag=58):
    """`start` is that of `def` or `async`, after the decorators."""

    name: str
    params: tuple[Param, ...]
    returns: Expr | None
    decorators: tuple[Expr, ...]
    body: tuple[Stmt, ...]
    is_async: bool


class ClassDef(Node, tag=59):
    name: str
    bases: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]
    decorators: tuple[Expr, ...]
    body: tuple[Stmt, ...]


Stmt: TypeAlias = Union[
    ExprStmt, Assign, AugAssign, AnnAssign, Return, Raise, Assert, Delete, Jump, Scope, Import, ImportFrom, If, For,
    While, With, Try, Match, FunctionDef, ClassDef,
]  # fmt: skip


class Module(msgspec.Struct, array_like=True, frozen=True):
    """One Python file. `lines` holds the offset at which each line starts. A type alias is an `Assign`."""

    body: tuple[Stmt, ...]
    lines: tuple[int, ...]

    def region(self, node: Node) -> Region:
        """The lines and columns of `node`."""
        return self.span(node.start, node.end)

    def span(self, start: int, end: int) -> Region:
        """The lines and columns of the text from offset `start` up to offset `end`."""
        first, last = bisect_right(self.lines, start), bisect_right(self.lines, end)
        return Region(first, start - self.lines[first - 1] + 1, last, end - self.lines[last - 1] + 1)
