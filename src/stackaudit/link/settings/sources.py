"""What the repository tells of production's environment variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stackaudit.link.settings.choice import is_production_file
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, plain

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_NO_TRUTH = re.compile(
    r"example|sample|template|\.dist|(^|[/._-])(dev|development|local|test|testing|ci|docs)([/._-]|$)"
)


def given_by(stack: Stack, value: Known[Any]) -> tuple[str, str, Place] | None:
    """The variable that `value` comes from and a file of the deployment sets: its name, its text and its place."""
    for name, given in environment(stack)[0].items():
        if isinstance(given, Known) and given.places and given.places[0] in value.places:
            return name, str(given.value), given.places[0]
    return None


def environment(stack: Stack) -> tuple[dict[str, AnyValue], dict[str, str]]:
    """The variables that production sets, and those that a file sets which may be another machine's, with a sentence.

    The environments of production's servers count, then .env files that are production's by name; the value of a
    variable that two servers set differently is unknown.
    """
    found: dict[str, AnyValue] = {}
    doubtful: dict[str, str] = {}
    for item in stack.of_kind("dotenv"):
        if is_production_file(item.path):
            for entry in item.facts.entries:
                place = Place(item.path, entry.region)
                value: AnyValue = Known(entry.value, (place,), f"set by {item.path}")
                if entry.refers:
                    value = Unknown(f"{item.path} takes {entry.name} from elsewhere", (place,))
                found[entry.name] = value
        elif not _NO_TRUTH.search(item.path.lower()):
            for entry in item.facts.entries:
                doubtful[entry.name] = f"{item.path} sets {entry.name}, and may be the file of one machine"
    served: dict[str, AnyValue] = {}
    for server in stack.processes.servers:
        for name, value in server.environment.items():
            if server.audience == "development":
                continue
            if server.audience != "production":
                doubtful.setdefault(name, f"{server.name} sets {name}, and nothing tells whether that is production's")
                continue
            if name in served and plain(served[name]) != plain(value):
                served[name] = Unknown(f"production's servers set {name} differently")
            else:
                served[name] = value
    found.update(served)
    return found, {name: why for name, why in doubtful.items() if name not in found}
