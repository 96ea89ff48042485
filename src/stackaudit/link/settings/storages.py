"""Where static files are stored."""

from __future__ import annotations

from stackaudit.link.settings import Settings
from stackaudit.model.values import AnyValue, Known, Unknown

DEFAULT = "django.contrib.staticfiles.storage.StaticFilesStorage"


def static_storage(settings: Settings) -> AnyValue:
    """The class that stores static files, by its dotted name: STORAGES, or STATICFILES_STORAGE up to Django 5.0.

    From 4.2 to 5.0 both are read, and Django refuses to start with both.
    """
    if settings.is_set("STORAGES"):
        found = settings.at("STORAGES", "staticfiles", "BACKEND", default=DEFAULT)
    elif settings.is_set("STATICFILES_STORAGE"):
        if settings.version is None:
            return Unknown("whether Django still reads STATICFILES_STORAGE hangs on its version, which is not known")
        if settings.version[:2] >= (5, 1):
            return Known(DEFAULT, (settings.place("STATICFILES_STORAGE"),), "Django ignores STATICFILES_STORAGE")
        found = settings.get("STATICFILES_STORAGE")
    else:
        return Known(DEFAULT, (), "Django's default")
    if isinstance(found, Known) and not isinstance(found.value, str):
        return Unknown("the storage of the static files is no plain name", found.places)
    return found
