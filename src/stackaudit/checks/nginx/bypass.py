"""Which visitors a condition of proxy_cache_bypass or proxy_no_cache tells apart, followed through map and set."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from stackaudit.link.nginx import Nginx, Proxied
from stackaudit.link.nginx.level import Level
from stackaudit.model.values import Known, Unknown, Value

Visitors: TypeAlias = Value[frozenset[str]]
"""Of "cookie" (the session's), "other-cookie", "some-cookie" (the session's name is not known), "authorization"."""

_BUILT_IN = ("arg_", "http_", "request_", "uri", "args", "is_args", "query_string", "sent_http_", "upstream_")
_VARIABLE = re.compile(r"\$\{?([a-zA-Z0-9_]+)\}?")


def visitors_told_apart(nginx: Nginx, proxied: Proxied, words: Iterable[str], cookie: Value[str]) -> Visitors:
    """What the variables of `words` depend on, as far as it concerns who asks."""
    found: set[str] = set()
    for word in words:
        for name in _VARIABLE.findall(word):
            told = _of_variable(nginx, proxied.level, name.lower(), cookie, 0)
            if isinstance(told, Unknown):
                return told
            found |= told.value
    return Known(frozenset(found))


def _of_variable(nginx: Nginx, level: Level, name: str, cookie: Value[str], depth: int) -> Visitors:
    if name == "http_authorization":
        return Known(frozenset({"authorization"}))
    if name == "http_cookie":
        return Known(frozenset({"cookie"}))
    if name.startswith("cookie_"):
        return Known(frozenset({_cookie(name.removeprefix("cookie_"), cookie)}))
    if depth > 5:
        return Known(frozenset())
    mapped = _of_map(nginx, level, name, cookie, depth)
    if mapped is not None:
        return mapped
    return _of_set(nginx, level, name, cookie, depth)


def _cookie(name: str, cookie: Value[str]) -> str:
    """nginx's $cookie_NAME cannot name a cookie with a hyphen; names are compared without regard to case."""
    if isinstance(cookie, Unknown):
        return "some-cookie"
    return "cookie" if cookie.value.lower() == name else "other-cookie"


def _of_map(nginx: Nginx, level: Level, name: str, cookie: Value[str], depth: int) -> Visitors | None:
    *_, http = level.outward()
    for block in (child for outer in (http, *level.outward()) for child in outer.inside("map")):
        words = block.directive.args if block.directive is not None else ()
        if len(words) != 2 or words[1].text.lower() != "$" + name:
            continue
        found: set[str] = set()
        for source in _VARIABLE.findall(words[0].text):
            if source.lower() == "http_cookie":
                found.add(_cookie_of_patterns(block.lines, cookie))
                continue
            told = _of_variable(nginx, level, source.lower(), cookie, depth + 1)
            if isinstance(told, Unknown):
                return told
            found |= told.value
        return Known(frozenset(found))
    return None


def _cookie_of_patterns(patterns: Iterable[str], cookie: Value[str]) -> str:
    """What a map over $http_cookie looks for."""
    if isinstance(cookie, Unknown):
        return "some-cookie"
    text = " ".join(patterns).replace("\\", "").lower()
    return "cookie" if cookie.value.lower() in text else "other-cookie"


def _of_set(nginx: Nginx, level: Level, name: str, cookie: Value[str], depth: int) -> Visitors:
    """`set $skip 1;` inside `if ($http_cookie ~ "sessionid")`."""
    found: set[str] = set()
    seen = False
    for outer in level.outward():
        for line in outer.lines.get("set", []):
            seen |= bool(line.words) and line.words[0].text.lower() == "$" + name
        for block in outer.inside("if"):
            sets = [line.words[0].text.lower() for line in block.lines.get("set", []) if line.words]
            if "$" + name not in sets or block.directive is None:
                continue
            seen = True
            condition = [word.text for word in block.directive.args]
            for source in _VARIABLE.findall(condition[0]) if condition else []:
                if source.lower() == "http_cookie" and len(condition) > 2:
                    found.add(_cookie_of_patterns(condition[2:], cookie))
                    continue
                told = _of_variable(nginx, level, source.lower(), cookie, depth + 1)
                if isinstance(told, Unknown):
                    return told
                found |= told.value
    if not seen and not name.startswith(_BUILT_IN):
        return Unknown(f"what ${name} holds is not in the repository")
    return Known(frozenset(found))
