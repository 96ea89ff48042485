"""Dockerfiles -> stages (https://docs.docker.com/reference/dockerfile/)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from stackaudit.facts.commands import Command, Step, Text, Variable, Word
from stackaudit.facts.files import Note
from stackaudit.facts.services import Copy, Dockerfile, Stage
from stackaudit.lower import inline, shell
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import Mask, masked
from stackaudit.lower.shellgrammar import assignment
from stackaudit.lower.shellwords import words

_INSTRUCTION = re.compile(r"[ \t]*([A-Za-z]+)(?=[ \t\r\n\\`]|\Z)[ \t]*")
_HEREDOC = re.compile(r"<<-?[\"']?(\w+)[\"']?")
_ESCAPE = re.compile(r"\A(?:#[^\n]*\n)*?#[ \t]*escape[ \t]*=[ \t]*([`\\])", re.IGNORECASE)
_FLAG = re.compile(r"--([\w-]+)(?:=(\S*))?[ \t]*")


@dataclass
class Draft:
    """A stage in the making."""

    name: str
    image: Word
    args: list[Variable]
    env: list[Variable] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    ports: list[Word] = field(default_factory=list)
    workdir: Text | None = None
    user: Text | None = None
    cmd: Command | None = None
    entrypoint: Command | None = None
    healthcheck: Command | None = None
    stop_signal: Word | None = None
    runs: list[Command] = field(default_factory=list)


def lower(data: bytes, path: str) -> Dockerfile:
    """The stages of a Dockerfile. Raises UnreadableError for what is no text."""
    text = decode(data)
    mask = masked(text)
    escape = _ESCAPE.match(text)
    notes: list[Note] = []
    drafts: list[Draft] = []
    outer: list[Variable] = []
    source = Located(mask.text, line_starts(text))
    for name, body in instructions(source, escape.group(1) if escape else "\\"):
        if name == "FROM":
            stage = begun(body, outer)
            if stage is None:
                notes.append(Note("FROM without an image", body.region(0, 0).line))
            else:
                drafts.append(stage)
        elif not drafts:
            if name == "ARG":
                outer.extend(assignments(body))
        else:
            instruction(drafts[-1], name, body, mask)
    if not drafts:
        notes.append(Note("no FROM"))
    return Dockerfile(tuple(stage_of(draft) for draft in drafts), tuple(notes), inline.of_heredocs(text))


def stage_of(draft: Draft) -> Stage:
    """The finished stage."""
    return Stage(
        draft.name,
        draft.image,
        tuple(draft.env),
        tuple(draft.args),
        tuple(draft.copies),
        draft.workdir,
        draft.user,
        tuple(draft.ports),
        draft.cmd,
        draft.entrypoint,
        draft.healthcheck,
        draft.stop_signal,
        tuple(draft.runs),
    )


def instructions(source: Located, escape: str) -> Iterator[tuple[str, Located]]:
    """Every instruction's name and its arguments: comments in between and here-documents are left out.

    Continued lines stay apart by a backslash and a line break, as a shell reads them.
    """
    text = source.text
    lines = text.split("\n")
    index, offset = 0, 0
    while index < len(lines):
        line, start = lines[index], offset
        index, offset = index + 1, offset + len(line) + 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        pieces = [line]
        while ends_open(pieces[-1], escape) and index < len(lines):
            tail = pieces[-1].rstrip()
            pieces[-1] = tail[:-1] + "\\" + " " * (len(pieces[-1]) - len(tail))
            if pieces[-1].endswith(" "):  # blanks after the backslash: to a shell it would escape a blank
                kept = pieces[-1].rstrip()
                pieces[-1] = kept[:-1] + " " * (len(pieces[-1]) - len(kept)) + "\\"
            while index < len(lines) and (not lines[index].strip() or lines[index].lstrip().startswith("#")):
                length = len(lines[index])
                pieces.append(" " * (length - 1) + "\\" if length else "")
                index, offset = index + 1, offset + length + 1
            if index < len(lines):
                pieces.append(lines[index])
                index, offset = index + 1, offset + len(lines[index]) + 1
        whole = "\n".join(pieces)
        match = _INSTRUCTION.match(whole)
        if match is None:
            continue
        name = match.group(1).upper()
        if name in ("RUN", "COPY", "ADD"):
            for delimiter in _HEREDOC.findall(whole):
                while index < len(lines):
                    line = lines[index]
                    index, offset = index + 1, offset + len(line) + 1
                    if line.strip() == delimiter:
                        break
        body = whole[match.end() :].rstrip()
        begin = start + match.end()
        yield name, source.part(begin, begin + len(body), body)


def ends_open(line: str, escape: str) -> bool:
    """Whether the instruction goes on in the next line."""
    return line.rstrip().endswith(escape)


def begun(body: Located, outer: list[Variable]) -> Draft | None:
    """`FROM [--platform=x] image [AS name]`."""
    found = [word for word in words(body, "shell") if not word.text.startswith("--")]
    if not found:
        return None
    name = found[2].text if len(found) > 2 and found[1].text.lower() == "as" else ""
    return Draft(name, found[0], list(outer))


def instruction(stage: Draft, name: str, body: Located, mask: Mask) -> None:
    """Notes one instruction in its stage."""
    match name:
        case "ENV":
            stage.env.extend(assignments(body))
        case "ARG":
            stage.args.extend(assignments(body))
        case "WORKDIR":
            stage.workdir = joined(stage.workdir, single(body))
        case "USER":
            stage.user = single(body)
        case "EXPOSE":
            stage.ports.extend(words(body, "shell"))
        case "STOPSIGNAL":
            stage.stop_signal = next(iter(words(body, "shell")), None)
        case "COPY" | "ADD":
            copied(stage, body)
        case "CMD":
            stage.cmd = command(body, mask)
        case "ENTRYPOINT":
            stage.entrypoint = command(body, mask)
            stage.cmd = None if stage.cmd is None else stage.cmd
        case "RUN":
            start = after_flags(body.text)
            stage.runs.append(command(body.part(start, len(body.text)), mask))
        case "HEALTHCHECK":
            start = after_flags(body.text)
            rest = body.part(start, len(body.text))
            if rest.text[:3].upper() == "CMD":
                stage.healthcheck = command(rest.part(3, len(rest.text)), mask)


def single(body: Located) -> Text:
    """The arguments as one text."""
    found = words(body, "shell")
    return Text(found[0].text, found[0].holes) if found else Text("", ())


def joined(before: Text | None, after: Text) -> Text:
    """A WORKDIR after another: a relative one goes on from the first."""
    if before is None or after.text.startswith("/") or (after.holes and after.holes[0].start == 0):
        return after
    shift = len(before.text.rstrip("/")) + 1
    holes = tuple(
        type(hole)(hole.start + shift, hole.end + shift, hole.name, hole.default, hole.splits, hole.alternative)
        for hole in after.holes
    )
    return Text(before.text.rstrip("/") + "/" + after.text, before.holes + holes)


def assignments(body: Located) -> list[Variable]:
    """`NAME=value ...`, `NAME value` (an old form of ENV) or `NAME` (an ARG without a default)."""
    found = words(body, "shell")
    if found and "=" not in found[0].text and len(found) > 1:
        rest = body.text[body.text.index(found[0].text) + len(found[0].text) :].strip() if not found[0].holes else ""
        if "=" not in found[1].text or len(found) == 2:
            value = Text(rest, ()) if not any(word.holes for word in found[1:]) else Text(found[1].text, found[1].holes)
            return [Variable(found[0].text, value, found[0].region)]
    variables = []
    for word in found:
        name, sign, _ = word.text.partition("=")
        if name:
            variables.append(assignment(word) if sign else Variable(name, None, word.region))
    return variables


def after_flags(text: str) -> int:
    """The offset after `--flag=value` words at the start."""
    index = 0
    while (match := _FLAG.match(text, index)) is not None:
        index = match.end()
        while text[index : index + 1] in ("\\", "\n", " ", "\t"):
            index += 1
    return index


def copied(stage: Draft, body: Located) -> None:
    """`COPY [--from=stage] source... target`, also in JSON form."""
    start = after_flags(body.text)
    flags = dict(_FLAG.findall(body.text[:start]))
    rest = body.part(start, len(body.text))
    found = vector_words(rest) or words(rest, "shell")
    found = tuple(word for word in found if not _HEREDOC.match(word.text))
    if len(found) < 2:
        return
    *sources, target = (Text(word.text, word.holes) for word in found)
    region = body.region(0, len(body.text))
    workdir = stage.workdir.text if stage.workdir is not None and not stage.workdir.holes else ""
    stage.copies.append(Copy(tuple(sources), target, flags.get("from", ""), workdir, region))


def vector_words(body: Located) -> tuple[Word, ...] | None:
    """The words of a JSON array of strings; None where the text is something else, as docker sees it too."""
    text = body.text.replace("\\\n", " \n").strip()
    if not text.startswith("["):
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return None
    found = []
    index = body.text.index("[") + 1
    decoder = json.JSONDecoder()
    for value in values:
        start = body.text.index('"', index)
        _, end = decoder.raw_decode(body.text, start)
        found.append(Word(value, (), body.region(start, end)))
        index = end
    return tuple(found)


def command(body: Located, mask: Mask) -> Command:
    """CMD or ENTRYPOINT: the JSON form is an argument vector in which no variable is replaced, all else a shell's."""
    found = vector_words(body)
    if found is None:
        return shell.command(body, mask)
    region = body.region(0, len(body.text))
    if not found:
        return Command((), False, region)
    step = shell.with_inner(Step(found, region), Located(body.text, body.starts, body.base, body.offsets))
    return Command((step,), False, region)
