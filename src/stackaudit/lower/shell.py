"""Shell scripts and shell command lines -> steps."""

from __future__ import annotations

import re

from stackaudit.facts.commands import Command, Condition, Script, Step, Word
from stackaudit.facts.files import Note, UnreadableError
from stackaudit.lower import inline
from stackaudit.lower.located import Located, aligned, decode, line_starts
from stackaudit.lower.masks import Mask, masked
from stackaudit.lower.shellgrammar import ASSIGNS, Draft, Parser, assignment
from stackaudit.model.source import Region

SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "busybox"})
DECLARES = frozenset({"export", "declare", "typeset", "readonly", "local"})


def lower(data: bytes, path: str) -> Script:
    """The steps of a shell script. Raises UnreadableError for what is no text or nests without end."""
    text = decode(data)
    first = text.partition("\n")[0].strip()
    interpreter = first[2:].strip() if first.startswith("#!") else ""
    program = interpreter.split()[-1] if interpreter else ""
    if "python" in program:
        raise UnreadableError("a Python program, not a shell script", 1)
    mask = masked(text)
    notes = (Note("a template of a script: its {% ... %} are left out"),) if mask.spans else ()
    steps = parse(Located(mask.text, line_starts(text)), mask)
    return Script(steps, interpreter, notes, inline.of_heredocs(text))


def command(source: Located, mask: Mask | None = None) -> Command:
    """A command line that a shell reads."""
    return Command(parse(source, mask), True, source.region(0, len(source.text.rstrip())))


def vector(words: tuple[Word, ...], source: Located) -> Command:
    """A command line that is an argument vector; the text given to `sh -c` is read too."""
    region = source.region(0, len(source.text.rstrip()))
    if words:
        region = between(words[0], words[-1])
    return Command((with_inner(Step(words, region), source),) if words else (), False, region)


def between(first: Word, last: Word) -> Region:
    """From the start of one word to the end of another."""
    return Region(first.region.line, first.region.column, last.region.end_line, last.region.end_column)


def parse(source: Located, mask: Mask | None = None) -> tuple[Step, ...]:
    """The steps of a shell text."""
    parser = Parser(source)
    parser.run()
    steps = []
    for draft in parser.drafts:
        step = finished(draft, source)
        if mask is not None:
            guards = tuple(Condition(text) for text in mask.guards(source.at(draft.start)))
            step = _guarded(step, guards + step.conditions) if guards else step
        steps.append(with_inner(step, source))
    return tuple(steps)


def _guarded(step: Step, conditions: tuple[Condition, ...]) -> Step:
    return Step(
        step.words, step.region, step.assigns, conditions, step.replaces, step.background, step.piped, step.function
    )


def finished(draft: Draft, source: Located) -> Step:
    """The step of a draft: `exec` and `export` become marks."""
    words, assigns, replaces = draft.words, draft.assigns, False
    if words and words[0].text in DECLARES and not words[0].holes:
        kept = [word for word in words[1:] if not word.text.startswith("-")]
        assigns = [*assigns, *(assignment(word) for word in kept if ASSIGNS.match(word.text))]
        words = []
    elif words and words[0].text == "exec":
        words, replaces = words[1:], True
        while len(words) > 1 and words[0].text in ("-a", "-c", "-l", "--"):
            words = words[2:] if words[0].text == "-a" else words[1:]
    return Step(
        tuple(words),
        source.region(draft.start, draft.end),
        tuple(assigns),
        draft.conditions,
        replaces and bool(words),
        draft.background,
        draft.piped,
        draft.function,
    )


def with_inner(step: Step, source: Located, depth: int = 0) -> Step:
    """The step with the steps of the text that it hands to `sh -c`."""
    for index, word in enumerate(step.words[:-2]):
        if word.text.rpartition("/")[2] not in SHELLS:
            continue
        flag = index + 1
        while flag < len(step.words) - 1 and step.words[flag].text in ("-e", "-x", "-u", "-o", "pipefail", "-l", "-i"):
            flag += 1
        text = step.words[flag].text
        if not re.fullmatch(r"-[a-z]*c", text) or flag + 1 >= len(step.words):
            return step
        inner = quoted_text(step.words[flag + 1], source)
        if inner is None:
            return step
        parsed = parse(inner) if depth == 0 else ()
        return Step(
            step.words, step.region, step.assigns, step.conditions, step.replaces, step.background, step.piped,
            step.function, parsed,
        )  # fmt: skip
    return step


def quoted_text(word: Word, source: Located) -> Located | None:
    """The text inside a word, each character with the offset it came from as far as that can be told."""
    starts = source.starts
    region = word.region
    if region.line > len(starts) or region.end_line > len(starts):
        return None
    start = starts[region.line - 1] + region.column - 1
    end = starts[region.end_line - 1] + region.end_column - 1
    if source.offsets is None and start >= source.base:
        found = aligned(word.text, source.text, starts, start - source.base, end - source.base)
        return Located(word.text, starts, start, [offset + source.base for offset in found.offsets or ()])
    inside = range(start, max(start + 1, end))
    offsets = []
    room = len(inside) - len(word.text)
    skip = 1 if room >= 2 else 0
    for index in range(len(word.text)):
        offsets.append(inside[min(index + skip, len(inside) - 1)])
    return Located(word.text, starts, start, offsets)
