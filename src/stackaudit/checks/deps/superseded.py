"""deps/superseded: packages that their authors gave up, or that something maintained or built in replaces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from packaging.version import Version

from stackaudit.checks.deps.sanitizing import sanitizing
from stackaudit.facts.services import Dockerfile
from stackaudit.link.packages.installs import DEVELOPMENT, reached
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict


@dataclass(frozen=True, slots=True)
class Successor:
    """What became of a package, and what to use. `since` is the Django that the advice needs."""

    what: str
    instead: str
    cause: Literal["", "broken", "works"] = ""
    since: str = ""


SUPERSEDED: Mapping[str, Successor] = {
    "aioredis": Successor("was merged into redis-py 4.2 and is archived", "redis (redis.asyncio)"),
    "bleach": Successor("was deprecated by its authors in January 2023", "nh3", "works"),
    "boto": Successor("is archived; its last release is of 2018", "boto3", "broken"),
    "django-db-connection-pool": Successor(
        "does what Django does by itself since 5.1", 'psycopg 3 with DATABASES OPTIONS = {"pool": ...}', "works", "5.1"
    ),
    "django-heroku": Successor("is archived", "dj-database-url and whitenoise"),
    "django-jsonfield": Successor("is what Django has since 3.1", "models.JSONField", "works", "3.1"),
    "django-mptt": Successor("is unmaintained, as its README says", "django-treebeard or django-tree-queries", "works"),
    "django-postgrespool2": Successor(
        "does what Django does by itself since 5.1", 'psycopg 3 with DATABASES OPTIONS = {"pool": ...}', "works", "5.1"
    ),
    "django-redis-cache": Successor(
        "is abandoned", "django.core.cache.backends.redis.RedisCache (Django 4.0) or django-redis", "", "4.0"
    ),
    "django-rest-auth": Successor("is abandoned since 2019", "dj-rest-auth"),
    "django-rest-swagger": Successor("is deprecated and archived", "drf-spectacular"),
    "djangorestframework-jwt": Successor("is archived", "djangorestframework-simplejwt"),
    "djangorestframework-orjson": Successor("is a pre-alpha of July 2019", "drf-orjson-renderer"),
    "eventlet": Successor(
        "asks on its own page not to be used for new work, and gunicorn 27 dropped its worker",
        "gevent, or threads (gthread)",
        "broken",
    ),
    "jsonfield": Successor("is what Django has since 3.1", "models.JSONField", "works", "3.1"),
    "nplusone": Successor("had its last release in 2018", "django-zeal in the tests"),
    "oauth2client": Successor("is deprecated by Google", "google-auth"),
    "psycopg2": Successor("gets fixes only; its successor is psycopg 3", "psycopg", "works", "4.2"),
    "psycopg2-binary": Successor("gets fixes only; its successor is psycopg 3", "psycopg[binary]", "works", "4.2"),
    "pycrypto": Successor("is dead since 2013 and has known flaws that nobody mends", "pycryptodome", "broken"),
    "pypdf2": Successor("went on as pypdf", "pypdf"),
    "python-memcached": Successor("has no backend in Django since 4.1", "pymemcache", "broken", "4.1"),
    "pytz": Successor("is not used by Django since 5.0", "zoneinfo of the standard library", "works", "5.0"),
    "raven": Successor("is the old client of Sentry, archived", "sentry-sdk"),
    "ujson": Successor("is in maintenance-only mode, and its authors name the successor", "orjson"),
    "uwsgi": Successor(
        "is in maintenance mode since 2022, as its authors say", "gunicorn, uvicorn or granian", "works"
    ),
}

_BESIDE = (
    "attach-daemon", "smart-attach-daemon", "mule", "cron", "unique-cron", "spooler", "hook-", "exec-", "check-static",
    "static-map",
)  # fmt: skip
"""Options of uWSGI with which it is more than a web server."""
_IMAGE = re.compile(r"(?:.*/)?tiangolo/(uvicorn-gunicorn(?:-[a-z]+)?|meinheld-gunicorn(?:-[a-z]+)?)(?::.*)?")


def superseded(stack: Stack) -> Iterator[Verdict]:
    """One verdict for each distribution that production asks for, and for each base image that was given up."""
    django = stack.packages.django_version
    for item in stack.packages.direct:
        site = Site(item.place, item.fact.key)
        successor = SUPERSEDED.get(item.fact.key)
        if successor is None or (
            successor.since and not isinstance(django, Unknown) and not _new(django.value, successor)
        ):
            yield Pass(site)
        elif successor.since and isinstance(django, Unknown):
            yield Unsure(site, f"that needs Django {successor.since}, and {django.why}")
        else:
            values = {"package": item.fact.name, "what": successor.what, "instead": successor.instead}
            yield Fail(site, values, cause=successor.cause, fix=_fix(stack, item.fact.key))
    for file in stack.of_kind("dockerfile"):
        if not isinstance(file.facts, Dockerfile) or DEVELOPMENT.search(file.path):
            continue
        for stage in reached(file.facts.stages):
            if match := _IMAGE.fullmatch(stage.image.text):
                values = {
                    "package": f"tiangolo/{match[1]}",
                    "what": "is deprecated by its author",
                    "instead": "python:3.x-slim and a gunicorn or uvicorn of your own",
                }
                yield Fail(Site(Place(file.path, stage.image.region), f"image {match[1]}"), values)


def _fix(stack: Stack, package: str) -> str:
    """What the successor does not cover of what the project uses; "" where the rule's own words are enough."""
    if package == "uwsgi":
        return _beside_requests(stack)
    return sanitizing(stack) if package == "bleach" else ""


def _beside_requests(stack: Stack) -> str:
    """What uWSGI does besides answering requests, and what takes that over."""
    keys = {
        option.key: item.path
        for item in stack.of_kind("uwsgi")
        for option in item.facts.options
        if option.key.startswith(_BESIDE)
    }
    if not keys:
        return ""
    told = ", ".join(f"`{key}`" for key in keys)
    return (
        f"gunicorn, uvicorn or granian take over the requests alone. {next(iter(keys.values()))} starts more with "
        f"{told}: programs of their own need a supervisor, a unit or a container each, what runs before the start "
        "belongs to the entry point, static files to WhiteNoise or nginx. Without that the move loses them."
    )


def _new(django: Version, successor: Successor) -> bool:
    return django >= Version(successor.since)
