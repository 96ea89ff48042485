"""Blanks, comments, line breaks and encodings of Python files, and files that give no facts."""

from __future__ import annotations

import ast
import warnings
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackaudit.facts import python as facts
from stackaudit.facts.files import UnreadableError
from stackaudit.lower import python, python_nesting
from stackaudit.lower.python import lower

# One statement each; blanks part the tokens.
STATEMENTS = """\
x = f ( a , * b , c = 1 , ** d ) [ 1 : 2 , : : 3 ] . e
del ( a ) , b [ 0 ]
lambda a , * b , c = 1 , ** d : ( e )
assert not a in ( b or c ) , "d" 'e'
y : int = ( yield )
a , * b = c = [ d , * e , ]
x += a if b else - c ** + d
{ ** a , "b" : ( c ) } , { d , * e } , ( ) , ( f , )
{ g : h for i in j if k } , [ l async for m in n if o if p ] , ( q for r in s for t in u )
a < b <= c != d is not e not in f and g or not h
from . a . b import ( c as d , e , )
import a . b as c , d
global a , b
raise A from ( b )
return await ( a := b )
f"{a}" "b" , b"c" b'd' , rb"\\e"
( ( a ) . b ( ) ( c ) [ d ] ) . e
x @= a @ b // c << d & ~ e | f ^ g
pass""".splitlines()
BLANKS = ["", "", " ", " ", "  ", "\t", "\f ", "\\\n", " \\\n\t"]
BRACKETED = [*BLANKS, "\n", "\n\n   ", " # comment ) ' \n", "\n#\n", "\n\f"]
BETWEEN = ["\n", "\n\n", " # comment\n", "\n# comment\n", "\n  # comment\n", "; ", ";\n", "\n\f\n", "\n \t\n"]


@st.composite
def programs(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(["", "\n", "# comment\n", "\f\n", "#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n"]))
    indent = ""
    if draw(st.booleans()):
        indent = draw(st.sampled_from([" ", "    ", "\t"]))
        text += f"async def outer():{draw(st.sampled_from(['', ' ', ' # comment']))}\n"
    fresh = True
    for statement in draw(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=6)):
        text += indent if fresh else ""
        depth = 0
        before = ""
        for token in statement.split(" "):
            gap = draw(st.sampled_from(BRACKETED if depth else BLANKS)) if before else ""
            if not gap and before[-1:].isalnum() and (token[0].isalnum() or token[0] in "\"'"):
                gap = " "
            text += gap + token
            depth += (token in "([{") - (token in ")]}")
            before = token
        end = draw(st.sampled_from(BETWEEN))
        text += end
        fresh = end.endswith("\n")
    text = text if fresh else text.rstrip("; ")
    newline = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    return draw(st.sampled_from([text, text.rstrip("\n")])).replace("\n", newline)


def nodes(value: Any) -> list[facts.Node]:
    if isinstance(value, tuple):
        return [node for item in value for node in nodes(item)]
    if not isinstance(value, facts.Node):
        return []
    return [value, *(node for name in value.__struct_fields__[2:] for node in nodes(getattr(value, name)))]


@settings(max_examples=150, deadline=None)
@given(programs())
def test_whatever_stands_between_the_tokens_spans_hold_the_text_of_their_nodes(text: str) -> None:
    module = lower(text.encode(), "x.py")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text.encode())
    named = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    found = [node for node in nodes(module.body) if isinstance(node, facts.Name)]
    assert sorted(node.id for node in found) == sorted(node.id for node in named)
    for node in nodes(module.body):
        span = text[node.start : node.end]
        if isinstance(node, facts.Name):
            assert span == node.id
        elif isinstance(node, facts.Attribute):
            assert span.endswith(node.attr)
        elif isinstance(node, facts.Constant) and not isinstance(node.value, str):
            assert ast.literal_eval(span) == node.value
        elif isinstance(node, facts.Call):
            assert span.endswith(")")
        elif isinstance(node, (facts.List, facts.Subscript)):
            assert span.endswith("]")
        assert not span or not span[0].isspace()
        assert not span or not span[-1].isspace()


def test_an_encoding_that_is_declared_is_used() -> None:
    module = lower("# -*- coding: latin-1 -*-\nx = 'é'; yé\n".encode("latin-1"), "x.py")
    assert repr(module.body) == repr(lower("#########################\nx = 'é'; yé\n".encode(), "x.py").body)


def test_an_encoding_counts_in_the_second_line_only_behind_a_comment() -> None:
    assert python.decode("#!python\n# vim: set fileencoding=latin-1 :\n'é'".encode("latin-1")).endswith("'é'")
    assert python.decode("x = 1\n# coding: latin-1\n'é'".encode()).endswith("'é'")


def test_a_byte_order_mark_has_no_column() -> None:
    module = lower("\ufeffx = 1\n".encode(), "x.py")
    assert (module.body[0].start, module.body[0].end) == (0, 5)


@pytest.mark.parametrize("source", ["", "\n", "# comment", "\f", "  \n\t\n", ";".join(["x"] * 3), "\ufeff", "\\\n"])
def test_files_with_little_in_them_are_read(source: str) -> None:
    try:
        expected = len(ast.parse(source.encode()).body)
    except SyntaxError:
        expected = -1
    try:
        found = len(lower(source.encode(), "x.py").body)
    except UnreadableError:
        found = -1
    assert found == expected


def test_syntax_of_later_versions_is_read() -> None:
    source = """\
type A[T] = list[T]
def f[T: int, *U = *V, **W](a: T) -> T: ...
class B[T = int](C[T]): pass
x = f"{a["b"]} {'\\n'.join(c)} {f"{f"{d}"}"}"
try: pass
except A, B: pass
t = t"{e!r:>{f}}" t"g"
lazy import h
lazy from i import j as k
l = [*m for m in n], {**o for o in p}
def g(): yield from (q)
"""
    module = lower(source.encode(), "x.py")
    assert [type(statement).__name__ for statement in module.body] == [
        "Assign", "FunctionDef", "ClassDef", "Assign", "Try", "Assign", "Import", "ImportFrom", "Assign", "FunctionDef",
    ]  # fmt: skip
    opaque = module.body[5].value  # type: ignore[union-attr]
    assert isinstance(opaque, facts.Opaque)
    assert (opaque.kind, source[opaque.start : opaque.end]) == ("template string", 't"{e!r:>{f}}" t"g"')


def why(data: bytes) -> tuple[str, int]:
    with pytest.raises(UnreadableError) as caught:
        lower(data, "x.py")
    return caught.value.why, caught.value.line


NOT_PYTHON = "its syntax is not Python's"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"x = 1\n\nx = = 2\n", (NOT_PYTHON, 3)),
        (b"x = 1\nprint 'a'\n", (NOT_PYTHON, 2)),
        (b"x = 1\ny = 'abc\n", (NOT_PYTHON, 2)),
        (b"def f(:\n", (NOT_PYTHON, 1)),
        (b"from {{ cookiecutter.project_slug }}.users import models\n", ("it is a template of a Python file", 0)),
        (b"{% if a %}\nx = 1\n{% endif %}\n", ("it is a template of a Python file", 0)),
        (b"if a:\n    b\n  c\n", (NOT_PYTHON, 3)),
        (b"a = 1\nb = 0777\n", (NOT_PYTHON, 2)),
        ("a = 1\n\nb = '\xe9'".encode("latin-1"), ("byte 0xe9 is not utf-8", 3)),
        ("a".encode("utf-16"), ("byte 0xff is not utf-8", 1)),
        ("a\n".encode("utf-16-le"), ("it holds a NUL character", 1)),
        (b"a = 1\r\nb = 1\rc = '\0'", ("it holds a NUL character", 3)),
        (b"# coding: no-such-thing\n", ("its encoding 'no-such-thing' is unknown", 1)),
        (b"# coding: rot13\n", ("its encoding 'rot13' is unknown", 1)),
        (b"# coding: punycode\n", ("its encoding 'punycode' is unknown", 1)),
        (b"# coding: utf-7\nx = '+2AA-'", ("it holds half of a surrogate pair", 2)),
        (b"x" * 2_000_001, ("it has 2.0 MB, and more than 2 MB are not read", 0)),
    ],
)
def test_what_gives_no_facts_says_why_and_where(data: bytes, expected: tuple[str, int]) -> None:
    actual, line = why(data)
    assert (actual.partition(":")[0], line) == expected


DEEP = {
    "brackets": "x = " + "(" * 3000 + ")" * 3000,
    "lists": "x = " + "[" * 100_000,
    "minus": "x = " + "-" * 20_000 + "1",
    "not": "x = " + "not " * 20_000 + "1",
    "attributes": "x = a" + ".b" * 20_000,
    "calls": "x = a" + "(b)" * 20_000,
    "sum": "x = a" + " + b" * 20_000,
    "sum over lines": "x = (a" + "\n+ b" * 20_000 + ")",
    "sum over joined lines": "x = a" + "\\\n+ b" * 20_000,
    "powers": "x = a" + "**b" * 20_000,
    "conditions": "x = a" + " if b else c" * 20_000,
    "lambdas": "x = " + "lambda:" * 20_000 + "0",
    "elif": "if a: b\n" + "elif a: b\n" * 20_000,
    "awaits": "async def f():\n  " + "await " * 20_000 + "b",
    "dicts": "x = " + "{0:" * 3000 + "1" + "}" * 3000,
    "patterns": "match x:\n  case " + "[" * 3000 + "]" * 3000 + ": pass",
    "formatted": 'x = f"{' + "(" * 3000 + ")" * 3000 + '}"',
    "formatted in formatted": 'x = f"{' * 3000 + "1" + '}"' * 3000,
    "blocks": "".join(" " * depth + "if a:\n" for depth in range(1000)) + " " * 1000 + "b",
    "mixed": "x = " + "a.b([c, -(" * 1000 + "d" + ")])" * 1000,
    "comprehensions": "x = [a" + " for b in c" * 20_000 + "]",
    "and": "x = a" + " and b" * 20_000,
}


@pytest.mark.parametrize("source", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_an_error_and_no_crash(source: str) -> None:
    reason, _ = why(source.encode())
    assert reason.startswith(("it nests", NOT_PYTHON))


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "(" * 100 + "1" + ")" * 100,
        "x = a" + ".b" * 100,
        "x = a" + ".b(c)" * 60,
        "if a: b\n" + "elif a: b\n" * 100,
        "x = [" + "(1, 'a', -1, {'b': c.d(e)}),\n" * 5000 + "]",
        "x = (" + "'(' \n" * 2000 + ")\ny = {" + "'a': b + c,\n" * 2000 + "}",
        "def f():\n" + "  x(a, '(', b)  # (\n" * 3000,
        "x = f'''" + "( " * 3000 + "{a}'''",
        "x = '''\n" + "(" * 3000 + "'''",
    ],
)
def test_what_people_write_is_not_too_deep(source: str) -> None:
    module = lower(source.encode(), "x.py")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(module), type=facts.Module).lines == module.lines


def test_a_long_chain_of_operators_is_opaque_and_the_rest_is_read() -> None:
    source = "x = a" + " + b" * 300 + "\ny = 1\n"
    module = lower(source.encode(), "x.py")
    long, rest = module.body
    assert isinstance(long, facts.Assign)
    assert isinstance(long.value, facts.Opaque)
    assert (long.value.kind, long.value.start, long.value.end) == ("long chain of operators", 4, source.index("\n"))
    assert isinstance(rest, facts.Assign)


def test_the_estimate_of_nesting_never_says_less_than_there_is() -> None:
    for name, source in DEEP.items():
        if name not in ("formatted in formatted", "blocks"):
            assert python_nesting._suspicious(source), name


def test_facts_survive_their_encoding() -> None:
    source = "x = [1, 1.0, True, None, 'a', b'b', -2**63, 18446744073709551615, 1e999, f'{a!r:>{b}}', ...]\n"
    module = lower(source.encode(), "x.py")
    encoded = msgspec.msgpack.encode(module)
    decoded = msgspec.msgpack.decode(encoded, type=facts.Module)
    assert msgspec.msgpack.encode(decoded) == encoded
    assert repr(decoded) == repr(module)
