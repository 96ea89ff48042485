"""A Python file becomes facts: libcst parses it once, one walk of our own turns its tree into ours.

libcst reads what the interpreter that runs us is too old for. libcst's parse is nine tenths of the time.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import libcst as cst
from libcst import ParserSyntaxError, native  # type: ignore[attr-defined]

from stackaudit.facts.files import UnreadableError
from stackaudit.facts.python import Module
from stackaudit.lower import python_displays, python_expressions, python_literals
from stackaudit.lower.collector import collector_at_rest
from stackaudit.lower.python_cursor import MAX_DEPTH, SKIP_BETWEEN_STATEMENTS, Cursor, LostError, TooDeepError
from stackaudit.lower.python_nesting import nests_too_deeply
from stackaudit.lower.python_statements import statements

MAX_BYTES = 2_000_000
"""Larger files are data in the clothes of code: for 2 MB of Django's own code libcst takes 7 s and 600 MB of memory,
for 5 MB 20 s and 1.4 GB. The largest module of Django has 0.1 MB, the largest of the standard library 0.8 MB."""

# Their functions are entered into the table of expressions when they are imported.
LOADED = (python_displays, python_expressions, python_literals)

LINE_BREAK = re.compile(r"\r\n?|\n")
COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
BLANK_LINE = re.compile(rb"[ \t\f]*(?:#|\r|\n|\Z)")
# A codec that may need quadratic time, or that makes several characters of one.
REFUSED_CODECS = frozenset({"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"})
NAME_WITH_BLANKS = re.compile(r"\\N\{[A-Z0-9 -]+\}")
ERROR_AT = re.compile(r"parser error: error at (\d+):")
TEMPLATE = re.compile(r"\{%-?\s*\w|\{\{-?\s*\w+(?:\.\w+)*\s*(?:\|[^}\n]*)?-?\}\}")
TOKENIZER_ERROR = re.compile(r"tokenizer error: (.+)")


def lower(data: bytes, path: str) -> Module:
    """The facts of one Python file. UnreadableError if it is too large, not text, not Python or nested too deeply."""
    if len(data) > MAX_BYTES:
        raise UnreadableError(f"it has {len(data) / 1e6:.1f} MB, and more than {MAX_BYTES / 1e6:.0f} MB are not read")
    text = decode(data)
    lines = (0, *(match.end() for match in LINE_BREAK.finditer(text)))
    if nests_too_deeply(text):
        raise UnreadableError("it nests too deeply")
    with collector_at_rest():
        tree, text = _parse(text)
        cursor = Cursor(text)
        try:
            body = statements(cursor, tree.body)
            end = SKIP_BETWEEN_STATEMENTS(cursor.text, cursor.pos).end()  # type: ignore[union-attr]
            if end != len(text):
                raise LostError("end of the file", end)
        except (TooDeepError, RecursionError) as error:
            where = error.offset if isinstance(error, TooDeepError) else cursor.pos
            raise UnreadableError(f"it nests more than {MAX_DEPTH} levels deep", _line(text, where)) from None
        except LostError as error:
            raise UnreadableError(
                f"the reader lost its place before {error.wanted!r}", _line(text, error.offset)
            ) from None
    return Module(body, lines)


def decode(data: bytes) -> str:
    """The text of a Python file, without its byte order mark (PEP 263). UnreadableError if it is no text."""
    encoding = "utf-8"
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    else:
        encoding = _declared_encoding(data)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = 1 + len(re.findall(rb"\r\n?|\n", data[: error.start]))
        raise UnreadableError(f"byte 0x{data[error.start]:02x} is not {encoding}", line) from None
    except (LookupError, ValueError):
        raise UnreadableError(f"its encoding {encoding!r} is unknown", 1) from None
    nul = text.find("\0")
    if nul >= 0:
        raise UnreadableError("it holds a NUL character", _line(text, nul))
    return text


def _declared_encoding(data: bytes) -> str:
    """What a comment in the first two lines declares, as Python reads it."""
    for line in re.split(rb"\r\n?|\n", data[:4096], maxsplit=2)[:2]:
        cookie = COOKIE.match(line)
        if cookie is not None:
            encoding = cookie[1].decode("ascii", "replace")
            if encoding.lower().replace("-", "_") in REFUSED_CODECS:
                raise UnreadableError(f"its encoding {encoding!r} is unknown", 1)
            return encoding
        if not BLANK_LINE.match(line):
            break
    return "utf-8"


@contextmanager
def _unvalidated() -> Iterator[None]:
    """libcst checks every node as if somebody had made it by hand, also those that it has just parsed.

    That is a seventh of the time, quadratic in long chains, and refuses good Python (`async` and `for` on two lines).
    """
    cst.CSTNode.__post_init__ = _accept  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        cst.CSTNode.__post_init__ = VALIDATE  # type: ignore[method-assign]


def _accept(node: cst.CSTNode) -> None:
    """Find nothing wrong with `node`."""


VALIDATE = cst.CSTNode.__post_init__


def _parse(text: str) -> tuple[cst.Module, str]:
    """libcst's tree, and the text that it stands for."""
    try:
        with _unvalidated():
            return native.parse_module(text, encoding="utf-8"), text
    except ParserSyntaxError as error:
        failure = error
    except UnicodeEncodeError as error:
        raise UnreadableError("it holds half of a surrogate pair", _line(text, error.start)) from None
    # libcst takes the name of a character in an f-string for an expression, and names have blanks.
    masked = NAME_WITH_BLANKS.sub(lambda match: match[0].replace(" ", "_"), text)
    if masked != text:
        try:
            with _unvalidated():
                return native.parse_module(masked, encoding="utf-8"), masked
        except ParserSyntaxError:
            pass
    raise _syntax_error(failure, text)


def _syntax_error(error: ParserSyntaxError, text: str) -> UnreadableError:
    """What libcst says without its picture of the line; its tokenizer names no line, so CPython is asked for it."""
    if TEMPLATE.search(text):
        return UnreadableError("it is a template of a Python file")
    message = str(error)
    at = ERROR_AT.search(message)
    if at is not None:
        # An error at the end stands behind the last line.
        return UnreadableError("its syntax is not Python's", min(int(at[1]), _line(text.rstrip("\r\n"), len(text))))
    told = TOKENIZER_ERROR.search(message)
    line = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as reason:
        line = reason.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        pass
    return UnreadableError(f"its syntax is not Python's: {told[1]}" if told else "its syntax is not Python's", line)


def _line(text: str, offset: int) -> int:
    return 1 + sum(1 for _ in LINE_BREAK.finditer(text, 0, offset))
