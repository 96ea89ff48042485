"""What the rules about settings, secrets and packages tell people to write has to fit the settings that they judge."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stackaudit import catalog
from stackaudit.checks import deps, security
from stackaudit.checks import settings as rules
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of

SERVED = """
ROOT_URLCONF = "shop.urls"
INSTALLED_APPS = ["django.contrib.sessions"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
"""
PLAIN = "over plain HTTP browsers do not send a secure cookie back, and nobody could log in."


def told(
    root: Path, rule: Callable[[Stack], Iterator[Verdict]], settings: str, more: dict[str, str] | None = None
) -> list[tuple[str, str]]:
    """The causes and fixes of what a rule finds in a project with these settings."""
    files = {"shop/__init__.py": "", "shop/settings.py": settings + SERVED, **(more or {})}
    stack = stack_of(root, files)
    return [(item.cause, item.fix) for item in rule(stack) if isinstance(item, Fail)]


def read(expression: str) -> str:
    """The fix of a cookie that is to be read as its neighbours are."""
    return (
        f"Read it as the other settings of shop/settings.py are read, `CSRF_COOKIE_SECURE = {expression}`, and switch "
        f"it on where the site is reached by https alone: {PLAIN}"
    )


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        ("", f"`CSRF_COOKIE_SECURE = True` in shop/settings.py, once every visitor comes by https: {PLAIN}"),
        (
            "import os\nSITE_URL = os.environ.get('SITE_URL', 'http://localhost:8000').rstrip('/')\n",
            f'`CSRF_COOKIE_SECURE = SITE_URL.startswith("https://")` in shop/settings.py, below SITE_URL: {PLAIN}',
        ),
        ("import os\nTOKEN = os.environ['TOKEN']\n", read('os.environ.get("CSRF_COOKIE_SECURE", "") == "1"')),
        (
            "import os\nX = os.getenv('SHOP_X', 'False') == 'True'\n",
            read('os.getenv("SHOP_CSRF_COOKIE_SECURE", "False") == "True"'),
        ),
        (
            "import os\nX = bool(int(os.getenv('X', '0')))\n",
            read('bool(int(os.getenv("CSRF_COOKIE_SECURE", "0")))'),
        ),
        (
            "import environ\nenv = environ.Env()\nTOKEN = env('SHOP_TOKEN')\n",
            read('env.bool("SHOP_CSRF_COOKIE_SECURE", default=False)'),
        ),
        (
            "from decouple import config\nTOKEN = config('TOKEN')\n",
            read('config("CSRF_COOKIE_SECURE", default=False, cast=bool)'),
        ),
        (
            "from shop.reading import to_bool\nA = to_bool('A', 'yes')\nB = to_bool('B', 'no')\n",
            read('to_bool("CSRF_COOKIE_SECURE", "no")'),
        ),
        ("SECURE_SSL_REDIRECT = True\n", "`CSRF_COOKIE_SECURE = True` in shop/settings.py."),
    ],
)
def test_a_cookie_is_made_secure_as_the_neighbours_are_read(settings: str, fix: str, tmp_path: Path) -> None:
    reading = "import os\n\ndef to_bool(name, default):\n    return os.environ.get(name, default) == 'yes'\n"
    found = told(
        tmp_path, security.deploy_check, f"SESSION_COOKIE_SECURE = True\n{settings}", {"shop/reading.py": reading}
    )
    assert found == [("W016", fix)]


def test_a_redirect_that_slept_is_told(tmp_path: Path) -> None:
    settings = "SECURE_SSL_REDIRECT = True\nCSRF_COOKIE_SECURE = SESSION_COOKIE_SECURE = True\n"
    more = {
        "shop/late.py": "from shop.settings import *\nMIDDLEWARE = MIDDLEWARE[1:]\n",
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.late')\n",
    }
    assert told(tmp_path, security.deploy_check, settings, more) == [
        (
            "W001",
            '`"django.middleware.security.SecurityMiddleware"` as the first entry of MIDDLEWARE. It wakes '
            "`SECURE_SSL_REDIRECT = True` (shop/settings.py, line 1) as well: whatever asks by plain HTTP, health "
            "checks too, gets a 301 then, and a proxy that ends TLS has to be named in SECURE_PROXY_SSL_HEADER first.",
        )
    ]


ASKED = (
    "What health checks and other services ask for by name belongs to the list too, by ALLOWED_HOSTS: an installation "
    "that left {} as it is, or serves more names, has to set that first."
)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ("ALLOWED_HOSTS = ['*']\n", [("", "")]),
        (
            "import os\nDOMAIN = os.environ['DOMAIN']\nALLOWED_HOSTS = ['*']\n",
            [
                (
                    "",
                    "Each installation has names of its own, and DOMAIN knows the first: `ALLOWED_HOSTS = [DOMAIN, "
                    '"localhost", *os.environ.get("ALLOWED_HOSTS", "").split(",")]` in shop/settings.py, below DOMAIN. '
                    f"{ASKED.format('DOMAIN')} localhost is what a health check of the repository asks for.",
                )
            ],
        ),
        (
            "import os\nDOMAIN = os.environ['DOMAIN']\nLINKS = f'https://{DOMAIN}/'\nALLOWED_HOSTS = ['*']\n",
            [
                (
                    "",
                    "Each installation has names of its own, and DOMAIN knows the first: `ALLOWED_HOSTS = "
                    '[split_domain_port(DOMAIN)[0], "localhost", *os.environ.get("ALLOWED_HOSTS", "").split(",")]` '
                    "(`from django.http.request import split_domain_port`, for it may hold a port) in "
                    f"shop/settings.py, below DOMAIN. {ASKED.format('DOMAIN')} localhost is what a health check of the "
                    "repository asks for.",
                )
            ],
        ),
        (
            "import os\nDOMAIN = os.environ['DOMAIN']\nLINKS = f'https://{DOMAIN}:443/'\nALLOWED_HOSTS = ['*']\n",
            [
                (
                    "",
                    "Each installation has names of its own, and DOMAIN knows the first: `ALLOWED_HOSTS = [DOMAIN, "
                    '"localhost", *os.environ.get("ALLOWED_HOSTS", "").split(",")]` in shop/settings.py, below DOMAIN. '
                    f"{ASKED.format('DOMAIN')} localhost is what a health check of the repository asks for.",
                )
            ],
        ),
        (
            "import os\nTOKEN = os.environ['TOKEN']\nALLOWED_HOSTS = ['*']\n",
            [
                (
                    "",
                    "Read the names of each installation as the other settings of shop/settings.py are read: "
                    '`ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "").split(",") + ["localhost"]`. Installations '
                    "have to set the variable first; until then Django answers 400. localhost is what a health check "
                    "of the repository asks for.",
                )
            ],
        ),
        (
            "import environ\nenv = environ.Env()\nSITE_URL = env('SITE_URL', default='http://localhost')\n"
            "ALLOWED_HOSTS = env.list('HOSTS', default=['*'])\n",
            [
                (
                    "by-default",
                    'Make the default of HOSTS `[urlsplit(SITE_URL).hostname, "localhost"]` (`from urllib.parse import '
                    "urlsplit`) instead of every name: installations that set the variable stay as they are. localhost "
                    "is what a health check of the repository asks for.",
                )
            ],
        ),
        (
            "import os\nDOMAIN = os.environ['DOMAIN']\nALLOWED_HOSTS = os.getenv('HOSTS', '*').split(',')\n",
            [
                (
                    "by-default",
                    'Make the default of HOSTS `f"{DOMAIN},localhost"` instead of every name: installations that set '
                    "the variable stay as they are. localhost is what a health check of the repository asks for.",
                )
            ],
        ),
    ],
)
def test_names_of_hosts_come_from_where_the_site_knows_them(
    settings: str, found: list[tuple[str, str]], tmp_path: Path
) -> None:
    image = "FROM python:3.13\nHEALTHCHECK CMD curl -f http://localhost:8000/up\nCMD gunicorn shop.wsgi\n"
    assert told(tmp_path, rules.allowed_hosts, settings, {"Dockerfile": image}) == found


LIVED_BY = "import os\nALLOWED_HOSTS = os.getenv('HOSTS', '*').split(',')\n"
BESIDE = (
    "from urllib.parse import urlparse\n"
    "def add():\n    url = os.getenv('SHOP_URL')\n    if url:\n"
    "        ALLOWED_HOSTS.append(urlparse(url).hostname)\nadd()\n"
)
COMPOSED = "services:\n  web:\n    image: shop\n    command: gunicorn shop.wsgi\n"
ACCEPT = "from then on. Where that is no choice, accept this with the reason."
GIVEN = "first, with what health checks ask for (localhost, an IP address); then give it no default, or an empty one."


@pytest.mark.parametrize(
    ("settings", "compose", "fix"),
    [
        (LIVED_BY, "", ""),
        (
            LIVED_BY,
            COMPOSED,
            f"Set HOSTS to the names of the site (compose.yaml does not set it) {GIVEN} An installation that does not "
            f"set it answers 400 to every name {ACCEPT}",
        ),
        (
            LIVED_BY + "if ALLOWED_HOSTS != ['*']:\n    ALLOWED_HOSTS.append('localhost')\n",
            "",
            f"Set HOSTS to the names of the site {GIVEN} An installation that does not set it answers 400 to all but "
            f"localhost {ACCEPT}",
        ),
        (
            LIVED_BY + BESIDE,
            "",
            "Set HOSTS to the names of the site or SHOP_URL, whose host line 7 adds (it does not help beside '*'), "
            "first, with what health checks ask for (localhost, an IP address); then give HOSTS an empty default. An "
            f"installation that sets neither answers 400 to every name {ACCEPT}",
        ),
        (
            LIVED_BY + "if HOSTS := os.getenv('HOSTS'):\n    ALLOWED_HOSTS.extend(HOSTS.split())\n",
            "",
            "",
        ),
    ],
)
def test_a_default_that_the_shipped_deployment_lives_by(settings: str, compose: str, fix: str, tmp_path: Path) -> None:
    more = {"compose.yaml": compose} if compose else {}
    assert told(tmp_path, rules.allowed_hosts, settings, more) == [("by-default", fix)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("DEBUG = flag('DEBUG', 'True')", ("DEBUG", '"True"', '"False"')),
        ("DEBUG = os.getenv('DEBUG', 'YES') == 'YES'", ("DEBUG", '"YES"', '"NO"')),
        ("DEBUG = bool(int(os.getenv('SHOP_DEBUG', 1)))", ("SHOP_DEBUG", "1", "0")),
        ("DEBUG = bool(os.getenv('DEBUG', 'True'))", None),  # "False" would be true as well
    ],
)
def test_debug_keeps_the_vocabulary_of_its_reader(
    line: str, words: tuple[str, str, str] | None, tmp_path: Path
) -> None:
    flag = "def flag(name, default):\n    return os.getenv(name, default) == 'True'\n"
    text = f"import os\n\n{flag}\n{line}\n"
    fix = ""
    if words is not None:
        fix = (
            f"Change the default in the call that reads {words[0]} from `{words[1]}` to `{words[2]}` "
            f"(shop/settings.py): an installation that forgets it is safe then. Set {words[0]} to `{words[1]}` "
            "wherever nothing sets it today and DEBUG is wanted: for development and its guide, for tests and CI that "
            "live by it."
        )
    assert told(tmp_path, rules.debug_true, text) == [("", fix)]
    if words is not None:
        offline = " With COMPRESS_OFFLINE pages fail without DEBUG until `manage.py compress` has run, in tests, too."
        assert told(tmp_path, rules.debug_true, f"{text}COMPRESS_OFFLINE = True\n") == [("", fix + offline)]


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("import os\nSECRET_KEY = os.environ.get('SECRET_KEY', 'known')", "by-default-quiet"),
        ("from decouple import config\nSECRET_KEY = config('SECRET_KEY', default='known')", "by-default"),
        ("import environ\nenv = environ.Env()\nSECRET_KEY = env('SECRET_KEY', default='known')", "by-default"),
        ("from shop.reading import loud\nSECRET_KEY = loud('SECRET_KEY', 'known')", "by-default"),
        ("from shop.reading import odd\nSECRET_KEY = odd('SECRET_KEY', 'known')", "by-default-quiet"),
        ("from shop.reading import quiet\nSECRET_KEY = quiet('SECRET_KEY', 'known')", "by-default-quiet"),
    ],
)
def test_a_reader_that_does_not_fail_is_told_to(line: str, cause: str, tmp_path: Path) -> None:
    reading = (
        "import os\n\ndef quiet(name, default=None):\n    return os.environ.get(name, default)\n\n"
        "def loud(name, default=None):\n    found = os.environ.get(name, default)\n"
        "    if found is None:\n        raise KeyError(name)\n    return found\n"
    )
    reading += "\ndef odd(name, default=None):\n    if os.getenv(name + '_FILE'):\n        raise KeyError(name)\n"
    reading += "    return os.getenv(name, default)\n"
    more = {"shop/reading.py": reading, ".env.example": "SECRET_KEY=known\n"}
    assert told(tmp_path, rules.secret_key_exposed, line + "\n", more) == [(cause, "")]


KEY = "import os\nSECRET_KEY = os.environ.get('SECRET_KEY', 'x')\n"
BY_DEFAULT = "DEBUG = os.environ.get('DEBUG', 'True') == 'True'\n"
NEW_KEY = (
    ' Installations that ran with the default need a new key (`python -c "from django.core.management.utils import '
    'get_random_secret_key as key; print(key())"`): the old one is known to everybody.'
)


@pytest.mark.parametrize(
    ("settings", "where", "test", "kept"),
    [
        (
            KEY + "DEBUG = False\nfrom .local import *\n",
            "At the very end of shop/settings.py, below `from .local import *` in line 4",
            "SECRET_KEY == 'x'",
            "",
        ),
        (
            KEY + BY_DEFAULT + "try:\n    from shop.local import *\nexcept ImportError:\n    pass\n",
            "At the very end of shop/settings.py, below `from shop.local import *` in line 5",
            "not DEBUG and SECRET_KEY == 'x'",
            "; development, with DEBUG on, keeps the default",
        ),
        (
            KEY + BY_DEFAULT,
            "At the end of shop/settings.py",
            "not DEBUG and SECRET_KEY == 'x'",
            "; development, with DEBUG on, keeps the default",
        ),
    ],
)
def test_a_key_is_refused_where_nothing_can_bring_one_any_more(
    settings: str, where: str, test: str, kept: str, tmp_path: Path
) -> None:
    fix = (
        f'{where}: `if {test}: raise ImproperlyConfigured("SECRET_KEY is not set")` (django.core.exceptions). Whatever '
        f"brings a key before that line still counts{kept}.{NEW_KEY}"
    )
    found = told(tmp_path, rules.secret_key_exposed, settings, {"shop/local.py": "USE_TZ = True\n"})
    assert [each for _, each in found] == [fix]


MADE = "import os, secrets, warnings\nSECRET_KEY = os.environ.get('SECRET_KEY', '')\nif not SECRET_KEY:\n"


@pytest.mark.parametrize(
    ("branch", "cause"),
    [
        ("    SECRET_KEY = secrets.token_urlsafe(50)\n", "each-start"),
        ("    SECRET_KEY = secrets.token_urlsafe(50)\n    warnings.warn('made one')\n", "warned"),
        ("    SECRET_KEY = secrets.token_urlsafe(50)\nif not DEBUG:\n    warnings.warn('x')\n", "each-start"),
    ],
)
def test_a_key_that_is_made_with_a_warning_was_decided_on(branch: str, cause: str, tmp_path: Path) -> None:
    more = {"Procfile": "web: gunicorn shop.wsgi --workers 1\n"}
    assert [
        found for found, _ in told(tmp_path, rules.secret_key_exposed, "DEBUG = False\n" + MADE + branch, more)
    ] == [cause]


@pytest.mark.parametrize(
    ("release", "advice"),
    [
        ("3.2", "Move to Django 5.2, which is mended until April 2028, one series at a time, with warnings turned on."),
        ("5.1", "Move to Django 5.2, which is mended until April 2028, with warnings turned on."),
        ("6.0", "Move to Django 6.1, which is mended until December 2027, with warnings turned on."),
    ],
)
def test_the_next_django_lies_above(release: str, advice: str, tmp_path: Path) -> None:
    stack = stack_of(tmp_path, {"requirements.txt": f"Django=={release}.1\n"})
    assert [item.values["advice"] for item in deps.eol_runtime(stack) if isinstance(item, Fail)] == [advice]


NH3 = (
    "Its `tags` are a set and its `attributes` a dict of sets, where bleach takes lists (a list is a TypeError), `rel` "
    'among the attributes needs `link_rel=None` (else nh3 gives every link `rel="noopener noreferrer"`), callables go '
    "into `attribute_filter`, which is asked for what `attributes` lists and for nothing else, and tags that are not "
    "allowed are dropped instead of escaped."
)
ALLOWED_TAGS = '`tags={"a", "abbr", "acronym", "b", "blockquote", "code", "em", "i", "li", "ol", "strong", "ul"}`'
ALLOWED_ATTRIBUTES = '`attributes={"a": {"href", "title"}, "abbr": {"title"}, "acronym": {"title"}}`'


def bare(line: int, own: str = "") -> str:
    """What is told of a call in a line without `tags`; `own` says "attributes" where it has these."""
    return (
        f" A call without `tags` (shop/text.py, line {line}) lets 75 tags through in nh3, `img` and `table` among "
        f"them, where bleach let 12: hand over {ALLOWED_TAGS}{'' if own else f' and {ALLOWED_ATTRIBUTES}'}."
    )


def schemes(line: int) -> str:
    """What is told of a call in a line without `protocols`."""
    return (
        f" Without `protocols` (shop/text.py, line {line}) links of 25 schemes pass in nh3, `ftp:` and `tel:` among "
        'them: `url_schemes={"http", "https", "mailto"}` is what bleach allowed.'
    )


@pytest.mark.parametrize(
    ("package", "files", "fix"),
    [
        (
            "bleach",
            {"shop/text.py": "import bleach\nprint(bleach.clean('x'))\n"},
            f"Use nh3 instead of bleach. {NH3}{bare(2)}{schemes(2)}",
        ),
        (
            "bleach",
            {
                "shop/text.py": "from bleach.sanitizer import Cleaner\nfrom django.forms import Form\n"
                "class Note(Form):\n    def clean(self):\n        super().clean()\n"
                "notes = Cleaner(['b'], protocols=['https'])\nothers = Cleaner(**{})\n"
            },
            f"Use nh3 instead of bleach. {NH3} `protocols` (shop/text.py, line 6) are its `url_schemes`, a set. A call "
            "without `attributes` (shop/text.py, line 6) lets more of them through in nh3, `src` of `img` among them: "
            f"hand over {ALLOWED_ATTRIBUTES}.",
        ),
        (
            "bleach",
            {
                "shop/text.py": "import bleach\nbleach.ALLOWED_ATTRIBUTES['*'] = ['class', 'style']\n"
                "print(bleach.clean('x', protocols=['http']))\n",
                "shop/page.py": "NAME = 'style'\n",
            },
            f"Use nh3 instead of bleach. {NH3} `style` or `script` (shop/text.py, line 2): a tag of that name wants "
            "`clean_content_tags=set()`, or nh3 panics, which `except Exception` does not catch; an attribute `style` "
            "wants `filter_style_properties={...}`, or every property gets through. `protocols` "
            f"(shop/text.py, line 3) are its `url_schemes`, a set.{bare(3, 'attributes')} What bleach allows is "
            "changed in place (shop/text.py, line 2), which nh3 cannot: hand it over as arguments.",
        ),
        (
            "bleach",
            {
                "shop/text.py": "import bleach\nbleach._serialize = str\n"
                "print(bleach.clean('x', ['a'], {'a': ['href']}))\n"
            },
            f"Use nh3 instead of bleach. {NH3} The attributes go by keyword, `attributes=…`: the third argument "
            f"(shop/text.py, line 3) is `clean_content_tags` in nh3, and a TypeError.{schemes(3)}",
        ),
        (
            "bleach",
            {"shop/text.py": "from bleach import clean, linkify\nprint(linkify(clean('x')))\n"},
            "nh3 takes the place of `bleach.clean` alone: it has nothing for links in plain text (shop/text.py, line "
            "1). Make these with another package (linkify-it-py) or with `django.utils.html.urlize`, and clean what "
            f"comes out with nh3. {NH3}{bare(2)}{schemes(2)}",
        ),
        ("uwsgi", {"uwsgi.ini": "[uwsgi]\nmodule = shop.wsgi\n"}, ""),
        (
            "uwsgi",
            {"uwsgi.ini": "[uwsgi]\nmodule = shop.wsgi\nattach-daemon = ./manage.py mails\nhook-pre-app = exec:./up\n"},
            "gunicorn, uvicorn or granian take over the requests alone. uwsgi.ini starts more with `attach-daemon`, "
            "`hook-pre-app`: programs of their own need a supervisor, a unit or a container each, what runs before the "
            "start belongs to the entry point, static files to WhiteNoise or nginx. Without that the move loses them.",
        ),
    ],
)
def test_a_successor_is_told_with_what_it_does_not_cover(
    package: str, files: dict[str, str], fix: str, tmp_path: Path
) -> None:
    assert told(tmp_path, deps.superseded, "", {"requirements.txt": f"{package}\n", **files}) == [("works", fix)]


@pytest.mark.parametrize(
    ("view", "cause"),
    [
        ("", None),
        ("from django.contrib.auth import login\n", "never-cleared"),
        (
            "from django.contrib import auth\n\ndef enter(request):\n    auth.login(request, request.user)\n",
            "never-cleared",
        ),
        ("def cart(request):\n    return request.session['cart']\n", "never-cleared"),
        ("from django.contrib.auth.views import LoginView\n", "never-cleared"),
    ],
)
def test_sessions_of_the_admin_alone(view: str, cause: str | None, tmp_path: Path) -> None:
    late = "from shop.settings import *\nINSTALLED_APPS = ['django.contrib.admin', 'django.contrib.sessions']\n"
    manage = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.late')\n"
    more = {"shop/late.py": late, "manage.py": manage, "shop/views.py": view}
    assert told(tmp_path, rules.session_backend, "", more) == ([(cause, "")] if cause else [])


def test_sessions_are_cleared_without_celery(tmp_path: Path) -> None:
    views = "def cart(request):\n    return request.session['cart']\n"
    stack = stack_of(tmp_path, {"shop/__init__.py": "", "shop/settings.py": SERVED, "shop/views.py": views})
    found = [item.values["way"] for item in rules.session_backend(stack) if isinstance(item, Fail)]
    assert found == ["a cron line or a systemd timer"]


TASK = 'a Celery task that calls `call_command("clearsessions")`'
CELERY = (
    "from celery import Celery\n\napp = Celery('shop')\n"
    "app.config_from_object('django.conf:settings', namespace='CELERY')\n"
)


@pytest.mark.parametrize(
    ("schedule", "way"),
    [
        ("", f"a cron line, a systemd timer, or {TASK}"),
        (
            "CELERY_BEAT_SCHEDULE = {'tidy': {'task': 'shop.tasks.tidy', 'schedule': 3600}}\n",
            f"{TASK}, as one more entry of beat's schedule (shop/settings.py, line 1)",
        ),
    ],
)
def test_sessions_are_cleared_by_what_runs_already(schedule: str, way: str, tmp_path: Path) -> None:
    views = "def cart(request):\n    return request.session['cart']\n"
    files = {"shop/__init__.py": "", "shop/settings.py": schedule + SERVED, "shop/celery.py": CELERY}
    stack = stack_of(tmp_path, {**files, "shop/views.py": views})
    assert [item.values["way"] for item in rules.session_backend(stack) if isinstance(item, Fail)] == [way]


@pytest.mark.parametrize(
    ("command", "harm"),
    [
        ("gunicorn shop.wsgi --workers 3", "holds the worker until gunicorn kills it"),
        ("gunicorn shop.wsgi --threads 4", "holds a thread of gunicorn for ever, for nothing kills a thread"),
        (
            "uvicorn shop.asgi:application",
            "holds the request for good (only gunicorn's sync workers are killed for it)",
        ),
    ],
)
def test_what_a_mail_server_holds_depends_on_the_worker(command: str, harm: str, tmp_path: Path) -> None:
    view = (
        "from django.core.mail import send_mail\n\ndef contact(request):\n    send_mail('a', 'b', None, ['c@d.org'])\n"
    )
    settings = SERVED + "EMAIL_HOST = 'smtp.example.org'\n"
    stack = stack_of(tmp_path, {"Procfile": f"web: {command}\n", "shop/settings.py": settings, "shop/views.py": view})
    assert [item.values["harm"] for item in rules.email_blocking(stack) if isinstance(item, Fail)] == [harm]


@pytest.mark.parametrize(
    ("settings", "fix"),
    [
        ("", ""),
        (
            "import os\nTOKEN = os.environ['TOKEN']\n",
            '`"NUM_PROXIES": int(os.environ.get("NUM_PROXIES", "1"))` in REST_FRAMEWORK: the number of all proxies '
            "before Django, which each installation knows. With too small a number everybody behind the outer proxy "
            "shares one limit.",
        ),
        (
            "import os\nALLAUTH_TRUSTED_PROXY_COUNT = int(os.getenv('PROXIES', '0'))\n",
            '`REST_FRAMEWORK["NUM_PROXIES"] = max(1, ALLAUTH_TRUSTED_PROXY_COUNT)`, below REST_FRAMEWORK and below '
            "ALLAUTH_TRUSTED_PROXY_COUNT (shop/settings.py, line 2): it is the same number, of all proxies before "
            "Django, and the nginx of the "
            "repository is one.",
        ),
    ],
)
def test_the_number_of_proxies_belongs_to_the_installation(settings: str, fix: str, tmp_path: Path) -> None:
    limits = "REST_FRAMEWORK = {'DEFAULT_THROTTLE_CLASSES': ['rest_framework.throttling.AnonRateThrottle']}\n"
    passed_on = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    nginx = f"server {{ listen 80; location / {{ {passed_on} proxy_pass http://127.0.0.1:8000; }} }}\n"
    found = told(tmp_path, security.client_ip_trust, settings + limits, {"nginx.conf": nginx})
    assert found == [("throttles", fix)]


def test_dynaconf_reads_a_list_from_the_text_that_is_told() -> None:
    """Measured with dynaconf 3.3: `shop.example.com` stayed a str, and Django did not start."""
    rule = next(rule for rule in catalog.load() if rule.id == "settings/allowed-hosts")
    (text,) = re.findall(
        r"`SHOP_ALLOWED_HOSTS='(.*?)'`", rule.cause["dynaconf"].fix.format(variable="SHOP_ALLOWED_HOSTS")
    )
    assert tomllib.loads(f"value = {text}") == {"value": ["shop.example.com"]}


def test_what_dynaconf_may_replace_is_told_so(tmp_path: Path) -> None:
    settings = (
        f"from dynaconf import DjangoDynaconf\n{SERVED}SECRET_KEY = 'known'\n"
        "settings = DjangoDynaconf(__name__, ENVVAR_PREFIX_FOR_DYNACONF='SHOP')\n"
    )
    stack = stack_of(tmp_path, {"shop/settings.py": settings})
    assert [item.fix for item in rules.secret_key_exposed(stack) if isinstance(item, Fail)] == [
        "Take the key out of shop/settings.py: an installation gives its own by SHOP_SECRET_KEY or in its settings "
        "file, and none runs with a key that everybody knows. Those that ran with it need a new one."
    ]
    assert [item.values["sessions"] for item in rules.session_backend(stack) if isinstance(item, Fail)] == [
        "Unless SHOP_SESSION_ENGINE or a file of dynaconf says otherwise, sessions"
    ]


DEPLOYED = """
services:
  web:
    build: .
    command: gunicorn shop.wsgi
    env_file: [settings.env]
    environment:
      DJANGO_DEBUG: "{debug}"
"""


@pytest.mark.parametrize(
    ("reader", "word", "off"),
    [
        ("os.environ.get('DJANGO_DEBUG') in ('1', 'yes')", "yes", "`DJANGO_DEBUG=no`"),
        ("int(os.environ.get('DJANGO_DEBUG', 0))", "1", "`DJANGO_DEBUG=0`"),
        ("bool(os.environ.get('DJANGO_DEBUG'))", "true", "DJANGO_DEBUG empty"),
        ("os.environ.get('DJANGO_DEBUG', 'off') != 'off'", "on", "`DJANGO_DEBUG=off`"),
    ],
)
def test_debug_is_turned_off_where_the_deployment_turns_it_on(reader: str, word: str, off: str, tmp_path: Path) -> None:
    compose = {"docker-compose.production.yml": DEPLOYED.format(debug=word)}
    (found,) = told(tmp_path, rules.debug_true, f"import os\nDEBUG = {reader}\nSECRET_KEY = 'x'\n", compose)
    assert found == ("", f"{off} in docker-compose.production.yml, line 8.")


def test_names_and_keys_of_a_deployment_are_mended_there(tmp_path: Path) -> None:
    settings = (
        "import os\nDEBUG = False\nALLOWED_HOSTS = os.environ['HOSTS'].split(',')\nSECRET_KEY = os.environ['KEY']\n"
    )
    files = {
        "docker-compose.production.yml": DEPLOYED.format(debug="0"),
        "settings.env": "HOSTS=*\nKEY=a-key-that-everybody-knows-who-has-the-repository-1\n",
    }
    ((_, hosts),) = told(tmp_path, rules.allowed_hosts, settings, files)
    assert hosts.startswith("Write the names that the site is reached by where HOSTS is set, in settings.env, line 1.")
    ((_, key),) = told(tmp_path, rules.secret_key_exposed, settings, files)
    assert "to KEY on the server alone" in key and "take KEY out of settings.env, line 2" in key


def test_a_default_that_a_script_gives_stays_a_default(tmp_path: Path) -> None:
    files = {
        "Dockerfile": 'FROM python:3.13\nWORKDIR /app\nCOPY . .\nENTRYPOINT ["/app/start.sh"]\n',
        "start.sh": "#!/bin/sh\nexport DEBUG=${DEBUG:-1}\nexec gunicorn shop.wsgi\n",
    }
    settings = "import os\nSECRET_KEY = 'x'\nDEBUG = os.environ.get('DEBUG') == '1'\n"
    ((_, fix),) = told(tmp_path, rules.debug_true, settings, files)
    assert fix == "`DEBUG=${DEBUG:-0}` in start.sh, line 2."


def test_a_field_of_pydantic_refuses_by_itself(tmp_path: Path) -> None:
    conf = (
        "from pydantic_settings import BaseSettings\n\n\nclass Conf(BaseSettings):\n    key: str = 'everybody knows'\n"
    )
    settings = "from shop.conf import Conf\nSECRET_KEY = Conf().key\n"
    ((_, fix),) = told(tmp_path, rules.secret_key_exposed, settings, {"shop/conf.py": conf})
    assert fix.startswith("Take the default of the field away (shop/conf.py, line 5): without KEY the settings are")


def test_debug_is_turned_off_in_the_file_that_comes_last(tmp_path: Path) -> None:
    settings = "from split_settings.tools import include\nSECRET_KEY = 'x'\ninclude('parts/base.py')\n"
    told(tmp_path, rules.debug_true, settings, {"shop/parts/base.py": "DEBUG = True\n"})
    stack = stack_of(tmp_path)
    (found,) = [item for item in rules.debug_true(stack) if isinstance(item, Fail)]
    assert found.values["path"] == "shop/parts/base.py"
