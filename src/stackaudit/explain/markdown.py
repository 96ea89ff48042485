"""The rules as pages of Markdown: `docs/rules/` is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

from stackaudit.model.rule import Rule, unfilled
from stackaudit.report.markdown import code, fenced, prose
from stackaudit.report.plain import counted, paragraphs

MADE = "<!-- Made from the rules' files; tests/test_documentation.py says how. -->"


def page(rule: Rule) -> str:
    """One rule whole: what it judges, why, how to mend it, its examples, references."""
    return _joined(_page(rule))


def index(rules: Sequence[Rule]) -> str:
    """All rules by area, a table each, with links to their pages at `<area>/<name>.md`."""
    return _joined(_index(rules))


def _joined(blocks: Iterator[str]) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"


def _index(rules: Sequence[Rule]) -> Iterator[str]:
    areas = {area: list(found) for area, found in groupby(rules, attrgetter("area"))}
    yield "# The rules"
    yield MADE
    yield f"{counted(len(rules), 'rule')} in {counted(len(areas), 'area')}. `stackaudit rule ID` shows the same pages."
    for area, found in areas.items():
        yield f"## {prose(area)}"
        rows = (
            f"| [{code(rule.id)}]({rule.area}/{rule.name}.md) | {rule.severity} | {prose(rule.title)} |"
            for rule in found
        )
        yield "\n".join(["| rule | severity | |", "|---|---|---|", *rows])


def _page(rule: Rule) -> Iterator[str]:
    yield f"# {code(rule.id)}"
    yield MADE
    yield f"**{prose(rule.title)}.**"
    yield _judged(rule)
    yield "## Why"
    yield _paragraphs(rule.why)
    yield "## How to mend it"
    yield _paragraphs(unfilled(rule.fix))
    yield from _causes(rule)
    if rule.example or rule.not_shown:
        yield "## Examples"
        yield "The comment on a line is the verdict that this line gets: fail, pass or unknown."
    for example in rule.example:
        yield f"### {prose(example.title)}"
        for path, text in example.files.items():
            yield code(path)
            yield fenced(text.strip("\n"), path)
    for verdict, why in rule.not_shown.items():
        yield f"No example of *{verdict}*: {prose(why)}"
    if rule.references:
        yield "## References"
        yield "\n".join(f"- <{each}>" for each in rule.references)


def _judged(rule: Rule) -> str:
    scoring = "one failure costs the whole rule" if rule.scoring == "gate" else "by the share of places that pass"
    told = [f"Severity {rule.severity}", f"precision {rule.precision}", f"scored {scoring}"]
    if rule.needs:
        told.append(f"needs {', '.join(rule.needs)}")
    if rule.tags:
        told.append(f"tags {', '.join(rule.tags)}")
    return "; ".join(told) + "."


def _causes(rule: Rule) -> Iterator[str]:
    causes = {name: cause for name, cause in rule.cause.items() if cause.message}
    if causes:
        yield "## Other ways to fail"
    for name, cause in causes.items():
        severity = f" ({cause.severity})" if cause.severity else ""
        yield f"- {code(name)}{severity}: {prose(f'{unfilled(cause.message)} {unfilled(cause.fix)}')}"


def _paragraphs(text: str) -> str:
    blocks = []
    for block in paragraphs(text):
        lines = block.split("\n")
        if all(line[:1].isspace() for line in lines):
            blocks.append(fenced("\n".join(line.strip() for line in lines), ""))
        else:
            blocks.append("\n".join(_line(line) for line in lines))
    return "\n\n".join(blocks)


def _line(line: str) -> str:
    """A line of prose; the mark of an item stays one."""
    for mark in ("- ", "* "):
        if line.startswith(mark):
            return "- " + prose(line.removeprefix(mark))
    return prose(line)
