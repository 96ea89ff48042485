"""Where static files are stored."""

from __future__ import annotations

from stackaudit.link.settings import Settings
from stackaudit.model.values import AnyValue, Known, Unknown

DEFAULT = "django.contrib.staticfiles.storage.StaticFilesStorage"


def static_storage(settings: Settings) -> AnyValue:
    """The class that stores static files, by its dotted name.

    Django reads STORAGES since 4.2 and STATICFILES_STORAGE up to 5.0; in between it refuses to start with both.
    """
    if settings.is_set("STORAGES") and (settings.version is None or settings.version[:2] >= (4, 2)):
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
