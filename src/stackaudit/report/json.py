"""The result itself, as JSON; `docs/result.schema.json` is its JSON Schema."""

from __future__ import annotations

from typing import Any

import msgspec

from stackaudit.model.result import Result
from stackaudit.report import Look

SCHEMA_ID = "stackaudit-result-1.schema.json"


def render(result: Result, look: Look) -> str:
    """The whole document, indented; the same result gives the same bytes."""
    return dumps(msgspec.to_builtins(result))


def dumps(document: Any) -> str:
    """`document` as indented JSON with a line break at its end; lone surrogates (of odd file names) become `?`."""
    try:
        data = msgspec.json.encode(document)
    except UnicodeEncodeError:
        data = msgspec.json.encode(_clean(document))
    return msgspec.json.format(data, indent=2).decode() + "\n"


def schema() -> str:
    """The JSON Schema (2020-12) of the result."""
    document = msgspec.json.schema(Result)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, "title": "stackaudit result"}
    return dumps({**head, **document})


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value
