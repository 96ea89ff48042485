"""The rules in words: all of them, one line each, and one of them whole. Pure, and without any library."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterator, Sequence

from stackaudit.model.rule import Rule, unfilled
from stackaudit.report.plain import counted, paragraphs, visible

NARROWEST = 60


def listing(rules: Sequence[Rule], width: int) -> str:
    """One line for each rule, by area: id, severity, title; cut at `width` columns."""
    if not rules:
        return ""
    wide = max(len(rule.id) for rule in rules)
    lines: list[str] = []
    area = ""
    for rule in rules:
        if area and rule.area != area:
            lines.append("")
        area = rule.area
        line = f"{rule.id:<{wide}}  {rule.severity:<8}  {visible(rule.title)}"
        lines.append(line if len(line) <= max(width, NARROWEST) else line[: max(width, NARROWEST) - 1].rstrip() + "…")
    areas = len({rule.area for rule in rules})
    lines += ["", f"{counted(len(rules), 'rule')} in {counted(areas, 'area')}; `stackaudit rule ID` explains one."]
    return "".join(line + "\n" for line in lines)


def page(rule: Rule, width: int, *, colour: bool = False) -> str:
    """One rule whole, wrapped at `width` columns: what it judges, why, how to mend it, examples, references."""
    return "\n".join(_page(rule, max(width, NARROWEST), colour)).rstrip() + "\n"


def missing(name: str, rules: Sequence[Rule]) -> str:
    """Why `name` names no single rule, and which was meant."""
    same = [rule.id for rule in rules if rule.name == name]
    if same:
        return f"`{name}` is the name of {len(same)} rules: {', '.join(same)}"
    in_area = [rule.id for rule in rules if rule.area == name]
    if in_area:
        return f"`{name}` is an area; its rules are {', '.join(in_area)}"
    known = {word: rule.id for rule in rules for word in (rule.id, rule.name)}
    near = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f"there is no rule `{name}`; " + (
        f"did you mean `{known[near[0]]}`?" if near else "`stackaudit rules` lists them"
    )


def _page(rule: Rule, width: int, colour: bool) -> Iterator[str]:
    def strong(text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if colour else text

    yield strong(rule.id)
    yield from textwrap.wrap(visible(rule.title), width)
    yield ""
    scoring = "one failure costs the whole rule" if rule.scoring == "gate" else "by the share of places that pass"
    yield from _prose(f"Severity {rule.severity}, precision {rule.precision}, scored {scoring}.", width)
    if rule.needs:
        yield from _prose(f"Needs {', '.join(rule.needs)}.", width)
    if rule.tags:
        yield from _prose(f"Tags: {', '.join(rule.tags)}.", width)
    yield ""
    yield strong("Why")
    yield from _prose(rule.why, width)
    yield ""
    yield strong("How to mend it")
    yield from _prose(unfilled(rule.fix), width)
    causes = {name: cause for name, cause in rule.cause.items() if cause.message}
    if causes:
        yield ""
        yield strong("Other ways to fail")
        for name, cause in causes.items():
            severity = f" ({cause.severity})" if cause.severity else ""
            told = f"{name}{severity}: {unfilled(cause.message)} {unfilled(cause.fix)}"
            yield from _prose(f"- {told.strip()}", width)
    yield ""
    for example in rule.example:
        yield from map(strong, textwrap.wrap(f"Example: {visible(example.title)}", width))
        for path, text in example.files.items():
            yield f"  {visible(path)}"
            for line in text.strip("\n").splitlines():
                yield f"    │ {_marked(visible(line.expandtabs(4)), colour)}"
        yield ""
    for verdict, why in rule.not_shown.items():
        yield from _prose(f"No example of {verdict}: {why}", width)
        yield ""
    if rule.references:
        yield strong("References")
        yield from (f"  {visible(each)}" for each in rule.references)


def _prose(text: str, width: int) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs(text)):
        if number:
            yield ""
        for line in paragraph.split("\n"):
            lead = re.match(r"\s*([-*] |\d+[.)] )?", line)
            indent = "  " + " " * (lead.end() if lead else 0)
            yield from textwrap.wrap(line, width, initial_indent="  ", subsequent_indent=indent, break_long_words=False)


def _marked(line: str, colour: bool) -> str:
    """The line of an example, its verdict in colour."""
    if not colour:
        return line
    styles = {"fail": "31", "pass": "32", "unknown": "35"}
    return re.sub(r"(?<=#) ?(fail|pass|unknown)\b", lambda found: f"\x1b[{styles[found[1]]}m{found[0]}\x1b[0m", line)
