"""Folding never raises and always ends; what `fold` gives outside of files."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackaudit.facts import python as ir
from stackaudit.link.fold import ROOT, Scope, World, fold, fold_file, project_path
from stackaudit.lower import python
from stackaudit.model.values import AnyValue, Known, Unknown, plain


def expression(text: str) -> ir.Expr:
    statement = python.lower(text.encode(), "x.py").body[0]
    assert isinstance(statement, ir.ExprStmt)
    return statement.value


def file(text: str) -> dict[str, AnyValue]:
    return dict(fold_file(python.lower(text.encode(), "x.py"), "x.py"))


def test_an_expression_in_a_scope() -> None:
    world = World(vcpus=Known(4, (), "vcpus of [host]"))
    scope = Scope(world, names={"n": Known(2)})
    assert plain(fold(expression("n * 3"), scope)) == 6
    cpus = fold(expression("__import__('multiprocessing').cpu_count()"), scope)
    assert plain(cpus) == 4


def test_cpu_count_is_the_hosts() -> None:
    facts = python.lower(b"import multiprocessing as m\nworkers = m.cpu_count() * 2 + 1\n", "gunicorn.conf.py")
    value = fold_file(facts, "gunicorn.conf.py", World(vcpus=Known(2)))["workers"]
    assert isinstance(value, Known) and (value.value, value.note) == (5, "the host's vCPUs")


def test_an_undefined_name() -> None:
    assert fold(expression("nothing"), Scope()) == Unknown("the name nothing is not defined")


@pytest.mark.parametrize(
    "text",
    [
        "while True:\n    pass\n",
        "x = []\nfor i in range(1000000000):\n    x.append(i)\n",
        "def f(n):\n    return f(n + 1)\nx = f(0)\n",
        "x = 'a' * 10 ** 9\n",
        "x = 10 ** 10 ** 10\n",
        "x = 1 << 10 ** 9\n",
        "x = [0] * 10 ** 9\n",
        "x = '%0999999999d' % 1\n",
        "x = '{:>999999999}'.format(1)\n",
        "x = 'a'\nfor i in range(60):\n    x = x + x\n",
        "x = ['a']\nfor i in range(60):\n    x = x + x\n",
        "x = ['a']\nwhile True:\n    x += x\n",
        "x = " + "(" * 90 + "1" + ")" * 90 + "\n",
        "x = " + "+".join(["1"] * 120) + "\n",
        "x = {}\nx['x'] = x\ny = {**x}\nz = str(x)\n",
        "x = []\nx.append(x)\ny = x == x\nz = x + x\n",
        "x = []\nfor i in range(60):\n    x = [x, x]\ny = x == x\nz = str(x)\nw = x == [x, x]\n",
        "import x\nfrom x import y\nz = x.z\n",
        "def a():\n    return b()\ndef b():\n    return a()\nx = [a() for _ in range(100)]\n",
        "if u:\n    pass\n" * 200,
        "def f(x):\n" + "".join(f"    if u{i}:\n        return {i}\n" for i in range(40)) + "x = f(1)\n",
    ],
)
def test_it_ends(text: str) -> None:
    started = time.monotonic()
    file(text)
    assert time.monotonic() - started < 20


def test_project_paths() -> None:
    assert [project_path(each) for each in (ROOT, f"{ROOT}/a/b", "/srv", f"{ROOT}x", 5)] == [
        "",
        "a/b",
        None,
        None,
        None,
    ]


NAMES = st.sampled_from(["a", "b", "c"])
ATOMS = st.one_of(NAMES, st.sampled_from(["1", "'x'", "None", "True", "u", "[]", "{}", "os.environ['E']", "'a'"]))


def grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(["+", "-", "*", "%", "and", "or", "==", "in", "|", "<", "/", "is"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, operators, inner),
        st.builds("[{}, *{}]".format, inner, inner),
        st.builds("{{'k': {}, **{}}}".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("f'{{{}}}'".format, NAMES),
        st.builds("({}).get({})".format, inner, inner),
        st.builds("[n for n in {} if {}]".format, inner, inner),
        st.builds("str({})".format, inner),
        st.builds("dict({})".format, inner),
        st.builds("sorted({})".format, inner),
    )


EXPRESSIONS = st.recursive(ATOMS, grown, max_leaves=6)
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, NAMES, EXPRESSIONS),
    st.builds("{} += {}".format, NAMES, EXPRESSIONS),
    st.builds("{}[{}] = {}".format, NAMES, ATOMS, EXPRESSIONS),
    st.builds("{}.append({})".format, NAMES, EXPRESSIONS),
    st.builds("{}.update({})".format, NAMES, EXPRESSIONS),
    st.builds("if {}:\n    {} = {}\nelse:\n    {} = {}".format, EXPRESSIONS, NAMES, EXPRESSIONS, NAMES, EXPRESSIONS),
    st.builds("for {} in {}:\n    {} = {}".format, NAMES, EXPRESSIONS, NAMES, EXPRESSIONS),
    st.builds("try:\n    {} = {}\nexcept Exception:\n    {} = 0".format, NAMES, EXPRESSIONS, NAMES),
    st.builds("del {}[{}]".format, NAMES, ATOMS),
)


def executed(program: str, environment: dict[str, str]) -> dict[str, object] | None:
    """What a real Python leaves behind; None where the program raises."""
    names: dict[str, object] = {}
    try:
        exec(program.replace("os.environ['E']", repr(environment["E"])), names)
    except Exception:
        return None
    return names


def agrees(value: AnyValue, real: object) -> bool:
    """Whether a folded value is unknown, rests on a variable that is not set, or is the same as the real one."""
    if isinstance(value, Unknown) or "default of env" in value.note:
        return True
    held = value.value
    if isinstance(held, dict) and isinstance(real, dict):
        return all(key in real and agrees(item, real[key]) for key, item in held.items() if isinstance(item, Known))
    if isinstance(held, (list, tuple)) and isinstance(real, (list, tuple)):
        if all(isinstance(item, Known) for item in held):
            return len(held) == len(real) and all(agrees(x, y) for x, y in zip(held, real, strict=True))
        return True
    return type(held) is type(real) and bool(held == real or held != held)


@settings(max_examples=80, deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=6), st.sampled_from(["", "x", "1"]), st.sampled_from(["True", "0"]))
def test_random_programs_are_never_different(lines: list[str], e: str, u: str) -> None:
    """`u` and the environment variable E are unknown to the fold, and something for the real Python."""
    program = "a = [1]\nb = {'k': 'x'}\nc = 'x'\n" + "\n".join(lines) + "\n"
    real = executed(f"u = {u}\n{program}", {"E": e})
    facts = python.lower(f"import os\nu = os.environ['U']\n{program}".encode(), "x.py")
    ours = fold_file(facts, "x.py")
    if real is None:
        return
    wrong = {name: ours[name] for name in ("a", "b", "c") if not agrees(ours[name], real[name])}
    assert wrong == {}
