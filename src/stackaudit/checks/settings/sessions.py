"""Where sessions live, and how often they are written."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as ir
from stackaudit.link import started
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

MIDDLEWARE = "django.contrib.sessions.middleware.SessionMiddleware"
BACKENDS = "django.contrib.sessions.backends."
STORED = ("db", "cached_db")
SHARED = ("RedisCache", "MemcacheCache", "MemcachedCache", "PyLibMCCache")
ADMIN = ("django.contrib.admin", "django.contrib.admin.apps.AdminConfig", "django.contrib.admin.apps.SimpleAdminConfig")
LOGINS = (
    "allauth", "social_django", "mozilla_django_oidc", "django_cas_ng", "djangosaml2", "two_factor", "registration",
    "django_registration", "dj_rest_auth", "rest_framework", "wagtail", "cms", "oscar", "account", "userena",
    "oauth2_provider", "django_auth_adfs", "lazysignup", "sesame", "drfpasswordless", "knox",
)  # fmt: skip
"""Applications that log visitors in, or bring pages that do."""
VIEWS = ("django.contrib.auth.urls", "django.contrib.auth.views")
CLEAN = "clearsessions"


def session_backend(stack: Stack) -> Iterator[Verdict]:
    """Sessions in the database are written when they change, read through a cache, and cleared away when they end."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    middleware = items(settings, "MIDDLEWARE").find(MIDDLEWARE)
    if middleware is None or middleware.doubt:
        return
    site = Site(settings.place("SESSION_ENGINE") if settings.is_set("SESSION_ENGINE") else middleware.place, "sessions")
    engine = settings.get("SESSION_ENGINE")
    if settings.doubt or isinstance(engine, Unknown):
        yield Unsure(site, settings.doubt or (engine.why if isinstance(engine, Unknown) else ""))
        return
    kind = str(engine.value).removeprefix(BACKENDS)
    yield from _written(settings, kind)
    if kind in STORED and _admin_alone(stack, settings):
        yield Pass(site)  # a handful of rows, whoever reads and deletes them
    elif kind not in STORED:
        if str(engine.value).startswith(BACKENDS):
            yield Pass(site)
        else:
            yield Unsure(site, f"where {engine.value} keeps sessions is not known")
    elif not _cleared(stack):
        unless = settings.unless("SESSION_ENGINE")
        values = {"engine": kind, "cache": "", "sessions": f"{unless}sessions" if unless else "Sessions"}
        values["way"] = _way(stack)
        yield Fail(site, values, cause="never-cleared")
    elif kind == "db" and (cache := _shared_cache(settings)):
        yield Fail(site, {"engine": kind, "cache": cache}, cause="cache-at-hand")
    else:
        yield Pass(site)


def _admin_alone(stack: Stack, settings: Settings) -> bool:
    """Whether nothing but the admin makes sessions: no app and no view of the project logs anybody in."""
    apps = items(settings, "INSTALLED_APPS")
    if apps.hole or apps.find(*ADMIN) is None or any(apps.within(name) is not None for name in LOGINS):
        return False
    for each in stack.mentions.imports:
        names = {alias.name for alias in each.node.names}
        home = each.node.module if isinstance(each.node, ir.ImportFrom) else ""
        if home.startswith("django.contrib.auth.views") or "django.contrib.auth.views" in names:
            return False
        if home == "django.contrib.auth" and names & {"login", "alogin", "views", "*"}:
            return False
        whole = "django.contrib.auth" in names or (home == "django.contrib" and "auth" in names)
        if whole and any(stack.mentions.named("login", "alogin")):
            return False
    if any(stack.mentions.written(lambda text: text.startswith(VIEWS))):
        return False
    return "session" not in stack.mentions.names or not any(
        isinstance(node, ir.Attribute) and node.attr == "session" and dotted(node.value).endswith("request")
        for module in stack.modules
        for node in nodes(module.facts.body)
    )


def _way(stack: Stack) -> str:
    """What can run a command once a day: beat, where it does so already, else what every machine has."""
    task = 'a Celery task that calls `call_command("clearsessions")`'
    schedule = stack.celery.setting("beat_schedule") if stack.celery.app is not None else Known(None)
    if isinstance(schedule, Known) and schedule.value:
        at = f" ({schedule.places[0].path}, line {schedule.places[0].region.line})" if schedule.places else ""
        return f"{task}, as one more entry of beat's schedule{at}"
    return (
        f"a cron line, a systemd timer, or {task}" if stack.celery.app is not None else "a cron line or a systemd timer"
    )


def _written(settings: Settings, kind: str) -> Iterator[Verdict]:
    if not settings.is_set("SESSION_SAVE_EVERY_REQUEST"):
        return
    value = settings.get("SESSION_SAVE_EVERY_REQUEST")
    site = Site(settings.place("SESSION_SAVE_EVERY_REQUEST"), "SESSION_SAVE_EVERY_REQUEST")
    if isinstance(value, Unknown):
        yield Unsure(site, value.why)
    elif value.value and kind in STORED:
        yield Fail(site, {"engine": kind, "cache": ""})
    else:
        yield Pass(site)


def _shared_cache(settings: Settings) -> str:
    """The backend of the cache for sessions where all processes share it, "" where they do not."""
    alias = settings.get("SESSION_CACHE_ALIAS")
    name = alias.value if isinstance(alias, Known) else "default"
    backend = settings.at("CACHES", str(name), "BACKEND")
    found = str(backend.value).rpartition(".")[2] if isinstance(backend, Known) else ""
    return found if found in SHARED else ""


def _cleared(stack: Stack) -> bool:
    """Whether something in the repository runs `clearsessions`: a script, a unit, a task or code of its own."""
    if any(CLEAN in repr(item.facts) for item in stack.of_kind(*started.KINDS, "pyproject")):
        return True
    mentions = stack.mentions
    return (
        any(mentions.written(lambda text: CLEAN in text))
        or any(mentions.named("clear_expired"))
        or any(isinstance(each.node, ir.ImportFrom) and CLEAN in each.node.module for each in mentions.imports)
    )
