"""Every format drawn from the same result, held to a text that somebody has looked at.

`STACKAUDIT_UPDATE=1 pytest tests/report/test_formats.py` writes the expected texts anew; look at their diff.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest
from rich.cells import cell_len

from stackaudit.model.result import Finding, Result
from stackaudit.report import FORMATS, Look, render
from stackaudit.report.terminal_findings import excerpt
from tests.report.conftest import RESULTS, place

EXPECTED = [
    ("terminal", Look(width=100, name="shop"), "terminal-100.txt"),
    ("terminal", Look(width=72, name="shop", verbose=True), "terminal-72-verbose.txt"),
    ("concise", Look(statistics=True), "concise-statistics.txt"),
    ("markdown", Look(), "report.md"),
    ("github", Look(), "github.txt"),
    ("gitlab", Look(), "gitlab.json"),
    ("sarif", Look(), "sarif.json"),
]


@pytest.mark.parametrize(("name", "look", "file"), EXPECTED, ids=[each[2] for each in EXPECTED])
def test_the_report_is_the_expected_text(shop: Result, name: str, look: Look, file: str) -> None:
    expected = RESULTS / f"shop.{file}"
    drawn = render(name, shop, look)
    if os.environ.get("STACKAUDIT_UPDATE"):
        expected.write_text(drawn, encoding="utf-8", newline="\n")
    assert drawn == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_ends_with_one_line_break_and_draws_the_same_twice(
    name: str, shop: Result, empty: Result, hostile: Result
) -> None:
    for result in (shop, empty, hostile):
        drawn = render(name, result)
        assert drawn.endswith("\n") and not drawn.endswith("\n\n")
        assert drawn == render(name, result)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_that_a_file_says_reaches_a_terminal_as_a_command(name: str, hostile: Result) -> None:
    drawn = render(name, hostile, Look(colour=False))
    drawn.encode()  # no lone surrogate is left
    obeyed = {"\x1b", "\x07", "\r", "\x00", "\x7f"} | ({"\u202e"} if name != "json" else set())
    assert set(drawn) & obeyed == set()


def test_json_is_the_document(shop: Result) -> None:
    assert msgspec.json.decode(render("json", shop).encode(), type=Result) == shop


@pytest.mark.parametrize("width", [20, 60, 61, 79, 80, 100, 137, 160, 500])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_line_is_wider_than_the_terminal(shop: Result, hostile: Result, width: int, verbose: bool) -> None:
    limit = min(max(width, 60), 160)
    for result in (shop, hostile):
        drawn = render("terminal", result, Look(width=width, name="名前" * 9, verbose=verbose, statistics=True))
        assert [line for line in drawn.splitlines() if cell_len(line) > limit] == []


def test_colours_change_nothing_but_colours(shop: Result) -> None:
    colours = render("terminal", shop, Look(colour=True))
    assert "\x1b[" in colours
    assert "\x1b[1;32mfix \x1b[0m" in colours  # only the word, not the sentence after it
    plain = re.sub(r"\x1b\[[0-9;]*m", "", colours)
    assert [line.rstrip() for line in plain.splitlines()] == render("terminal", shop, Look()).splitlines()


def test_many_findings_of_one_rule_are_folded(shop: Result) -> None:
    one = next(each for each in shop.findings if each.rule == "orm/count-as-existence")
    many: tuple[Finding, ...] = tuple(
        msgspec.structs.replace(one, location=place("shop/views.py", line=line)) for line in range(1, 101)
    )
    drawn = render("terminal", msgspec.structs.replace(shop, findings=many), Look(quiet=True))
    assert "×100" in drawn
    assert "  97 more\n" in drawn
    assert "and 87 more; all of them: --select orm/count-as-existence --verbose" in drawn
    assert drawn.count("fix Write `orders.exists()`.") == 1


def test_the_excerpt_shows_the_region_of_a_long_line() -> None:
    line = "x = " + "a" * 300 + "customer.name" + "b" * 300
    at = place(snippet=line, column=305, end_column=318)
    text, start, end = excerpt(at, 80)
    assert cell_len(text) <= 80
    assert text[start:end] == "customer.name"
    assert text.startswith("…") and text.endswith("…")


@pytest.mark.parametrize(
    ("snippet", "column", "end_column", "shown", "meant"),
    [
        ("    abc def", 9, 12, "abc def", "def"),
        ("\tif a:\tb", 2, 4, "if a:    b", "if"),
        ("日本 = 語", 6, 7, "日本 = 語", "語"),
        ("short", 90, 99, "short", ""),
        ("short", 3, 99, "short", "ort"),
        ("", 1, 1, "", ""),
    ],
)
def test_the_underline_stands_below_the_region(
    snippet: str, column: int, end_column: int, shown: str, meant: str
) -> None:
    text, start, end = excerpt(place(snippet=snippet, column=column, end_column=end_column), 80)
    assert text == shown
    cells = "".join(char * 1 + "\0" * (cell_len(char) - 1) for char in text)
    assert cells[start:end].replace("\0", "") == meant


def test_a_region_over_several_lines_is_underlined_to_the_end_of_the_first() -> None:
    text, start, end = excerpt(place(snippet="qs = Order.objects.filter(", column=6, end_line=9, end_column=2), 80)
    assert text[start:end] == "Order.objects.filter("


def test_workflow_commands_escape_what_would_end_them(hostile: Result) -> None:
    lines = render("github", hostile).splitlines()
    assert len(lines) == 3
    for line in lines[:2]:
        head, message = line.removeprefix("::error ").split("::", 1)
        assert set(re.findall(r"(\w+)=", re.sub("=[^,]*", "=", head))) == {
            "file", "line", "endLine", "title", "col", "endColumn",
        }  # fmt: skip
        assert "%25" in message and "%0AFix: " in message


def test_gitlab_fingerprints_are_unique(hostile: Result) -> None:
    entries = json.loads(render("gitlab", hostile))
    assert len({entry["fingerprint"] for entry in entries}) == 2


def test_markdown_fits_into_a_comment_and_says_what_it_left_out(shop: Result) -> None:
    first = shop.findings[0]
    many = tuple(
        msgspec.structs.replace(first, rule=f"orm/r{number % 40}", site=f"s{number}", message="word " * 39 + "last")
        for number in range(2_000)
    )
    large = msgspec.structs.replace(shop, findings=many)
    drawn = render("markdown", large)
    assert len(drawn) <= 65_000
    assert "that this report has no room for" in drawn
    assert render("markdown", large, Look(verbose=True)).count("word last") == 2_000


def test_markdown_lets_nothing_through(hostile: Result) -> None:
    drawn = render("markdown", hostile)
    outside = re.sub(r"(`+).*?\1", "", re.sub(r"(?ms)^(```+)\w*\n.*?^\1$", "", drawn))
    assert "<script" not in outside
    assert "@octocat" not in outside
    assert not re.search(r"(?<!\\)\[x(?<!\\)\]\(", outside)


def test_documents_say_what_was_accepted(shop: Result) -> None:
    for name in ("terminal", "concise", "markdown", "github", "html"):
        drawn = " ".join(render(name, shop).split())
        assert "1 finding waived by comments; 1 finding in the baseline" in drawn


def test_the_schema_in_the_documentation_is_current() -> None:
    from stackaudit.report.json import schema

    path = Path(__file__).parent.parent.parent / "docs" / "result.schema.json"
    if os.environ.get("STACKAUDIT_UPDATE"):
        path.write_text(schema(), encoding="utf-8", newline="\n")
    assert path.read_text(encoding="utf-8") == schema()


def test_the_result_obeys_its_schema(shop: Result) -> None:
    import jsonschema

    from stackaudit.report.json import schema

    errors = list(jsonschema.Draft202012Validator(json.loads(schema())).iter_errors(json.loads(render("json", shop))))
    assert errors == []


def test_a_long_fix_is_told_in_steps(shop: Result) -> None:
    one = next(each for each in shop.findings if each.rule == "orm/count-as-existence")
    told = (
        'Add `.select_related("author").annotate(sales=Count("sale", distinct=True))` to `Book.objects.all()` in '
        "shop.views.shelf. In `shop/shelf.html` write `a. B` for `c`. `shop.price` serves others, too (since Django "
        "5.0): leave it alone."
    )
    result = msgspec.structs.replace(shop, findings=(msgspec.structs.replace(one, fix=told),))
    steps = ["Add `.sel", "In `shop/", "`shop.pri"]
    drawn = render("terminal", result, Look(quiet=True)).splitlines()
    first = next(number for number, line in enumerate(drawn) if line.startswith("    fix "))
    assert [line[8:17] for line in drawn[first:] if line[8:17] in steps] == steps
    assert [line[2:11] for line in render("markdown", result, Look()).splitlines() if line[2:11] in steps] == steps
    page = render("html", result, Look())
    assert page[page.index("<b>Fix</b>") :].partition("</p>")[0].count("<br>") == 2
