"""Templates of configuration files: `{% ... %}` and `{{ ... }}` are masked, so that the file's own reader works."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stackaudit.lower.located import HOLE

_TAG = re.compile(r"\{%.{0,400}?%\}|\{\{.{0,200}?\}\}|\{#.{0,2000}?#\}", re.DOTALL)
_WORD = re.compile(r"\{%[-+]?\s*(\w+)\s*(.*?)\s*[-+]?%\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mask:
    """`text` has the length of the original; `spans` are `(start, end, text of the condition)` of template branches."""

    text: str
    spans: tuple[tuple[int, int, str], ...] = ()

    def guards(self, offset: int) -> list[str]:
        """The conditions of the template's branches that hold the character at `offset`."""
        return [text for start, end, text in self.spans if start <= offset < end]


def without_shifted(mask: Mask, text: str) -> str:
    """The masked text without the lines that a tag at their start pushes to the right: `{% if x %}key: value`.

    Their indentation is not what the template gives, and where it matters they would break the file.
    """
    lines = []
    for masked_line, line in zip(mask.text.split("\n"), text.split("\n"), strict=True):
        shifted = line.lstrip().startswith(("{%", "{#")) and masked_line.strip()
        lines.append(" " * len(masked_line) if shifted else masked_line)
    return "\n".join(lines)


def masked(text: str) -> Mask:
    """`text` with tags as blanks and placeholders as holes; a file without `{%` and `{{` stays as it is."""
    if "{%" not in text and "{{" not in text:
        return Mask(text)
    parts: list[str] = []
    spans: list[tuple[int, int, str]] = []
    open_: list[tuple[int, str]] = []
    last = 0
    for match in _TAG.finditer(text):
        tag = match.group()
        parts.append(text[last : match.start()])
        last = match.end()
        if tag.startswith("{{"):
            parts.append(HOLE * len(tag) if "\n" not in tag else re.sub(r"[^\n]", " ", tag))
            continue
        parts.append(re.sub(r"[^\n]", " ", tag))
        word = _WORD.match(tag)
        if word is None:
            continue
        name, rest = word.group(1), word.group(2)
        if name in ("if", "for"):
            open_.append((match.end(), f"{name} {rest}" if name == "for" else rest))
        elif name in ("elif", "else", "endif", "endfor") and open_:
            start, condition = open_.pop()
            spans.append((start, match.start(), f"the template's {condition}"))
            if name == "elif":
                open_.append((match.end(), rest))
            elif name == "else":
                open_.append((match.end(), f"not ({condition})"))
    parts.append(text[last:])
    return Mask("".join(parts), tuple(spans))
