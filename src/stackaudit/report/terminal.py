"""The report in a terminal: what was found, the score, what to mend (the worst first), what passed, what is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from stackaudit.model.result import AreaScore, Result
from stackaudit.report import Look
from stackaudit.report.digest import (
    Reason,
    accepted,
    groups,
    header,
    headline,
    next_step,
    not_applicable,
    ordered_notifications,
    passed_by_area,
    reasons,
)
from stackaudit.report.plain import counted, number, one_line, span, visible
from stackaudit.report.statistics import table
from stackaudit.report.terminal_findings import Findings, styled

NARROWEST, WIDEST = 60, 160
INDENT = 2
LISTED = 8

GRADE_STYLE = {"A": "bold green", "B": "green", "C": "yellow", "D": "bold yellow", "E": "red", "F": "bold red"}
LEVEL_STYLE = {"error": "red", "warning": "yellow", "note": "dim"}


def render(result: Result, look: Look) -> str:
    """The report at `look.width` columns (kept between 60 and 160), with colours or without."""
    width = min(max(look.width, NARROWEST), WIDEST)
    stream = StringIO()
    console = Console(
        file=stream,
        width=width,
        force_terminal=look.colour,
        color_system="standard" if look.colour else None,
        no_color=not look.colour,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        soft_wrap=False,
    )
    page = _Page(result, look, console)
    page.draw()
    return "".join(line.rstrip() + "\n" for line in stream.getvalue().splitlines())


class _Page:
    def __init__(self, result: Result, look: Look, console: Console) -> None:
        self.result = result
        self.look = look
        self.console = console
        self.width = console.width

    def draw(self) -> None:
        if not self.look.quiet:
            self.header()
        self.score()
        if not self.look.quiet:
            self.areas()
        findings = Findings(self.console, self.look)
        for group in groups(self.result):
            findings.group(group)
        if not self.look.quiet:
            self.passed()
            self.unknown()
            self.notifications()
        if self.look.statistics:
            self.statistics()
        self.closing()

    def header(self) -> None:
        title = Text().append("stackaudit", style="bold")
        if self.look.name:
            title.append(f"  {one_line(self.look.name)}", style="bold cyan")
        version = Text(self.result.version, style="dim")
        title.append(" " * max(2, self.width - title.cell_len - version.cell_len))
        title.append_text(version)
        self.console.print(title)
        self.console.print(Rule(style="dim"))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, style="dim", max_width=22)
        grid.add_column(overflow="fold")
        for label, value, why in header(self.result):
            told = Text(value)
            if why:
                told.append(f"  {why}", style="dim")
            grid.add_row(label, told)
        self.console.print(Padding(grid, (0, 0, 1, INDENT)))

    def score(self) -> None:
        score = self.result.score
        floor, ceiling = score.score.floor, score.score.ceiling
        line = Text(" " * INDENT)
        line.append(f" {score.grade} ", style=f"{GRADE_STYLE.get(score.grade, 'dim')} reverse")
        if floor is None or ceiling is None:
            line.append("  no score: no rule applies to what was found here", style="dim")
        else:
            line.append(f"  {number(floor)}", style="bold")
            line.append(" of 100", style="dim")
            if floor != ceiling:
                unknown = sum(reason.count for reason in reasons(self.result))
                told = f"   up to {number(ceiling)} if {counted(unknown, 'unknown place')} turned out right"
                line.append(told, style="dim")
        self.console.print(_hang(line, INDENT + 5, self.width))
        what = Text().append(headline(self.result), style="bold" if self.result.findings else "")
        if accepted(self.result):
            what.append(f"; {accepted(self.result)}", style="dim")
        self.console.print(Padding(what, (0, 0, 0, INDENT + 5)))
        if score.capped:
            self.console.print(Padding(Text(f"capped at {score.grade}: {score.capped}", "red"), (0, 0, 0, INDENT + 5)))
        self.console.print()

    def areas(self) -> None:
        scored = [area for area in self.result.score.areas if area.score.floor is not None]
        if not scored:
            return
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(no_wrap=True, max_width=20, overflow="ellipsis")
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True, justify="right")
        grid.add_column(style="dim", no_wrap=True, overflow="ellipsis")
        bar = max(8, min(30, self.width - 60))
        for area in scored:
            told = [
                f"{area.failed:,} failed" if area.failed else "",
                f"{area.unknown:,} unknown" if area.unknown else "",
            ]
            grid.add_row(
                one_line(area.area), _bar(area, bar), span(area.score), ", ".join(each for each in told if each)
            )
        self.console.print(Padding(grid, (0, 0, 1, INDENT)))

    def passed(self) -> None:
        areas = passed_by_area(self.result)
        skipped = not_applicable(self.result)
        if areas:
            rules = sum(map(len, areas.values()))
            self.heading("Passed", f"{counted(rules, 'rule')} found nothing wrong")
            grid = Table.grid(padding=(0, 2, 0, 0))
            grid.add_column(no_wrap=True, style="green")
            grid.add_column(overflow="fold")
            for area, outcomes in areas.items():
                names = Text(", ").join(
                    Text(each.id.partition("/")[2]).append(f" {each.passed}", style="dim") for each in outcomes
                )
                grid.add_row(one_line(area), names)
            self.console.print(Padding(grid, (0, 0, 0, INDENT)))
        if skipped:
            rules = sum(map(len, skipped.values()))
            whys = "; ".join(f"{one_line(why)} ({len(names)})" for why, names in skipped.items())
            told = Text(f"{counted(rules, 'rule')} did not apply: {whys}", style="dim")
            self.console.print(Padding(told, (0, 0, 0, INDENT)))
        if areas or skipped:
            self.console.print()

    def unknown(self) -> None:
        found = reasons(self.result)
        if not found:
            return
        total = sum(reason.count for reason in found)
        self.heading("Unknown", f"{counted(total, 'place')} could not be judged, for {counted(len(found), 'reason')}")
        shown = found if self.look.verbose else found[:LISTED]
        for reason in shown:
            self.reason(reason)
        if len(found) > len(shown):
            rest = sum(reason.count for reason in found[len(shown) :])
            told = f"and {counted(rest, 'more place')} for {counted(len(found) - len(shown), 'reason')} (--verbose)"
            self.bullet(Text(told, style="dim"))
        self.console.print()

    def reason(self, reason: Reason) -> None:
        told = Text().append(f"{reason.count:>4}  ", style="magenta")
        told.append_text(styled(reason.why))
        self.console.print(Padding(_hang(told, 6, self.width - INDENT), (0, 0, 0, INDENT)))
        places = list(dict.fromkeys(f"{visible(place.path)}:{place.line}" for place in reason.places))
        shown = len(places) if self.look.verbose else 2
        parts = [_few(reason.rules, 3)]
        if places:
            parts.append(_few(places, shown))
        self.console.print(Padding(Text("  ".join(parts), style="dim"), (0, 0, 0, INDENT + 6)))

    def notifications(self) -> None:
        notes = ordered_notifications(self.result)
        if not notes:
            return
        self.heading("Notes", counted(len(notes), "notification") + " from reading and judging")
        shown = notes if self.look.verbose else notes[:LISTED]
        for note in shown:
            line = Text().append(f"{note.level}: ", style=LEVEL_STYLE[note.level])
            if note.path:
                line.append(f"{visible(note.path)}{f':{note.line}' if note.line else ''}: ")
            line.append_text(styled(note.text))
            self.bullet(line)
        if len(notes) > len(shown):
            self.bullet(Text(f"and {len(notes) - len(shown):,} more (--verbose)", style="dim"))
        self.console.print()

    def statistics(self) -> None:
        lines = table(self.result)
        self.heading("Statistics", f"{counted(len(lines) - 1, 'rule')} with something to judge")
        for line in lines:
            self.console.print(Padding(Text(line, no_wrap=True, overflow="ellipsis"), (0, 0, 0, INDENT)))
        self.console.print()

    def closing(self) -> None:
        self.console.print(Rule(style="dim"))
        self.console.print(styled(next_step(self.result), base="bold"))

    def heading(self, word: str, rest: str) -> None:
        line = Text().append(word, style="bold")
        line.append(f"  {rest}", style="dim")
        self.console.print(line)

    def bullet(self, text: Text) -> None:
        self.console.print(Padding(_hang(text, 2, self.width - INDENT), (0, 0, 0, INDENT)))


def _bar(area: AreaScore, width: int) -> Text:
    """The floor solid, what is open up to the ceiling half, the rest empty."""
    floor, ceiling = area.score.floor or 0.0, area.score.ceiling or 0.0
    solid = int(floor / 100 * width)
    half = max(int(ceiling / 100 * width) - solid, 0)
    style = "green" if floor >= 80 else "yellow" if floor >= 60 else "red"
    bar = Text().append("█" * solid, style=style)
    bar.append("▒" * half, style=style)
    bar.append("░" * (width - solid - half), style="dim")
    return bar


def _hang(text: Text, indent: int, width: int) -> Text:
    """`text` wrapped at `width` with every line but the first indented."""
    console = Console(file=StringIO(), width=max(width - indent, 20))
    first, *rest = text.wrap(console, max(width - indent, 20)) or [text]
    joined = first
    for line in rest:
        joined = Text("\n").join([joined, Text(" " * indent).append_text(line)])
    return joined


def _few(words: Sequence[str], shown: int) -> str:
    more = len(words) - shown
    return ", ".join(words[:shown]) + (f" and {more:,} more" if more > 0 else "")
