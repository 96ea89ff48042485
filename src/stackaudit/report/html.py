"""One page that needs nothing else: no script, no request, light and dark."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stackaudit.model.result import Result
from stackaudit.report import Look, digest, plain

SHOWN = 20
"""How many findings of a rule are open at once; the others are folded."""


def render(result: Result, look: Look) -> str:
    """The page. Whatever comes from the audited files is escaped by the template engine."""
    text = (
        _environment()
        .get_template("page.html.j2")
        .render(
            result=result,
            look=look,
            groups=[group for group in digest.groups(result) if group.open],
            reasons=digest.reasons(result),
            passed=digest.passed_by_area(result),
            skipped=digest.not_applicable(result),
            notifications=digest.ordered_notifications(result),
            severities=digest.by_severity(digest.open_findings(result)),
            header=digest.header(result),
            headline=digest.headline(result),
            accepted=digest.accepted(result),
            next_step=digest.next_step(result),
            shown=SHOWN,
        )
    )
    # A report that lies in the repository is read as a template by the next scan: its excerpts must not be tags there.
    return re.sub(r"\{(?=[{%#])", "&#123;", text)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "beside": digest.beside,
        "visible": plain.visible,
        "one_line": plain.one_line,
        "paragraphs": plain.paragraphs,
        "spans": plain.spans,
        "steps": plain.steps,
        "where": plain.where,
        "costs": plain.costs,
        "span": plain.span,
        "number": plain.number,
        "excerpt": plain.excerpt_of,
    }
    environment.globals["counted"] = plain.counted
    return environment
