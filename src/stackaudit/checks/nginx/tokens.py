"""Whether Django tells visitors apart by the Authorization header, which nginx's cache never looks at."""

from __future__ import annotations

import re

from stackaudit.link.settings.lists import items
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value

_BY_NAME = re.compile(r"token|jwt|oauth2?(backend|token)|bearer|basic_?auth|knox|api_?key", re.IGNORECASE)
"""What middleware and backends that read the header are called; CSRF's own is not among those that are asked."""
_APPS = ("tastypie", "graphql_jwt", "knox", "rest_framework_simplejwt", "ninja_jwt", "ninja_extra")
_MODULES = ("ninja.security", "oauth2_provider.decorators", "oauth2_provider.views.generic", "tastypie.authentication")
_SESSIONS = "SessionAuthentication"


def reads_authorization(stack: Stack) -> Value[bool]:
    """Whether anything that the project installs, names or writes reads Authorization of a request.

    Django itself never does. Django REST framework does unless its only authentication is that by session.
    """
    settings = stack.production
    if settings is None or settings.doubt or settings.broken:
        return Unknown("whether Django looks at Authorization is not known: there are no settings of production")
    named = [items(settings, name) for name in ("MIDDLEWARE", "AUTHENTICATION_BACKENDS", "INSTALLED_APPS")]
    *classes, apps = named
    for listed in classes:
        for item in listed:
            if not item.name.startswith("django.") and _BY_NAME.search(item.name.rpartition(".")[2]):
                return Known(True, (item.place,))
    if (app := apps.within(*_APPS)) is not None:
        return Known(True, (app.place,))
    if apps.within("rest_framework") is not None and not _by_session_only(stack):
        return Known(True)
    if any(stack.modules.imports(name) for name in _MODULES) or _in_code(stack):
        return Known(True)
    hole = next((listed.hole for listed in named if listed.hole), "")
    return Unknown(hole) if hole else Known(False)


def _by_session_only(stack: Stack) -> bool:
    """Whether every class in REST_FRAMEWORK authenticates by session, and no view names others."""
    settings = stack.production
    value = settings.at("REST_FRAMEWORK", "DEFAULT_AUTHENTICATION_CLASSES") if settings is not None else None
    if not isinstance(value, Known) or not isinstance(value.value, (list, tuple)) or not value.value:
        return False
    names = [item.value if isinstance(item, Known) else None for item in value.value]
    if not all(isinstance(name, str) and name.endswith(_SESSIONS) for name in names):
        return False
    return all(view.member("authentication_classes") is None for view in stack.api.views)


def _in_code(stack: Stack) -> bool:
    """Whether code that has a request in hand names the header; a client that sends one has none."""
    for found in stack.mentions.written(lambda text: text.lower() in ("http_authorization", "authorization")):
        if str(getattr(found.node, "value", "")).lower() == "http_authorization":
            return True
        if found.function is not None and any(param.name == "request" for param in found.function.params):
            return True
    return False
