"""Addresses of databases and caches in one string, as dj-database-url and django-environ read them."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, unquote_plus, urlsplit

POSTGRES = "django.db.backends.postgresql"
DATABASES = {
    "postgres": POSTGRES,
    "postgresql": POSTGRES,
    "pgsql": POSTGRES,
    "psql": POSTGRES,
    "postgis": "django.contrib.gis.db.backends.postgis",
    "mysql": "django.db.backends.mysql",
    "mysql2": "django.db.backends.mysql",
    "mysqlgis": "django.contrib.gis.db.backends.mysql",
    "mysql-connector": "mysql.connector.django",
    "oracle": "django.db.backends.oracle",
    "spatialite": "django.contrib.gis.db.backends.spatialite",
    "sqlite": "django.db.backends.sqlite3",
    "redshift": "django_redshift_backend",
    "mssql": "mssql",
    "prometheus_postgresql": "django_prometheus.db.backends.postgresql",
    "prometheus_mysql": "django_prometheus.db.backends.mysql",
    "prometheus_sqlite": "django_prometheus.db.backends.sqlite3",
}
"""Engines by scheme, where the two libraries agree (dj-database-url 3, django-environ 0.12)."""

CACHES = {
    "dbcache": "django.core.cache.backends.db.DatabaseCache",
    "dummycache": "django.core.cache.backends.dummy.DummyCache",
    "filecache": "django.core.cache.backends.filebased.FileBasedCache",
    "locmemcache": "django.core.cache.backends.locmem.LocMemCache",
    "pymemcache": "django.core.cache.backends.memcached.PyMemcacheCache",
    "pylibmc": "django.core.cache.backends.memcached.PyLibMCCache",
}
_SMTP = "django.core.mail.backends.smtp.EmailBackend"
MAILERS = {
    **dict.fromkeys(("smtp", "smtps", "smtp+tls", "smtp+ssl"), _SMTP),
    "consolemail": "django.core.mail.backends.console.EmailBackend",
    "filemail": "django.core.mail.backends.filebased.EmailBackend",
    "memorymail": "django.core.mail.backends.locmem.EmailBackend",
    "dummymail": "django.core.mail.backends.dummy.EmailBackend",
}
"""Mail backends by scheme (django-environ 0.14)."""
EMAIL = (
    "EMAIL_FILE_PATH", "EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD", "EMAIL_HOST", "EMAIL_PORT", "EMAIL_BACKEND",
)  # fmt: skip
"""The settings that an address of a mail server becomes."""
REDIS_SCHEMES = ("redis", "rediss", "rediscache")
BASE_OPTIONS = ("CONN_MAX_AGE", "ATOMIC_REQUESTS", "AUTOCOMMIT", "DISABLE_SERVER_SIDE_CURSORS", "CONN_HEALTH_CHECKS")


def database(url: str, engine: str | None, library: str) -> dict[str, Any] | None:
    """The DATABASES entry that `library` ("dj_database_url" or "environ") makes of `url`; None where that is unsure.

    Raises ValueError where the address is none.
    """
    if url == "sqlite://:memory:":
        return {"ENGINE": DATABASES["sqlite"], "NAME": ":memory:"}
    split = urlsplit(url)
    if split.scheme not in DATABASES or "," in split.netloc or not split.path.startswith("/"):
        return None
    unescape = unquote if library == "dj_database_url" else unquote_plus
    name = unescape(split.path[1:])
    if library == "environ" and name.startswith("/") and split.scheme != "sqlite":
        return None
    if split.scheme == "sqlite" and not name:
        name = ":memory:"
    found: dict[str, Any] = {
        "ENGINE": engine or DATABASES[split.scheme],
        "NAME": name,
        "USER": unquote(split.username or ""),
        "PASSWORD": unquote(split.password or ""),
        "HOST": split.hostname or "",
        "PORT": split.port or "",
    }
    if split.scheme in ("oracle", "mssql", "redshift"):
        return {"ENGINE": found["ENGINE"]}
    options: dict[str, Any] = {}
    for key, values in parse_qs(split.query).items():
        value = values[0]
        if library == "environ" and key.upper() in BASE_OPTIONS:
            found[key.upper()] = _cast(value)
        else:
            options[key] = int(value) if value.isdigit() else value
    if options or (library == "environ" and split.query):
        found["OPTIONS"] = options
    return found


def cache(url: str, redis: str | None) -> dict[str, Any] | None:
    """The CACHES entry that django-environ makes of `url`; `redis` is the backend it has for Redis, None if unsure."""
    split = urlsplit(url)
    if split.query or "," in split.netloc:
        return None
    if split.scheme in REDIS_SCHEMES:
        scheme = split.scheme.replace("cache", "") if split.hostname else "unix"
        return {"BACKEND": redis, "LOCATION": f"{scheme}://{split.netloc}{split.path}"}
    if split.scheme not in CACHES:
        return None
    location = split.netloc
    if split.scheme == "filecache":
        location += split.path
    elif split.scheme == "pymemcache" and not split.netloc:
        location = f"unix:{split.path}"
    return {"BACKEND": CACHES[split.scheme], "LOCATION": location}


def email(url: str) -> dict[str, Any] | None:
    """What django-environ's `email_url` makes of `url`; None where that is unsure."""
    split = urlsplit(url)
    if split.scheme not in MAILERS or split.query:
        return None
    found: dict[str, Any] = {
        "EMAIL_FILE_PATH": unquote_plus(split.path[1:]),
        "EMAIL_HOST_USER": unquote_plus(split.username) if split.username else None,
        "EMAIL_HOST_PASSWORD": unquote_plus(split.password) if split.password else None,
        "EMAIL_HOST": split.hostname,
        "EMAIL_PORT": split.port,
        "EMAIL_BACKEND": MAILERS[split.scheme],
    }
    if split.scheme in ("smtps", "smtp+tls"):
        found["EMAIL_USE_TLS"] = True
    elif split.scheme == "smtp+ssl":
        found["EMAIL_USE_SSL"] = True
    return found


def _cast(text: str) -> Any:
    lowered = text.lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if lowered == "none":
        return None
    return int(text) if text.isdigit() else text
