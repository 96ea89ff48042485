"""What the template engine does on every page: loading templates, and running context processors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackaudit.link.pages.processors import asked
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

CACHED = "django.template.loaders.cached.Loader"
DJANGO = "django.template.backends.django.DjangoTemplates"
_READING = ("filesystem.Loader", "app_directories.Loader")


def cached_loader_missing(stack: Stack) -> Iterator[Verdict]:
    """Engines of Django's templates, and whether their loaders keep what they parsed."""
    settings = stack.settings
    if settings is None:
        return
    value = settings.get("TEMPLATES")
    if isinstance(value, Unknown):
        yield Unsure(Site(settings.place("TEMPLATES"), "TEMPLATES"), value.why)
        return
    for index in range(len(value.value) if isinstance(value.value, (list, tuple)) else 0):
        backend = settings.at("TEMPLATES", index, "BACKEND", default=DJANGO)
        if isinstance(backend, Known) and backend.value == DJANGO:
            yield _engine(settings, index)


def _engine(settings: Settings, index: int) -> Verdict:
    site = Site(settings.place_at("TEMPLATES", index, "OPTIONS", "loaders"), f"TEMPLATES[{index}] loaders")
    if settings.doubt:
        return Unsure(site, settings.doubt)
    loaders = settings.at("TEMPLATES", index, "OPTIONS", "loaders", default=None)
    if isinstance(loaders, Unknown):
        return Unsure(site, loaders.why)
    if loaders.value is None:
        return Pass(site)
    names = _names(loaders.value)
    if names is None:
        return Unsure(site, "one of the loaders is not known")
    reading = [name for name in names if name.endswith(_READING)]
    return Fail(site, {"loaders": ", ".join(reading)}) if reading else Pass(site)


def _names(value: Any) -> list[str] | None:
    """The outermost loaders; a loader with arguments is a tuple that begins with its name."""
    if not isinstance(value, (list, tuple)):
        return None
    names = []
    for item in value:
        held = item.value if isinstance(item, Known) else None
        if isinstance(held, (list, tuple)) and held and isinstance(held[0], Known):
            held = held[0].value
        if not isinstance(held, str):
            return None
        names.append(held)
    return names


def context_processor_query(stack: Stack) -> Iterator[Verdict]:
    """The project's context processors, and the queries that they run on every page."""
    for processor in asked(stack):
        site = Site(processor.place, processor.name)
        if not processor.queries:
            yield Pass(site)
            continue
        first = processor.queries[0]
        others = tuple(Step(item.place, "asks the database too") for item in processor.queries[1:6])
        yield Fail(
            Site(first.place, processor.name),
            {"processor": processor.name.rpartition(".")[2], "count": len(processor.queries)},
            related=others,
            flow=(Step(processor.place, "runs for every page"), Step(first.place, "asks the database")),
        )
