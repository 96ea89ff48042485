"""What nginx's grammar refuses and a reader can still make sense of, mended so that one slip does not lose a file."""

from __future__ import annotations

import re

from stackaudit.facts.files import Note
from stackaudit.lower.nginx_mask import LETTER, Masked, Span

_WORD = r"(?:\\.|[^\s{};\\])+"
_TOKEN = re.compile(
    r"""(?P<space>[ \t\n]+)|(?P<comment>\#[^\n]*)|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    rf"""|(?P<quote>["'](?:{_WORD})?)|(?P<mark>[{{}};])|(?P<word>{_WORD}|\\)""",
    re.DOTALL,
)
_LUA = re.compile(
    r"""--\[(?P<level>=*)\[.*?\](?P=level)\]|--[^\n]*|\[(?P<deep>=*)\[.*?\](?P=deep)\]"""
    r"""|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[{}]""",
    re.DOTALL,
)


def mend(masked: Masked) -> str:
    """The masked text with braces balanced, every statement ended and Lua blanked; what was mended goes to the notes.

    Offsets stay; only the end may grow.
    """
    return _Mender(masked).run()


class _Mender:
    def __init__(self, masked: Masked) -> None:
        self.text = list(masked.text)
        self.source = masked.text
        self.notes = masked.notes
        self.holes = {span.start: span for span in masked.holes}
        self.blocks: list[int] = []
        self.statement: list[str] = []

    def run(self) -> str:
        at = 0
        while at < len(self.source):
            match = _TOKEN.match(self.source, at)
            if match is None:
                break
            at = self._token(match)
        if self.statement:
            self.notes.append(Note("the last directive has no ;", self._line(len(self.source) - 1)))
            self.text.append("\n;")
        if self.blocks:
            self.notes.append(Note("a block is never closed", self._line(self.blocks[-1])))
            self.text.append("\n" + "}" * len(self.blocks))
        self.text.append("\n")
        return "".join(self.text)

    def _token(self, match: re.Match[str]) -> int:
        """Looks at one token and returns where the next begins."""
        start, end = match.span()
        if match["quote"]:
            self.notes.append(Note("a quote is never closed", self._line(start)))
            self.text[start] = LETTER  # now a word begins here, and quotes in it are letters
            self.statement.append(LETTER)
        elif match["mark"] == "{":
            if self.statement and self.statement[0].endswith("_by_lua_block"):
                end = self._blank_lua(end)
            else:
                self.blocks.append(start)
            self.statement = []
        elif match["mark"] == "}":
            if self.blocks:
                self.blocks.pop()
            else:
                self.notes.append(Note("a } closes nothing", self._line(start)))
                self.text[start] = " "
            self.statement = []
        elif match["mark"] == ";":
            if not self.statement:
                self.notes.append(Note("a ; stands alone: nginx refuses the file", self._line(start)))
                self.text[start] = " "
            self.statement = []
        elif match["quoted"]:
            self.statement.append(match["quoted"])
        elif match["word"]:
            hole = self.holes.get(start)
            if hole is not None and not self.statement and self._alone(hole):
                self.text[hole.end - 1] = ";"
                return hole.end
            if match["word"].endswith("_by_lua_block"):
                # crossplane would hand the name to a lexer of its own, which gives a directive without a block
                self.text[start:end] = LETTER * (end - start)
            self.statement.append(match["word"])
        return end

    def _alone(self, hole: Span) -> bool:
        """Whether the placeholder is all that stands on its line: whole directives come from there."""
        line_start = self.source.rfind("\n", 0, hole.start) + 1
        line_end = self.source.find("\n", hole.end)
        rest = self.source[hole.end : line_end if line_end >= 0 else len(self.source)]
        return not self.source[line_start : hole.start].strip() and not rest.partition("#")[0].strip()

    def _blank_lua(self, start: int) -> int:
        """Blanks a Lua body that begins at `start`; the offset behind its closing brace."""
        depth = 1
        end = len(self.source)
        for match in _LUA.finditer(self.source, start):
            depth += {"{": 1, "}": -1}.get(match[0], 0)
            if depth == 0:
                end = match.start()
                break
        else:
            self.notes.append(Note("a Lua block is never closed", self._line(start)))
            self.blocks.append(start)
        for index in range(start, end):
            if self.text[index] != "\n":
                self.text[index] = " "
        return end + 1

    def _line(self, offset: int) -> int:
        return self.source.count("\n", 0, offset) + 1
