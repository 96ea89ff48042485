"""Numbers, strings and f-strings of a Python file."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import libcst as cst

from stackaudit.facts.python import Bytes, Constant, Expr, FormattedValue, JoinedStr, Opaque
from stackaudit.lower.python_cursor import Cursor, LostError, lowers

ESCAPE = re.compile(
    r"\\(?:(?P<join>\r\n?|\n)|(?P<octal>[0-7]{1,3})|x(?P<x>[0-9a-fA-F]{2})|(?P<plain>[\\'\"abfnrtv])"
    r"|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|N\{(?P<name>[^}]+)\})"
)
BYTES_ESCAPE = re.compile(
    r"\\(?:(?P<join>\r\n?|\n)|(?P<octal>[0-7]{1,3})|x(?P<x>[0-9a-fA-F]{2})|(?P<plain>[\\'\"abfnrtv]))"
)
PLAIN = {"\\": "\\", "'": "'", '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
DOUBLED_BRACE = re.compile(r"\{\{|\}\}")
LITERAL = re.compile(r"([A-Za-z]*)('''|\"\"\"|'|\")")
NAMED_CHARACTER = re.compile(r"(?:^|[^\\])(?:\\\\)*\\N\Z")


def _escaped(match: re.Match[str]) -> str:
    kind = match.lastgroup
    value = match[kind or 0]
    match kind:
        case "plain":
            return PLAIN[value]
        case "join":
            return ""
        case "octal":
            return chr(int(value, 8))
        case "name":
            return unicodedata.lookup(value)
        case _:
            return chr(int(value, 16))


def unescape(text: str, prefix: str) -> str:
    """What the body of a literal with `prefix` means. ValueError where it means nothing (an unknown character name)."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\\" not in text or "r" in prefix:
        return text
    try:
        return (BYTES_ESCAPE if "b" in prefix else ESCAPE).sub(_escaped, text)
    except (KeyError, OverflowError) as error:
        raise ValueError(str(error)) from None


def string_value(raw: str) -> str | bytes | None:
    """What a literal means as it stands in the source, or None if it means nothing that UTF-8 can carry."""
    head = LITERAL.match(raw)
    if head is None:
        return None
    prefix = head[1].lower()
    try:
        value = unescape(raw[head.end() : len(raw) - len(head[2])], prefix)
        if "b" in prefix:
            # \777 is the byte 0xff.
            return bytes(ord(character) & 0xFF for character in value) if value.isascii() or "\\" in raw else None
        if "\\" in raw:
            value.encode()
        return value
    except ValueError:
        return None


@lowers(cst.Integer)
def _integer(cursor: Cursor, node: cst.Integer, start: int) -> Expr:
    cursor.eat(node.value)
    try:
        value = int(node.value, 0)
    except ValueError:  # more digits than Python turns into a number
        value = 1 << 64
    # MessagePack carries 64 bits.
    return Constant(start, cursor.pos, value) if value < 1 << 64 else Opaque(start, cursor.pos, "giant number")


@lowers(cst.Float)
def _float(cursor: Cursor, node: cst.Float, start: int) -> Expr:
    cursor.eat(node.value)
    return Constant(start, cursor.pos, float(node.value))


@lowers(cst.Imaginary)
def _imaginary(cursor: Cursor, node: cst.Imaginary, start: int) -> Expr:
    cursor.eat(node.value)
    return Opaque(start, cursor.pos, "complex number")


@lowers(cst.Ellipsis)
def _ellipsis(cursor: Cursor, node: cst.Ellipsis, start: int) -> Expr:
    cursor.eat("...")
    return Opaque(start, cursor.pos, "...")


@lowers(cst.SimpleString)
def _string(cursor: Cursor, node: cst.SimpleString, start: int) -> Expr:
    raw = node.value
    cursor.eat(raw)
    value = string_value(raw)
    if value is None:
        return Opaque(start, cursor.pos, "unreadable string")
    return Bytes(start, cursor.pos, value) if isinstance(value, bytes) else Constant(start, cursor.pos, value)


@lowers(cst.FormattedString)
def _formatted(cursor: Cursor, node: cst.FormattedString, start: int) -> Expr:
    values = _parts_of(cursor, node)
    return JoinedStr(start, cursor.pos, _merged(values))


@lowers(cst.TemplatedString)
def _templated(cursor: Cursor, node: cst.TemplatedString, start: int) -> Expr:
    _parts_of(cursor, node)
    return Opaque(start, cursor.pos, "template string")


@lowers(cst.ConcatenatedString)
def _concatenated(cursor: Cursor, node: cst.ConcatenatedString, start: int) -> Expr:
    pieces: list[Any] = [node.left]
    rest: Any = node.right
    while isinstance(rest, cst.ConcatenatedString):
        pieces.append(rest.left)
        rest = rest.right
    pieces.append(rest)
    values: list[Expr] = []
    for piece in pieces:
        at = cursor.skip()
        if isinstance(piece, cst.SimpleString):
            values.append(_string(cursor, piece, at))
        elif isinstance(piece, cst.FormattedString):
            values.extend(_parts_of(cursor, piece))
        else:
            _parts_of(cursor, piece)
            values.append(Opaque(at, cursor.pos, "template string"))
    end = cursor.pos
    for value in values:
        if isinstance(value, Opaque):
            return Opaque(start, end, value.kind)
    if any(isinstance(piece, cst.FormattedString) for piece in pieces):
        return JoinedStr(start, end, _merged(values))
    if isinstance(values[0], Bytes):
        return Bytes(start, end, b"".join(value.value for value in values if isinstance(value, Bytes)))
    return Constant(start, end, "".join(str(value.value) for value in values if isinstance(value, Constant)))


def _parts_of(cursor: Cursor, node: Any) -> list[Expr]:
    """The parts of one f-string, between its quotes."""
    cursor.eat(node.start)
    values = _parts(cursor, node.parts, node.start.rstrip("'\"").lower())
    cursor.eat_raw(node.end)
    return values


def _parts(cursor: Cursor, parts: Any, prefix: str) -> list[Expr]:
    values: list[Expr] = []
    named = ""
    for part in parts:
        if isinstance(part, (cst.FormattedStringText, cst.TemplatedStringText)):
            start = cursor.eat_raw(part.value)
            text = part.value
            if text.endswith("\\N") and "r" not in prefix and NAMED_CHARACTER.search(text):
                # libcst takes the name in \N{...} for an expression.
                named, text = "\\N", text[:-2]
            values.append(_text(start, cursor.pos, text, prefix))
        elif named:
            start = cursor.pos
            end = cursor.text.find("}", start) + 1
            if not end:
                raise LostError("}", start)
            cursor.pos = end
            values.append(_text(start, end, named + cursor.text[start:end], prefix, braces=False))
            named = ""
        else:
            _replacement(cursor, part, prefix, values)
    return values


def _text(start: int, end: int, raw: str, prefix: str, braces: bool = True) -> Expr:
    if braces and ("{{" in raw or "}}" in raw):
        raw = DOUBLED_BRACE.sub(lambda match: match[0][0], raw)
    try:
        value = unescape(raw, prefix)
        value.encode()
    except ValueError:
        return Opaque(start, end, "unreadable string")
    return Constant(start, end, value)


def _replacement(cursor: Cursor, part: Any, prefix: str, values: list[Expr]) -> None:
    """`{expression=!conversion:format_spec}`; with `=` the text of the expression comes first."""
    start = cursor.eat_raw("{")
    inner = cursor.pos
    value = cursor.expr(part.expression)
    conversion = part.conversion or ""
    if part.equal is not None:
        cursor.eat("=")
        values.append(Constant(inner, cursor.skip(), cursor.text[inner : cursor.pos]))
        if part.conversion is None and part.format_spec is None:
            conversion = "r"
    if part.conversion is not None:
        cursor.eat("!")
        cursor.eat(part.conversion)
    spec: tuple[Expr, ...] = ()
    if part.format_spec is not None:
        cursor.eat(":")
        spec = _merged(_parts(cursor, part.format_spec, prefix))
        cursor.eat_raw("}")
    else:
        cursor.eat("}")
    values.append(FormattedValue(start, cursor.pos, value, conversion, spec))


def _merged(values: list[Expr]) -> tuple[Expr, ...]:
    """`values` with neighbouring constants joined and empty ones left out."""
    found: list[Expr] = []
    for value in values:
        if isinstance(value, Constant):
            if not value.value:
                continue
            if found and isinstance(found[-1], Constant):
                value = Constant(found[-1].start, value.end, f"{found[-1].value}{value.value}")
                found.pop()
        found.append(value)
    return tuple(found)
