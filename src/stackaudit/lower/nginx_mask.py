"""Template syntax in nginx configurations, masked so that a lexer of nginx's language can read around it.

Masking keeps every offset: a placeholder becomes as many letters, a template statement or comment as many spaces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stackaudit.facts.files import Note

LETTER = "x"
_TAG = re.compile(
    r"(?P<statement>\{%[^{}]{0,2000}?%\}|\{%[^\n]{0,2000}?%\}|<%(?![=%])[^%]{0,2000}?%>)"
    r"|(?P<comment>\{\#[^\n]{0,2000}?\#\})|(?P<long>\{\#(?s:.){0,2000}?\#\})"
    r"|(?P<expression>\{\{\{\{[^\n]{0,2000}?\}\}\}\}|\{\{[^\n]{0,2000}?\}\}|<%=[^%]{0,2000}?%>|%%[A-Za-z_]\w*%%|%\([A-Za-z_]\w*\)s"
    r"|@[A-Z][A-Z0-9_]*@|(?<![\w$])__[A-Z][A-Z0-9_]*?__(?!\w)|(?<![?P\w])<[A-Za-z][\w .-]*>)"
    r"|(?P<shell>\$\{[^}\s]*\}|\$[A-Z][A-Z0-9_]+\b)"
)
"""The tags; one that is longer than 2,000 characters is taken for plain text."""

_OPENS = re.compile(
    r"\{[{%]-?\s*(if|unless|for|range|with|when)\b|<%-?\s*(if|unless|case)\b|<%-?.*\bdo\b(\s*\|.*\|)?\s*-?%>"
)
_ELSE = re.compile(r"(\{[{%]-?|<%-?)\s*els(e|if)\b|\{%-?\s*elif\b")
_JINJA = re.compile(r"\{%|\{\{")
_CLOSES = re.compile(r"\{[{%]-?\s*end|<%-?\s*(end\b|\})")
_INCLUDE = re.compile(r"\{%-?\s*(include|import)\b|\{\{-?\s*(template|include)\b")
_GO = re.compile(r"\{\{-?\s*(if|else|end|range|with|define|block|template|include|/\*)")
_NGINX_VARIABLE = re.compile(r"\$\{[a-z_][a-z0-9_]*\}")
_NOT_NGINX = re.compile(r"[^\x20-\x7e\t\n]")


@dataclass(frozen=True)
class Span:
    """A stretch of the text and what stood there."""

    start: int
    end: int
    text: str


@dataclass
class Masked:
    """`text` is as long as the original; `holes` are placeholders, `conditions` the reach of template conditions."""

    text: str
    holes: list[Span] = field(default_factory=list)
    conditions: list[Span] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def mask(text: str) -> Masked:
    """`text` with line ends as "\\n", template syntax and everything beyond printable ASCII masked."""
    masked = Masked("")
    if text.startswith("\ufeff"):
        masked.notes.append(Note("begins with a byte order mark: nginx refuses the file", 1))
        text = " " + text[1:]
    text = text.replace("\r\n", " \n").replace("\r", "\n")
    open_conditions: list[_Condition] = []
    twice: list[_Condition] = []
    is_jinja = _JINJA.search(text) is not None

    def replace(match: re.Match[str]) -> str:
        tag = match[0]
        statement = match["statement"] is not None or (match["expression"] is not None and _GO.match(tag))
        if statement and _INCLUDE.match(tag):
            masked.holes.append(Span(match.start(), match.end(), tag))
            return LETTER * len(tag)
        if statement:
            if _OPENS.match(tag):
                open_conditions.append(_Condition(match.end(), " ".join(tag.split())))
            elif _ELSE.match(tag) and open_conditions:
                open_conditions[-1].branches.append((match.start(), match.end()))
            elif _CLOSES.match(tag) and open_conditions:
                condition = open_conditions.pop()
                condition.end = match.start()
                masked.conditions.append(Span(condition.start, condition.end, condition.text))
                twice.append(condition)
            return _blank(tag)
        if match["comment"] is not None:
            return _blank(tag)
        if match["long"] is not None:
            return _blank(tag) if is_jinja else tag
        if not _NGINX_VARIABLE.fullmatch(tag):
            masked.holes.append(Span(match.start(), match.end(), tag))
        return LETTER * len(tag)

    result = _TAG.sub(replace, text)
    for condition in open_conditions:
        masked.conditions.append(Span(condition.start, len(text), condition.text))
    for condition in twice:
        result = _without_second_opening(result, condition)
    masked.text = _NOT_NGINX.sub(LETTER, result).replace("${", LETTER * 2)
    return masked


@dataclass
class _Condition:
    """A template condition; `branches` are the tags of its else branches."""

    start: int
    text: str
    end: int = 0
    branches: list[tuple[int, int]] = field(default_factory=list)


def _without_second_opening(text: str, condition: _Condition) -> str:
    """Blanks the later branches of a condition whose branches each open (or close) the same block."""
    starts = [condition.start, *(end for _, end in condition.branches)]
    ends = [*(start for start, _ in condition.branches), condition.end]
    if len(starts) < 2 or not _balance(text[starts[0] : ends[0]]):
        return text
    for start, end in zip(starts[1:], ends[1:], strict=True):
        text = text[:start] + _blank(text[start:end]) + text[end:]
    return text


def _balance(text: str) -> int:
    return text.count("{") - text.count("}")


def _blank(tag: str) -> str:
    return "".join("\n" if char == "\n" else " " for char in tag)
