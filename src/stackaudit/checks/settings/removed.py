"""Settings that Django no longer reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts import python as py
from stackaudit.link.folding.objects import Maybe
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.values import Known, plain
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

OLDEST = (4, 2)
"""The oldest release series that people still run; what was removed before it, they all ignore."""


@dataclass(frozen=True, slots=True)
class Removed:
    """`release` is the first that ignores the setting; `now` takes its place, "" where nothing does.

    `same` are the values with which nothing changes when it is ignored; `harm` says what happens otherwise.
    """

    release: tuple[int, int]
    now: str
    harm: str
    same: tuple[object, ...] = ()


FILES = "django.core.files.storage.FileSystemStorage"
STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"
REMOVED: dict[str, Removed] = {
    "STATICFILES_STORAGE": Removed(
        (5, 1),
        "STORAGES",
        "static files are stored by Django's plain default: no hashed names, no compression",
        (STATIC,),
    ),
    "DEFAULT_FILE_STORAGE": Removed((5, 1), "STORAGES", "uploads go to the local disk", (FILES,)),
    "USE_L10N": Removed((5, 0), "", "formats are localised all the same", (True,)),
    "USE_DEPRECATED_PYTZ": Removed((5, 0), "", "time zones are zoneinfo's", (False,)),
    "CSRF_COOKIE_MASKED": Removed((5, 0), "", "the cookie is not masked", (False,)),
    "PASSWORD_RESET_TIMEOUT_DAYS": Removed(
        (4, 0), "PASSWORD_RESET_TIMEOUT", "links to reset a password hold for Django's default of three days", (3,)
    ),
    "DEFAULT_HASHING_ALGORITHM": Removed((4, 0), "", "signatures use SHA-256", ("sha256",)),
    "SECURE_BROWSER_XSS_FILTER": Removed((4, 0), "", "the header X-XSS-Protection is not sent", (False,)),
    "MIDDLEWARE_CLASSES": Removed((2, 0), "MIDDLEWARE", "none of it runs", ()),
    "TEMPLATE_DIRS": Removed((1, 10), "TEMPLATES", "the folders are not searched", ()),
    "TEMPLATE_LOADERS": Removed((1, 10), "TEMPLATES", "other loaders are used", ()),
    "TEMPLATE_CONTEXT_PROCESSORS": Removed((1, 10), "TEMPLATES", "the processors do not run", ()),
    "TEMPLATE_DEBUG": Removed((1, 10), "TEMPLATES", "it does nothing", (True, False)),
}
"""From the release notes of Django, section "Features removed"; measured on 5.2: `check --deploy` is silent."""
OBSOLETE = frozenset({"SECURE_BROWSER_XSS_FILTER"})
"""What no browser of today would take notice of."""


FORMATS = (
    "DATE_FORMAT", "DATETIME_FORMAT", "TIME_FORMAT", "YEAR_MONTH_FORMAT", "MONTH_DAY_FORMAT", "SHORT_DATE_FORMAT",
    "SHORT_DATETIME_FORMAT", "DATE_INPUT_FORMATS", "TIME_INPUT_FORMATS", "DATETIME_INPUT_FORMATS", "DECIMAL_SEPARATOR",
    "THOUSAND_SEPARATOR", "NUMBER_GROUPING", "FIRST_DAY_OF_WEEK",
)  # fmt: skip
"""What the formats of a language replace, with USE_I18N and without it (measured on 5.2)."""


def _formats(settings: Settings) -> str:
    """The formats that count no more since USE_L10N is not read, "" where FORMAT_MODULE_PATH gives others."""
    if settings.is_set("FORMAT_MODULE_PATH"):
        return ""
    return ", ".join(name for name in FORMATS if settings.is_set(name))


def removed_setting_ignored(stack: Stack) -> Iterator[Verdict]:
    """No setting counts on being read that the project's Django ignores."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    for name, removed in REMOVED.items():
        if settings.is_set(name):
            yield _judged(stack, settings, name, removed)


def _read(stack: Stack, names: str) -> dict[str, Place]:
    """Which of the formats the code reads from the settings itself, and where it does first."""
    wanted, found = set(names.split(", ")), dict[str, Place]()
    if not wanted & stack.mentions.names:
        return found
    importing = {each.module.path for each in stack.mentions.imports if _brings_settings(each.node)}
    for module in stack.modules:
        for node in nodes(module.facts.body) if module.path in importing else ():
            if isinstance(node, py.Attribute) and node.attr in wanted and dotted(node.value) == "settings":
                found.setdefault(node.attr, module.place(node))
    return found


def _brings_settings(node: py.Import | py.ImportFrom) -> bool:
    """Whether an import binds the name `settings`, or any name there is."""
    return any((alias.asname or alias.name.partition(".")[0]) in ("settings", "*") for alias in node.names)


def _judged(stack: Stack, settings: Settings, name: str, removed: Removed) -> Verdict:
    site = Site(settings.place(name), name)
    if settings.version is None and removed.release > OLDEST:
        return Unsure(site, "the version of Django is not known")
    if settings.version is not None and settings.version[:2] < removed.release:
        return Pass(site)
    value = settings.names[name]
    if isinstance(value, Maybe):
        return Unsure(site, f"whether {name} is set at all is not known: {value.why}")
    values = {
        "name": name,
        "release": ".".join(map(str, removed.release)),
        "harm": removed.harm,
        "now": removed.now,
    }
    if isinstance(value, Known) and plain(value) in removed.same:
        return Fail(site, values, cause="leftover")
    if name == "USE_L10N" and (dead := _formats(settings)):
        read = _read(stack, dead)
        if not read:
            return Fail(site, {**values, "formats": dead}, cause="formats")
        places = in_words([f"{name} ({place.path}, line {place.region.line})" for name, place in read.items()])
        return Fail(site, {**values, "formats": dead, "read": places}, cause="formats-read")
    if name in OBSOLETE:
        return Fail(site, values, cause="obsolete")
    if removed.now and settings.is_set(removed.now):
        return Fail(site, values, cause="replaced")
    return Fail(site, values, cause="" if removed.now else "gone")
