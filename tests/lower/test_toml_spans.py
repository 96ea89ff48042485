"""Regions in TOML: the text at a value's region is that value, for every value of every document."""

from __future__ import annotations

from typing import Any

import tomli
from hypothesis import given
from hypothesis import strategies as st

from stackaudit.lower.toml_spans import Document, Path
from stackaudit.model.source import Region

DOCUMENT = '''\
# comment with "quotes" and = signs
title = "a # b" # not [a] table
"quoted key" = 'li\\teral'
many.dotted."ke y" = 1979-05-27 07:32:00
text = """
[not.a.table]
x = 1 \\"""
"""
raw = \'\'\'x = [
\'\'\'

[tool.poetry]
dependencies = [
    "django",   # "commented"
    { name = "redis", extras = ["a", 'b'] },
    [1, [2, 3]],
]

[[package]]
name = "one"

[[package.files]]
file = "a"

[[package]]
name = "two"
[package.source]
url = "https://example.org/#x"
'''


def at(text: str, region: Region) -> str:
    lines = text.split("\n")
    if region.line == region.end_line:
        return lines[region.line - 1][region.column - 1 : region.end_column - 1]
    inner = lines[region.line : region.end_line - 1]
    first, last = lines[region.line - 1][region.column - 1 :], lines[region.end_line - 1][: region.end_column - 1]
    return "\n".join([first, *inner, last])


def leaves(value: Any, path: Path = ()) -> list[tuple[Path, Any]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, index))]
    return [(path, value)]


def check(text: str) -> None:
    document = Document(text)
    for path, value in leaves(document.values):
        written = at(text, document.region(*path))
        assert (path, tomli.loads(f"v = {written}")["v"]) == (path, value)


def test_every_value_stands_where_its_region_says() -> None:
    check(DOCUMENT)


KEYS = st.from_regex(r"[a-z]{1,4}", fullmatch=True)
SCALARS = st.sampled_from(['"x"', "'y#'", "12", "-1.5", "true", '"""a\nb"""', "1979-05-27", '"\\"]"', "'''\n}'''"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[ " + ",\n  ".join(items) + " # end\n]"),
        st.dictionaries(KEYS, inner.filter(lambda text: "\n" not in text), max_size=2).map(
            lambda items: "{ " + ", ".join(f"{key} = {value}" for key, value in items.items()) + " }"
        ),
    ),
    max_leaves=6,
)
TABLES = st.lists(st.tuples(st.booleans(), st.dictionaries(KEYS, VALUES, max_size=3)), max_size=4)


@given(TABLES)
def test_generated_documents(tables: list[tuple[bool, dict[str, str]]]) -> None:
    lines = []
    for number, (repeated, items) in enumerate(tables):
        lines.append("[[rows]] # header" if repeated else f"[table{number}]")
        lines += [f"  {key} = {value}" for key, value in items.items()]
    check("\n".join([*lines, ""]))


def test_an_assignment_includes_its_key_where_it_stands_alone() -> None:
    document = Document('[a]\n  "x-y" = "1"\nb = { c = 2 }\n')
    assert document.assignment("a", "x-y") == Region(2, 3, 2, 14)
    assert document.assignment("a", "b", "c") == Region(3, 11, 3, 12)
