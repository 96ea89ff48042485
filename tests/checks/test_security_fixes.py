"""Commands that the rules of security propose exist in the image, and reach what the process may write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stackaudit.checks import deps, security
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of

MORE = "  db:\n    build: ./db\n    volumes:\n      - rows:/var/lib/postgresql/data\nvolumes:\n  uploads:\n  rows:\n"


def failed(root: Path, rule: Callable[[Stack], Iterator[Verdict]], files: dict[str, str]) -> list[Fail]:
    """What a rule finds in a project of these files."""
    stack = stack_of(root, files)
    return [item for item in rule(stack) if isinstance(item, Fail)]


def values(root: Path, rule: Callable[[Stack], Iterator[Verdict]], files: dict[str, str]) -> list[dict[str, Any]]:
    """What fills the texts of a rule's findings in a project of these files."""
    return [dict(item.values) for item in failed(root, rule, files)]


@pytest.mark.parametrize(
    ("image", "add", "drop", "install"),
    [
        ("FROM python:3.13-slim\n", "useradd --system --no-create-home app", "gosu",
         "apt-get update && apt-get install -y gosu"),
        ("FROM python:3.13-alpine AS base\nFROM base\n", "addgroup -S app && adduser -S -D -H -G app app", "su-exec",
         "apk add --no-cache su-exec"),
    ],
)  # fmt: skip
def test_users_are_made_with_what_the_image_has(image: str, add: str, drop: str, install: str, tmp_path: Path) -> None:
    compose = "services:\n  web:\n    build: .\n    volumes:\n      - uploads:/app/media\n      - ./conf:/app/conf\n"
    (found,) = values(
        tmp_path,
        security.runs_as_root,
        {
            "Dockerfile": f'{image}CMD ["gunicorn", "shop.wsgi"]\n',
            "docker-compose.yml": f"{compose}volumes:\n  uploads:\n",
        },
    )
    volumes = (
        " Before USER and any VOLUME `RUN mkdir -p /app/media && chown app /app/media`: new volumes take that owner. "
        "Volumes that root filled and bind mounts need `chown -R app /app/media` once, as root in a container, before "
        "the first start as `app`."
    )
    told = {"add": add, "drop": drop, "install": install, "volumes": volumes}
    assert {name: found[name] for name in told} == told


PUBLISHED = """services:
  web:
    image: example/shop
    volumes:
      - collected:/opt/shop/static
      - ${UPLOADS:-./media}:/opt/shop/media
      - sites:/opt/shop/sites
      - ./conf:/opt/shop/conf
  proxy:
    image: nginx:1.29
    volumes:
      - sites:/etc/nginx/conf.d:ro
      - collected:/srv/static:ro
  tasks:
    image: example/shop
    volumes:
      - spool:/opt/shop/spool
volumes:
  collected:
  sites:
  spool:
"""
ROOTS = (
    "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\nSTATIC_ROOT = '/opt/shop/static'\nMEDIA_ROOT = '/opt/shop/media'\n"
)


@pytest.mark.parametrize(
    ("start", "compose", "cause", "told"),
    [
        ("python manage.py migrate\nexec gunicorn shop.wsgi\n", PUBLISHED, "", "/opt/shop/media /opt/shop/static"),
        (
            "nginx -g 'pid /tmp/nginx.pid;'\npython manage.py collectstatic\nexec gunicorn shop.wsgi\n", PUBLISHED,
            "prepares", ("nginx, collectstatic", "`chown -R app /opt/shop/media`", "gunicorn ..."),
        ),
        (
            "python manage.py migrate\ncrond\nexec gunicorn shop.wsgi\n", "services: {}\n",
            "prepares", ("crond", "`mkdir -p /opt/shop/media && chown -R app /opt/shop/media`", "gunicorn ..."),
        ),
        ("nginx -t\nexec gunicorn shop.wsgi\n", PUBLISHED, "", "/opt/shop/media /opt/shop/static"),
        (
            "python manage.py migrate\nchown root /run\nexec \"$@\"\n", PUBLISHED,
            "prepares", ("chown", "`chown -R app /opt/shop/media /opt/shop/static`", '"$@"'),
        ),
    ],
)  # fmt: skip
def test_an_image_that_others_run_by_its_name(
    start: str, compose: str, cause: str, told: str | tuple[str, ...], tmp_path: Path
) -> None:
    files = {
        "Dockerfile": 'FROM python:3.13-slim\nWORKDIR /opt/shop\nCOPY . .\nENTRYPOINT ["/opt/shop/boot.sh"]\n'
        'CMD ["gunicorn", "shop.wsgi"]\n',
        "boot.sh": f"#!/bin/sh\n{start}",
        "docs/install/docker-compose.yml": compose,
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        "shop/__init__.py": "",
        "shop/settings.py": ROOTS,
    }
    (found,) = failed(tmp_path, security.runs_as_root, files)
    assert found.cause == cause
    if isinstance(told, tuple):
        assert tuple(found.values[name] for name in ("work", "owned", "command")) == told
    else:
        assert f"`chown -R app {told}`" in found.values["volumes"]


@pytest.mark.parametrize(
    ("code", "written"),
    [
        ("def handle(self):\n    with open('static/site.css') as file:\n        file.read()\n", ""),
        (
            "def handle(self):\n    with open('static/site.css', 'w') as file:\n        file.write('x')\n",
            " `themes` (shop/management/commands/themes.py, line 2), which runs before the server, writes files: their "
            "folders have to belong to `app` as well.",
        ),
    ],
)
def test_files_that_the_start_writes(code: str, written: str, tmp_path: Path) -> None:
    files = {
        "Dockerfile": 'FROM python:3.13-slim\nCOPY start.sh /start.sh\nCMD ["/start.sh"]\n',
        "start.sh": "#!/bin/sh\npython manage.py migrate\npython manage.py themes\nexec gunicorn shop.wsgi\n",
        "shop/management/commands/themes.py": code,
    }
    assert [found["written"] for found in values(tmp_path, security.runs_as_root, files)] == [written]


@pytest.mark.parametrize(
    ("service", "written"),
    [
        (
            "volumes:\n      - .:/app\n",
            " compose.dev.yml mounts the source over /app: `user: root` (or your own uid) for its services, or "
            "makemigrations cannot write there.",
        ),
        ("user: '1000'\n    volumes:\n      - .:/app\n", ""),
        ("volumes:\n      - ./conf:/app/conf\n      - media:/app\n", ""),
    ],
)
def test_a_source_that_development_mounts(service: str, written: str, tmp_path: Path) -> None:
    files = {
        "Dockerfile": 'FROM python:3.13-slim\nWORKDIR /app\nCMD ["gunicorn", "shop.wsgi"]\n',
        "compose.yml": "services:\n  web:\n    build: .\n    restart: always\n",
        "compose.dev.yml": f"services:\n  web:\n    command: python manage.py runserver\n    {service}",
    }
    assert [found["written"] for found in values(tmp_path, security.runs_as_root, files)] == [written]


@pytest.mark.parametrize(
    ("options", "socket"),
    [
        ("", ""),
        ("RuntimeDirectory=shop\n", ", or to `unix:/run/shop/gunicorn.sock`,"),
        ("RuntimeDirectory=shop\nTemporaryFileSystem=/run /var\n", ""),
    ],
)
def test_a_socket_only_where_nginx_would_see_it(options: str, socket: str, tmp_path: Path) -> None:
    unit = f"[Service]\nUser=shop\n{options}ExecStart=/srv/venv/bin/gunicorn shop.wsgi --bind 0.0.0.0:8000\n"
    nginx = "server {\n    listen 443 ssl;\n    location / {\n        proxy_pass http://127.0.0.1:8000;\n    }\n}\n"
    found = values(tmp_path, security.app_port_exposed, {"deploy/shop.service": unit, "deploy/nginx.conf": nginx})
    assert found == [
        {"port": "0.0.0.0:8000", "server": "gunicorn", "own": "127.0.0.1:8000", "nginx": "deploy/nginx.conf",
         "socket": socket}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ("SESSION_COOKIE_AGE = 60\nX = 1\nCSRF_COOKIE_NAME = 'token'\n", {"W012": 6, "W016": 8}),
        ("X = 1\nSESSION_COOKIE_AGE = 60\n", {"W012": 7, "W016": 7}),
        ("import os\nSITE_URL = os.environ.get('SITE_URL', 'http://localhost')\n", {"W012": 7, "W016": 7}),
        ("", {"W012": 3, "W016": 3}),
    ],
)
def test_a_missing_setting_is_told_beside_its_family(settings: str, lines: dict[str, int], tmp_path: Path) -> None:
    middleware = (
        '"django.contrib.sessions.middleware.SessionMiddleware", "django.middleware.csrf.CsrfViewMiddleware", '
        '"django.middleware.security.SecurityMiddleware"'
    )
    text = (
        "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n"
        f"MIDDLEWARE = [{middleware}]\nINSTALLED_APPS = ['django.contrib.sessions']\nDEBUG = False\n"
    )
    found = failed(tmp_path, security.deploy_check, {"shop/__init__.py": "", "shop/settings.py": text + settings})
    told = {item.site.name.rpartition(".")[2]: item.site.place.region.line for item in found}
    assert {name: told[name] for name in lines} == lines


OWN = (
    "import os\n\ndef read_bool(name, default):\n    return bool(int(os.getenv(name, default)))\n\n"
    "def listing(name):\n    return os.getenv(name, '').split(',')\n\n"
)
BELOW = "SITE_URL = os.getenv('SITE_URL', 'http://localhost')\nSITE_NAME = os.getenv('SITE_NAME')\n"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            f"{OWN}A = bool(int(os.getenv('A', '0')))\nB = read_bool('B', False)\nC = read_bool('C', True)\n",
            '`CSRF_COOKIE_SECURE = read_bool("CSRF_COOKIE_SECURE", False)`',
        ),
        (
            f"{OWN}A = read_bool('A', False)\nB = bool(int(os.getenv('B', '0')))\nC = bool(int(os.getenv('C', '1')))\n",
            '`CSRF_COOKIE_SECURE = bool(int(os.getenv("CSRF_COOKIE_SECURE", "0")))`',
        ),
        (f"import os\n{BELOW}", "in shop/settings.py, below SITE_URL: over"),
        (
            f"import os\nfrom pathlib import Path\n{BELOW}if (Path(__file__).parent / 'local.py').exists():\n"
            "    from .local import *\n",
            "at the very end of shop/settings.py, below `from .local import *`, which may set SITE_URL: over",
        ),
        (f"import os\nfrom .base import *\n{BELOW}", "in shop/settings.py, below SITE_URL: over"),
    ],
)
def test_a_cookie_is_made_secure_as_the_settings_are_read(settings: str, told: str, tmp_path: Path) -> None:
    text = (
        "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n"
        'MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]\nINSTALLED_APPS = []\nDEBUG = False\n'
    )
    files = {"shop/__init__.py": "", "shop/base.py": "LANGUAGE = 'en'\n", "shop/settings.py": text + settings}
    (found,) = (item for item in failed(tmp_path, security.deploy_check, files) if item.site.name == "security.W016")
    assert told in found.fix


def test_a_group_for_development_is_counted_as_a_whole(tmp_path: Path) -> None:
    groups = '[dependency-groups]\nmain = ["django==5.2.9"]\ndev = ["pytest==9.0.3", "fakeredis==2.37.0"]\n'
    image = "FROM python:3.13-slim\nCOPY . .\nRUN pip install --group main --group dev\nCMD gunicorn shop.wsgi\n"
    files = {"pyproject.toml": f'[project]\nname = "shop"\nversion = "1"\n{groups}', "Dockerfile": image}
    assert [(found["tools"], found["packages"]) for found in values(tmp_path, deps.dev_in_production, files)] == [
        ("2 packages", "fakeredis, pytest")
    ]
