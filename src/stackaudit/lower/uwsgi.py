"""uWSGI files -> options (https://uwsgi-docs.readthedocs.io/en/latest/Configuration.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts.commands import Hole, Word
from stackaudit.facts.files import Note
from stackaudit.facts.services import Option, Uwsgi
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import masked
from stackaudit.lower.sections import pairs
from stackaudit.lower.yaml_nodes import documents
from stackaudit.model.source import Region

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ELEMENT = re.compile(r"<(?P<key>[\w-]+)[ \t]*(?:/>|>(?P<value>[^<>]*)</(?P=key)>)")
_ENV = re.compile(r"\$\((\w+)\)")


def lower(data: bytes, path: str) -> Uwsgi:
    """The options of `[uwsgi]`; an option without a value has "true". Raises UnreadableError for what is no text."""
    text = decode(data)
    if path.endswith((".yml", ".yaml")):
        return Uwsgi(tuple(_yaml(text)))
    if path.endswith(".xml"):
        return Uwsgi(tuple(_xml(text)))
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
            options.append(_option(pair.key, value, pair.value.region(0, len(value)), tuple(inside)))
    return Uwsgi(tuple(options), tuple(notes))


def _yaml(text: str) -> Iterator[Option]:
    """The mapping `uwsgi:`; an option that is given several times is a list."""
    mask = masked(text)
    found, reader = documents(mask, text)
    for document in found:
        top = reader.items(document)
        for key, (_, node) in (reader.items(top["uwsgi"][1]) if "uwsgi" in top else {}).items():
            for item in reader.several(node) or [node]:
                yield _option(key, reader.scalar(item), reader.region(item))


def _xml(text: str) -> Iterator[Option]:
    """`<uwsgi><processes>4</processes><master/></uwsgi>`."""
    source = Located(text, line_starts(text))
    body = _COMMENT.sub(lambda match: " " * len(match.group()), text)
    for match in _ELEMENT.finditer(body):
        if match["key"] != "uwsgi":
            start = match.start("value") if match["value"] is not None else match.start()
            yield _option(
                match["key"], (match["value"] or "").strip(), source.region(start, max(start + 1, match.end()))
            )


def _option(key: str, value: str, region: Region, conditions: tuple[str, ...] = ()) -> Option:
    holes = tuple(Hole(match.start(), match.end(), match.group(1), None) for match in _ENV.finditer(value))
    return Option("uwsgi", key.replace("_", "-"), Word(value or "true", holes, region), conditions)
