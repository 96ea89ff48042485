"""Tools for developers in the settings of production."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.folding.objects import Maybe
from stackaudit.link.settings import Settings
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

TOOLS: dict[str, tuple[str, bool]] = {
    "debug_toolbar": ("django-debug-toolbar", True),
    "django_browser_reload": ("django-browser-reload", True),
    "silk": ("django-silk", False),
    "nplusone.ext.django": ("nplusone", False),
    "zeal": ("django-zeal", False),
    "livereload": ("django-livereload-server", False),
    "devserver": ("django-devserver", False),
    "pyinstrument.middleware": ("pyinstrument", False),
}
"""Applications, as INSTALLED_APPS or the start of a middleware names them: the package, and whether it does nothing
while DEBUG is off (debug toolbar: its default callback asks for DEBUG; browser-reload: its views and middleware do)."""
SAMPLED = 5
"""Percent of requests that silk may record without being noticed."""


def dev_tools_enabled(stack: Stack) -> Iterator[Verdict]:
    """Production loads no profiler, toolbar or reloader."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    found = dict(_found(settings))
    for tool, (place, doubt) in found.items():
        site = Site(place, f"{TOOLS[tool][0]}")
        if settings.doubt or doubt:
            yield Unsure(site, settings.doubt or doubt)
        else:
            yield _judged(settings, tool, site)
    apps = settings.get("INSTALLED_APPS")
    if not found and settings.is_set("INSTALLED_APPS"):
        site = Site(settings.place("INSTALLED_APPS"), "INSTALLED_APPS")
        unknown = apps if isinstance(apps, Unknown) else _hole(apps)
        yield Unsure(site, unknown.why) if unknown is not None else Pass(site)


def _hole(value: Known[object]) -> Unknown | None:
    """The first item of a list that could be anything."""
    if not isinstance(value.value, (list, tuple)):
        return Unknown("INSTALLED_APPS is no list")
    return next(
        (item for item in value.value if isinstance(item, Unknown) and getattr(item, "item", None) is None), None
    )


def _found(settings: Settings) -> Iterator[tuple[str, tuple[Place, str]]]:
    for name in ("MIDDLEWARE", "INSTALLED_APPS"):
        value = settings.get(name)
        if isinstance(value, Unknown) or not isinstance(value.value, (list, tuple)):
            continue
        for item in value.value:
            held: AnyValue = item
            doubt = ""
            if isinstance(item, Maybe) and item.item is not None:
                held, doubt = item.item, item.why
            if isinstance(held, Known) and isinstance(held.value, str):
                tool = _tool(held.value)
                if tool:
                    yield tool, ((held.places or (settings.place(name),))[0], doubt)


def _tool(name: str) -> str:
    return next((tool for tool in TOOLS if name == tool or name.startswith(f"{tool}.")), "")


def _judged(settings: Settings, tool: str, site: Site) -> Verdict:
    package, idle = TOOLS[tool]
    values = {"package": package, "share": ""}
    debug = settings.get("DEBUG")
    if idle:
        if isinstance(debug, Unknown):
            return Unsure(site, debug.why)
        return Fail(site, values, cause="" if debug.value else "idle")
    if tool == "silk":
        profiler = settings.get("SILKY_PYTHON_PROFILER")
        if isinstance(profiler, Known) and profiler.value is True:
            return Fail(site, values)
        share, login = settings.get("SILKY_INTERCEPT_PERCENT"), settings.get("SILKY_AUTHENTICATION")
        sampled = isinstance(share, Known) and isinstance(share.value, (int, float)) and share.value <= SAMPLED
        if sampled and isinstance(login, Known) and login.value:
            values["share"] = str(share.value) if isinstance(share, Known) else ""
            return Fail(site, values, cause="sampled")
        if isinstance(share, Unknown):
            return Unsure(site, share.why)
    return Fail(site, values)
