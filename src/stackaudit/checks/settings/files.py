"""Names of static files that do not change with their content."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts import template
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.durations import seconds
from stackaudit.link.nginx.level import Level
from stackaudit.link.pages.files import flat
from stackaudit.link.pages.inheritance import names_in
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.settings.storages import DEFAULT, static_storage
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
PLAIN = frozenset({DEFAULT, "whitenoise.storage.CompressedStaticFilesStorage"})
"""Storages that keep the names as they are."""
HASHED = re.compile(r"Manifest|Hashed")
BUNDLERS = ("django_vite", "vite_loader", "webpack_loader", "webpack_boilerplate", "compressor", "pipeline")
_TAGS = frozenset({"static", "get_static_prefix"})
DAY, YEAR = 86_400, 31_536_000
_AGE = re.compile(r"max-age=(\d+)")


def hashed_static_missing(stack: Stack) -> Iterator[Verdict]:
    """Static files that browsers keep for long have names that change with their content."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    if items(settings, "INSTALLED_APPS").find("django.contrib.staticfiles") is None:
        return
    storage = static_storage(settings)
    site = Site(storage.places[0] if storage.places else settings.place("STATIC_URL"), "static files")
    kept = _kept(stack, settings)
    if kept is None:
        return
    if settings.doubt:
        yield Unsure(site, settings.doubt)
    elif isinstance(storage, Unknown):
        yield Unsure(site, storage.why)
    elif HASHED.search(str(storage.value)):
        yield Pass(site)
    elif isinstance(kept, Unknown):
        yield Unsure(site, kept.why)
    elif settings.is_set("WHITENOISE_IMMUTABLE_FILE_TEST"):
        yield Unsure(site, "WHITENOISE_IMMUTABLE_FILE_TEST tells which names hold a hash that another tool puts there")
    elif (bundler := _bundler(stack, settings)) != "":
        yield Unsure(site, f"{bundler} may put a hash into the names of its files")
    elif str(storage.value) not in PLAIN:
        yield Unsure(site, f"whether {storage.value} puts a hash into the names is not known")
    elif kept.value[0] < DAY and not _has_pages(stack):
        return  # the pages of packages, which few people open, are not worth a manifest
    else:
        age, server = kept.value
        name = str(storage.value).rpartition(".")[2]
        values = {"storage": name, "server": server, "age": _told(age)}
        steps = tuple(Step(place, f"{server} says how long they are kept") for place in kept.places[:1])
        yield Fail(site, values, cause="" if age >= DAY else "asked-again", related=steps)


def _kept(stack: Stack, settings: Settings) -> Known[tuple[int, str]] | Unknown | None:
    """For how many seconds browsers keep static files, and who tells them so; None where nobody known does.

    nginx answers for static files where it opens them itself. What it lets browsers keep for a year or longer is left
    to nginx/expires-without-hash.
    """
    levels = list(_by_nginx(stack, settings))
    if levels:
        told = [_age(level) for level in levels]
        return next((age for age in told if age is not None and DAY <= age.value[0] < YEAR), None)
    whitenoise = items(settings, "MIDDLEWARE").find(WHITENOISE)
    if whitenoise is None:
        return None
    if whitenoise.doubt:
        return Unknown(whitenoise.doubt)
    if not settings.is_set("WHITENOISE_MAX_AGE"):  # its default while DEBUG is off
        return Known((60, "WhiteNoise"), (whitenoise.place,), "WhiteNoise's default")
    age = settings.get("WHITENOISE_MAX_AGE")
    if isinstance(age, Unknown):
        return age
    if not isinstance(age.value, (int, type(None))):
        return Unknown("WHITENOISE_MAX_AGE is no number")
    return Known((int(age.value or 0), "WhiteNoise"), age.places)


def _by_nginx(stack: Stack, settings: Settings) -> Iterator[Level]:
    """The levels of nginx that open static files."""
    url = settings.get("STATIC_URL")
    path = str(url.value) if isinstance(url, Known) else ""
    if not path.strip("/") or "//" in path:
        return
    for server in stack.nginx.servers:
        found = answer(server, f"/{path.strip('/')}/css/site.css")
        if isinstance(found, Known) and found.value.kind == "files":
            yield found.value.level


def _age(level: Level) -> Known[tuple[int, str]] | None:
    """What `expires` or a Cache-Control header of a level says, in seconds."""
    for name in ("expires", "add_header"):
        state = level.in_force(name)
        for line in state.value.lines if isinstance(state, Known) else ():
            words = [word.text for word in line.words]
            if name == "expires" and words:
                kept = 10 * YEAR if words[-1] == "max" else int(seconds(words[-1]) or 0)
                return Known((kept, "nginx"), (line.place,))
            told = _AGE.search(words[1]) if len(words) > 1 and words[0].lower() == "cache-control" else None
            if told is not None:
                return Known((int(told[1]), "nginx"), (line.place,))
    return None


def _has_pages(stack: Stack) -> bool:
    """Whether a template of the project names a static file: by Django's tag, or by a function in Jinja2."""
    files = stack.templates.by_path.values()
    return any("static" in names_in(file.tree) or _has_tag(file.tree.nodes) for file in files)


def _has_tag(nodes: tuple[template.Node, ...]) -> bool:
    return any(isinstance(node, template.Tag) and node.name in _TAGS for node in flat(nodes))


def _told(age: int) -> str:
    return f"{age // DAY} days" if age >= 2 * DAY else "1 day" if age >= DAY else f"{age} seconds"


def _bundler(stack: Stack, settings: Settings) -> str:
    apps = items(settings, "INSTALLED_APPS")
    return next((name for name in BUNDLERS if apps.within(name) is not None or stack.modules.imports(name)), "")
