"""Where the nodes of a Python file stand, held against libcst's PositionProvider on real files."""

from __future__ import annotations

import sysconfig
from bisect import bisect_right
from collections import Counter
from pathlib import Path
from typing import Any

import django
import libcst as cst
import pytest
from libcst.metadata import MetadataWrapper, PositionProvider

from stackaudit.facts import python as facts
from stackaudit.lower.python import lower
from stackaudit.model.source import Region

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
DJANGO = Path(django.__file__).parent
SAMPLE = [
    LIBRARY / name for name in ("asyncio/taskgroups.py", "dataclasses.py", "statistics.py", "traceback.py")
] + [
    DJANGO / name
    for name in ("contrib/auth/models.py", "core/handlers/asgi.py", "db/models/query.py", "template/base.py")
]  # fmt: skip

SAME_NAME = (
    "Attribute Call Subscript Slice Tuple List Set Dict IfExp Lambda Await Yield NamedExpr Assign AnnAssign AugAssign "
    "Return Raise Assert Import ImportFrom If For While With WithItem Try Match FunctionDef ClassDef Name"
).split()
KINDS = {getattr(cst, name): name for name in SAME_NAME} | {
    cst.BinaryOperation: "BinOp", cst.BooleanOperation: "BoolOp", cst.UnaryOperation: "UnaryOp",
    cst.Comparison: "Compare", cst.Integer: "Constant", cst.Float: "Constant", cst.Imaginary: "Opaque",
    cst.Ellipsis: "Opaque", cst.StarredElement: "Starred", cst.GeneratorExp: "Comp", cst.ListComp: "Comp",
    cst.SetComp: "Comp", cst.DictComp: "Comp", cst.FormattedString: "JoinedStr", cst.SimpleString: "Constant",
    cst.FormattedStringExpression: "FormattedValue", cst.Expr: "ExprStmt", cst.TypeAlias: "Assign",
    cst.Del: "Delete", cst.Pass: "Jump", cst.Break: "Jump", cst.Continue: "Jump", cst.Global: "Scope",
    cst.Nonlocal: "Scope", cst.ImportAlias: "Alias", cst.LazyImport: "Import", cst.LazyImportFrom: "ImportFrom",
    cst.TryStar: "Try", cst.ExceptHandler: "Handler", cst.ExceptStarHandler: "Handler", cst.MatchCase: "Case",
}  # fmt: skip
# Names that are part of their parent and no expressions of their own.
PARTS: dict[type[Any], str] = {
    cst.Attribute: "attr", cst.Arg: "keyword", cst.FunctionDef: "name", cst.ClassDef: "name", cst.NameItem: "name",
    cst.MatchKeywordElement: "key", cst.MatchAs: "name", cst.MatchStar: "name", cst.MatchMapping: "rest",
    cst.ImportFrom: "module", cst.LazyImportFrom: "module", cst.Param: "name", cst.ConcatenatedString: "",
    cst.TypeVar: "name", cst.TypeVarTuple: "name", cst.ParamSpec: "name",
}  # fmt: skip

EVERYTHING = '''\
import a.b as c, d
from .e import (f as g, h,)
from i import *
x: int = 1 ; y = z = not - 1
del x, (y)
@j.k(1, *l, m=n, **o)
class P(q, metaclass=r): """doc""" ; s = ...
@(t)
async def u(v, w: int = 2, /, *args: int, aa=(1), **kw) -> "int":
    """doc"""
    global bb, cc
    async with (dd) as ee, ff as (gg, hh): await ii; return
    async for jj in kk: pass
    else: pass
    yield; ll = yield mm; nn = yield from (oo)
    return (1, 2, ), 3j, b"x", [x async for x in (y) if (a) if b for c in d]
def pp[T: int](a: T): raise E from (e)
type qq[T: int = str, *U, **V] = list[T]
if (a): b
elif c: d;
else: e
if a:
    b
elif (c):
    d  # comment
while (x := 1) < (2) <= 3 is not 4: break
else: continue_
try: a
except (b, c) as d: e
except f: g;
else: h
finally: i ;
try: a
except* b: c
with (a as b, c): d
with (a): b
match (a, b):
    case [1, "x", *c] if (d): e
    case {"f": g, **h} | I(j, k=l.m) as n: o ;
    case (None): p
assert (a), b
a[1], a[1,], a[1:2, ::3], a[(1, 2)], a[ b : c ], a[ (b) : ], a[*b], a[: :]
(a)(b)[c].d, (((a))).b, ((a) + b) * (c), (a and b) and c, (d) or (e), lambda: 0, lambda a, *b, c=1, **d: (e)
{**a, "b": (c)}, {*d, e}, {f: g for h in i}, {j for k in l}, (m for n in o), p(q for r in s), () , (a,) , [ ]
t if u else (v), ~ w ** - x, f"{(y)!r:>{z}} {{a}} {b = } {c:%H}", "d" f"{e}" 'f', "g" 'h', b"i" b"j"
"""
multi""" ; k = (
    # comment
    l
    .m  # comment
    (n,
    )
)
x //= \\
  1 ; # end
'''


def spans_of_facts(module: facts.Module) -> Counter[tuple[str, Region]]:
    found: Counter[tuple[str, Region]] = Counter()

    def visit(value: Any, literal_text: bool = False) -> None:
        if isinstance(value, tuple):
            for item in value:
                visit(item, literal_text)
        elif isinstance(value, facts.Node):
            kind = type(value).__name__
            if not (literal_text and kind == "Constant"):
                start = value.start
                end = value.end
                if isinstance(value, facts.Comprehension):
                    end = start  # libcst's clause holds the clauses behind it too
                found[kind, module.span(start, end)] += 1
            for name in value.__struct_fields__[2:]:
                visit(getattr(value, name), name == "format_spec" or (kind == "JoinedStr" and name == "values"))

    visit(module.body)
    return found


def spans_of_libcst(text: str, lines: tuple[int, ...]) -> Counter[tuple[str, Region]]:
    wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    positions = wrapper.resolve(PositionProvider)
    found: Counter[tuple[str, Region]] = Counter()

    def offset(position: Any) -> int:
        return int(lines[position.line - 1] + position.column)

    def add(kind: str, start: int, end: int) -> None:
        first, last = bisect_right(lines, start), bisect_right(lines, end)
        found[kind, Region(first, start - lines[first - 1] + 1, last, end - lines[last - 1] + 1)] += 1

    def visit(node: Any) -> None:
        place = positions[node]
        start, end = offset(place.start), offset(place.end)
        kind = KINDS.get(type(node))
        if kind in ("Slice", "Tuple"):
            # The provider counts the blanks behind a last colon or comma, which belong to it.
            start += len(text[start:end]) - len(text[start:end].lstrip())
            end = start + len(text[start:end].rstrip())
        if isinstance(node, cst.Name) and node.value in ("True", "False", "None"):
            kind = "Constant"
        elif isinstance(node, cst.SimpleString) and "b" in node.prefix:
            kind = "Bytes"
        elif isinstance(node, cst.ConcatenatedString):
            formatted, binary = pieces(node)
            kind = "JoinedStr" if formatted else "Bytes" if binary else "Constant"
            for expression in formatted:
                for part in expression.parts:
                    visit(part)
        elif isinstance(node, cst.Arg) and (node.keyword or node.star):
            kind = "Starred" if node.star == "*" else "Keyword"
        elif isinstance(node, cst.Param):
            visit_param(node)
        elif isinstance(node, cst.Index) and node.star:
            kind = "Starred"
        elif isinstance(node, cst.Subscript) and (len(node.slice) > 1 or is_tuple(node.slice[0])):
            first, last = positions[node.slice[0]], positions[node.slice[-1]]
            comma = node.slice[-1].comma
            stop = positions[comma].end if isinstance(comma, cst.Comma) else last.end
            add("Tuple", offset(first.start), offset(stop))
        elif isinstance(node, cst.CompFor):
            start += len(text[start:end]) - len(text[start:end].lstrip())
            add("Comprehension", start, start)
        elif isinstance(node, cst.ImportStar):
            add("Alias", start, end)
        elif isinstance(node, cst.Del) and isinstance(node.target, cst.Tuple) and not node.target.lpar:
            add("Delete", start, end)
            for element in node.target.elements:
                visit(element)
            return
        if kind:
            add(kind, start, end)
        if isinstance(node, (cst.ConcatenatedString, cst.ImportAlias, cst.TypeParameters)):
            return
        part = PARTS.get(type(node))
        skipped = getattr(node, part) if part else None
        if isinstance(node, (cst.ExceptHandler, cst.ExceptStarHandler)):
            skipped = node.name
        for child in node.children:
            if child is not skipped:
                visit(child)

    def visit_param(node: cst.Param) -> None:
        place = positions[node.name]
        add("Param", offset(place.start), offset(place.end))

    def is_tuple(element: cst.SubscriptElement) -> bool:
        starred = isinstance(element.slice, cst.Index) and bool(element.slice.star)
        return starred or isinstance(element.comma, cst.Comma)

    def pieces(node: cst.ConcatenatedString) -> tuple[list[Any], bool]:
        parts: list[Any] = []
        rest: Any = node
        while isinstance(rest, cst.ConcatenatedString):
            parts.append(rest.left)
            rest = rest.right
        parts.append(rest)
        return [part for part in parts if isinstance(part, cst.FormattedString)], "b" in node.left.prefix

    visit(wrapper.module)
    return found


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: "/".join(path.parts[-2:]))
def test_real_files_have_the_spans_of_libcst(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    module = lower(text.encode(), "x.py")
    assert spans_of_facts(module) == spans_of_libcst(text, module.lines)


def test_every_kind_of_node_has_the_span_of_libcst() -> None:
    module = lower(EVERYTHING.encode(), "x.py")
    spans = spans_of_facts(module)
    assert spans == spans_of_libcst(EVERYTHING, module.lines)
    assert {kind for kind, _ in spans} == {
        kind.__name__ for kind in facts.Node.__subclasses__() if kind.__module__ == facts.__name__
    }


def test_lines_and_columns_count_code_points_and_every_kind_of_line_break() -> None:
    module = lower("a = '𝄞é'; b\r\n\fc\rd\n".encode(), "x.py")
    assert [module.region(statement) for statement in module.body] == [
        Region(1, 1, 1, 9),
        Region(1, 11, 1, 12),
        Region(2, 2, 2, 3),
        Region(3, 1, 3, 2),
    ]
