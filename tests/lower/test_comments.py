from __future__ import annotations

import pytest

from stackaudit.lower.comments import waivers
from stackaudit.model.source import Waiver

RULES = ("orm/a", "orm/b")


def found(kind: str, text: str) -> tuple[Waiver, ...]:
    return waivers(text.encode(), kind)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("python", "x = 1  # stackaudit: ignore[orm/a, orm/b] few rows"),
        ("python", "x = 1  # noqa: E501 stackaudit: ignore[orm/a,orm/b] few rows"),
        ("python", "x = '#'  #stackaudit:ignore [orm/a,orm/b]: few rows"),
        ("nginx", "listen 80; # stackaudit: ignore[orm/a, orm/b] few rows"),
        ("template", "{{ a.b }} {# stackaudit: ignore[orm/a, orm/b] few rows #}"),
        ("template", "{{ a.b }} {#- stackaudit: ignore[orm/a, orm/b] few rows -#} {{ c }}"),
        ("template", "{{ a.b }} <!-- stackaudit: ignore[orm/a, orm/b] few rows --> {{ c }}"),
        ("template", "var a = {{ b }} // stackaudit: ignore[orm/a, orm/b] few rows"),
        ("template", "a { b: {{ c }} } /* stackaudit: ignore[orm/a, orm/b] few rows */"),
        ("dockerfile", "RUN a # stackaudit: ignore[orm/a, orm/b] few rows"),
        ("compose", "a: b # stackaudit: ignore[orm/a, orm/b] -- few rows"),
        ("supervisor", "a=b ; stackaudit: ignore[orm/a, orm/b] few rows"),
        ("requirements", "a==1 # stackaudit: ignore[orm/a, orm/b] few rows"),
    ],
)
def test_every_kind_of_file_has_its_comments(kind: str, line: str) -> None:
    assert found(kind, f"first\n{line}\nlast\n") == (Waiver(RULES, "few rows", 2, 2),)


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("python", "    # stackaudit: ignore[orm/a, orm/b] few rows"),
        ("nginx", "\t# stackaudit: ignore[orm/a, orm/b] few rows"),
        ("template", "  {# stackaudit: ignore[orm/a, orm/b] few rows #}  "),
        ("template", "<!-- stackaudit: ignore[orm/a, orm/b] few rows -->"),
        ("systemd", "; stackaudit: ignore[orm/a, orm/b] few rows"),
    ],
)
def test_a_comment_on_its_own_line_speaks_for_the_next(kind: str, line: str) -> None:
    assert found(kind, f"first\r\n{line}\r\nlast\r\n") == (Waiver(RULES, "few rows", 2, 3),)


def test_comments_above_each_other_speak_for_the_line_below_them() -> None:
    text = "# stackaudit: ignore[a/b] one\n# because\n# stackaudit: ignore[c/d] two\nx = 1\n"
    assert found("python", text) == (Waiver(("a/b",), "one", 1, 4), Waiver(("c/d",), "two", 3, 4))


def test_a_comment_at_the_end_speaks_for_itself() -> None:
    assert found("python", "# stackaudit: ignore[a/b] one") == (Waiver(("a/b",), "one", 1, 1),)


@pytest.mark.parametrize(
    "text",
    [
        'x = "# stackaudit: ignore[a/b] one"',
        'x = """\n# stackaudit: ignore[a/b] one\n"""',
        "x = f'{y} # stackaudit: ignore[a/b] one'",
        "stackaudit: ignore[a/b]",
        "# stackaudit: reads this",
    ],
)
def test_strings_and_prose_of_python_waive_nothing(text: str) -> None:
    assert found("python", text) == ()


def test_a_comment_between_the_pieces_of_a_string_is_one() -> None:
    text = 'x = ("a"  # stackaudit: ignore[a/b] one\n     "b")\n'
    assert found("python", text) == (Waiver(("a/b",), "one", 1, 1),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x  # stackaudit: ignore", Waiver((), "", 1, 1)),
        ("x  # stackaudit: ignore few rows", Waiver((), "few rows", 1, 1)),
        ("x  # stackaudit: noqa", Waiver((), "", 1, 1)),
        ("x  # stackaudit: ignore[]", Waiver((), "", 1, 1)),
        ("x  # stackaudit: ignore[a/b]", Waiver(("a/b",), "", 1, 1)),
        ("x  # stackaudit: ignore[ a/b , ]", Waiver(("a/b",), "", 1, 1)),
    ],
)
def test_what_is_missing_is_left_empty(text: str, expected: Waiver) -> None:
    assert found("python", text) == (expected,)
    assert found("nginx", text) == (expected,)


def test_every_kind_of_line_break_counts() -> None:
    assert [waiver.line for waiver in found("nginx", "a\rb\r\nc\nd # stackaudit: ignore[a/b] one")] == [4]


def test_bytes_that_are_no_text_do_not_matter() -> None:
    assert waivers(b"\xff\n# stackaudit: ignore[a/b] \xe9", "shell") == (Waiver(("a/b",), "�", 2, 2),)
