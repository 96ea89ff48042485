"""Components of django-cotton in a template: `<c-name :rows="books" title="All">`, plain text to Django's lexer.

The package finds them by a regular expression, outside of tags, comments and `{% verbatim %}`; this reader stops where
that one does, and takes as long as the text is. https://django-cotton.com/docs
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.template.base import TokenType

from stackaudit.lower.template_text import LONGEST_TAG

_OPENING = re.compile(r"<c-([\w.-]+)")
_ATTRIBUTE = re.compile(
    r"""\s+(?P<name>[^\s/>"'=<`]+)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s<>"'][^\s<>]*)))?"""
)
_CLOSING = re.compile(r"\s*(?:/\s*)?>")
_MASK = "\x01"


@dataclass(frozen=True)
class Attribute:
    """`text` is the value as written, which begins at `start`; None where there is none."""

    name: str
    text: str | None
    start: int
    is_quoted: bool

    @property
    def variable(self) -> str:
        """The name under which the component knows it."""
        return self.name.lstrip(":").replace("-", "_")

    @property
    def is_expression(self) -> bool:
        """Whether it names a variable: `:name="value"`, or a value without quotes; `::name` is a text for Alpine.js."""
        return not self.name.startswith("::") and (self.name.startswith(":") or not self.is_quoted)

    @property
    def is_rendered(self) -> bool:
        """Whether the value holds tags or variables, which are rendered to a text."""
        return self.text is not None and ("{{" in self.text or "{%" in self.text)


@dataclass(frozen=True)
class Component:
    """The opening tag of a component."""

    name: str
    start: int
    end: int
    attributes: tuple[Attribute, ...]


def components(text: str, tokens: Iterable[Any]) -> Iterator[Component]:
    """The components of a template in source order; `tokens` are those of Django's lexer."""
    if "<c-" not in text:
        return
    plain = _plain(text, tokens)
    upto = 0
    for opening in _OPENING.finditer(plain):
        if opening.start() < upto:
            continue  # inside the value of an attribute
        found = []
        at = opening.end()
        while match := _ATTRIBUTE.match(plain, at):
            at = match.end()
            if _MASK not in match["name"]:
                found.append(_attribute(text, match))
        closing = _CLOSING.match(plain, at)
        if closing is not None and closing.end() - opening.start() <= LONGEST_TAG:
            upto = closing.end()
            yield Component(opening[1], opening.start(), upto, tuple(found))


def _attribute(text: str, match: re.Match[str]) -> Attribute:
    group = next((name for name in ("double", "single", "bare") if match[name] is not None), "")
    if not group:
        return Attribute(match["name"], None, match.end(), False)
    start, end = match.span(group)
    return Attribute(match["name"], text[start:end], start, group != "bare")


def of_words(words: Iterable[tuple[str, int]]) -> list[Attribute]:
    """The attributes of `{% cotton name :rows="books" %}`, by the words of the tag and where they begin."""
    found = []
    for word, start in words:
        name, equals, text = word.partition("=")
        at = start + len(name) + 1
        if not equals:
            found.append(Attribute(name, None, at, False))
        elif len(text) > 1 and text[0] in "\"'" and text[0] == text[-1]:
            found.append(Attribute(name, text[1:-1], at + 1, True))
        else:
            found.append(Attribute(name, text, at, False))
    return found


def _plain(text: str, tokens: Iterable[Any]) -> str:
    """`text` of the same length, masked where it is no plain text."""
    parts: list[str] = []
    until = ""
    for token in tokens:
        start, end = token.position
        word = token.contents.split(maxsplit=1)[:1] if token.token_type is TokenType.BLOCK else []
        if until:
            until = "" if word == [until] else until
        elif word and word[0] in ("comment", "verbatim"):
            until = f"end{word[0]}"
        is_plain = token.token_type is TokenType.TEXT and not until
        parts.append(text[start:end] if is_plain else _MASK * (end - start))
    return "".join(parts)
