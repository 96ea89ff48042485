"""Which headers nginx adds to the answers of a level."""

from __future__ import annotations

from dataclasses import dataclass

from stackaudit.link.nginx.level import Level
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value


@dataclass(frozen=True, slots=True)
class Header:
    """A header that nginx adds; `always`: to errors too, not only to 200, 201, 204, 206 and redirects."""

    name: str
    value: str
    always: bool
    place: Place


def added(level: Level, name: str) -> Value[Header | None]:
    """The header `name` that is added at a level, by add_header or by more_set_headers; None where none is.

    Unknown where a template or a file that is not there decides.
    """
    wanted = name.lower()
    more = level.in_force("more_set_headers")
    if isinstance(more, Known):
        for line in more.value.lines:
            for word in line.words:
                key, colon, value = word.text.partition(":")
                if colon and key.strip().lower() == wanted:
                    return Known(Header(name, value.strip(), True, line.place), (line.place,))
    found = level.in_force("add_header")
    if isinstance(found, Unknown):
        return found
    for line in found.value.lines:
        words = [word.text for word in line.words]
        if len(words) > 1 and words[0].lower() == wanted and words[1]:
            return Known(Header(name, words[1], words[2:] == ["always"], line.place), (line.place,))
    if found.value.gap is not None:
        return Unknown(found.value.gap.why, (found.value.gap.place,))
    return Known(None)
