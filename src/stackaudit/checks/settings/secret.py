"""The key that signs sessions, cookies and password links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.settings import Settings
from stackaudit.link.settings.readers import Readers
from stackaudit.link.settings.servers import process_count
from stackaudit.link.settings.sources import given_by
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_OUTSIDE = re.compile(r"^the environment variable|read from |so production sets it$|takes \w+ from elsewhere$")
_ANEW = re.compile(r"^(\w+) makes it anew in each process")
_NEW_KEY = (
    'a new key (`python -c "from django.core.management.utils import get_random_secret_key as key; print(key())"`)'
)
_WARNS = re.compile(r"(?i)(^|\.)(warn|warning|error|critical|print|write|secho)$")
"""Calls by which settings tell whoever starts Django that a key is missing."""


def secret_key_exposed(stack: Stack) -> Iterator[Verdict]:
    """SECRET_KEY of production comes from outside of the repository and is the same in every process."""
    settings = stack.production
    if settings is None or settings.broken or not settings.is_set("SECRET_KEY"):
        return
    value = settings.get("SECRET_KEY")
    site = Site(settings.place("SECRET_KEY"), "SECRET_KEY")
    if isinstance(value, Unknown):
        anew = _ANEW.search(value.why)
        if anew:
            yield _anew(stack, site, anew[1], value.why)
        elif _OUTSIDE.search(value.why):
            yield Pass(site)
        else:
            yield Unsure(site, value.why)
        return
    if not isinstance(value.value, str) or not value.value:
        yield Pass(site)  # Django refuses to start without a key
        return
    default = defaulted(value.note)
    if default:
        values = {"variable": default, "where": "", "copies": _copies(stack, default, value.value)}
        fix = ""
        if settings.overlay:
            fix = (
                f"Take the key out of {site.place.path}: an installation gives its own by {default} or in its "
                "settings file, and none runs with a key that everybody knows. Those that ran with it need a new one."
            )
        elif field := _field(stack, value):
            fix = _required(field, default, values["copies"])
        elif where := _last_word(stack, settings, site.place):
            fix = _refused(settings, default, value.value, where, values["copies"])
        yield Fail(site, values, cause=_reader(stack, settings, default), fix=fix)
    else:
        given = given_by(stack, value)
        place = given[2] if given else value.places[-1] if value.places else site.place
        where = f"{place.path}, line {place.region.line}"
        yield Fail(site, {"variable": "", "where": where}, fix=_outside(given[0], where) if given else "")


def _field(stack: Stack, value: Known[Any]) -> Place | None:
    """The field of a class that gives the key, as those of pydantic-settings do; None for any other default."""
    for place in value.places:
        module = stack.modules.by_path.get(place.path)
        for statement in module.facts.body if module is not None else ():
            for each in statement.body if isinstance(statement, py.ClassDef) else ():
                if module and isinstance(each, py.AnnAssign) and module.facts.region(each).line == place.region.line:
                    return place
    return None


def _required(field: Place, variable: str, copies: str) -> str:
    return (
        f"Take the default of the field away ({field.path}, line {field.region.line}): without {variable} the settings "
        "are refused at the start, which is what should happen. "
        f"Installations that ran with the default need {_NEW_KEY}: the old one is known to everybody.{copies}"
    )


def _outside(variable: str, where: str) -> str:
    """What to do with a key that a file of the deployment hands over."""
    return (
        f"Make {_NEW_KEY}, give it to {variable} on the server alone, "
        "by a secret of the platform or a file that git does not know, and "
        f"take {variable} out of {where}. The old one is known to whoever has a copy: it must not go into "
        "SECRET_KEY_FALLBACKS, so everybody logs in once more and links that were sent before are void."
    )


def _last_word(stack: Stack, settings: Settings, place: Place) -> str:
    """Where a missing key can be refused, in words; "" where that can be done right where it is read.

    A file of the installation that is imported below may bring the key, and development lives by the default.
    """
    below = Readers(stack, settings.path).taken_in_below(place.region.line) if place.path == settings.path else None
    if below is not None:
        return f"At the very end of {settings.path}, below `{below[0]}` in line {below[1]}"
    debug = settings.get("DEBUG")
    if isinstance(debug, Known) and debug.value and defaulted(debug.note):
        return f"At the end of {settings.path}"
    return ""


def _refused(settings: Settings, variable: str, key: str, where: str, copies: str) -> str:
    """How to refuse a known key where settings that come later, and development, must still have their way."""
    debug = settings.get("DEBUG")
    off = "" if isinstance(debug, Known) and not debug.value and not debug.note else "not DEBUG and "
    kept = "; development, with DEBUG on, keeps the default" if off else ""
    return (
        f'{where}: `if {off}SECRET_KEY == {key!r}: raise ImproperlyConfigured("{variable} is not set")` '
        f"(django.core.exceptions). Whatever brings a key before that line still counts{kept}. "
        f"Installations that ran with the default need {_NEW_KEY}: the old one is known to everybody.{copies}"
    )


def _warned(stack: Stack, place: Place) -> Place | None:
    """Where the branch that makes a key tells about it, None where none does."""
    module = stack.modules.by_path.get(place.path)
    if module is None:
        return None
    found: Place | None = None
    for node in nodes(module.facts.body):
        for branch in (node.body, node.orelse) if isinstance(node, py.If) else ():
            if any(module.facts.region(each).line == place.region.line for each in branch):
                calls = (each for each in nodes(branch) if isinstance(each, py.Call))
                told = next((call for call in calls if _WARNS.search(dotted(call.func) or "")), None)
                found = module.place(told) if told is not None else found
    return found


def _anew(stack: Stack, site: Site, maker: str, why: str) -> Verdict:
    count = process_count(stack)
    if isinstance(count, Unknown):
        return Unsure(site, f"{maker} makes a new key for each process, and how many there are is not known")
    default = defaulted(why)
    when = f"Where the environment variable {default} is missing, " if default else ""
    values = {"maker": maker, "count": count.value, "variable": "", "where": "", "when": when}
    if count.value > 1:
        return Fail(site, values, cause="each-process")
    warned = _warned(stack, site.place)
    if warned is not None:
        return Fail(site, values, cause="warned", related=(Step(warned, "the start warns of it"),))
    return Fail(site, values, cause="each-start")


def _reader(stack: Stack, settings: Settings, variable: str) -> str:
    """Whether the call fails without its default, or would leave Django without a key until the first login."""
    readers = Readers(stack, settings.place("SECRET_KEY").path)
    reading = readers.reading("SECRET_KEY", variable)
    return "by-default" if reading is not None and readers.raises(reading) else "by-default-quiet"


def _copies(stack: Stack, variable: str, key: str) -> str:
    """A sentence about the .env files that hand the same key on."""
    paths = [
        item.path
        for item in stack.of_kind("dotenv")
        for entry in item.facts.entries
        if entry.name == variable and entry.value == key
    ]
    return (
        f" {' and '.join(paths)} holds the same key: empty it there, for whoever copies the file keeps it."
        if paths
        else ""
    )
