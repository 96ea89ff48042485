"""Files that browsers keep for good, though their names do not change with their content."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx.answers import Answer, answer
from stackaudit.link.nginx.durations import seconds
from stackaudit.link.nginx.level import Line
from stackaudit.link.settings import storages
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

YEAR = 31_536_000
"""What counts as for good, in seconds."""

_MAX_AGE = re.compile(r"max-age=(\d+)")
_BUNDLERS = ("webpack_loader", "django_vite", "vite_loader", "webpack_boilerplate", "compressor", "pipeline")


def expires_without_hash(stack: Stack) -> Iterator[Verdict]:
    """One site for each line that makes browsers keep static or media files for a year or more."""
    settings = stack.production
    if settings is None:
        return
    verdicts: list[Verdict] = []
    for kind in ("STATIC", "MEDIA"):
        url = settings.get(f"{kind}_URL")
        name = url.value.strip("/") if isinstance(url, Known) and isinstance(url.value, str) else ""
        if not name or "//" in name:
            continue
        path = f"/{name}/"
        for server in stack.nginx.servers:
            found = answer(server, path + "css/site.css")
            if not isinstance(found, Known) or found.value.kind != "files":
                continue
            line = _for_good(found.value)
            if line is not None:
                site = Site(line.place, f"{server.title} {path} kept for good")
                verdicts.append(_judge(stack, site, kind, line))
    yield from once_for_each_place(verdicts)


def _for_good(found: Answer) -> Line | None:
    """The line that makes them be kept; None where none does, or it is not certain."""
    for name in ("expires", "add_header"):
        state = found.level.in_force(name)
        if not isinstance(state, Known):
            continue
        for line in state.value.lines:
            words = [word.text for word in line.words]
            if name == "expires" and words and _seconds(words[-1]) >= YEAR:
                return line
            if name == "add_header" and len(words) > 1 and words[0].lower() == "cache-control":
                age = _MAX_AGE.search(words[1])
                if "immutable" in words[1] or (age is not None and int(age[1]) >= YEAR):
                    return line
    return None


def _seconds(text: str) -> float:
    return 10 * YEAR if text == "max" else seconds(text) or 0


def _judge(stack: Stack, site: Site, kind: str, line: Line) -> Verdict:
    values = {"line": f"{line.name} {' '.join(word.text for word in line.words)}"}
    if kind == "MEDIA":
        return Fail(site, values, cause="media")
    hashed = hashed_names(stack)
    if isinstance(hashed, Unknown):
        return Unsure(site, hashed.why)
    if hashed.value:
        return Pass(site)
    related: tuple[Step, ...] = tuple(Step(place, "the storage is set here") for place in hashed.places[:1])
    return Fail(site, {**values, "storage": hashed.note}, related=related)


def hashed_names(stack: Stack) -> Value[bool]:
    """Whether the names of the collected static files change with their content; `note` is the storage's class."""
    backend = static_storage(stack)
    if isinstance(backend, Unknown):
        return backend
    name = backend.value
    if "Manifest" in name or "Hashed" in name:
        return Known(True, backend.places, name.rpartition(".")[2])
    bundler = next((item for item in _BUNDLERS if installed(stack, item)), None)
    if bundler is not None:
        return Unknown(f"{bundler} may put a hash into the names of its files")
    if name != storages.DEFAULT and not name.startswith(("whitenoise.storage.", "django.contrib.staticfiles.")):
        return Unknown(f"whether {name} puts a hash into the names is not known")
    return Known(False, backend.places, name.rpartition(".")[2])


def static_storage(stack: Stack) -> Value[str]:
    """The class of the storage of the static files, as Django reads it."""
    assert stack.production is not None
    return storages.static_storage(stack.production)


def installed(stack: Stack, name: str) -> bool:
    """Whether the settings install an application, or the code imports it."""
    apps = stack.production.get("INSTALLED_APPS") if stack.production is not None else None
    if not isinstance(apps, Known) or not isinstance(apps.value, (list, tuple)):
        return stack.modules.imports(name)
    names = [item.value if isinstance(item, Known) else item for item in apps.value]
    return any(isinstance(item, str) and item.split(".")[0] == name for item in names) or stack.modules.imports(name)
