"""What the facts of a Python file say, held against Python's own parser on real files."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import django
import msgspec
import pytest

from stackaudit.facts import python as facts
from stackaudit.lower.python import lower

LIBRARY = Path(sysconfig.get_paths()["stdlib"])
DJANGO = Path(django.__file__).parent
SAMPLE = [
    LIBRARY / name
    for name in (
        "argparse.py", "ast.py", "asyncio/base_events.py", "asyncio/taskgroups.py", "contextlib.py", "dataclasses.py",
        "email/_header_value_parser.py", "enum.py", "fractions.py", "functools.py", "inspect.py", "json/decoder.py",
        "pathlib.py", "re/_parser.py", "statistics.py", "string.py", "tokenize.py", "typing.py", "urllib/parse.py",
    )
] + [
    DJANGO / name
    for name in (
        "conf/global_settings.py", "contrib/admin/options.py", "contrib/admin/templatetags/admin_list.py",
        "contrib/auth/models.py", "core/handlers/asgi.py", "core/validators.py", "db/backends/base/schema.py",
        "db/backends/utils.py", "db/models/base.py", "db/models/fields/related_descriptors.py", "db/models/query.py",
        "db/models/sql/query.py", "forms/models.py", "template/base.py", "utils/encoding.py",
        "utils/translation/trans_real.py", "views/debug.py",
    )
]  # fmt: skip

BINARY = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitOr: "|", ast.BitAnd: "&", ast.BitXor: "^", ast.MatMult: "@",
    ast.Not: "not", ast.UAdd: "+", ast.USub: "-", ast.Invert: "~", ast.Lt: "<", ast.Gt: ">", ast.Eq: "==",
    ast.LtE: "<=", ast.GtE: ">=", ast.NotEq: "!=", ast.In: "in", ast.Is: "is", ast.NotIn: "not in",
    ast.IsNot: "is not",
}  # fmt: skip


def op(node: ast.AST) -> str:
    return BINARY[type(node)]


def all_of(nodes: Iterable[Any]) -> Any:
    return tuple(convert(node) for node in nodes)


def keywords(nodes: list[ast.keyword]) -> tuple[facts.Keyword, ...]:
    return tuple(facts.Keyword(0, 0, node.arg, convert(node.value)) for node in nodes)


def params(node: ast.arguments) -> tuple[facts.Param, ...]:
    plain = [*node.posonlyargs, *node.args]
    defaults = [*[None] * (len(plain) - len(node.defaults)), *node.defaults]

    def param(arg: ast.arg, kind: Any, default: ast.expr | None = None) -> facts.Param:
        return facts.Param(0, 0, arg.arg, kind, convert(arg.annotation), convert(default))

    found = [
        param(arg, "positional" if index < len(node.posonlyargs) else "plain", default)
        for index, (arg, default) in enumerate(zip(plain, defaults, strict=True))
    ]
    if node.vararg:
        found.append(param(node.vararg, "args"))
    found += [param(arg, "keyword", default) for arg, default in zip(node.kwonlyargs, node.kw_defaults, strict=True)]
    if node.kwarg:
        found.append(param(node.kwarg, "kwargs"))
    return tuple(found)


def generators(nodes: list[ast.comprehension]) -> tuple[facts.Comprehension, ...]:
    return tuple(
        facts.Comprehension(0, 0, convert(node.target), convert(node.iter), all_of(node.ifs), bool(node.is_async))
        for node in nodes
    )


def case(node: ast.match_case) -> facts.Case:
    names: list[str] = []
    values: list[Any] = []
    pattern(node.pattern, names, values)
    return facts.Case(0, 0, tuple(names), tuple(values), convert(node.guard), all_of(node.body))


def pattern(node: ast.pattern, names: list[str], values: list[Any]) -> None:
    match node:
        case ast.MatchValue(value):
            values.append(convert(value))
        case ast.MatchSingleton(value):
            values.append(facts.Constant(0, 0, value))
        case ast.MatchSequence(patterns) | ast.MatchOr(patterns):
            for item in patterns:
                pattern(item, names, values)
        case ast.MatchStar(name):
            names += [name] if name else []
        case ast.MatchMapping(keys, patterns, rest):
            for key, item in zip(keys, patterns, strict=True):
                values.append(convert(key))
                pattern(item, names, values)
            names += [rest] if rest else []
        case ast.MatchClass(cls, patterns, _, kwd_patterns):
            values.append(convert(cls))
            for item in [*patterns, *kwd_patterns]:
                pattern(item, names, values)
        case ast.MatchAs(inner, name):
            if inner:
                pattern(inner, names, values)
            names += [name] if name else []


def constant(value: Any) -> Any:
    match value:
        case bytes():
            return facts.Bytes(0, 0, value)
        case complex():
            return facts.Opaque(0, 0, "complex number")
        case int() if value >= 1 << 64:
            return facts.Opaque(0, 0, "giant number")
        case str() if not value.isascii() and any(0xD800 <= ord(character) < 0xE000 for character in value):
            return facts.Opaque(0, 0, "unreadable string")
        case _ if value is ...:
            return facts.Opaque(0, 0, "...")
    return facts.Constant(0, 0, value)


def convert(node: Any) -> Any:
    """The facts that Python's own tree stands for, without spans."""
    f = facts
    match node:
        case None:
            return None
        case ast.Name(name):
            return f.Name(0, 0, name)
        case ast.Attribute(value, attr):
            return f.Attribute(0, 0, convert(value), attr)
        case ast.Call(func, args, named):
            return f.Call(0, 0, convert(func), all_of(args), keywords(named))
        case ast.Constant(value):
            return constant(value)
        case ast.JoinedStr(values):
            return f.JoinedStr(0, 0, all_of(values))
        case ast.FormattedValue(value, conversion, spec):
            letter = chr(conversion) if conversion != -1 else ""
            parts = spec.values if isinstance(spec, ast.JoinedStr) else ()
            return f.FormattedValue(0, 0, convert(value), letter, all_of(parts))
        case ast.BinOp(left, operator, right):
            return f.BinOp(0, 0, convert(left), op(operator), convert(right))
        case ast.BoolOp(operator, [first, *rest]):
            result = convert(first)
            for value in rest:
                result = f.BoolOp(0, 0, "and" if isinstance(operator, ast.And) else "or", result, convert(value))
            return result
        case ast.UnaryOp(operator, operand):
            return f.UnaryOp(0, 0, op(operator), convert(operand))
        case ast.Compare(left, ops, comparators):
            return f.Compare(0, 0, convert(left), tuple(op(operator) for operator in ops), all_of(comparators))
        case ast.IfExp(test, body, orelse):
            return f.IfExp(0, 0, convert(test), convert(body), convert(orelse))
        case ast.Lambda(args, body):
            return f.Lambda(0, 0, params(args), convert(body))
        case ast.Subscript(value, index):
            return f.Subscript(0, 0, convert(value), convert(index))
        case ast.Slice(lower, upper, step):
            return f.Slice(0, 0, convert(lower), convert(upper), convert(step))
        case ast.Tuple(elts):
            return f.Tuple(0, 0, all_of(elts))
        case ast.List(elts):
            return f.List(0, 0, all_of(elts))
        case ast.Set(elts):
            return f.Set(0, 0, all_of(elts))
        case ast.Dict(keys, values):
            return f.Dict(0, 0, all_of(keys), all_of(values))
        case ast.Starred(value):
            return f.Starred(0, 0, convert(value))
        case ast.ListComp(elt, clauses):
            return f.Comp(0, 0, "list", convert(elt), None, generators(clauses))
        case ast.SetComp(elt, clauses):
            return f.Comp(0, 0, "set", convert(elt), None, generators(clauses))
        case ast.GeneratorExp(elt, clauses):
            return f.Comp(0, 0, "generator", convert(elt), None, generators(clauses))
        case ast.DictComp(key, value, clauses):
            return f.Comp(0, 0, "dict", convert(key), convert(value), generators(clauses))
        case ast.Await(value):
            return f.Await(0, 0, convert(value))
        case ast.Yield(value):
            return f.Yield(0, 0, convert(value), False)
        case ast.YieldFrom(value):
            return f.Yield(0, 0, convert(value), True)
        case ast.NamedExpr(target, value):
            return f.NamedExpr(0, 0, convert(target), convert(value))
        case ast.Expr(value):
            return f.ExprStmt(0, 0, convert(value))
        case ast.Assign(targets, value):
            return f.Assign(0, 0, all_of(targets), convert(value))
        case ast.AugAssign(target, operator, value):
            return f.AugAssign(0, 0, convert(target), op(operator), convert(value))
        case ast.AnnAssign(target, annotation, value):
            return f.AnnAssign(0, 0, convert(target), convert(annotation), convert(value))
        case ast.Return(value):
            return f.Return(0, 0, convert(value))
        case ast.Raise(exc, cause):
            return f.Raise(0, 0, convert(exc), convert(cause))
        case ast.Assert(test, msg):
            return f.Assert(0, 0, convert(test), convert(msg))
        case ast.Delete(targets):
            return f.Delete(0, 0, all_of(targets))
        case ast.Pass() | ast.Break() | ast.Continue():
            return f.Jump(0, 0, type(node).__name__.lower())  # type: ignore[arg-type]
        case ast.Global(names) | ast.Nonlocal(names):
            return f.Scope(0, 0, type(node).__name__.lower(), tuple(names))  # type: ignore[arg-type]
        case ast.Import(names):
            return f.Import(0, 0, tuple(f.Alias(0, 0, name.name, name.asname) for name in names))
        case ast.ImportFrom(module, names, level):
            aliases = tuple(f.Alias(0, 0, name.name, name.asname) for name in names)
            return f.ImportFrom(0, 0, module or "", level, aliases)
        case ast.If(test, body, orelse):
            return f.If(0, 0, convert(test), all_of(body), all_of(orelse))
        case ast.For(target, iterated, body, orelse) | ast.AsyncFor(target, iterated, body, orelse):
            is_async = isinstance(node, ast.AsyncFor)
            return f.For(0, 0, convert(target), convert(iterated), all_of(body), all_of(orelse), is_async)
        case ast.While(test, body, orelse):
            return f.While(0, 0, convert(test), all_of(body), all_of(orelse))
        case ast.With(items, body) | ast.AsyncWith(items, body):
            found = tuple(f.WithItem(0, 0, convert(i.context_expr), convert(i.optional_vars)) for i in items)
            return f.With(0, 0, found, all_of(body), isinstance(node, ast.AsyncWith))
        case ast.Try(body, handlers, orelse, final) | ast.TryStar(body, handlers, orelse, final):
            caught = tuple(f.Handler(0, 0, convert(h.type), h.name, all_of(h.body)) for h in handlers)
            return f.Try(0, 0, all_of(body), caught, all_of(orelse), all_of(final))
        case ast.Match(subject, cases):
            return f.Match(0, 0, convert(subject), tuple(case(item) for item in cases))
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return f.FunctionDef(
                0, 0, node.name, params(node.args), convert(node.returns), all_of(node.decorator_list),
                all_of(node.body), isinstance(node, ast.AsyncFunctionDef),
            )  # fmt: skip
        case ast.ClassDef():
            return f.ClassDef(
                0, 0, node.name, all_of(node.bases), keywords(node.keywords), all_of(node.decorator_list),
                all_of(node.body),
            )  # fmt: skip
    raise AssertionError(f"{type(node).__name__} has no facts")


def without_spans(value: Any) -> Any:
    if isinstance(value, tuple):
        for item in value:
            without_spans(item)
    elif isinstance(value, facts.Node):
        value.start = value.end = 0
        for name in value.__struct_fields__[2:]:
            without_spans(getattr(value, name))
    return value


def meaning(source: bytes) -> bytes:
    return msgspec.msgpack.encode(without_spans(lower(source, "x.py").body))


def oracle(source: bytes) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return msgspec.msgpack.encode(all_of(ast.parse(source).body))


@pytest.mark.parametrize("path", SAMPLE, ids=lambda path: "/".join(path.parts[-2:]))
def test_real_files_mean_what_python_says(path: Path) -> None:
    source = path.read_bytes()
    assert meaning(source) == oracle(source)


SNIPPETS = [
    "",
    "# nothing but a comment",
    "x = 1",
    "a; b; c;\n",
    "if a: b; c;\nelif d: e;\nelse: f;\n",
    "try: a;\nexcept B as c: d;\nexcept (E, F): g\nelse: h;\nfinally: i;\n",
    "try: a\nexcept* B: c\n",
    "while a: break\nelse: continue_\n",
    "async def f():\n  async with a as b, c: pass\n  async for x in y: await z\n  else: return\n"
    "  [i async for i in j]\n",
    "with (a as b, c): pass\nwith (a, b): pass\nwith (a): pass\nwith (a).b as (c, d): pass\nwith (yield_): pass\n",
    "def f(a, b: int = 1, /, c=2, *args: d, e, g=3, **kw: h) -> i: pass\n",
    "def f(*, a): pass\ndef g(a, /): pass\ndef h(a, /, *b): pass\ndef i(a, /, *, b): pass\ndef j(**k): pass\n",
    "lambda: 0\nlambda a, *b, c=1, **d: (yield)\nlambda *, a: a\nlambda a, /: a\n",
    "@a.b(c)\n@d\nclass E(F, *g, metaclass=H, **i):\n  '''doc'''\n  x: int\n  y.z: int = 1\n",
    "class A: pass\nclass B(): pass\n",
    "a[1]\na[1,]\na[1, 2]\na[()]\na[(1, 2)]\na[1:2]\na[::]\na[:, 1:]\na[b:c:d, ...]\na[*b]\na[*b, c]\na[x := 1]\n",
    "f(*a, b, c=1, *d, **e)\nf(x for x in y)\nf((x for x in y), 1)\nf(a := 1)\n",
    "del a\ndel a, b\ndel a,\ndel (a, b)\ndel (a), b\ndel [a]\n",
    "for a, *b in c, d: pass\nfor (a) in (b): pass\nfor x in *a, b: pass\n",
    "a = b = c, d = e\n(a) = (b)\na, = b\n*a, b = c\n[a, *b] = c\n",
    "a += 1\na -= 1\na *= 1\na /= 1\na //= 1\na %= 1\na **= 1\na <<= 1\na >>= 1\na |= 1\na &= 1\na ^= 1\na @= 1\n",
    "a + b - c * d / e // f % g ** h << i >> j | k & l ^ m @ n\n-a ** -b\n~a + +b\n(a + b) * (c + d)\n",
    "a and b and c or d and not e\na and (b and c)\n(a and b) and c\na or b or c\n",
    "a < b > c == d <= e >= f != g in h not  in i is j is   not k\n",
    "a if b else c if d else e\n(a if b else c) if d else e\n",
    "()\n(a,)\n(a, b)\na, b\n[]\n[a]\n[*a, b,]\n{}\n{a}\n{*a}\n{a: b, **c, d: e,}\n",
    "{a: b for c in d if e if f for g in h}\n{a for b in c}\n[a for b in c for d in e if f]\n(a for b in c)\n",
    "def f():\n  yield\n  yield a\n  yield a, b\n  x = yield from c\n  global d, e\n  return *a, b\n",
    "raise\nraise A\nraise A from b\nassert a\nassert a, b\n",
    "import a\nimport a.b.c as d, e\nfrom . import f\nfrom ..g import h as i, j\nfrom k import (l, m as n,)\n"
    "from o import *\nfrom ... import p\nfrom .... import q\nimport a . b\n",
    "0\n0xFF\n0o17\n0b11\n1_000\n00\n1.5\n1e5\n1_0.0_1e1_0\n.5\n5.\n1j\n1e999\n18446744073709551615\n"
    "18446744073709551616\n",
    r"""'a' "b" '''c''' "" '' u'd' R'\n' r"\"" '\'' "\x41\101\u00e9\U0001F600\N{EM DASH}\d\
e" '\\N' '\777' """
    + "\n",
    r"""b'a' b"\x00\377\777\n" rb'\n' BR"\x" b'\u0041\N{EM DASH}'
b''
""",
    "x = ('a'\n     'b'  # comment\n     f'{c}' f'd' 'e')\n",
    r"""f'' f'a' f'{a}' f'{a!r}' f'{a:>10}' f'{a!s:{b}.{c}}' f'{{a}}' f'{{{a}}}' f'{a=}' f'{a = }' f'{a=!s}' f'{a=:5}'
f'\n{a}\x41\N{EM DASH}\N{BULLET}{b}' rf'\n{a}\{b}' f'{a}' 'b' f'''{
a
}''' f"{f'{x}'}" f'{a["b"]}' f'{lambda_ if a else b}' f'{(lambda: 1)}' f'{a,}' f'{*a, b}' f'{a:%H:%M}' f'{ {1: 2}[1] }'
f'\\N{a}'
f'{a:\x41}'
f'\
{a}'
""",
    "'\\ud800'\n",
    "if a:\n  pass\nelif b:\n  pass\nelif c:\n  pass\nelse:\n  pass\n",
    "if a:\n  if b: pass\n  elif c: pass\nelse:\n  if d: pass\n",
    "match a:\n  case 1 | 'a' | None | True | -1 | 1+2j | b.c: pass\n  case [d, *_, e]: pass\n  case f, *g: pass\n"
    "  case {'h': i, j.k: 1, **l}: pass\n  case M(1, n, o=p, q=R()): pass\n  case (s): pass\n"
    "  case (t | u) as v if w: pass\n"
    "  case []: pass\n  case {}: pass\n  case [x]: pass\n  case (y,): pass\n  case _: pass\n",
    "match (a):\n  case _: pass\nmatch a, b:\n  case _: pass\nmatch = case = type = 1\nmatch[a]\nmatch(a)\n"
    "print(match, case)\n",
    "ℌ = ﬁ.ﬀ(ﬃ=1)\nclass ﬂ: pass\n",
    "x = yield_ = (a) + ((b)) . c ( (d) ) [ (e) ]\n",
    "a = (b\n  .c()\n  # comment\n  .d[\n  0 # comment\n  ]\n)\n",
    "x = \\\n  1 + \\\n  2\n",
    "def f(): return (\n  1\n)\n",
    "not a\nnot not a\nawait_ = - - a\n",
    "async def f():\n  await a ** 2\n  return [x async for x in await y if await z]\n",
    "a[b][c](d)(e).f.g[h].i()\n",
    "print(*a, sep='')\nprint(**a)\n",
    "x: int\nx: int = 1, 2\nx.y: int = 1\nx[0]: int\n",
    "if (a := b) and (c := d): pass\n",
    "'''a\r\nb\rc'''\r\nx = 1\r\n",
]


@pytest.mark.parametrize("source", SNIPPETS)
def test_small_programs_mean_what_python_says(source: str) -> None:
    assert meaning(source.encode()) == oracle(source.encode())
