from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackaudit.model.result import Interval, QueryCost
from stackaudit.report import plain
from tests.report.conftest import place


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("ünïcode 日本 🐍", "ünïcode 日本 🐍"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\tb", "a    b"),
        ("a\nb", "a\\x0ab"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\udce9.py", "\\xe9.py"),
        ("a\u2028b", "a b"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_visible(text: str, expected: str) -> None:
    assert plain.visible(text) == expected


@given(st.text())
def test_nothing_visible_commands_a_terminal(text: str) -> None:
    shown = plain.visible(text)
    assert all(char.isprintable() or char == "\u00a0" for char in shown)
    assert plain.visible(shown) == shown
    assert "\n" not in plain.one_line(text)


def test_paragraphs() -> None:
    text = "One\ntwo.\n\n- item\n  more\n- item\n\n    code = 1\n"
    assert plain.paragraphs(text) == ["One two.", "- item\n  more\n- item", "    code = 1"]


def test_spans() -> None:
    assert plain.spans("use `a.b`, not `") == [(False, "use "), (True, "a.b"), (False, ", not `")]


def test_scores_and_counts() -> None:
    assert plain.span(Interval()) == "-"
    assert plain.span(Interval(floor=40.0, ceiling=61.5)) == "40 to 61.5"
    assert plain.span(Interval(floor=100.0, ceiling=100.0)) == "100"
    assert plain.counted(1, "query", "queries") == "1 query"
    assert plain.counted(1200, "query", "queries") == "1,200 queries"
    assert plain.kinds({"python": 1200, "nginx": 1, "odd\x1b": 2, "lock": 0}) == "1,200 Python, 2 odd\\x1b, 1 nginx"
    assert plain.left_out({"folders of tests": 34, "files that git ignores": 1}) == (
        "34 folders of tests, 1 file that git ignores"
    )
    assert plain.left_out({"links that lead out of the repository": 1}) == "1 link that leads out of the repository"
    cost = QueryCost(queries=101, rows=100, assumed="a page", milliseconds=50.5)
    assert plain.costs(cost) == "101 queries for 100 rows, 50.5 ms (a page)"


def test_a_path_that_would_command_a_runner_is_moved_aside() -> None:
    assert plain.where(place("::add-mask::x")) == "./::add-mask::x:3:5"
