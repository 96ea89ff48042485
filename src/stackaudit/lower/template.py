"""Templates: Django's own lexer, and a tree built from its tokens; Jinja2's files go to `template_jinja`.

The tags are read without their libraries: a tag that nobody knows has a body exactly where the file closes it with its
name behind `end`. What Django would refuse becomes a note, and the rest is read all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.template.base import DebugLexer, TokenType, filter_re
from django.utils.text import smart_split_re

from stackaudit.facts import template as t
from stackaudit.facts.files import Note, UnreadableError
from stackaudit.lower import template_components as cotton
from stackaudit.lower.template_text import LONGEST_TAG, Lines, decode, without_open_ends
from stackaudit.model.source import Region

DEEPEST = 100

_JINJA_ONLY = re.compile(
    r"{%[-+]|[-+]%}|{{[-+]|[-+]}}|{%\s*(?:set|macro|call|import|from)\s"
    r"|{{[^}\"'|\n]{0,200}?[A-Za-z0-9]\(|{%\s*(?:el)?if\s[^%\"'\n]{0,200}?[A-Za-z0-9]\("
)
_STRING = re.compile(r"""_?\(?(?P<quote>["'])(?P<text>.*)(?P=quote)\)?$""", re.DOTALL)
_NUMBER = re.compile(r"[-+]?\.?\d[\d.e]*$")
_KEYWORD = re.compile(r"(\w+)=(?=.)", re.DOTALL)
_CONSTANTS: dict[str, bool | None] = {"True": True, "False": False, "None": None}
_COMPARISONS = ("==", "!=", "<", ">", "<=", ">=", "in", "not in", "is", "is not")


def lower(data: bytes, path: str) -> t.Template:
    """The tree of the template `data`; `path` tells by its folder and ending whether it is one of Jinja2's."""
    text, notes = decode(data)
    jinja_by_name = path.endswith((".jinja", ".jinja2", ".j2")) or "jinja2" in path.split("/")[:-1]
    if jinja_by_name or _JINJA_ONLY.search(text):
        from stackaudit.lower import template_jinja

        try:
            found = template_jinja.read(text)
        except UnreadableError:
            if jinja_by_name:
                raise
        else:
            return t.Template("jinja2", found, (), notes)
    reader = _Reader(text)
    nodes = reader.read()
    return t.Template("django", nodes, tuple(dict.fromkeys(reader.libraries)), notes + tuple(reader.notes))


@dataclass
class _Word:
    """A piece of a tag, with where it starts in the file."""

    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@dataclass
class _Frame:
    """An open tag: the nodes of its current part, and the parts that are complete."""

    name: str
    words: list[_Word]
    region: Region
    nodes: list[t.Node] = field(default_factory=list)
    parts: list[tuple[str, list[_Word], list[t.Node]]] = field(default_factory=list)
    middle: str = ""
    middle_words: list[_Word] = field(default_factory=list)

    def turn(self, middle: str, words: list[_Word]) -> None:
        """Begin the next part, as `{% else %}` does."""
        self.parts.append((self.middle, self.middle_words, self.nodes))
        self.middle, self.middle_words, self.nodes = middle, words, []

    def closed(self) -> list[tuple[str, list[_Word], list[t.Node]]]:
        return [*self.parts, (self.middle, self.middle_words, self.nodes)]


_BLOCKS = {
    "if": {"elif", "else"},
    "ifequal": {"else"},
    "ifnotequal": {"else"},
    "ifchanged": {"else"},
    "for": {"empty"},
    "with": set(),
    "block": set(),
    "cache": set(),
    "autoescape": set(),
    "filter": set(),
    "spaceless": set(),
    "language": set(),
    "localize": set(),
    "localtime": set(),
    "timezone": set(),
    "partialdef": set(),
    "blocktranslate": {"plural"},
    "blocktrans": {"plural"},
}


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = Lines(text)
        self.notes: list[Note] = []
        self.libraries: list[str] = []
        self.stack = [_Frame("", [], Region(1, 1, 1, 1))]

    def read(self) -> tuple[t.Node, ...]:
        skip = ""
        lexer: Any = DebugLexer
        tokens = lexer(without_open_ends(self.text)).tokenize()
        components = list(cotton.components(self.text, tokens))[::-1]
        for token in tokens:
            start, end = token.position
            while components and components[-1].start < end:
                found = components.pop()
                self.component(found.name, found.attributes, self.lines.region(found.start, found.end))
            if token.token_type is TokenType.BLOCK:
                words = self.split(start + 2, end - 2)
                name = words[0].text if words else ""
                if skip:
                    skip = "" if name == skip else skip
                elif name == "comment":
                    skip = "endcomment"
                elif end - start > LONGEST_TAG:
                    self.note("a tag is too long to be read", start)
                elif words:
                    self.tag(words, self.lines.region(start, end))
                else:
                    self.note("a tag is empty", start)
            elif token.token_type is TokenType.VAR and not skip:
                if end - start > LONGEST_TAG:
                    self.note("a variable is too long to be read", start)
                    continue
                inner = self.text[start + 2 : end - 2]
                at = start + 2 + len(inner) - len(inner.lstrip())
                if inner.strip():
                    self.add(t.Output(self.lines.region(start, end), self.value(_Word(inner.strip(), at))))
        if skip:
            self.note("{% comment %} is never closed", len(self.text))
        while len(self.stack) > 1:
            frame = self.stack[-1]
            self.notes.append(Note(f"{{% {frame.name} %}} is never closed", frame.region.line))
            self.close()
        return tuple(self.stack[0].nodes)

    def note(self, text: str, offset: int) -> None:
        self.notes.append(Note(text, self.lines.line(offset)))

    def add(self, node: t.Node) -> None:
        self.stack[-1].nodes.append(node)

    def split(self, start: int, end: int) -> list[_Word]:
        """The words of a tag as `Token.split_contents` cuts them, with their offsets."""
        if end - start > LONGEST_TAG:
            return [_Word(match.group(), start + match.start()) for match in re.finditer(r"\S+", self.text[start:end])][
                :1
            ]
        words: list[_Word] = []
        sentinel = ""
        for match in smart_split_re.finditer(self.text[start:end]):
            word = _Word(match.group(0), start + match.start())
            if sentinel:  # a translated string with blanks is one word
                words[-1] = _Word(self.text[words[-1].start : word.end], words[-1].start)
                if word.text.endswith(sentinel):
                    sentinel = ""
                continue
            words.append(word)
            if word.text.startswith(('_("', "_('")):
                sentinel = word.text[2] + ")"
                if word.text.endswith(sentinel) and len(word.text) > 4:
                    sentinel = ""
        return words

    # Tags

    def tag(self, words: list[_Word], region: Region) -> None:
        name, rest = words[0].text, words[1:]
        top = self.stack[-1]
        if name in ("endcotton", "endcotton:slot"):
            return
        if name.startswith("end"):
            self.end(name[3:], region)
        elif name in _BLOCKS:
            if len(self.stack) > DEEPEST:
                raise UnreadableError(f"tags are nested more than {DEEPEST} deep", region.line)
            self.stack.append(_Frame(name, rest, region))
        elif name in _BLOCKS.get(top.name, ()):
            top.turn(name, rest)
        elif name in ("else", "elif", "empty", "plural"):
            self.notes.append(Note(f"{{% {name} %}} stands where nothing takes it", region.line))
        elif name == "load":
            self.load([word.text for word in rest])
        elif name == "include" and rest:
            self.include(rest, region)
        elif name == "cotton" and rest:
            self.component(rest[0].text, cotton.of_words((word.text, word.start) for word in rest[1:]), region)
        elif name == "cotton:vars":
            self.component("vars", cotton.of_words((word.text, word.start) for word in rest), region)
        elif name == "extends" and rest:
            self.add(t.Extends(region, self.value(rest[0])))
        elif name == "regroup" and len(rest) == 5 and rest[1].text == "by":
            by = self.value(rest[2])
            if isinstance(by, t.Filtered) and isinstance(by.value, t.Path):
                by = by.value
            if isinstance(by, t.Path):
                self.add(t.Regroup(region, self.value(rest[0]), by, rest[4].text))
        else:
            self.add(self.other(name, rest, region))

    def end(self, name: str, region: Region) -> None:
        """Close the innermost open `name`; or give the last leaf of that name what follows it as its body."""
        top = self.stack[-1]
        for index in range(len(top.nodes) - 1, -1, -1):
            node = top.nodes[index]
            if isinstance(node, t.Tag) and node.name == name and not node.body:
                body = tuple(top.nodes[index + 1 :])
                del top.nodes[index:]
                top.nodes.append(t.Tag(node.region, node.name, node.args, node.keywords, node.target, body, node.words))
                return
        if any(frame.name == name for frame in self.stack[1:]):
            while self.stack[-1].name != name:
                frame = self.stack[-1]
                self.notes.append(Note(f"{{% {frame.name} %}} is never closed", frame.region.line))
                self.close()
            self.close()
        elif name:
            self.notes.append(Note(f"{{% end{name} %}} closes nothing", region.line))

    def close(self) -> None:
        frame = self.stack.pop()
        self.add(self.built(frame))

    def built(self, frame: _Frame) -> t.Node:
        parts, words, region = frame.closed(), frame.words, frame.region
        bodies = [tuple(nodes) for _, _, nodes in parts]
        if frame.name == "if":
            tests = [words, *(part[1] for part in parts[1:])]
            return t.If(
                region,
                tuple(
                    t.Branch(region, None if middle == "else" else self.test(test, region), tuple(nodes))
                    for (middle, _, nodes), test in zip(parts, tests, strict=True)
                ),
            )
        if frame.name in ("ifequal", "ifnotequal", "ifchanged"):
            op = {"ifequal": "==", "ifnotequal": "!=", "ifchanged": "ifchanged"}[frame.name]
            test: t.Expr = t.Operation(region, op, tuple(self.value(word) for word in words))
            branches = [t.Branch(region, test, bodies[0]), *(t.Branch(region, None, body) for body in bodies[1:])]
            return t.If(region, tuple(branches))
        if frame.name == "for":
            return self.loop(words, region, bodies)
        body = tuple(node for nodes in bodies for node in nodes)
        if frame.name == "with":
            return t.With(region, tuple(self.bindings(words)), body)
        if frame.name == "block":
            return t.Block(region, words[0].text if words else "", body)
        if frame.name == "cache":
            return t.Cache(region, tuple(self.value(word) for word in words[:1] + words[2:]), body)
        if frame.name in ("blocktranslate", "blocktrans"):
            return t.With(region, tuple(self.bindings(words)), body)
        node = self.other(frame.name, words, region)
        return t.Tag(region, node.name, node.args, node.keywords, node.target, body, node.words)

    def loop(self, words: list[_Word], region: Region, bodies: list[tuple[t.Node, ...]]) -> t.Node:
        texts = [word.text for word in words]
        if "in" not in texts or texts.index("in") + 1 >= len(texts):
            self.notes.append(Note("{% for %} has no 'in'", region.line))
            return t.With(region, (), bodies[0])
        middle = texts.index("in")
        targets = tuple(filter(None, re.split(r"[ ,]+", " ".join(texts[:middle]))))
        is_reversed = texts[-1] == "reversed" and middle + 2 < len(texts)
        source = words[middle + 1]
        last = words[-2] if is_reversed else words[-1]
        source = _Word(self.text[source.start : last.end], source.start)
        return t.For(region, targets, self.value(source), bodies[0], (bodies[1:] or [()])[0], is_reversed)

    def load(self, names: list[str]) -> None:
        self.libraries += names[names.index("from") + 1 :] if "from" in names else names

    def include(self, words: list[_Word], region: Region) -> None:
        rest = words[1:]
        only = any(word.text == "only" for word in rest)
        rest = [word for word in rest if word.text not in ("with", "only")]
        self.add(t.Include(region, self.value(words[0]), tuple(self.bindings(rest)), only))

    def component(self, name: str, attributes: Sequence[cotton.Attribute], region: Region) -> None:
        found = []
        for item in attributes:
            at = self.lines.region(item.start, item.start + len(item.text or ""))
            value: t.Expr = t.Literal(at, item.text or True)
            if item.is_rendered:
                value = t.Unread(at, "")
            elif item.text and item.is_expression:
                value = self.value(_Word(item.text, item.start))
            if item.variable.isidentifier():
                known = not isinstance(value, t.Filtered)  # the package looks up a variable, and knows no filters
                found.append(t.Binding(at, item.variable, value if known else t.Unread(at, "")))
        only = any(item.name == "only" and item.text is None for item in attributes)
        self.add(t.Component(region, name, tuple(found), only))

    def bindings(self, words: list[_Word]) -> list[t.Binding]:
        """`name=value` and the older `value as name`; other words are skipped."""
        found = []
        index = 0
        while index < len(words):
            word = words[index]
            if match := _KEYWORD.match(word.text):
                value = _Word(word.text[match.end() :], word.start + match.end())
                found.append(t.Binding(self.lines.region(word.start, word.end), match[1], self.value(value)))
            elif index + 2 < len(words) and words[index + 1].text == "as":
                region = self.lines.region(word.start, words[index + 2].end)
                found.append(t.Binding(region, words[index + 2].text, self.value(word)))
                index += 2
            index += 1
        return found

    def other(self, name: str, words: list[_Word], region: Region) -> t.Tag:
        texts = tuple(word.text for word in words)
        target = ""
        if name == "cycle" and len(texts) > 3 and texts[-1] == "silent":
            words = words[:-1]
        if len(words) > 1 and words[-2].text in ("as", "asvar"):
            target, words = words[-1].text, words[:-2]
        args, keywords = [], []
        for word in words:
            if match := _KEYWORD.match(word.text):
                value = self.value(_Word(word.text[match.end() :], word.start + match.end()))
                keywords.append(t.Binding(self.lines.region(word.start, word.end), match[1], value))
            else:
                args.append(self.value(word))
        return t.Tag(region, name, tuple(args), tuple(keywords), target, (), texts)

    # Expressions

    def test(self, words: list[_Word], region: Region) -> t.Expr:
        """The condition of `{% if %}`: `or` binds weakest, then `and`, `not`, and comparisons."""
        if not words:
            return t.Unread(region, "")
        span = self.lines.region(words[0].start, words[-1].end)
        for op in ("or", "and"):
            groups: list[list[_Word]] = [[]]
            for word in words:
                if word.text == op:
                    groups.append([])
                else:
                    groups[-1].append(word)
            if len(groups) > 1:
                return t.Operation(span, op, tuple(self.test(group, span) for group in groups if group))
        negations = next((index for index, word in enumerate(words) if word.text != "not"), len(words))
        if negations:
            value = self.test(words[negations:], span)
            return t.Operation(span, "not", (value,)) if negations % 2 else value
        operands, ops = [], []
        for word in words:
            if word.text in _COMPARISONS or word.text in ("not", "="):
                ops.append(word.text)
            else:
                operands.append(self.value(word))
        if not ops and len(operands) == 1:
            return operands[0]
        return t.Operation(span, " ".join(ops), tuple(operands))

    def value(self, word: _Word) -> t.Expr:
        """A `FilterExpression`: a variable or constant with its filters."""
        base: t.Expr | None = None
        filters: list[t.Filter] = []
        upto = 0
        for match in filter_re.finditer(word.text):
            if match.start() != upto:
                break
            upto = match.end()
            if base is None:
                base = self.atom(_Word(match["constant"] or match["var"] or "", word.start))
                continue
            group = "constant_arg" if match["constant_arg"] else "var_arg"
            args = (self.atom(_Word(match[group], word.start + match.start(group))),) if match[group] else ()
            at = word.start + match.start("filter_name")
            filters.append(t.Filter(self.lines.region(at, word.start + upto), match["filter_name"], args))
        region = self.lines.region(word.start, word.end)
        if base is None or upto != len(word.text):
            if word.text not in _COMPARISONS:
                return t.Unread(region, word.text[:80])
            return t.Unread(region, word.text)
        return t.Filtered(region, base, tuple(filters)) if filters else base

    def atom(self, word: _Word) -> t.Expr:
        region = self.lines.region(word.start, word.end)
        if match := _STRING.match(word.text):
            return t.Literal(region, match["text"].replace("\\" + match["quote"], match["quote"]).replace("\\\\", "\\"))
        if word.text in _CONSTANTS:
            return t.Literal(region, _CONSTANTS[word.text])
        if _NUMBER.match(word.text):
            try:
                return t.Literal(region, float(word.text) if {".", "e"} & set(word.text) else int(word.text))
            except ValueError:
                return t.Unread(region, word.text[:80])
        name, *parts = word.text.split(".")
        if not name or not all(parts):
            return t.Unread(region, word.text[:80])
        return t.Path(region, name, tuple(parts))
