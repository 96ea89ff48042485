"""What nginx's cache has to know of Django: its session cookie, and whether its pages carry caching headers."""

from __future__ import annotations

from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value

CSRF = "django.middleware.csrf.CsrfViewMiddleware"
_PERSONAL = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    CSRF,
)
_CACHING = (
    "django.views.decorators.cache",
    "django.utils.cache",
    "django.middleware.cache",
    "django.views.decorators.http",
)
_CACHE_MIDDLEWARE = "django.middleware.cache.UpdateCacheMiddleware"


def session_cookie(stack: Stack) -> Value[str]:
    """SESSION_COOKIE_NAME."""
    if stack.production is None:
        return Known("sessionid", note="Django's default")
    value = stack.production.get("SESSION_COOKIE_NAME")
    if isinstance(value, Known) and not isinstance(value.value, str):
        return Unknown("SESSION_COOKIE_NAME is no string")
    return value


def caches_pages(stack: Stack) -> bool:
    """Whether anything in the code may send Cache-Control or Expires with pages."""
    return any(stack.modules.imports(name) for name in _CACHING) or _CACHE_MIDDLEWARE in (middleware(stack) or ())


def public_only(stack: Stack) -> Value[bool]:
    """Whether no page can differ by visitor, because neither sessions, logins nor CSRF tokens are installed."""
    if stack.production is None:
        return Unknown("there is no settings module that tells whether visitors log in")
    listed = middleware(stack)
    if listed is None:
        return Unknown("MIDDLEWARE is not fully known")
    if not listed:
        return Unknown("MIDDLEWARE is empty")
    return Known(not any(name in listed or _alike(name, listed) for name in _PERSONAL))


def _alike(name: str, listed: tuple[str, ...]) -> bool:
    """Whether a class of the same trade stands in for Django's own."""
    trade = name.rpartition(".")[2].removesuffix("Middleware").lower()[:4]
    return any(trade in item.rpartition(".")[2].lower() for item in listed)


def middleware(stack: Stack) -> tuple[str, ...] | None:
    """MIDDLEWARE; None where part of it is unknown."""
    value = stack.production.get("MIDDLEWARE") if stack.production is not None else None
    if not isinstance(value, Known) or not isinstance(value.value, (list, tuple)):
        return None
    items = [item.value if isinstance(item, Known) else item for item in value.value]
    return None if any(not isinstance(item, str) for item in items) else tuple(items)
