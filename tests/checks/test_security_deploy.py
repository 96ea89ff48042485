"""security/deploy-check against `manage.py check --deploy` itself, on small settings packages in a child process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks.security import deploy_check
from stackaudit.model.verdict import Fail, Unsure
from tests.stacks import stack_of

ELSEWHERE = {"security.W009", "security.W018", "security.W020"}
"""settings/secret-key-exposed, settings/debug-true, settings/allowed-hosts."""

REAL = """
import importlib, io, json, re, sys
sys.path.insert(0, sys.argv[1])
import django
from django.conf import settings
from django.core.management import call_command
from django.test.utils import override_settings
settings.configure(SECRET_KEY="y")
django.setup()

def ids(module):
    told = io.StringIO()
    own = {name: value for name, value in vars(module).items() if name.isupper()}
    with override_settings(**own):
        try:
            call_command("check", deploy=True, stdout=told, stderr=told)
        except Exception as error:
            told.write(str(error))
    return sorted(set(re.findall(r"security\\.[WE]\\d+", told.getvalue())))

print(json.dumps({name: ids(importlib.import_module(name + ".settings")) for name in sys.argv[2:]}))
"""

SECURITY = '"django.middleware.security.SecurityMiddleware"'
SESSION = '"django.contrib.sessions.middleware.SessionMiddleware"'
CSRF = '"django.middleware.csrf.CsrfViewMiddleware"'
XFRAME = '"django.middleware.clickjacking.XFrameOptionsMiddleware"'
ALL = f"MIDDLEWARE = [{SECURITY}, {SESSION}, {CSRF}, {XFRAME}]\nINSTALLED_APPS = ['django.contrib.sessions']\n"
TLS = "--certfile cert.pem --keyfile key.pem"
"""Nothing stands before Django then, so that its check and ours ask for the same."""
PACKAGES = {
    "nothing": "MIDDLEWARE = []\n",
    "everything": ALL,
    "good": ALL
    + "SECURE_HSTS_SECONDS = 3600\nSECURE_HSTS_INCLUDE_SUBDOMAINS = True\nSECURE_HSTS_PRELOAD = True\n"
    + "SECURE_SSL_REDIRECT = True\nSESSION_COOKIE_SECURE = True\nCSRF_COOKIE_SECURE = True\n",
    "hsts_alone": ALL + "SECURE_HSTS_SECONDS = 3600\n",
    "texts": ALL + "SECURE_SSL_REDIRECT = 'yes'\nSESSION_COOKIE_SECURE = 1\nSECURE_CONTENT_TYPE_NOSNIFF = 0\n",
    "only_the_middleware": f"MIDDLEWARE = [{SESSION}]\nSESSION_COOKIE_HTTPONLY = False\n",
    "only_the_app": "MIDDLEWARE = []\nINSTALLED_APPS = ['django.contrib.sessions']\nSESSION_COOKIE_HTTPONLY = False\n",
    "csrf_in_sessions": f"MIDDLEWARE = [{CSRF}]\nCSRF_USE_SESSIONS = True\n",
    "frames": ALL + "X_FRAME_OPTIONS = 'ALLOWALL'\n",
    "referrer_none": ALL + "SECURE_REFERRER_POLICY = None\n",
    "referrer_odd": ALL + "SECURE_REFERRER_POLICY = 'same-origin, never'\n",
    "referrer_list": ALL + "SECURE_REFERRER_POLICY = ['origin', 'same-origin']\n",
    "opener_odd": ALL + "SECURE_CROSS_ORIGIN_OPENER_POLICY = 'nobody'\n",
    "opener_none": ALL + "SECURE_CROSS_ORIGIN_OPENER_POLICY = None\n",
    "old_keys": ALL + "SECRET_KEY_FALLBACKS = ['old', 'abcdefghij' * 6]\n",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[str]]]:
    """The packages, and what `check --deploy` says of each."""
    root = tmp_path_factory.mktemp("packages")
    for name, text in PACKAGES.items():
        (root / name / name).mkdir(parents=True)
        (root / name / name / "__init__.py").write_text("")
        (root / name / name / "settings.py").write_text(
            f"SECRET_KEY = 'x'\nROOT_URLCONF = '{name}.urls'\nUSE_TZ = True\n{text}"
        )
        (root / name / name / "urls.py").write_text("urlpatterns = []\n")
        (root / name / "requirements.txt").write_text("Django==5.2.19\n")
        (root / name / "web.service").write_text(f"[Service]\nExecStart=/bin/gunicorn {name}.wsgi {TLS}\n")
    code = f"import sys\nsys.path[:0] = {[str(root / name) for name in PACKAGES]!r}\n{REAL}"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(root), *PACKAGES],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return root, json.loads(done.stdout)


@pytest.mark.parametrize("name", PACKAGES)
def test_says_what_django_says(name: str, told: tuple[Path, dict[str, list[str]]]) -> None:
    root, real = told
    verdicts = list(deploy_check(stack_of(root / name)))
    ours = {f"security.{verdict.cause}" for verdict in verdicts if isinstance(verdict, Fail)}
    unsure = [verdict.why for verdict in verdicts if isinstance(verdict, Unsure)]
    assert (ours, unsure) == (set(real[name]) - ELSEWHERE, [])
