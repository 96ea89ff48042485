"""Who may read what the site answers, in the eyes of a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

MIDDLEWARE = ("corsheaders.middleware.CorsMiddleware", "corsheaders.middleware.CorsPostCsrfMiddleware")
_ANY = re.compile(r"\^?(https?(\?|s\?)?:(\\?/){2})?(\(?(\.[*+]|\[\^/\][*+])\)?)\$?")
"""Regular expressions that every origin matches, as far as they are written in the usual ways."""


def cors_any_origin(stack: Stack) -> Iterator[Verdict]:
    """One site, where django-cors-headers answers with credentials: it knows whom it answers."""
    settings = stack.production
    if settings is None or items(settings, "MIDDLEWARE").find(*MIDDLEWARE) is None:
        return
    credentials = settings.get("CORS_ALLOW_CREDENTIALS")
    name, value, place = _everybody(settings)
    site = Site(place, "CORS")
    unknown = next((each for each in (credentials, value) if isinstance(each, Unknown)), None)
    certain = [each.value for each in (credentials, value) if isinstance(each, Known)]
    if not all(certain):
        yield Pass(site)  # without credentials the browser sends no cookies; without everybody it asks the list
    elif unknown is not None:
        yield Unsure(site, unknown.why)
    else:
        sent = settings.get("SESSION_COOKIE_SAMESITE")
        crosses = isinstance(sent, Known) and sent.value in ("None", False, None)
        yield Fail(site, {"name": name, "sent": _told(sent)}, cause="" if crosses else "same-site")


def _everybody(settings: Settings) -> tuple[str, AnyValue, Place]:
    """The setting that lets every origin in, its value and place; of two names the new one wins, as in the package."""
    found = [name for name in ("CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL") if settings.is_set(name)]
    name = found[0] if found else "CORS_ALLOW_ALL_ORIGINS"
    value = settings.get(name)
    if isinstance(value, Known) and not value.value:
        for other in ("CORS_ALLOWED_ORIGIN_REGEXES", "CORS_ORIGIN_REGEX_WHITELIST"):
            for each in items(settings, other):
                if _ANY.fullmatch(each.name):
                    return other, Known(True), each.place
    return name, value, settings.place(name)


def _told(value: AnyValue) -> str:
    return repr(value.value) if isinstance(value, Known) else "unknown"
