"""What is on in production though it is meant for development."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.folding.objects import Unset
from stackaudit.link.settings import Settings, tried
from stackaudit.link.settings.readers import Readers
from stackaudit.link.settings.servers import told
from stackaudit.link.settings.sources import given_by
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_OPPOSITES = {"1": "0", "true": "False", "yes": "no", "on": "off", "t": "f", "y": "n"}
_OFF = frozenset({"", "0", "false", "no", "off", "n", "f"})


def _documented_off(stack: Stack, note: str) -> bool:
    """Whether an example of a .env file turns off what is on by default only."""
    variable = defaulted(note)
    return bool(variable) and any(
        entry.name == variable and not entry.refers and entry.value.strip().lower() in _OFF
        for item in stack.of_kind("dotenv")
        for entry in item.facts.entries
    )


def debug_true(stack: Stack) -> Iterator[Verdict]:
    """DEBUG is off in the settings that production uses.

    A text from the environment is true whatever it says; `DEBUG = os.environ.get("DEBUG")` is thus on for "False" too.
    """
    settings = stack.production
    if settings is None:
        return
    value = settings.get("DEBUG")
    site = Site(settings.place("DEBUG"), "DEBUG")
    if isinstance(value, Unset):
        if value.fallback is None:
            yield Fail(site, {"variable": value.variable}, cause="any-text")
        elif value.fallback is False:
            yield Pass(site)
        else:
            yield Unsure(site, value.why)
    elif isinstance(value, Unknown):
        yield Unsure(site, value.why)
    elif not value.value:
        yield Pass(site)
    elif isinstance(value.value, str):
        yield Fail(site, {"value": told(value), "module": settings.module, "path": site.place.path}, cause="text")
    elif given := given_by(stack, value):
        variable, text, place = given
        values = {"value": told(value), "module": settings.module, "path": settings.path}
        step = Step(place, f"{variable} is set here")
        by_default = "the default of $" in value.note
        fix = _turned_off(stack, variable, text, place, by_default=by_default)
        yield Fail(site, values, fix=fix, related=(step,))
    else:
        cause = "documented-off" if _documented_off(stack, value.note) else ""
        path = site.place.path if _includes(stack, settings) else settings.path
        values = {"value": told(value), "module": settings.module, "path": path}
        yield Fail(site, values, cause=cause, fix=_turned(stack, settings, value.note))


def _includes(stack: Stack, settings: Settings) -> bool:
    """Whether the module runs other files in its own names (django-split-settings), so that theirs come last."""
    module = stack.modules.by_path.get(settings.path)
    sources = (each.source for found in module.names.values() for each in found) if module is not None else ()
    return any(isinstance(source, py.ImportFrom) and source.module == "split_settings.tools" for source in sources)


def _turned_off(stack: Stack, variable: str, text: str, place: Place, *, by_default: bool) -> str:
    """The word that turns DEBUG off where a file of the deployment turns it on, found by trying."""
    for word in (_OPPOSITES.get(text.lower(), "0"), "0", "False", "false", ""):
        other = tried(stack, variable, word)
        found = other.get("DEBUG") if other is not None else None
        if isinstance(found, Known) and not found.value:
            shown = f"`{variable}={word}`" if word else f"{variable} empty"
            if by_default and word:
                shown = f"`{variable}=${{{variable}:-{word}}}`"
            return f"{shown} in {place.path}, line {place.region.line}."
    return ""


def _turned(stack: Stack, settings: Settings, note: str) -> str:
    """The default to change, in the vocabulary of the call that reads the variable."""
    variable = defaulted(note)
    if variable and settings.overlay:
        return f"`DEBUG = False` in {settings.path}; who develops sets {variable}."
    path = settings.place("DEBUG").path
    words = Readers(stack, path).turned_off("DEBUG", variable) if variable else None
    if words is None:
        return ""
    offline = settings.get("COMPRESS_OFFLINE") if settings.is_set("COMPRESS_OFFLINE") else None
    compressed = (
        " With COMPRESS_OFFLINE pages fail without DEBUG until `manage.py compress` has run, in tests, too."
        if isinstance(offline, Known) and offline.value is True
        else ""
    )
    return (
        f"Change the default in the call that reads {variable} from `{words[0]}` to `{words[1]}` ({path}): an "
        f"installation that forgets it is safe then. Set {variable} to `{words[0]}` wherever nothing sets it today and "
        f"DEBUG is wanted: for development and its guide, for tests and CI that live by it.{compressed}"
    )
