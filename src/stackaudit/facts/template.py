"""What a template says: its tags and expressions without its text, the same form for Django's language and Jinja2's.

Regions are those of the expression or of the whole tag. A dotted path is one flat node, so that the tree stays as
shallow as the tags are nested.
"""

from __future__ import annotations

from typing import Literal as Either
from typing import TypeAlias

import msgspec

from stackaudit.facts.files import Note
from stackaudit.model.source import Region


class Part(msgspec.Struct, array_like=True, gc=False, eq=True, frozen=True):
    """Anything that stands somewhere."""

    region: Region


# Expressions


class Path(Part, frozen=True, tag=1):
    """`name.part.part`: a variable of the context and the lookups on it; a numeric part is an index."""

    name: str
    parts: tuple[str, ...] = ()


class Literal(Part, frozen=True, tag=2):
    """A string, number, boolean or None."""

    value: str | int | float | bool | None


class Filter(Part, frozen=True, tag=False):
    """`|name:argument`, or `|name(arguments)` of Jinja2."""

    name: str
    args: tuple[Expr, ...] = ()
    keywords: tuple[Binding, ...] = ()


class Filtered(Part, frozen=True, tag=3):
    """`value|filter|filter`, in the order in which they are applied."""

    value: Expr
    filters: tuple[Filter, ...]


class Operation(Part, frozen=True, tag=4):
    """`op` is "and", "or", "not", a comparison as written, or what Jinja2 has beyond that.

    Beyond: "list", "dict", "+" for all arithmetic, "~", "[]" (value and index), "slice" (value, then bounds),
    "if" (test, then, otherwise), "is <test>" (value and arguments).
    """

    op: str
    operands: tuple[Expr, ...]


class Follow(Part, frozen=True, tag=5):
    """Lookups on something that is no variable: `f(x).part.part` (Jinja2)."""

    value: Expr
    parts: tuple[str, ...]


class Call(Part, frozen=True, tag=6):
    """`func(args)` (Jinja2)."""

    func: Expr
    args: tuple[Expr, ...] = ()
    keywords: tuple[Binding, ...] = ()


class Unread(Part, frozen=True, tag=7):
    """An expression that could not be read."""

    text: str


Expr: TypeAlias = Path | Literal | Filtered | Operation | Follow | Call | Unread


class Binding(Part, frozen=True, tag=False):
    """`name=value`, or `value as name`."""

    name: str
    value: Expr


# Nodes


class Output(Part, frozen=True, tag=40):
    """`{{ value }}`: the value is turned into text."""

    value: Expr


class For(Part, frozen=True, tag=41):
    """`region` is that of the opening tag. `test` is Jinja2's `if` of a loop."""

    targets: tuple[str, ...]
    iter: Expr
    body: tuple[Node, ...]
    empty: tuple[Node, ...] = ()
    is_reversed: bool = False
    test: Expr | None = None


class Branch(Part, frozen=True, tag=False):
    """`test` is None for `else`."""

    test: Expr | None
    body: tuple[Node, ...]


class If(Part, frozen=True, tag=42):
    """`{% if %}`, `{% elif %}`, `{% else %}`, also `ifequal` and `ifchanged` (op "ifchanged")."""

    branches: tuple[Branch, ...]


class With(Part, frozen=True, tag=43):
    """Names that hold within `body`."""

    bindings: tuple[Binding, ...]
    body: tuple[Node, ...]


class Bind(Part, frozen=True, tag=44):
    """A name that holds from here on: Jinja2's `{% set %}`, `{% regroup %}` has its own node."""

    targets: tuple[str, ...]
    value: Expr


class Include(Part, frozen=True, tag=45):
    """`only` says that nothing but `bindings` is seen inside."""

    template: Expr
    bindings: tuple[Binding, ...] = ()
    only: bool = False


class Extends(Part, frozen=True, tag=46):
    """`{% extends template %}`."""

    template: Expr


class Block(Part, frozen=True, tag=47):
    """`{% block name %}`."""

    name: str
    body: tuple[Node, ...]


class Regroup(Part, frozen=True, tag=48):
    """`{% regroup value by by as target %}`; `by` is a path on one item, with its name first."""

    value: Expr
    by: Path
    target: str


class Cache(Part, frozen=True, tag=49):
    """`{% cache timeout name vary... %}`."""

    args: tuple[Expr, ...]
    body: tuple[Node, ...]


class Tag(Part, frozen=True, tag=50):
    """Any other tag: `args` and `keywords` are evaluated, the outcome is bound to `target` ("as target").

    A tag that has an end tag in the file has a `body`; `words` are its arguments as written.
    """

    name: str
    args: tuple[Expr, ...] = ()
    keywords: tuple[Binding, ...] = ()
    target: str = ""
    body: tuple[Node, ...] = ()
    words: tuple[str, ...] = ()


class Macro(Part, frozen=True, tag=51):
    """Jinja2's `{% macro name(params) %}`; a parameter without default has the value None."""

    name: str
    params: tuple[str, ...]
    body: tuple[Node, ...]


class Import(Part, frozen=True, tag=52):
    """Jinja2's `{% import "x" as target %}` (`names` empty) and `{% from "x" import a as b %}` (pairs a, b)."""

    template: Expr
    target: str = ""
    names: tuple[tuple[str, str], ...] = ()


class Component(Part, frozen=True, tag=53):
    """`<c-name :rows="books" title="All">` of django-cotton, or `{% cotton name … %}`: the opening tag alone.

    What stands up to the closing tag is rendered where it stands. `<c-vars>` are the defaults of the component that the
    file is, `<c-slot name="x">` begins what another one is given under a name. `only` keeps the context away.
    """

    name: str
    bindings: tuple[Binding, ...] = ()
    only: bool = False


Node: TypeAlias = (
    Output | For | If | With | Bind | Include | Extends | Block | Regroup | Cache | Tag | Macro | Import | Component
)


class Template(msgspec.Struct, array_like=True, frozen=True):
    """One template. `libraries` are the names that `{% load %}` names."""

    language: Either["django", "jinja2"]
    nodes: tuple[Node, ...]
    libraries: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
