"""Python text that nests so deeply that libcst's parser would overflow the stack and kill the process.

Measured with libcst 1.9 and a stack of 8 MB: 2,000 brackets within each other, 10,000 links of one chain (`a.b.b`,
`a + b + b`, `not not a`) or 10,000 `elif` crash, and the time grows with the square of the depth. The estimate here
never says less than what is there and costs about 4 % of a parse; where it finds a lot, CPython's own parser, which
does not crash, has the last word.
"""

from __future__ import annotations

import ast
import re
import warnings

LIMIT = 400
"""Levels; far from a crash, and more than the facts may have."""

STRING_OR_COMMENT = re.compile(
    r"""\#[^\r\n]*+
    |'''(?:[^'\\]|\\.|'(?!''))*+'''
    |\"{3}(?:[^"\\]|\\.|"(?!""))*+\"{3}
    |'(?:[^'\\\r\n]|\\.)*+'
    |"(?:[^"\\\r\n]|\\.)*+\"""",
    re.VERBOSE | re.DOTALL,
)
FORMATTED = re.compile(r"[fFtT][rR]?\Z")
CONTINUATION = re.compile(r"\\(?:\r\n?|\n)")
NESTED_FORMATTED_STRING = re.compile(r"\{\s*[FfTt][Rr]?['\"]|\{\s*[Rr][FfTt]['\"]")
OPENED, CLOSED = b"(", b")"
# What can stand between two levels: operators, brackets, and the blank between two words (`not a`, `a if b else c`).
STRUCTURE = bytes.maketrans(b"[{]}\r.-*/%&|^~<>=!:@", b"(())\n" + b"+" * 15)
DROPPED = bytes(set(range(256)) - set(b"()[]{},\r\n.+-*/%&|^~<>=!:@ "))


def nests_too_deeply(text: str) -> bool:
    """Whether `text` nests more than `LIMIT` levels deep."""
    return len(text) > LIMIT and _suspicious(text) and _depth(text) > LIMIT


def _suspicious(text: str) -> bool:
    if text.count("elif") > LIMIT or len(NESTED_FORMATTED_STRING.findall(text)) > LIMIT // 4:
        return True
    if "\\" in text:
        text = CONTINUATION.sub(" ", text)
    long_strings: list[str] = []

    def without(match: re.Match[str]) -> str:
        start, end = match.span()
        if end - start > LIMIT and FORMATTED.search(text, max(0, start - 2), start):
            long_strings.append(match[0])
        return ""

    code = STRING_OR_COMMENT.sub(without, text)
    return _estimate(code) or any(_estimate(string) for string in long_strings)


def _estimate(code: str) -> bool:
    """Whether one statement has more than `LIMIT` levels, if every operator and blank made one."""
    code = code.replace("\t", " ").replace("\f", " ")
    while "  " in code:
        code = code.replace("    ", " ").replace("  ", " ")
    structure = code.encode("ascii", "replace").translate(STRUCTURE, DROPPED)
    open_brackets = size = 0
    statement: list[bytes] = []
    for line in structure.split(b"\n"):
        open_brackets += line.count(OPENED) - line.count(CLOSED)
        size += len(line) + 1
        statement.append(line)
        if open_brackets <= 0:
            if size > LIMIT and _levels(b" ".join(statement)) > LIMIT:
                return True
            open_brackets = size = 0
            statement.clear()
    return size > LIMIT and _levels(b" ".join(statement)) > LIMIT


def _levels(statement: bytes) -> int:
    """The most operators and brackets on the way to any place of one statement; a comma starts a new way."""
    outer = [0]
    here = most = 0
    for byte in statement:
        if byte == 43 or byte == 32:  # an operator, or the blank between two words
            here += 1
            if here > most:
                most = here
        elif byte == 40:  # (
            here += 1
            if here > most:
                most = here
            outer.append(here)
        elif byte == 41:  # )
            here = outer.pop() if len(outer) > 1 else here
        else:  # a comma
            here = outer[-1]
    return most


def _depth(text: str) -> int:
    """How deep libcst's tree of `text` would be, told from CPython's; more than `LIMIT` where that makes none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            todo: list[tuple[ast.AST, int]] = [(ast.parse(text), 0)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return LIMIT + 1
    most = 0
    while todo:
        node, depth = todo.pop()
        # libcst nests what CPython keeps in a list: `a and b and c`, and the clauses of a comprehension.
        depth += len(node.values) if isinstance(node, ast.BoolOp) else 1 + len(getattr(node, "generators", ()))
        most = max(most, depth)
        todo.extend((child, depth) for child in ast.iter_child_nodes(node))
    return most
