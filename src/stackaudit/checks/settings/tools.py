"""Tools for developers in the settings of production."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, defaulted
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
    found = {
        tool: item
        for name in ("MIDDLEWARE", "INSTALLED_APPS")
        for item in items(settings, name)
        if (tool := _tool(item.name))
    }
    for tool, item in found.items():
        site = Site(item.place, f"{TOOLS[tool][0]}")
        if settings.doubt or item.doubt:
            yield Unsure(site, settings.doubt or item.doubt)
        elif defaulted(item.note):
            yield Unsure(site, f"it is loaded by default only ({item.note})")
        else:
            yield _judged(settings, tool, site)
    if not found and settings.is_set("INSTALLED_APPS"):
        site = Site(settings.place("INSTALLED_APPS"), "INSTALLED_APPS")
        hole = items(settings, "INSTALLED_APPS").hole
        yield Unsure(site, hole) if hole else Pass(site)


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
