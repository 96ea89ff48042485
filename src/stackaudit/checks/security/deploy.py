"""The questions of `manage.py check --deploy`, answered from Django's settings, nginx and what stands before them.

Django asks for its own settings only (django/core/checks/security/, 5.2.19); here HTTPS that nginx enforces and headers
that nginx adds count as well. W009, W018 and W020 are settings/secret-key-exposed, debug-true and allowed-hosts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import pages
from stackaudit.link.nginx.headers import added
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.settings.readers import Readers
from stackaudit.link.settings.servers import servers
from stackaudit.link.stack import Stack
from stackaudit.model.values import AnyValue, Known, Unknown, Value, defaulted, plain
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

SECURITY = "django.middleware.security.SecurityMiddleware"
XFRAME = "django.middleware.clickjacking.XFrameOptionsMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
SESSIONS = "django.contrib.sessions"
_LISTED = {SECURITY: "MIDDLEWARE", XFRAME: "MIDDLEWARE", CSRF: "MIDDLEWARE", SESSION: "MIDDLEWARE"}
POLICIES = frozenset(
    {"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin", "strict-origin"}
    | {"strict-origin-when-cross-origin", "unsafe-url"}
)
FRAMES = frozenset({"DENY", "SAMEORIGIN"})
"""What keeps other sites out; Django's own W019 asks for DENY, and a page of the same site is no stranger."""
COOKIES = frozenset({"W012", "W016"})
OPENERS = frozenset({"same-origin", "same-origin-allow-popups", "unsafe-none", None})
_OTHER_PROXY = re.compile(r"(.*/)?(traefik|caddy|caddy-docker-proxy|nginx-proxy|swag|haproxy|envoy)")
_OWN_WORDS = frozenset({"E023", "E024", "W025"})
"""Questions that only a project's own value can fail: every release of Django has a good default."""
HSTS = "Strict-Transport-Security"


@dataclass(frozen=True, slots=True)
class Question:
    """One check of Django: what it asks of which values, and the setting at which people look for it.

    `needs` are settings, or names that MIDDLEWARE or INSTALLED_APPS may hold (then the value is whether they do).
    `header` is what nginx may send in Django's place.
    """

    id: str
    setting: str
    needs: tuple[str, ...]
    test: Callable[..., bool]
    header: str = ""


def _policies(value: Any) -> set[str]:
    return {part.strip() for part in value.split(",")} if isinstance(value, str) else set(value)


def _strong(key: str) -> bool:
    return len(key) >= 50 and len(set(key)) >= 5 and not key.startswith("django-insecure-")


QUESTIONS: tuple[Question, ...] = (
    Question("W001", "MIDDLEWARE", (SECURITY,), lambda on: on),
    Question("W002", "MIDDLEWARE", (XFRAME,), lambda on: on, "X-Frame-Options"),
    Question("W003", "MIDDLEWARE", (CSRF,), lambda on: on),
    Question(
        "W004", "SECURE_HSTS_SECONDS", (SECURITY, "SECURE_HSTS_SECONDS"), lambda on, seconds: not on or bool(seconds)
    ),
    Question(
        "W005",
        "SECURE_HSTS_INCLUDE_SUBDOMAINS",
        (SECURITY, "SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS"),
        lambda on, seconds, value: not on or not seconds or value is True,
    ),
    Question(
        "W021",
        "SECURE_HSTS_PRELOAD",
        (SECURITY, "SECURE_HSTS_SECONDS", "SECURE_HSTS_PRELOAD"),
        lambda on, seconds, value: not on or not seconds or value is True,
    ),
    Question(
        "W006",
        "SECURE_CONTENT_TYPE_NOSNIFF",
        (SECURITY, "SECURE_CONTENT_TYPE_NOSNIFF"),
        lambda on, value: not on or value is True,
        "X-Content-Type-Options",
    ),
    Question(
        "W008", "SECURE_SSL_REDIRECT", (SECURITY, "SECURE_SSL_REDIRECT"), lambda on, value: not on or value is True
    ),
    Question(
        "W012",
        "SESSION_COOKIE_SECURE",
        (SESSION, SESSIONS, "SESSION_COOKIE_SECURE"),
        lambda on, app, value: value is True or not (on or app),
    ),
    Question(
        "W015",
        "SESSION_COOKIE_HTTPONLY",
        (SESSION, SESSIONS, "SESSION_COOKIE_HTTPONLY"),
        lambda on, app, value: value is True or not (on or app),
    ),
    Question(
        "W016",
        "CSRF_COOKIE_SECURE",
        (CSRF, "CSRF_USE_SESSIONS", "CSRF_COOKIE_SECURE"),
        lambda on, sessions, value: bool(sessions) or not on or value is True,
    ),
    Question(
        "W019", "X_FRAME_OPTIONS", (XFRAME, "X_FRAME_OPTIONS"), lambda on, value: not on or str(value).upper() in FRAMES
    ),
    Question(
        "W022",
        "SECURE_REFERRER_POLICY",
        (SECURITY, "SECURE_REFERRER_POLICY"),
        lambda on, value: not on or value is not None,
        "Referrer-Policy",
    ),
    Question(
        "E023",
        "SECURE_REFERRER_POLICY",
        (SECURITY, "SECURE_REFERRER_POLICY"),
        lambda on, value: not on or value is None or _policies(value) <= POLICIES,
    ),
    Question(
        "E024",
        "SECURE_CROSS_ORIGIN_OPENER_POLICY",
        (SECURITY, "SECURE_CROSS_ORIGIN_OPENER_POLICY"),
        lambda on, value: not on or value in OPENERS,
    ),
    Question("W025", "SECRET_KEY_FALLBACKS", ("SECRET_KEY_FALLBACKS",), lambda keys: all(map(_strong, keys or ()))),
)


def deploy_check(stack: Stack) -> Iterator[Verdict]:
    """One site for each question; the site's name is Django's own id."""
    settings = stack.settings
    if settings is None:
        return
    if settings.broken or settings.doubt:
        yield Unsure(Site(settings.place("DEBUG"), "check --deploy"), settings.broken or settings.doubt)
        return
    if not settings.is_set("MIDDLEWARE") and not settings.is_set("ROOT_URLCONF"):
        return  # what settings are these? no site is served with them
    doors = _Doors(stack)
    silenced = items(settings, "SILENCED_SYSTEM_CHECKS")
    for question in QUESTIONS:
        for verdict in _answered(settings, doors, question):
            told = {question.id, verdict.cause if isinstance(verdict, Fail) else ""}
            if silenced.find(*(f"security.{name}" for name in told)) is None:
                yield verdict


def _answered(settings: Settings, doors: _Doors, question: Question) -> Iterator[Verdict]:
    site = Site(settings.place(question.setting), f"security.{question.id}")
    if question.id in _OWN_WORDS and not settings.is_set(question.setting) and not settings.names.open:
        yield Pass(site)
        return
    values = [_value(settings, name) for name in question.needs]
    unknown = next((value for value in values if isinstance(value, Unknown)), None)
    if unknown is None:
        held = [plain(value) for value in values]
        if question.test(*held):
            yield Pass(site)
            return
        known = _failed(settings, doors, question, site, held, values[-1])
    else:
        known = Unsure(site, unknown.why)
    in_front = doors.answer(question)
    if in_front is None:
        return  # a rule of nginx speaks of it
    if isinstance(in_front, Unknown) and isinstance(known, Fail):
        yield Unsure(site, in_front.why)
    else:
        yield Pass(site) if in_front == Known(True) else known


def _failed(
    settings: Settings, doors: _Doors, question: Question, site: Site, held: list[Any], value: AnyValue
) -> Verdict:
    values = {"value": repr(held[-1]), "unless": settings.unless(question.setting)}
    fix = ""
    if question.id in COOKIES and not doors.speaks_https(settings):
        if isinstance(value, Known) and defaulted(value.note) and not settings.overlay:
            return Unsure(site, f"each installation decides it ({value.note}), and may speak plain HTTP")
        fix = _by_installation(doors.stack, settings, question.setting)
    elif question.id in COOKIES:
        fix = f"`{question.setting} = True` in {settings.path}."
    elif question.id == "W001" and _redirects(settings):
        place = settings.place("SECURE_SSL_REDIRECT")
        fix = (
            f'`"{SECURITY}"` as the first entry of MIDDLEWARE. It wakes `SECURE_SSL_REDIRECT = True` ({place.path}, '
            f"line {place.region.line}) as well: whatever asks by plain HTTP, health checks too, gets a 301 then, and "
            "a proxy that ends TLS has to be named in SECURE_PROXY_SSL_HEADER first."
        )
    return Fail(_beside(doors.stack, settings, question, site), values, cause=_cause(question.id, held), fix=fix)


def _beside(stack: Stack, settings: Settings, question: Question, site: Site) -> Site:
    """Where a setting that is missing belongs: beside its family in the module that wins, else where MIDDLEWARE is."""
    name = question.setting
    if settings.is_set(name):
        return site
    first, _, rest = name.partition("_")
    second = rest.partition("_")[0]
    family = [f"{first}_{second}_", f"{first}_", *(["SESSION_COOKIE_", "CSRF_COOKIE_"] if second == "COOKIE" else [])]
    near = [each for start in family for each in sorted(settings.names) if each.startswith(start)]
    for each in (*near, Readers(stack, settings.path).site, "MIDDLEWARE"):
        if each and settings.is_set(each) and settings.place(each).path == settings.path:
            return Site(settings.place(each), site.name)
    return site


def _redirects(settings: Settings) -> bool:
    value = settings.get("SECURE_SSL_REDIRECT")
    return isinstance(value, Known) and value.value is True


def _by_installation(stack: Stack, settings: Settings, name: str) -> str:
    """How a cookie is made secure in settings that serve installations with https and without it."""
    plain_http = "over plain HTTP browsers do not send a secure cookie back, and nobody could log in"
    if settings.overlay:
        return f"Set `{settings.overlay}_{name}=true` where the site is reached by https alone: {plain_http}."
    readers = Readers(stack, settings.path)
    if readers.site:
        line = f'{name} = {readers.site}.startswith("https://")'
        below = readers.taken_in_below(settings.place(readers.site).region.line)
        where = f"in {settings.path}, below {readers.site}"
        if below is not None:
            where = f"at the very end of {settings.path}, below `{below[0]}`, which may set {readers.site}"
        return f"`{line}` {where}: {plain_http}."
    expression = readers.boolean(name)
    if expression:
        return (
            f"Read it as the other settings of {settings.path} are read, `{name} = {expression}`, and switch it on "
            f"where the site is reached by https alone: {plain_http}."
        )
    return f"`{name} = True` in {settings.path}, once every visitor comes by https: {plain_http}."


def _value(settings: Settings, name: str) -> AnyValue:
    """A setting, or whether a list of names holds one."""
    where = _LISTED.get(name, "INSTALLED_APPS" if name == SESSIONS else "")
    if not where:
        return settings.get(name)
    listed = items(settings, where)
    found = listed.find(name)
    if found is not None:
        return Unknown(found.doubt) if found.doubt else Known(True)
    return Unknown(listed.hole) if listed.hole else Known(False)


def _cause(name: str, held: list[Any]) -> str:
    """Sessions have an id each for the middleware and the application, and one for both."""
    if name in ("W012", "W015") and not (held[0] and held[1]):
        both = {"W012": ("W011", "W010"), "W015": ("W014", "W013")}[name]
        return both[0] if held[0] else both[1]
    return name


class _Doors:
    """Where Django's pages leave nginx."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.all = [
            (server, door) for server in stack.nginx.servers if (door := pages(stack, stack.nginx, server)) is not None
        ]
        self.tls = [door for server, door in self.all if server.tls == Known(True)]

    def answer(self, question: Question) -> Value[bool] | None:
        """Whether something before Django does what the question asks for; None where a rule of nginx speaks of it."""
        if question.id in ("W004", "W005", "W021", "W008") and self.tls:
            return None if question.id in ("W004", "W008") else self._sent(HSTS)
        if question.id == "W004":
            sent = self._sent(HSTS)
            return sent if sent == Known(True) else self._elsewhere() or sent
        if question.id == "W008":
            return Known(True) if self._redirects() else self._elsewhere() or Known(False)
        if question.header:
            return self._sent(question.header)
        if question.id == "W001":
            headers = ("X-Content-Type-Options", "Referrer-Policy")
            return Known(all(self._sent(header) == Known(True) for header in headers))
        return Known(False)

    def speaks_https(self, settings: Settings) -> bool:
        """Whether the repository shows that visitors come by https."""
        return bool(self.tls) or self._redirects() or self._elsewhere() is None or _redirects(settings)

    def _sent(self, header: str) -> Value[bool]:
        """Whether nginx adds a header to Django's pages, on TLS where it speaks it."""
        found = [added(door.level, header) for door in self._counting()]
        unknown = next((value for value in found if isinstance(value, Unknown)), None)
        if unknown is not None:
            return unknown
        return Known(bool(found) and all(isinstance(value, Known) and value.value is not None for value in found))

    def _counting(self) -> list[Proxied]:
        return self.tls or [door for _, door in self.all]

    def _redirects(self) -> bool:
        """Whether nginx sends plain requests to https although something before it ends TLS."""
        return bool(self.all) and all(
            any(
                "https://" in word.text
                for block in (*server.level.inside("if"), *door.location.level.inside("if"))
                for line in (*block.lines.get("return", []), *block.lines.get("rewrite", []))
                for word in line.words
            )
            for server, door in self.all
        )

    def _elsewhere(self) -> Unknown | None:
        """Why something else may do what HTTPS needs; None where Django's own server ends TLS."""
        for container in self.stack.containers:
            if container.ports and container.audience != "development" and _OTHER_PROXY.fullmatch(container.image):
                return Unknown(f"{container.image} ({container.title}) ends TLS, and its configuration is not followed")
        for server in servers(self.stack):
            for name in ("certfile", "ssl_certfile"):
                value = server.settings.get(name)
                if isinstance(value, Known) and value.value:
                    return None
        return Unknown("what ends TLS before Django, and what else it does there, is not in the repository")
