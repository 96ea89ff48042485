"""What a project uses without importing it: what Django, Celery and the servers load by name, and what is started."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from stackaudit.facts import python as py
from stackaudit.facts.services import Compose, Dockerfile, Unit
from stackaudit.link import started
from stackaudit.link.nodes import nodes
from stackaudit.link.stack import Stack

NEEDED_BY_STRING: tuple[tuple[str, str], ...] = (
    ("django.db.backends.postgresql", "psycopg psycopg2 psycopg2-binary psycopg-binary psycopg-c psycopg-pool"),
    ("django.contrib.gis.db.backends.postgis", "psycopg psycopg2 psycopg2-binary psycopg-binary psycopg-c"),
    ("django.db.backends.mysql", "mysqlclient pymysql"),
    ("django.contrib.gis.db.backends.mysql", "mysqlclient"),
    ("django.db.backends.oracle", "cx-oracle oracledb"),
    ("postgres", "psycopg psycopg2 psycopg2-binary psycopg-binary psycopg-c psycopg-pool"),
    ("postgis:", "psycopg psycopg2 psycopg2-binary psycopg-binary psycopg-c psycopg-pool"),
    ("mysql", "mysqlclient pymysql mysql-connector-python"),
    ("redis:", "redis hiredis django-redis"),
    ("rediss:", "redis hiredis django-redis"),
    ("rediscache:", "redis hiredis django-redis"),
    ("sentinel:", "redis hiredis"),
    ("amqp:", "kombu amqp"),
    ("pyamqp:", "kombu amqp"),
    ("sqs:", "boto3 pycurl kombu"),
    ("memcache:", "python-memcached pymemcache pylibmc"),
    ("pymemcache:", "pymemcache"),
    ("elasticsearch", "elasticsearch elasticsearch-dsl"),
    ("haystack.backends.elasticsearch", "elasticsearch"),
    ("haystack.backends.opensearch", "opensearch-py"),
    ("haystack.backends.solr", "pysolr"),
    ("haystack.backends.whoosh", "whoosh"),
    ("wagtail.search.backends.elasticsearch", "elasticsearch"),
    ("opensearch", "opensearch-py"),
    ("mongodb", "pymongo dnspython"),
    ("django.core.cache.backends.redis", "redis hiredis"),
    ("django_redis.cache", "redis hiredis lz4 zstandard msgpack"),
    ("channels_redis", "redis hiredis"),
    ("django.core.cache.backends.memcached.PyMemcacheCache", "pymemcache"),
    ("django.core.cache.backends.memcached.PyLibMCCache", "pylibmc"),
    ("django.core.cache.backends.memcached.MemcachedCache", "python-memcached"),
    ("django.contrib.auth.hashers.Argon2", "argon2-cffi"),
    ("django.contrib.auth.hashers.BCrypt", "bcrypt"),
    ("django.template.backends.jinja2", "jinja2"),
    ("django.contrib.admindocs", "docutils"),
    ("django.contrib.gis.geoip2", "geoip2 maxminddb"),
    ("django_db", "django-celery-results"),
    ("django-db", "django-celery-results"),
    ("django-cache", "django-celery-results"),
    ("storages.backends.s3", "boto3 botocore"),
    ("storages.backends.gcloud", "google-cloud-storage"),
    ("storages.backends.azure", "azure-storage-blob azure-identity"),
    ("storages.backends.sftp", "paramiko"),
    ("storages.backends.dropbox", "dropbox"),
    ("whitenoise", "brotli"),
    ("compressor.", "rcssmin rjsmin django-appconf csscompressor"),
    ("gevent", "gevent greenlet psycogreen"),
    ("eventlet", "eventlet greenlet"),
    ("tornado", "tornado"),
    ("pythonjsonlogger", "python-json-logger"),
)
"""A text or an imported module that begins like this -> what Django, Celery or a server then loads by itself."""

NEEDED_BY_NAME: dict[str, str] = {"ImageField": "pillow", "MarkdownField": "markdown"}
"""An attribute or name in the code -> the distribution that Django then demands."""

HOSTS: dict[str, str] = {
    "amqp": "celery kombu",
    "argon2-cffi": "django",
    "bcrypt": "django paramiko",
    "brotli": "whitenoise requests httpx urllib3 django-compression-middleware aiohttp scrapy weasyprint",
    "brotlipy": "whitenoise requests",
    "certifi": "requests httpx sentry-sdk elasticsearch",
    "channels-redis": "channels",
    "coreapi": "djangorestframework drf-yasg",
    "cssselect": "lxml pyquery premailer parsel scrapy",
    "cryptography": "pyjwt paramiko django-allauth mozilla-django-oidc pyopenssl social-auth-core authlib pymysql",
    "defusedxml": "djangorestframework-xml python3-saml pysaml2",
    "django-appconf": "django-compressor django-imagekit",
    "django-filter": "djangorestframework",
    "django-ipware": "django-axes django-structlog",
    "django-js-asset": "django-mptt django-tree-queries django-ckeditor",
    "email-validator": "pydantic",
    "et-xmlfile": "openpyxl",
    "gevent": "gunicorn uwsgi celery",
    "geventhttpclient": "locust",
    "greenlet": "gevent eventlet sqlalchemy playwright",
    "h2": "httpx hypercorn daphne",
    "hiredis": "redis django-redis channels-redis celery",
    "httptools": "uvicorn",
    "html5lib": "weasyprint beautifulsoup4 xhtml2pdf bleach",
    "inflection": "djangorestframework drf-yasg drf-spectacular djangorestframework-jsonapi",
    "jinja2": "django",
    "kombu": "celery",
    "libsass": "django-sass-processor django-compressor django-libsass",
    "lxml": "beautifulsoup4 pandas python-docx premailer feedparser zeep",
    "lz4": "django-redis",
    "markdown": "djangorestframework django-markdownify",
    "msgpack": "channels-redis django-redis celery",
    "openpyxl": "pandas tablib django-import-export",
    "orjson": "fastapi drf-orjson-renderer strawberry-graphql",
    "oauthlib": "requests-oauthlib django-oauth-toolkit social-auth-core",
    "pilkit": "django-imagekit",
    "pillow": "django django-imagekit easy-thumbnails sorl-thumbnail qrcode weasyprint reportlab",
    "psycogreen": "psycopg2 psycopg2-binary gevent",
    "psycopg-binary": "psycopg django",
    "psycopg-c": "psycopg django",
    "psycopg-pool": "psycopg django",
    "pycairo": "weasyprint xhtml2pdf",
    "pycurl": "celery kombu",
    "pygments": "djangorestframework markdown django-extensions ipython mistune",
    "pyjwt": "django-allauth djangorestframework-simplejwt social-auth-core django-oauth-toolkit twilio msal redis",
    "pyopenssl": "requests urllib3 daphne django-extensions social-auth-core",
    "pysocks": "requests urllib3",
    "python-bidi": "xhtml2pdf",
    "python-magic": "django-anymail",
    "python3-openid": "django-allauth social-auth-core",
    "python3-saml": "django-allauth social-auth-core",
    "pyyaml": "django drf-spectacular djangorestframework uvicorn",
    "rcssmin": "django-compressor",
    "redis": "celery kombu django-redis channels-redis django-rq rq huey dramatiq django-cacheops flower django-q2",
    "requests-oauthlib": "social-auth-core django-allauth",
    "rjsmin": "django-compressor",
    "setproctitle": "gunicorn celery",
    "service-identity": "daphne twisted",
    "sqlparse": "django",
    "tblib": "django celery",
    "tinycss2": "bleach weasyprint",
    "tornado": "flower celery",
    "twisted": "daphne",
    "tzdata": "django celery",
    "ua-parser": "user-agents django-user-agents",
    "uritemplate": "djangorestframework drf-spectacular",
    "uvicorn-worker": "uvicorn gunicorn",
    "uvloop": "uvicorn",
    "watchfiles": "uvicorn",
    "watchdog": "werkzeug django-extensions celery",
    "websockets": "uvicorn",
    "werkzeug": "django-extensions",
    "wsproto": "uvicorn hypercorn",
    "xlrd": "pandas tablib django-import-export",
    "xlsxwriter": "pandas",
    "xlwt": "pandas tablib django-import-export",
    "zstandard": "django-redis urllib3",
}
"""Distribution -> those that load it by themselves as soon as it is installed."""

STARTED = frozenset(
    """
    awscli circus celery chaussette daphne ddtrace django-extensions dumb-init elastic-apm flower gevent granian
    gunicorn honcho hypercorn ipython libsass locust meinheld newrelic opentelemetry-distro
    opentelemetry-instrumentation prometheus-client pip-tools pudb py-spy scout-apm sentry-sdk setuptools
    supervisor uv uvicorn uwsgi uwsgitop waitress watchdog wheel
    """.split()
)
"""Distributions that are started rather than imported; that may happen outside the repository."""

DRIVERS = frozenset(
    """
    amqp boto3 cx-oracle django-redis elasticsearch hiredis kombu mysql-connector-python mysqlclient
    opensearch-py oracledb psycopg psycopg-binary psycopg-c psycopg-pool psycopg2 psycopg2-binary pylibmc
    pymemcache pymongo pymysql python-memcached redis
    """.split()
)
"""Distributions that a URL or a setting which only the environment knows may name."""

CONSTRAINTS = frozenset(
    """
    asgiref certifi cffi charset-normalizer click cryptography dnspython grpcio h11 h2 idna importlib-metadata
    jinja2 markupsafe numpy oauthlib packaging protobuf pyasn1 pycparser pyopenssl python-dateutil pytz requests
    setuptools six sqlparse starlette tornado typing-extensions tzdata urllib3 virtualenv werkzeug wheel wrapt
    zipp
    """.split()
)
"""Distributions that are often named only to hold the version of what another one pulls in."""

PLUGINS = (
    "pytest-", "types-", "flake8-", "pylint-", "mkdocs-", "sphinx-", "opentelemetry-", "mypy-", "sphinxcontrib-",
    "wagtail-", "cms-", "keyrings-", "kombu-", "poetry-", "uwsgi-",
)  # fmt: skip
"""Plugins find their host through entry points."""


@dataclass(frozen=True, slots=True)
class Uses:
    """What the code names: imported modules (dotted), text, identifiers; and the words of every command."""

    imports: frozenset[str]
    texts: frozenset[str]
    names: frozenset[str]
    commands: frozenset[str]

    def imports_module(self, module: str) -> bool:
        """Whether `module` or something in it is imported."""
        return module in self.imports

    def names_module(self, module: str) -> bool:
        """Whether a text names `module` or something in it ("allauth", "allauth.account.urls")."""
        return module in self.texts


def uses(stack: Stack) -> Uses:
    """What everything in the stack names. Every prefix of a dotted import or text counts as named."""
    imports: set[str] = set()
    texts: set[str] = set()
    names: set[str] = set()
    for module in stack.modules.by_path.values():
        for node in nodes(module.facts.body):
            if isinstance(node, py.Import):
                for alias in node.names:
                    imports.update(_prefixes(alias.name))
            elif isinstance(node, py.ImportFrom):
                if not node.level:
                    for alias in node.names:
                        imports.update(_prefixes(f"{node.module}.{alias.name}"))
            elif isinstance(node, py.Constant):
                if isinstance(node.value, str) and len(node.value) < 300:
                    texts.add(node.value)
                    texts.update(_prefixes(node.value.replace(":", ".")))
            elif isinstance(node, py.Attribute):
                names.add(node.attr)
            elif isinstance(node, py.Name):
                names.add(node.id)
    commands, values = _started(stack)
    texts.update(values)
    return Uses(frozenset(imports), frozenset(texts), frozenset(names), frozenset(commands))


def _prefixes(dotted: str) -> Iterator[str]:
    position = dotted.find(".")
    while position > 0:
        yield dotted[:position]
        position = dotted.find(".", position + 1)
    yield dotted


def _started(stack: Stack) -> tuple[set[str], set[str]]:
    """The words of all commands (paths without their folders), and the values of environment variables."""
    words: set[str] = set()
    values: set[str] = set()
    for item in stack.files.values():
        for step in started.steps(item.facts):
            if {"install", "wheel"} & {word.text for word in step.words}:
                continue  # what is installed is not started
            for word in step.words:
                words.update((word.text, word.text.rpartition("/")[2], word.text.partition("=")[2]))
                words.update(word.text.replace("=", " ").replace(".", " ").replace(":", " ").split())
            values.update(variable.value.text for variable in step.assigns if variable.value is not None)
        values.update(_environment(item.facts))
    words.discard("")
    return words, values


def _environment(facts: object) -> Iterator[str]:
    variables: list[object] = []
    if isinstance(facts, Dockerfile):
        variables = [variable for stage in facts.stages for variable in (*stage.env, *stage.args)]
    elif isinstance(facts, Compose):
        variables = [variable for service in facts.services for variable in service.environment]
    elif isinstance(facts, Unit):
        variables = list(facts.environment)
    elif isinstance(facts, msgspec.Struct) and hasattr(facts, "entries"):
        variables = list(facts.entries)  # a .env file
    for variable in variables:
        value = getattr(variable, "value", None)
        text = value if isinstance(value, str) else getattr(value, "text", None)
        if isinstance(text, str):
            yield text
