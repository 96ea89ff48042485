"""uWSGI .ini files -> options (https://uwsgi-docs.readthedocs.io/en/latest/ConfigLogic.html)."""

from __future__ import annotations

import re

from stackaudit.facts.commands import Hole, Word
from stackaudit.facts.files import Note
from stackaudit.facts.services import Option, Uwsgi
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import masked
from stackaudit.lower.sections import pairs

_ENV = re.compile(r"\$\((\w+)\)")


def lower(data: bytes, path: str) -> Uwsgi:
    """The options of `[uwsgi]`; an option without a value has "true". Raises UnreadableError for what is no text."""
    text = decode(data)
    notes: list[Note] = []
    options: list[Option] = []
    inside: list[str] = []
    source = Located(masked(text).text, line_starts(text))
    for pair in pairs(source, comments="#;", continued="none", notes=notes):
        if pair.section != "uwsgi":
            continue
        value = pair.value.text
        if pair.key.startswith("if-") or pair.key.startswith("for"):
            inside.append(f"{pair.key} = {value}")
        elif pair.key in ("endif", "endfor"):
            inside = inside[:-1]
        else:
            holes = tuple(Hole(match.start(), match.end(), match.group(1), None) for match in _ENV.finditer(value))
            region = pair.value.region(0, len(value))
            key = pair.key.replace("_", "-")
            options.append(Option("uwsgi", key, Word(value or "true", holes, region), tuple(inside)))
    return Uwsgi(tuple(options), tuple(notes))
