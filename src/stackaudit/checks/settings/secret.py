"""The key that signs sessions, cookies and password links."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.settings import Settings
from stackaudit.link.settings.readers import Readers
from stackaudit.link.settings.servers import process_count
from stackaudit.link.stack import Stack
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_OUTSIDE = re.compile(r"^the environment variable|read from |so production sets it$|takes \w+ from elsewhere$")
_ANEW = re.compile(r"^(\w+) makes it anew in each process")
_DEFAULT = re.compile(r"default of env (\w+)")


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
    default = _DEFAULT.search(value.note)
    if default:
        values = {"variable": default[1], "where": "", "copies": _copies(stack, default[1], value.value)}
        fix = ""
        if settings.overlay:
            fix = (
                f"Take the key out of {site.place.path}: an installation gives its own by {default[1]} or in its "
                "settings file, and none runs with a key that everybody knows. Those that ran with it need a new one."
            )
        yield Fail(site, values, cause=_reader(stack, settings, default[1]), fix=fix)
    else:
        place = value.places[-1] if value.places else site.place
        yield Fail(site, {"variable": "", "where": f"{place.path}, line {place.region.line}"})


def _anew(stack: Stack, site: Site, maker: str, why: str) -> Verdict:
    count = process_count(stack)
    if isinstance(count, Unknown):
        return Unsure(site, f"{maker} makes a new key for each process, and how many there are is not known")
    default = _DEFAULT.search(why)
    when = f"Where the environment variable {default[1]} is missing, " if default else ""
    values = {"maker": maker, "count": count.value, "variable": "", "where": "", "when": when}
    return Fail(site, values, cause="each-process" if count.value > 1 else "each-start")


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
