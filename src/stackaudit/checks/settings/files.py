"""Names of static files that do not change with their content."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.nginx.answers import answer
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.settings.storages import DEFAULT, static_storage
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
PLAIN = frozenset({DEFAULT, "whitenoise.storage.CompressedStaticFilesStorage"})
"""Storages that keep the names as they are."""
HASHED = re.compile(r"Manifest|Hashed")
BUNDLERS = ("django_vite", "vite_loader", "webpack_loader", "webpack_boilerplate", "compressor", "pipeline")
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
    elif (bundler := _bundler(stack, settings)) != "":
        yield Unsure(site, f"{bundler} may put a hash into the names of its files")
    elif str(storage.value) not in PLAIN:
        yield Unsure(site, f"whether {storage.value} puts a hash into the names is not known")
    else:
        age, server = kept.value
        name = str(storage.value).rpartition(".")[2]
        values = {"storage": name, "server": server, "age": _told(age)}
        steps = tuple(Step(place, f"{server} says how long they are kept") for place in kept.places[:1])
        yield Fail(site, values, cause="" if age >= DAY else "asked-again", related=steps)


def _kept(stack: Stack, settings: Settings) -> Known[tuple[int, str]] | Unknown | None:
    """For how many seconds browsers keep static files, and who tells them so; None where nobody known does.

    What nginx lets them keep for a year or longer is left to nginx/expires-without-hash.
    """
    whitenoise = items(settings, "MIDDLEWARE").find(WHITENOISE)
    if whitenoise is not None:
        if whitenoise.doubt:
            return Unknown(whitenoise.doubt)
        age = settings.get("WHITENOISE_MAX_AGE") if settings.is_set("WHITENOISE_MAX_AGE") else None
        if isinstance(age, Unknown):
            return age
        if age is None:  # its default while DEBUG is off
            return Known((60, "WhiteNoise"), (whitenoise.place,), "WhiteNoise's default")
        return Known((int(age.value or 0), "WhiteNoise"), age.places) if _number(age) else None
    return _by_nginx(stack, settings)


def _number(value: AnyValue) -> bool:
    return isinstance(value, Known) and (value.value is None or isinstance(value.value, int))


def _by_nginx(stack: Stack, settings: Settings) -> Known[tuple[int, str]] | None:
    url = settings.get("STATIC_URL")
    path = str(url.value) if isinstance(url, Known) else ""
    if not path.strip("/") or "//" in path:
        return None
    for server in stack.nginx.servers:
        found = answer(server, f"/{path.strip('/')}/css/site.css")
        if not isinstance(found, Known) or found.value.kind != "files":
            continue
        state = found.value.level.in_force("expires")
        if isinstance(state, Known) and state.value.lines:
            line = state.value.lines[-1]
            age = _seconds(line.words[-1].text) if line.words else 0
            if DAY <= age < YEAR:
                return Known((age, "nginx"), (line.place,))
        headers = found.value.level.in_force("add_header")
        for line in headers.value.lines if isinstance(headers, Known) else ():
            words = [word.text for word in line.words]
            age_in = _AGE.search(words[1]) if len(words) > 1 and words[0].lower() == "cache-control" else None
            if age_in is not None and DAY <= int(age_in[1]) < YEAR:
                return Known((int(age_in[1]), "nginx"), (line.place,))
    return None


def _seconds(text: str) -> int:
    """An nginx time such as `30d` or `1h30m`; 0 for what is none."""
    units = {"y": YEAR, "M": 2_592_000, "w": 604_800, "d": DAY, "h": 3600, "m": 60, "s": 1, "": 1}
    if text == "max":
        return 10 * YEAR
    if not re.match(r"\d", text):
        return 0
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([yMwdhms]?)", text))


def _told(age: int) -> str:
    return f"{age // DAY} days" if age >= 2 * DAY else "1 day" if age >= DAY else f"{age} seconds"


def _bundler(stack: Stack, settings: Settings) -> str:
    apps = items(settings, "INSTALLED_APPS")
    return next((name for name in BUNDLERS if apps.within(name) is not None or stack.modules.imports(name)), "")
