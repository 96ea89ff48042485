"""What the documentation lists is what there is."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from msgspec.structs import fields

from stackaudit import catalog
from stackaudit.config import Config, Host, Nginx
from stackaudit.explain import markdown
from stackaudit.report import FORMATS
from stackaudit.score import AREA_WEIGHTS, GRADES, OTHER_AREA_WEIGHT, SEVERITY_WEIGHTS

DOCS = Path(__file__).parent.parent / "docs"


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def table(name: str, head: str) -> dict[str, str]:
    """The two rows of the table whose head begins with `| head |`, as names and values."""
    lines = text(name).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {head} |"))
    names, values = ([cell.strip() for cell in lines[number].strip("|").split("|")] for number in (start, start + 2))
    return dict(zip(names, values, strict=True))


def test_every_key_of_the_configuration_is_explained() -> None:
    told = set(re.findall(r"^\| `([a-z-]+)` \|", text("configuration.md"), re.MULTILINE))
    keys = {field.encode_name for kind in (Config, Host, Nginx) for field in fields(kind)}
    assert told == keys - {"host", "nginx"}
    assert "## `[host]`" in text("configuration.md") and "## `[nginx]`" in text("configuration.md")


def test_every_format_is_explained() -> None:
    section = text("usage.md").partition("## Formats")[2].partition("## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == list(FORMATS)


def test_the_tables_of_the_score_are_those_of_the_code() -> None:
    severities = table("scoring.md", "severity")
    assert severities == {"severity": "weight"} | {name: str(weight) for name, weight in SEVERITY_WEIGHTS.items()}
    areas = table("scoring.md", "orm")
    assert areas == {name: str(weight) for name, weight in AREA_WEIGHTS.items()} | {
        "an area of your own": str(OTHER_AREA_WEIGHT)
    }
    grades = table("scoring.md", "A")
    assert list(grades) == [grade for _, grade in GRADES]
    assert [int(value.split()[0]) for value in list(grades.values())[:-1]] == [least for least, _ in GRADES[:-1]]


def test_the_pages_of_the_rules_are_those_of_their_files() -> None:
    """`STACKAUDIT_UPDATE=1 pytest tests/test_documentation.py` makes them anew."""
    rules = catalog.load(None)
    pages = {f"{rule.id}.md": markdown.page(rule) for rule in rules} | {"index.md": markdown.index(rules)}
    folder = DOCS / "rules"
    if os.environ.get("STACKAUDIT_UPDATE"):
        shutil.rmtree(folder, ignore_errors=True)
        for name, page in pages.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(page, encoding="utf-8", newline="\n")
    kept = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.md")}
    assert kept == pages


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_links_inside_the_documentation_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        assert not target or (path.parent / target).exists(), target
