"""Templates that stand in Python: the code of a TemplateColumn, walked with one row.

Files of templates are read by `lower`; a string of a column is small, and only what it reads of its variables matters:
outputs, loops, conditions, `with`, includes and the arguments of other tags.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from stackaudit.link.declared.lists import Lists
from stackaudit.link.pages import walk as q
from stackaudit.link.queries.values import UNKNOWN, Mapping, Row, Value
from stackaudit.model.source import Place

_TOKEN = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}|\{#.*?#\}", re.DOTALL)
_WORD = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s\"']+")
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_KEYWORDS = frozenset({"and", "or", "not", "in", "is", "as", "with", "only", "True", "False", "None", "by"})
_INLINE = ("else", "elif", "empty")
_BLOCKS = frozenset({"for", "if", "with", "spaceless", "autoescape", "filter", "ifchanged", "block", "ifequal"})


class Inline:
    """One template string. `names` are the variables in force, the innermost last."""

    def __init__(self, lists: Lists, code: str, context: dict[str, Value], place: Place) -> None:
        self.lists = lists
        self.place = place
        self.names = dict(context)
        self.tokens = [
            ("output", found[1].strip()) if found[1] is not None else ("tag", found[2].strip())
            for found in _TOKEN.finditer(code)
            if found[1] is not None or found[2] is not None
        ]
        self.at = 0

    def walk(self) -> None:
        """Render it."""
        self.lists.places.setdefault(self.place, "template")
        while self.at < len(self.tokens):
            self._body()
            self.at += 1  # an end without a beginning

    def _body(self) -> str:
        """Everything up to the tag that ends the block; its text."""
        while self.at < len(self.tokens):
            kind, text = self.tokens[self.at]
            word = text.partition(" ")[0]
            if kind == "tag" and (word.startswith("end") or word in _INLINE):
                return text
            self.at += 1
            if kind == "output":
                self._shown(self._value(text))
            else:
                self._tag(word, text)
        return ""

    def _tag(self, word: str, text: str) -> None:
        words = [str(part) for part in _WORD.findall(text)][1:]
        if word == "for" and "in" in words:
            self._for(words)
        elif word == "with":
            with self._named({name: self._value(path) for name, path in _bindings(words)}):
                self._rest(word)
        elif word == "include" and words and words[0][0] in "\"'":
            context = {**self.names, **{name: self._value(path) for name, path in _bindings(words[1:])}}
            self.lists.hooks.render((words[0][1:-1],), Mapping(UNKNOWN, tuple(context.items())), self.place)
        else:
            for part in words:
                if part not in _KEYWORDS:
                    self._value(part.partition("=")[2] or part)
            if word in _BLOCKS:
                with q.guarded(self.lists.walk):
                    self._rest(word)

    def _for(self, words: list[str]) -> None:
        split = words.index("in")
        targets = [name.strip(",") for name in " ".join(words[:split]).replace(",", " ").split()]
        source = self._value(words[split + 1] if split + 1 < len(words) else "")
        text = f"{{% for {', '.join(targets)} in … %}}"
        with (
            q.each(self.lists.walk, source, self.place, text) as element,
            self._named({name: element if len(targets) == 1 else UNKNOWN for name in targets}),
        ):
            self._rest("for")

    def _rest(self, word: str) -> None:
        """The body of a block, up to its own end."""
        while self.at < len(self.tokens):
            ended = self._body()
            self.at += 1
            if ended.startswith("end") or not ended:
                return
            if ended.startswith("elif"):
                self._tag("", ended)

    @contextmanager
    def _named(self, names: dict[str, Value]) -> Iterator[None]:
        before, self.names = self.names, {**self.names, **names}
        try:
            yield
        finally:
            self.names = before

    def _value(self, text: str) -> Value:
        """What an expression leads to; its filters are asked nothing."""
        found = _PATH.match(text.strip())
        if found is None:
            return UNKNOWN
        name, *parts = found[0].split(".")
        value = self.names.get(name, UNKNOWN)
        return self.lists.path(value, tuple(parts), self.place)

    def _shown(self, value: Value) -> None:
        if isinstance(value, Row):
            self.lists.text(value, self.place)


def _bindings(words: list[str]) -> Iterator[tuple[str, str]]:
    """`name=path` and `path as name`."""
    for index, word in enumerate(words):
        name, equals, path = word.partition("=")
        if equals and name.isidentifier():
            yield name, path
        elif word == "as" and 0 < index < len(words) - 1:
            yield words[index + 1], words[index - 1]
