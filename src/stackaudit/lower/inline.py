"""nginx configurations inside other files: here-documents of Dockerfiles and scripts, block texts of YAML manifests.

Everything around a configuration is blanked and its lines stay where they are, so the reader of nginx's own files gives
the lines and columns of the file around it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts.files import UnreadableError
from stackaudit.facts.nginx import Directive, Inline, Manifest, Nginx, Word
from stackaudit.lower import nginx
from stackaudit.lower.located import decode

MOST = 50
"""How many configurations of one file are read."""

MOST_BODIES = 1000
"""How many here-documents of one file are looked into."""

LONGEST = 3000
"""How many lines a configuration in a here-document may have."""

_BLOCK = re.compile(r"^[ \t]*(?:(?:server|http|events)[ \t]*\{|(?:location|upstream)[ \t][^;{\n]*\{)", re.MULTILINE)
_DIRECTIVE = re.compile(
    r"(?:^|[;{])[ \t]*(?:listen|server_name|root|alias|(?:proxy|uwsgi|fastcgi)_pass|return|rewrite|include|try_files"
    r"|server|add_header|proxy_\w+|worker_connections)[ \t][^;\n]*;",
    re.MULTILINE,
)
_OPENER = re.compile(r"<<(?P<tabs>-?)[ \t]*(?P<quote>[\"']?)(?P<end>[A-Za-z_]\w*)(?P=quote)")
_WRITES = re.compile(r"\b(?:cat|tee|COPY|ADD)\b", re.IGNORECASE)
_TEE = re.compile(r"\btee\b((?:[ \t]+-\S+)*)[ \t]+(?P<target>[^\s|&;<>]+)")
_INTO = re.compile(r">>?[ \t]*(?P<target>[^\s|&;<>]+)")
_COPIED = re.compile(r"^[ \t]*(?:COPY|ADD)\b.*[ \t](?P<target>[^\s<]+)[ \t]*$", re.IGNORECASE)
_KEY = re.compile(
    r"^(?P<indent>[ \t]*(?:-[ \t]+)?)[\"']?(?P<key>[\w./-]+)[\"']?[ \t]*:[ \t]*\|[-+0-9]*[ \t]*(?:\#.*)?$"
)
_EXPANDED = re.compile(r"\$(?:\{[^}]*\}|\([^)]*\)|[A-Za-z_]\w*)")
_ESCAPED = re.compile(r"\\([\\$`])")


@dataclass(frozen=True)
class _Found:
    """A configuration in lines `first` to `last` (counted from 0, `last` behind the end)."""

    target: str
    first: int
    last: int
    expands: bool = False


def of_heredocs(text: str) -> tuple[Inline, ...]:
    """The configurations that a script or a Dockerfile writes with here-documents."""
    lines = _lines(text) if "<<" in text else []
    return tuple(_read(lines, found) for found in _first(_heredocs(lines)))


def lower(data: bytes, path: str) -> Manifest:
    """The configurations in the block texts of a YAML file: a ConfigMap, Helm's values or templates."""
    lines = _lines(decode(data))
    return Manifest(tuple(_read(lines, found) for found in _first(_block_texts(lines))))


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _first(found: Iterator[_Found]) -> Iterator[_Found]:
    for _, item in zip(range(MOST), found, strict=False):
        yield item


def _is_nginx(lines: list[str]) -> bool:
    body = "\n".join(lines)
    return _BLOCK.search(body) is not None and _DIRECTIVE.search(body) is not None


def _heredocs(lines: list[str]) -> Iterator[_Found]:
    where: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        where.setdefault(line.lstrip("\t"), []).append(at)
    index = looked_into = 0
    while index < len(lines) and looked_into < MOST_BODIES:
        line = lines[index]
        opener = _OPENER.search(line)
        index += 1
        if opener is None or line.lstrip().startswith("#") or not _WRITES.search(line):
            continue
        first = index
        while first < len(lines) and lines[first - 1].endswith("\\"):
            first += 1
        ends = where.get(opener["end"], [])
        later = (at for at in ends[bisect_left(ends, first) :] if opener["tabs"] or lines[at] == opener["end"])
        last = next(later, None)
        if last is None or last - first > LONGEST:
            continue
        looked_into += 1
        if _is_nginx(lines[first:last]):
            yield _Found(_target(line), first, last, expands=not opener["quote"])
            index = last + 1


def _target(line: str) -> str:
    """Where the text lands, "" where a variable hides it."""
    match = _TEE.search(line) or _INTO.search(_OPENER.sub("", line)) or _COPIED.search(line)
    target = match["target"].strip("\"'") if match is not None else ""
    return "" if "$" in target or target == "/dev/null" else target


def _block_texts(lines: list[str]) -> Iterator[_Found]:
    index = 0
    while index < len(lines):
        key = _KEY.match(lines[index])
        index += 1
        if key is None:
            continue
        first, depth = index, len(key["indent"])
        while index < len(lines) and (
            not lines[index].strip() or _depth(lines[index]) > depth or _is_tag(lines[index])
        ):
            index += 1
        if _is_nginx(lines[first:index]):
            yield _Found(key["key"], first, index)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_tag(line: str) -> bool:
    """Whether a line is Helm's own, which may stand at the margin."""
    return line.startswith("{{") and line.rstrip().endswith("}}")


def _read(lines: list[str], found: _Found) -> Inline:
    text = "\n" * found.first + "\n".join(lines[found.first : found.last]) + "\n"
    try:
        file = nginx.lower(text.encode("utf-8", "replace"), found.target)
    except UnreadableError:
        return Inline(found.target, found.first + 1, Nginx(()))
    if found.expands:
        file = Nginx(tuple(_of_shell(directive) for directive in file.directives), file.notes)
    return Inline(found.target, found.first + 1, file)


def _of_shell(directive: Directive) -> Directive:
    """A directive of a text in which the shell replaces variables: what it replaces is a hole, `\\$` a dollar."""
    block = None if directive.block is None else tuple(_of_shell(inner) for inner in directive.block)
    args = tuple(_word_of_shell(word) for word in directive.args)
    return Directive(directive.name, directive.region, args, block, directive.hole, directive.maybe)


def _word_of_shell(word: Word) -> Word:
    if "$" not in word.text and "\\" not in word.text:
        return word
    kept = _ESCAPED.sub("", word.text)
    replaced = _EXPANDED.search(kept)
    hole = replaced[0] if replaced is not None else ""
    return Word(_ESCAPED.sub(r"\1", word.text), word.region, hole, word.quoted)
