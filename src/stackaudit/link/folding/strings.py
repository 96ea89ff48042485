"""Methods of strings and bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stackaudit.link.folding.arguments import plain_arguments
from stackaudit.link.folding.objects import ROOT, Raised
from stackaudit.link.folding.operators import LONGEST, merged, of_plain
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call

PURE = frozenset(
    {
        "lower", "upper", "strip", "lstrip", "rstrip", "split", "rsplit", "splitlines", "startswith", "endswith",
        "replace", "join", "title", "capitalize", "casefold", "partition", "rpartition", "removeprefix",
        "removesuffix", "isdigit", "isnumeric", "isdecimal", "isalpha", "isalnum", "isspace", "isupper", "islower",
        "isidentifier", "encode", "decode", "find", "rfind", "index", "rindex", "count", "swapcase", "format",
    }
)  # fmt: skip
PADDING = frozenset({"zfill", "ljust", "rjust", "center"})
ROOTED = frozenset({"rstrip", "endswith", "removesuffix", "replace", "format", "join"})
"""Methods that mean the same wherever the project is installed, provided the path comes out whole."""

_REACHES_IN = re.compile(r"\{[^{}]*[.\[!]")
_WIDE = re.compile(r"\d{5}")


def method(call: Call, owner: Known[Any], name: str) -> AnyValue:
    """`owner.name(...)`."""
    text: str | bytes = owner.value
    plain = plain_arguments(call)
    if isinstance(plain, Unknown):
        return plain
    args, keywords = plain
    if name not in PURE and not (name in PADDING and args and isinstance(args[0], int) and args[0] < 10_000):
        return Unknown(f"the method {name} of a string decides it", owner.places)
    if isinstance(text, str) and ROOT in text and name not in ROOTED:
        return Unknown("it depends on where the project is installed", owner.places)
    if name == "format" and (_REACHES_IN.search(str(text)) or _WIDE.search(str(text))):
        return Unknown("its format is odd", owner.places)
    if name == "replace" and len(args) > 1 and len(text) * (len(args[1]) + 1) > 10 * LONGEST:
        return Unknown("it is too large", owner.places)
    if name == "join" and args and len(args[0]) > 0 and len(text) * len(args[0]) > LONGEST:
        return Unknown("it is too large", owner.places)
    try:
        result = getattr(text, name)(*args, **keywords)
    except (TypeError, ValueError, IndexError, KeyError, LookupError) as error:
        kind = "ValueError" if isinstance(error, ValueError) else type(error).__name__
        raise Raised(kind, f"{name}() raises {type(error).__name__}") from None
    if isinstance(text, str) and ROOT in text and isinstance(result, str) and ROOT not in result:
        return Unknown("it depends on where the project is installed", owner.places)
    sources = (owner, *call.args, *call.keywords.values())
    rested = merged(None, *sources)
    return of_plain(result, rested.places, rested.note)
