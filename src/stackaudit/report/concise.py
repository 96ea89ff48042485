"""One line for each finding, for editors and `grep`."""

from __future__ import annotations

from stackaudit.model.result import Result
from stackaudit.report import Look
from stackaudit.report.digest import accepted, headline, open_findings, reasons
from stackaudit.report.plain import counted, one_line, span, where
from stackaudit.report.statistics import table


def render(result: Result, look: Look) -> str:
    """`path:line:column: severity rule message` for each finding, then one line that sums up (not where quiet)."""
    lines = [
        f"{where(each.location)}: {each.severity} {each.rule} {one_line(each.message)}"
        for each in open_findings(result)
    ]
    if look.statistics:
        lines += ["", *table(result)]
    if not look.quiet:
        unknown = sum(reason.count for reason in reasons(result))
        parts = [
            f"score {span(result.score.score)}, grade {result.score.grade}",
            headline(result),
            f"{counted(unknown, 'place')} unknown" if unknown else "",
            accepted(result),
        ]
        lines.append("; ".join(part for part in parts if part))
    return "".join(line + "\n" for line in lines)
