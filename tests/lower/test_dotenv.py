"""What a .env file says, held against python-dotenv's documented format."""

from __future__ import annotations

import pytest

from stackaudit.facts.dotenv import Entry
from stackaudit.facts.files import UnreadableError
from stackaudit.lower.dotenv import lower
from stackaudit.model.source import Region


def values(text: str) -> dict[str, str]:
    return {entry.name: entry.value for entry in lower(text.encode(), ".env").entries}


def test_plain_entries() -> None:
    assert lower(b"# shop\nDEBUG=off\n", ".env").entries == (Entry("DEBUG", "off", Region(2, 1, 2, 10)),)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("export A=1", "1"),
        ("A = 1", "1"),
        ("A=", ""),
        ("A=#", ""),
        ("A=a#b", "a#b"),
        ("A=a # b", "a"),
        ("A='a # b'", "a # b"),
        ('A="a # b" # c', "a # b"),
        (r'A="a\nb"', "a\nb"),
        (r"A='a\nb'", r"a\nb"),
        ('A="first\nsecond"', "first\nsecond"),
        ("A=x=y", "x=y"),
        ('A="never closed', '"never closed'),
    ],
)
def test_values(line: str, value: str) -> None:
    assert values(line + "\nB=2\n") == {"A": value, "B": "2"}


def test_the_last_of_a_name_wins_and_windows_lines_are_lines() -> None:
    assert values("A=1\r\nA=2\r\n") == {"A": "2"}


@pytest.mark.parametrize(
    ("line", "refers"),
    [("A=${B}", True), ("A=$B", True), ("A='${B}'", False), ('A="x-$B"', True), ("A={{ x }}", True), ("A=5$", False)],
)
def test_values_that_stand_for_something_else(line: str, refers: bool) -> None:
    assert lower(line.encode(), ".env").entries[0].refers is refers


def test_what_is_no_text() -> None:
    with pytest.raises(UnreadableError):
        lower(b"\xff\xfe\x00", ".env")
