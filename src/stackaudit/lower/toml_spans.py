"""Where each value of a TOML document stands, which tomli does not tell."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any, TypeAlias

import tomli

from stackaudit.facts.files import UnreadableError
from stackaudit.lower.requirements import decode
from stackaudit.model.source import Region

Path: TypeAlias = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_KEY = re.compile(r"""[ \t]*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)[ \t]*""")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'',
    re.DOTALL,
)
_SCALAR = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*|[^\s,\]}#]+")


class Document:
    """A parsed TOML document: `values` as tomli gives them, and the region of the value at a path of keys and indices.

    The region of a table or array is that of its first key or its whole literal.
    """

    def __init__(self, text: str) -> None:
        """Parses `text`. Raises UnreadableError."""
        try:
            self.values: dict[str, Any] = tomli.loads(text)
        except tomli.TOMLDecodeError as error:
            line = re.search(r"at line (\d+)", str(error))
            raise UnreadableError(f"it is not TOML: {error}", int(line[1]) if line else 0) from None
        except RecursionError:
            raise UnreadableError("it is nested too deeply") from None
        self._text = text
        self._lines = [0, *(match.end() for match in re.finditer("\n", text))]
        self._spans: dict[Path, tuple[int, int]] | None = None

    @classmethod
    def read(cls, data: bytes) -> Document:
        """The document of a file's bytes. Raises UnreadableError."""
        return cls(decode(data).replace("\r\n", " \n"))

    def region(self, *path: str | int) -> Region:
        """The region of the value at `path`; the start of the document where it stands nowhere."""
        if self._spans is None:
            self._spans = _Scan(self._text).spans
        start, end = self._spans.get(path, (0, 0))
        return self.span(start, end)

    def span(self, start: int, end: int) -> Region:
        """The region of the text from offset `start` up to offset `end`."""
        first, last = bisect_right(self._lines, start), bisect_right(self._lines, end)
        return Region(first, start - self._lines[first - 1] + 1, last, end - self._lines[last - 1] + 1)

    def assignment(self, *path: str | int) -> Region:
        """The region of `key = value` where they stand alone on their line, else that of the value."""
        value = self.region(*path)
        start = self._lines[value.line - 1]
        head = self._text[start : start + value.column - 1]
        key = head.strip().removesuffix("=").strip().strip("\"'")
        if key != path[-1]:
            return value
        return Region(value.line, len(head) - len(head.lstrip()) + 1, value.end_line, value.end_column)

    def get(self, *path: str) -> Any:
        """The value at `path` of tables; None where there is none."""
        value: Any = self.values
        for key in path:
            if not isinstance(value, dict):
                return None
            value = value.get(key)
        return value


class _Scan:
    """One walk over a document that tomli accepted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.spans: dict[Path, tuple[int, int]] = {}
        self._counts: dict[Path, int] = {}
        self._document()

    def _document(self) -> None:
        table: Path = ()
        while self._skip():
            start = self.at
            if self.text.startswith("[[", start):
                self.at += 2
                table = self._enter(self._keys(), repeated=True)
                self.at += 2
                self.spans.setdefault(table, (start, self.at))
            elif self.text[start] == "[":
                self.at += 1
                table = self._enter(self._keys(), repeated=False)
                self.at += 1
                self.spans.setdefault(table, (start, self.at))
            else:
                self._pair(table)

    def _enter(self, keys: list[str], *, repeated: bool) -> Path:
        """The path of a header; each part that is an array of tables stands for its last table."""
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if repeated and position == len(keys) - 1:
                self._counts[path] = self._counts.get(path, 0) + 1
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
        return path

    def _skip(self) -> bool:
        """Moves to the next token; False at the end."""
        match = _BLANK.match(self.text, self.at)
        assert match is not None
        self.at = match.end()
        return self.at < len(self.text)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while match := _KEY.match(self.text, self.at):
            written = match[1]
            keys.append(tomli.loads(f"k = {written}")["k"] if written[0] in "\"'" else written)
            self.at = match.end()
            if self.text[self.at : self.at + 1] != ".":
                break
            self.at += 1
        return keys

    def _pair(self, table: Path) -> None:
        start = self.at
        keys = self._keys()
        self.at += 1  # the equals sign
        path: Path = table
        for key in keys[:-1]:
            path = (*path, key)
            self.spans.setdefault(path, (start, self.at))
        self._value((*path, *keys[-1:]))

    def _value(self, path: Path) -> None:
        self._skip()
        start = self.at
        opening = self.text[start : start + 1]
        if opening == "[":
            self._items(path, "]")
        elif opening == "{":
            self._items(path, "}")
        else:
            match = (_STRING if opening in "\"'" else _SCALAR).match(self.text, start)
            self.at = match.end() if match else len(self.text)
        self.spans[path] = (start, self.at)

    def _items(self, path: Path, closing: str) -> None:
        self.at += 1
        index = 0
        while self._skip() and self.text[self.at] != closing:
            if closing == "]":
                self._value((*path, index))
                index += 1
            else:
                self._pair(path)
            if self._skip() and self.text[self.at] == ",":
                self.at += 1
        self.at += 1
