"""What the template engine does on every page: loading templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

CACHED = "django.template.loaders.cached.Loader"
DJANGO = "django.template.backends.django.DjangoTemplates"
_READING = ("filesystem.Loader", "app_directories.Loader")
_WRAPPING = tuple(
    f"{package}{config}"
    for package in ("django_cotton", "template_partials")
    for config in ("", ".apps.LoaderAppConfig")
)
"""Apps that give the engine "django" other loaders, with the cached one around them, whatever the settings list.

apps.py of django-cotton 2.8 and django-template-partials 25.3 (`wrap_loaders()` in `ready()`).
"""


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
    if loaders.value is None or (
        _is_named_django(settings, index) and items(settings, "INSTALLED_APPS").find(*_WRAPPING)
    ):
        return Pass(site)
    names = _names(loaders.value)
    if names is None:
        return Unsure(site, "one of the loaders is not known")
    if not any(name.endswith(_READING) for name in names):
        return Pass(site)
    plain = all(isinstance(item, Known) and isinstance(item.value, str) for item in loaders.value)
    return Fail(site, {"loaders": ", ".join(names)}, fix=_cached(names, plain))


def _is_named_django(settings: Settings, index: int) -> bool:
    """Whether an engine has the name that one of Django's own has where it is given none."""
    name = settings.at("TEMPLATES", index, "NAME", default="django")
    return isinstance(name, Known) and name.value == "django"


def _cached(names: list[str], plain: bool) -> str:
    """The same loaders in the cached one, or what Django makes of no list at all where that is the same."""
    held = ", ".join(f'"{name}"' for name in names) if plain else "…the loaders as they stand…"
    fix = f'Wrap the whole list: `"loaders": [("{CACHED}", [{held}])]`.'
    default = [f"django.template.loaders.{name}" for name in _READING]
    if names == default or names == default[:1]:
        apps = ' and write `"APP_DIRS": True` beside BACKEND' if names == default else ""
        fix += f" Or take `loaders` out of OPTIONS{apps}: Django makes the same list then, and caches it."
    return fix


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
