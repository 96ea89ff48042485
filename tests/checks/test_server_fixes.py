"""What the rules on servers, caches and nginx tell people to write has to be true of the project that they judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackaudit.checks import cache, capacity, nginx, observability, server
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of


def failed(root: Path, rule: Callable[[Stack], Iterator[Verdict]], files: dict[str, str]) -> list[Fail]:
    """What a rule finds in a project of `files`."""
    stack = stack_of(root, files)
    return [item for item in rule(stack) if isinstance(item, Fail)]


def test_a_client_is_kept_with_its_own_arguments(tmp_path: Path) -> None:
    views = """\
import redis
from django.conf import settings

def likes(request):
    return redis.Redis(host=settings.STATS_HOST, db=3).incr("likes")

def views(request, shard):
    name = shard.host
    return redis.Redis(host=name, socket_timeout=1).incr("views")
"""
    found = failed(tmp_path, cache.redis_client, {"shop/__init__.py": "", "shop/views.py": views})
    assert [item.fix for item in found] == [
        "One client for each process: a function of the module, `def redis_client(): return redis.Redis(host="
        "settings.STATS_HOST, db=3)`, below `@functools.cache` (`import functools`), and `redis_client()` here."
        " Add `socket_timeout=5, socket_connect_timeout=2` to its arguments.",
        "One client for each process: a function of the module, `def redis_client(name): return redis.Redis(host=name,"
        " socket_timeout=1)`, below `@functools.cache` (`import functools`), and `redis_client(name)` here.",
    ]


@pytest.mark.parametrize(
    ("imports", "inside", "cached", "more"),
    [
        ("import functools\nimport redis\n", "", "`@functools.cache`", ""),
        ("from functools import cache, wraps\nimport redis\n", "", "`@cache`", ""),
        ("from functools import wraps\nimport redis\n", "", "`@functools.cache` (`import functools`)", ""),
        (
            "from django.core.cache import cache\n",
            "    import redis\n",
            "`@functools.cache` (`import functools`)",
            " The import of `redis` inside likes goes there as well.",
        ),
    ],
)
def test_a_client_is_kept_by_names_that_its_module_has(
    imports: str, inside: str, cached: str, more: str, tmp_path: Path
) -> None:
    views = (
        f"{imports}\ndef likes(request):\n{inside}    return redis.Redis(host='a', socket_timeout=1).incr('likes')\n"
    )
    (found,) = failed(tmp_path, cache.redis_client, {"shop/__init__.py": "", "shop/views.py": views})
    assert found.fix == (
        'One client for each process: a function of the module, `def redis_client(): return redis.Redis(host="a",'
        f" socket_timeout=1)`, below {cached}, and `redis_client()` here.{more}"
    )


def test_a_client_of_asyncio_belongs_to_its_loop(tmp_path: Path) -> None:
    views = """\
from redis import asyncio as redis

async def likes(request):
    return await redis.from_url("redis://redis/3").incr("likes")
"""
    (found,) = failed(tmp_path, cache.redis_client, {"shop/__init__.py": "", "shop/views.py": views})
    assert found.fix == (
        "One client for each event loop: keep it where the loop is kept (an ASGI server has one for each process)."
        " Where there is no such place, close it at least: `async with` around the client."
    )


def test_a_header_is_repeated_in_the_location_that_drops_it(tmp_path: Path) -> None:
    """On nginx 1.22.1 a nested location with an add_header of its own sent none of those around its parent."""
    conf = r"""
events {}
http {
    server {
        listen 443 ssl;
        location / { proxy_pass http://127.0.0.1:8000; }
        location /images/ { location ~ \.png$ { add_header X-Robots-Tag noindex; } }
        location /static/ { add_header X-Robots-Tag noindex; }
    }
}
"""
    settings = "MIDDLEWARE = []\nROOT_URLCONF = 'shop.urls'\nSECRET_KEY = 'x'\n"
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    files = {"nginx.conf": conf, "manage.py": manage, "shop/__init__.py": "", "shop/settings.py": settings}
    assert [item.values["again"] for item in failed(tmp_path, nginx.hsts_missing, files)] == [
        r" Repeat it in `location ~ \.png$` inside `location /images/` and `location /static/`:"
        " a location with an add_header of its own inherits none."
    ]


DOCKERFILE = 'FROM python:3.13-slim\nCOPY start.sh /start.sh\nCMD ["/start.sh"]\n'


def workers(root: Path, files: dict[str, str]) -> list[tuple[str, str]]:
    return [(item.cause, item.fix) for item in failed(root, server.single_worker, files)]


def test_the_variable_that_decides_is_raised(tmp_path: Path) -> None:
    script = "#!/bin/sh\nexport GRANIAN_WORKERS=${SHOP_WORKERS:-1}\nexec granian --interface asgi shop.asgi:app\n"
    assert workers(tmp_path, {"Dockerfile": DOCKERFILE, "start.sh": script}) == [
        (
            "by-default",
            "`SHOP_WORKERS` decides, and is 1 where nobody sets it: set it, or raise its default in start.sh."
            " `--workers` on the command line would overrule it.",
        )
    ]


def test_stores_that_stay_down_beside_the_site(tmp_path: Path) -> None:
    compose = (
        "services:\n  web:\n    image: shop\n    command: gunicorn shop.wsgi\n"
        "  db:\n    image: postgres:16\n  queue:\n    image: redis:7\n"
        "  cache:\n    image: redis:7\n    restart: always\n"
    )
    found = failed(tmp_path, server.supervision, {"compose.prod.yaml": compose})
    assert [item.values["beside"] for item in found] == [" db and queue beside it lack one as well."]


def test_services_that_stay_down_beside_the_site(tmp_path: Path) -> None:
    """An alias is mended at its anchor; jobs that end, profiles and what has a restart are no matter."""
    compose = """
services:
  web: &web
    image: shop
    command: gunicorn shop.wsgi
    depends_on:
      search: {condition: service_started}
      migrate: {condition: service_completed_successfully}
  worker:
    <<: *web
    command: celery -A shop worker
  beat:
    <<: [*web]
    restart: always
    command: celery -A shop beat
  search:
    image: opensearch:2
  migrate:
    image: migrations
  proxy:
    image: nginx:1.29
  mail:
    image: mailserver
    ports: ["25:25"]
  adminer:
    image: adminer
    ports: ["8081:8080"]
    profiles: [debug]
  aws:
    build: ./aws
"""
    found = failed(tmp_path, server.supervision, {"compose.prod.yaml": compose})
    told = {item.site.name: (item.values["heirs"], item.values["beside"]) for item in found}
    assert told == {
        "compose.prod.yaml web: gunicorn": (
            " worker takes it from there.",
            " search, proxy and mail beside it lack one as well.",
        )
    }


def test_an_image_that_nothing_here_starts(tmp_path: Path) -> None:
    script = "#!/bin/sh\nexec gunicorn shop.wsgi\n"
    assert workers(tmp_path, {"Dockerfile": DOCKERFILE, "start.sh": script}) == [
        (
            "image",
            "`ENV WEB_CONCURRENCY=3` in Dockerfile is a default that whoever starts the image can change;"
            " `--workers 3` on the command line would overrule their WEB_CONCURRENCY and GUNICORN_CMD_ARGS.",
        )
    ]


MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
SESSIONS = "SESSION_ENGINE = 'django.contrib.sessions.backends.cached_db'\n"


@pytest.mark.parametrize(
    ("command", "settings", "told"),
    [
        (
            "CMD gunicorn shop.wsgi",
            SESSIONS,
            '`ENV GUNICORN_CMD_ARGS="--threads 4"` in Dockerfile: threads share the cache of the process.'
            " Workers (`ENV WEB_CONCURRENCY=3`) only once CACHES is shared by all processes:"
            " sessions (cached_db) live in the memory of one process now.",
        ),
        (
            'ENV GUNICORN_CMD_ARGS="--log-level info"\nCMD gunicorn shop.wsgi',
            "import os\n"
            "CACHES = {'default': {'BACKEND': os.environ['CACHE']}}\n"
            "REST_FRAMEWORK = {'DEFAULT_THROTTLE_CLASSES': ['rest_framework.throttling.ScopedRateThrottle']}\n",
            "`--threads 4` in the GUNICORN_CMD_ARGS of Dockerfile: threads share the cache of the process."
            " Workers (`ENV WEB_CONCURRENCY=3`) only once CACHES is shared by all processes:"
            " throttles of REST framework may live in the memory of one process now"
            " (the environment variable CACHE decides it and the repository does not set it).",
        ),
        (
            "CMD gunicorn shop.wsgi -w 1",
            SESSIONS,
            "`--threads 4`: threads share the cache of the process."
            " Workers only once CACHES is shared by all processes:"
            " sessions (cached_db) live in the memory of one process now."
            " Then give it workers: `--workers 3`. Replicas of the container do the same.",
        ),
        (
            "CMD uvicorn shop.asgi:application",
            SESSIONS,
            "First point CACHES at what all processes share: sessions (cached_db) live in the memory of one process"
            " now. Then `ENV WEB_CONCURRENCY=3` in Dockerfile is a default that whoever starts the image can change;"
            " `--workers 3` on the command line would overrule their WEB_CONCURRENCY.",
        ),
        (
            "CMD gunicorn shop.wsgi -w 1",
            f"{SESSIONS}CACHES = {{'default': {{'BACKEND': 'django.core.cache.backends.redis.RedisCache'}}}}\n",
            "Give it workers: `--workers 3` (two for each core and one more), or `--workers 2 --threads 4`."
            " Replicas of the container do the same.",
        ),
    ],
)
def test_processes_share_what_they_keep_first(tmp_path: Path, command: str, settings: str, told: str) -> None:
    """Two processes over cached_db and LocMemCache: after a logout in one, the other still had the user."""
    files = {
        "Dockerfile": f"FROM python:3.13-slim\n{command}\n",
        "manage.py": MANAGE,
        "shop/__init__.py": "",
        "shop/settings.py": f"SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n{settings}",
    }
    assert [fix for _, fix in workers(tmp_path, files)] == [told]


def test_replicas_only_where_nothing_else_would_run_twice(tmp_path: Path) -> None:
    compose = """
services:
  web:
    image: shop
    command: uvicorn shop.asgi:app --workers 1
  both:
    image: shop
    command: sh -c 'celery -A shop beat & exec uvicorn shop.asgi:app --workers 1'
"""
    unit = "[Service]\nExecStart=/srv/venv/bin/uvicorn shop.asgi:app\n"
    fix = "Give it workers: `--workers 3`."
    assert sorted(workers(tmp_path, {"compose.yaml": compose, "deploy/shop.service": unit})) == [
        ("one-process", "Give it workers: `--workers 3`, or set WEB_CONCURRENCY."),
        ("one-process", fix),
        ("one-process", f"{fix} Replicas of the container do the same."),
    ]


def redis(root: Path, compose: str, settings: str, more: dict[str, str] | None = None) -> list[str]:
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    told = f"SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n{settings}"
    files = {"manage.py": manage, "shop/__init__.py": "", "shop/settings.py": told, "compose.prod.yaml": compose}
    return [item.fix for item in failed(root, capacity.redis_maxmemory, files | (more or {}))]


WEB = "services:\n  web:\n    image: shop\n    command: gunicorn shop.wsgi\n"
CACHE = "CACHES = {'default': {'BACKEND': 'django.core.cache.backends.redis.RedisCache', 'LOCATION': '%s'}}\n"
CELERY = {
    "shop/celery.py": "from celery import Celery\n\napp = Celery('shop')\n"
    "app.config_from_object('django.conf:settings', namespace='CELERY')\n"
}


ASKED = "from redis import Redis\n\ndef up(request):\n    with Redis.from_url('redis://redis') as client:\n        "


@pytest.mark.parametrize(
    ("settings", "code", "cause", "full"),
    [
        (CACHE % "redis://redis/0", "", "expiring", "more is written than expires"),
        (
            CACHE % "redis://redis/0" + "CELERY_BROKER_URL = 'redis://redis/0'\n",
            ASKED + "client.ping()\n",
            "expiring",
            "no worker empties the queue",
        ),
        (CACHE % "redis://redis/0", ASKED + "client.incr('up')\n", "", "more is written than expires"),
        (
            CACHE % "redis://redis/0",
            "from django.core.cache import cache\ncache.set('a', 1, None)\n",
            "",
            "more is written than expires",
        ),
        (
            "CELERY_BROKER_URL = CELERY_RESULT_BACKEND = 'redis://redis/0'\nCELERY_RESULT_EXPIRES = None\n",
            "",
            "",
            "no worker empties the queue",
        ),
    ],
)
def test_what_expires_does_not_grow(tmp_path: Path, settings: str, code: str, cause: str, full: str) -> None:
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    told = f"SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n{settings}"
    compose = f"{WEB}  db:\n    image: mariadb:11\n  redis:\n    image: redis:7\n"
    files = {"manage.py": manage, "shop/__init__.py": "", "shop/settings.py": told, "shop/views.py": code}
    found = failed(tmp_path, capacity.redis_maxmemory, files | CELERY | {"compose.prod.yaml": compose})
    assert [(item.cause, item.values["full"], item.values["beside"]) for item in found] == [
        (cause, full, "the site, mariadb")
    ]


def test_a_redis_that_holds_the_cache_alone(tmp_path: Path) -> None:
    compose = f"{WEB}  redis:\n    image: valkey/valkey:8\n    mem_limit: 512m\n"
    assert redis(tmp_path, compose, CACHE % "redis://redis/0") == [
        "Give it half of the container's limit: `command: valkey-server --maxmemory 256mb --maxmemory-policy"
        " allkeys-lru`. It holds nothing but the cache."
    ]


def test_one_redis_for_the_cache_and_the_queue(tmp_path: Path) -> None:
    compose = f"{WEB}  redis:\n    image: redis:7\n    command: redis-server --appendonly yes\n"
    settings = CACHE % "redis://localhost/1" + "CELERY_BROKER_URL = 'redis://redis/0'\n"
    assert redis(tmp_path, compose, settings, CELERY) == [
        "Give it at most half of what is to spare: `--maxmemory 256mb --maxmemory-policy volatile-lru` among the"
        " arguments of redis-server in its command. Beside the cache it holds the queue of Celery: allkeys-lru would"
        " throw that away, noeviction would refuse the cache's writes. What has no expiry stays with volatile-lru; a"
        " Redis of its own for the cache is safer. Choose the limit well above `used_memory_peak` of `INFO memory`."
    ]


def test_one_redis_for_each(tmp_path: Path) -> None:
    compose = f"{WEB}  queue:\n    image: redis:7\n  cache:\n    image: redis:7\n"
    session = "SESSION_ENGINE = 'django.contrib.sessions.backends.cache'\n"
    settings = CACHE % "redis://localhost/1" + "CELERY_BROKER_URL = 'redis://queue/0'\n" + session
    queue, store = redis(tmp_path, compose, settings, CELERY)
    assert queue == (
        "Give it at most half of what is to spare: `command: redis-server --maxmemory 256mb --maxmemory-policy"
        " noeviction`. It holds the queue of Celery: nothing of that may be thrown away, so writes fail when it is"
        " full. Choose the limit well above `used_memory_peak` of `INFO memory`."
    )
    assert "Beside the cache it holds the sessions" in store and "--maxmemory-policy volatile-ttl" in store
    assert "live shorter than the sessions (14 days); those go last. A Redis of its own" in store


@pytest.mark.parametrize(
    "settings", ["SESSION_COOKIE_AGE = 3600\n", "CACHES['default']['TIMEOUT'] = None\n", "SESSION_COOKIE_AGE = age()\n"]
)
def test_sessions_that_the_cache_may_outlive(settings: str, tmp_path: Path) -> None:
    session = "SESSION_ENGINE = 'django.contrib.sessions.backends.cache'\n"
    compose = f"{WEB}  redis:\n    image: redis:7\n"
    (told,) = redis(tmp_path, compose, CACHE % "redis://redis/0" + session + settings)
    assert "--maxmemory-policy volatile-lru" in told and "with volatile-lru still the sessions" in told


def test_which_of_two_redis_holds_the_cache_is_not_told(tmp_path: Path) -> None:
    compose = f"{WEB}  one:\n    image: redis:7\n  other:\n    image: redis:7\n"
    assert redis(tmp_path, compose, CACHE % "redis://localhost/1")[0] == (
        "Give it at most half of what is to spare: `command: redis-server --maxmemory 256mb --maxmemory-policy"
        " volatile-lru`. volatile-lru is safe for a cache with a queue beside it; `allkeys-lru` only where it is"
        " nothing but a cache, `noeviction` where it holds no cache."
    )


def latency(root: Path, command: str, more: dict[str, str] | None = None) -> list[tuple[str, object, str]]:
    unit = f"[Service]\nExecStart=/srv/venv/bin/{command}\n"
    found = failed(root, observability.no_latency_in_access_log, {"deploy/shop.service": unit} | (more or {}))
    return [(item.cause, item.values["beside"], item.fix) for item in found]


def test_the_options_of_the_server_that_runs(tmp_path: Path) -> None:
    assert latency(tmp_path / "granian", "granian --interface asgi shop.asgi:app") == [
        (
            "disabled",
            "and the server writes none",
            "`--access-log` (or GRANIAN_LOG_ACCESS_ENABLED=true): the line ends with the milliseconds.",
        )
    ]
    assert latency(tmp_path / "gunicorn", "gunicorn shop.wsgi --access-logfile -") == [
        (
            "",
            "and no proxy of this repository writes it",
            '`--access-logformat \'%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(M)s\'` on its command'
            " line: `%(M)s` are the milliseconds. There each `%` is written twice.",
        )
    ]
    assert latency(tmp_path / "uvicorn", "uvicorn shop.asgi:app")[0][2].startswith(
        "The access log of uvicorn has no field for it"
    )
    conf = {"gunicorn.conf.py": "bind = '127.0.0.1:8000'\n"}
    assert latency(tmp_path / "file", "gunicorn shop.wsgi -c gunicorn.conf.py", conf)[0][2] == (
        '`accesslog = "-"` and `%(M)s` (milliseconds) in `access_log_format`, in gunicorn.conf.py.'
    )


def test_a_cookie_in_the_cache_matters_more_where_vary_is_ignored(tmp_path: Path) -> None:
    """nginx 1.22.1 before a server that said `Vary: Cookie` and set another cookie each time: two visitors without a
    cookie got the same one, each visitor with a cookie one of his own; with Vary ignored all got the same.
    """
    conf = """
events {}
http {
    proxy_cache_path /var/cache/nginx keys_zone=pages:10m;
    proxy_cache pages;
    proxy_cache_bypass $cookie_sessionid $http_authorization;
    proxy_no_cache $cookie_sessionid $http_authorization;
    server {
        location / { proxy_ignore_headers Set-Cookie; proxy_pass http://127.0.0.1:8000; }
        location /shop/ { proxy_ignore_headers Set-Cookie Vary; proxy_pass http://127.0.0.1:8000; }
    }
}
"""
    found = failed(tmp_path, nginx.cache_leaks_private, {"nginx.conf": conf, "manage.py": "import django\n"})
    assert [item.cause for item in found] == ["cookie-of-strangers", "cookie-replayed"]


OF_ITS_OWN = (
    "Read LOCATION from a variable of its own, such as SHOP_CACHE_REDIS_URL, with what stands here now as its default, "
    "and set it in each deployment to the same server with another database: `/1` in place of the number that a "
    "`redis://` address ends with, `?db=1` for a socket. Put nothing behind the address that the environment gives: it "
    "may name a database already, or a socket. A Redis of its own with `maxmemory-policy allkeys-lru` also keeps the "
    "cache from filling the memory of the rest."
)


@pytest.mark.parametrize(
    ("address", "fix"),
    [
        ("REDIS = 'redis://redis/0'\n", ""),
        ("REDIS = os.environ.get('SHOP_REDIS_URL', 'redis://redis/0')\n", OF_ITS_OWN),
        (
            "def address(url):\n    if not url:\n        return 'redis://redis/0'\n    return url\n"
            "REDIS = address(os.environ.get('SHOP_REDIS_URL'))\n",
            OF_ITS_OWN,
        ),
    ],
)
def test_nothing_is_put_behind_an_address_of_the_environment(tmp_path: Path, address: str, fix: str) -> None:
    settings = f"import os\nSECRET_KEY = os.environ['SHOP_SECRET_KEY']\nROOT_URLCONF = 'shop.urls'\n{address}"
    settings += "CELERY_BROKER_URL = REDIS\n"
    settings += (CACHE % "X").replace("'X'", "REDIS")
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    files = {"manage.py": manage, "shop/__init__.py": "", "shop/settings.py": settings}
    assert [item.fix for item in failed(tmp_path, cache.shared_redis_db, files)] == [fix]


def shared(root: Path, code: str) -> list[tuple[str, dict[str, object]]]:
    settings = "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n" + CACHE % "redis://redis/0"
    settings += "CELERY_BROKER_URL = 'redis://redis'\nCELERY_RESULT_BACKEND = 'redis://redis/1'\n"
    settings += "RQ_QUEUES = {'default': {'HOST': 'redis'}}\n"
    files = {"shop/__init__.py": "", "shop/settings.py": settings, "shop/cleaning.py": code}
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    found = failed(root, cache.shared_redis_db, {"manage.py": manage} | files)
    return [(item.cause, dict(item.values)) for item in found]


def test_who_shares_a_database_and_which_is_free(tmp_path: Path) -> None:
    values = {"alias": "default", "what": "Celery's queue and RQ's queue", "free": "2", "instead": " instead of `/0`"}
    assert shared(tmp_path / "quiet", "") == [("uncleared", values)]
    code = "from django.core.cache import cache\n\ndef published():\n    cache.clear()\n"
    assert shared(tmp_path / "cleared", code) == [("", values)]


def shared_caches(root: Path, requirements: str) -> list[object]:
    """Django 3.2.25 answered InvalidCacheBackendError to its own name of the Redis backend, which came with 4.0."""
    code = (
        "from django.core.cache import cache\n\ndef prices(request):\n    return cache.get_or_set('prices', list, 60)\n"
    )
    settings = "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n"
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
    files = {"manage.py": manage, "shop/__init__.py": "", "shop/settings.py": settings, "shop/views.py": code}
    files |= {"Procfile": "web: gunicorn shop.wsgi --workers 4\n", "requirements.txt": requirements}
    return [item.values["shared"] for item in failed(root, cache.local_memory_multiprocess, files)]


def test_the_caches_that_this_release_of_django_has(tmp_path: Path) -> None:
    memcached = "`django.core.cache.backends.memcached.PyMemcacheCache` (with the package pymemcache)"
    database = (
        "or `django.core.cache.backends.db.DatabaseCache` where there is nothing but the database (LOCATION is the name"
        " of its table, which `manage.py createcachetable`, beside `migrate`, makes)"
    )
    old = "`django_redis.cache.RedisCache` (of the package django-redis: Django has its own since 4.0)"
    assert shared_caches(tmp_path / "old", "Django==3.2.25\n") == [f"{old}, {memcached}, {database}"]
    assert shared_caches(tmp_path / "older", "Django==2.2.28\ndjango-redis==4.12\n") == [
        f"`django_redis.cache.RedisCache`, {database}"
    ]
    assert shared_caches(tmp_path / "new", "Django==5.2.19\nredis==5.0.1\n") == [
        f"`django.core.cache.backends.redis.RedisCache`, {memcached}, {database}"
    ]
