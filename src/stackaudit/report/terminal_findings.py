"""The findings of the terminal report: excerpt, message, related places, flow and fix."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from stackaudit.model.result import Finding, Location, Remark
from stackaudit.model.rule import Severity
from stackaudit.report import Look
from stackaudit.report.digest import Group, beside
from stackaudit.report.plain import costs, counted, excerpt_of, one_line, spans, steps, visible, where

SHOWN = 3
"""How many findings of one rule are written out; the next ones are listed by place."""

LISTED = 10
"""How many more of one rule are listed before the rest is only counted."""

REMARKS = 4
"""How many related places of one finding are listed before the rest is only counted."""

STYLES: dict[Severity, str] = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "bold yellow",
    "low": "bold cyan",
    "info": "bold blue",
}
_MARGIN = 4


def styled(text: str, base: str = "") -> Text:
    """A sentence of a rule on one line: what stands between backticks is shown as code."""
    line = Text(style=base)
    for is_code, part in spans(one_line(text)):
        line.append(f"`{part}`" if is_code else part, style="cyan" if is_code else "")
    return line


class Findings:
    """Draws groups of findings on `console`."""

    def __init__(self, console: Console, look: Look) -> None:
        self.console = console
        self.look = look
        self.width = console.width

    def group(self, group: Group) -> None:
        """A rule's heading, its first findings in full, the others by place, and the fix that they share."""
        if not group.open:
            return
        self._heading(group)
        findings = group.open
        shown = len(findings) if self.look.verbose else SHOWN
        if len(findings) == SHOWN + 1:
            shown = len(findings)
        for finding in findings[:shown]:
            self._finding(finding, with_fix=not group.common_fix)
        if len(findings) > shown:
            self._folded(findings[shown:], group)
        if group.common_fix:
            self._fix(group.common_fix)
            self.console.print()

    def _heading(self, group: Group) -> None:
        style = STYLES[group.severity]
        badge = Text(f" {group.severity.upper()} ", style=style if " on " in style else f"{style} reverse")
        title = Text("  ").append_text(styled(group.rule.title, "bold"))
        name = Text(visible(group.rule.id), style="dim")
        count = Text(f"  ×{len(group.open):,}", style="bold") if len(group.open) > 1 else Text()
        head = Text.assemble(badge, title, count)
        gap = self.width - head.cell_len - name.cell_len
        if gap >= 2:
            self.console.print(Text.assemble(head, " " * gap, name))
        else:
            self.console.print(head)
            self.console.print(Padding(name, (0, 0, 0, badge.cell_len + 2)))
        self.console.print()

    def _finding(self, finding: Finding, *, with_fix: bool) -> None:
        self._line(Text(where(finding.location), style="bold"), 2)
        self._excerpt(finding.location)
        self._line(styled(finding.message), _MARGIN)
        if finding.cost is not None:
            self._line(Text(f"costs {costs(finding.cost)}", style="magenta"), _MARGIN, hang=6)
        related = beside(finding)
        shown = len(related) if self.look.verbose or len(related) == REMARKS + 1 else REMARKS
        for remark in related[:shown]:
            self._remark("↳ ", remark)
        if len(related) > shown:
            self._line(Text(f"↳ and {counted(len(related) - shown, 'more place')}", style="dim"), _MARGIN)
        self._flow(finding)
        if with_fix:
            self._fix(finding.fix)
        self.console.print()

    def _flow(self, finding: Finding) -> None:
        """The way to the failure as a ladder, one step a line."""
        last = len(finding.flow)
        for step, remark in enumerate(finding.flow, 1):
            self._remark(f"{'└' if step == last else '│'} {step} ", remark)

    def _remark(self, lead: str, remark: Remark) -> None:
        line = Text().append(lead, style="dim")
        line.append(f"{visible(remark.location.path)}:{remark.location.line}", style="blue")
        line.append("  ")
        line.append_text(styled(remark.text))
        self._line(line, _MARGIN, hang=len(lead))

    def _fix(self, fix: str) -> None:
        """What to do; where that fills more than a line, each sentence begins one of its own."""
        lead = Text().append("fix ", style="bold green")
        for step in steps(fix, self.width - _MARGIN - lead.cell_len):
            self._line(lead.append_text(styled(step)), _MARGIN, hang=4)
            lead = Text(" " * 4)

    def _folded(self, findings: tuple[Finding, ...], group: Group) -> None:
        self._line(Text(f"{len(findings):,} more", style="bold"), 2)
        for finding in findings[:LISTED]:
            line = Text(where(finding.location))
            rest = self.width - _MARGIN - line.cell_len - 2
            message = one_line(finding.message)
            if rest >= 24:
                line.append("  " + _cut(message, rest), style="dim")
            self._line(line, _MARGIN)
        if len(findings) > LISTED:
            told = f"and {len(findings) - LISTED:,} more; all of them: --select {group.rule.id} --verbose"
            self._line(Text(told, style="dim"), _MARGIN)
        self.console.print()

    def _excerpt(self, location: Location) -> None:
        """The first line of the region with an underline, cut so that the region stays in sight."""
        text, start, end = excerpt(location, self.width - _MARGIN - len(str(location.line)) - 3)
        if not text.strip():
            return
        gutter = f"{location.line} │ "
        self._line(Text().append(gutter, style="dim").append(text), _MARGIN)
        blank = " " * (len(gutter) - 2) + "│ "
        marks = (
            Text().append(blank, style="dim").append(" " * start).append("^" * max(end - start, 1), style="bold red")
        )
        self._line(marks, _MARGIN)

    def _line(self, text: Text, indent: int, hang: int = 0) -> None:
        width = max(self.width - indent - hang, 20)
        lines = text.wrap(self.console, width) if hang else [text]
        for number, line in enumerate(lines):
            self.console.print(Padding(line, (0, 0, 0, indent + (hang if number else 0))))


def excerpt(location: Location, width: int) -> tuple[str, int, int]:
    """(text, start, end): the line of `location` in at most `width` cells, and the cells of it that are meant.

    The indentation goes; a long line is cut left and right with an ellipsis so that the region stays in sight.
    """
    before, meant, after = excerpt_of(location)
    start = cell_len(before)
    end = start + cell_len(meant)
    text = (before + meant + after).rstrip()
    if cell_len(text) <= width:
        return text, start, max(end, start)
    # Some context before the region, as much of the rest as there is room for.
    skip = max(0, min(start - 12, cell_len(text) - width)) if end > width - 1 else 0
    if skip:
        kept = _drop(text, skip + 1)
        text, start, end = "…" + kept, start - skip, end - skip
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + "…"
    return text, start, max(min(end, cell_len(text)), start)


def _drop(text: str, cells: int) -> str:
    """`text` without its first `cells` cells."""
    gone = 0
    for index, char in enumerate(text):
        if gone >= cells:
            return text[index:]
        gone += cell_len(char)
    return ""


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"
