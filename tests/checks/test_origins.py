"""What the rules on origins say of Django and django-cors-headers, asked of them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys, types
given = json.loads(sys.argv[1])
import django
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

urls = types.ModuleType("urls")
urls.urlpatterns = [path("", lambda request: HttpResponse(request.scheme))]
sys.modules["urls"] = urls
settings.configure(
    SECRET_KEY="x" * 50, ROOT_URLCONF="urls", ALLOWED_HOSTS=["shop.example.com"], DATABASES={},
    INSTALLED_APPS=["django.contrib.contenttypes", "corsheaders"], **given["settings"],
)
django.setup()
from django.core.checks import run_checks
from django.test import Client

client = Client(enforce_csrf_checks=given.get("enforce", False))
client.cookies["csrftoken"] = "a" * 32
response = client.generic(
    given["method"], "/", "csrfmiddlewaretoken=" + "a" * 32, "application/x-www-form-urlencoded", **given["headers"]
)
answered = {name.lower(): value for name, value in response.items()}
print(json.dumps([response.status_code, answered, [each.id for each in run_checks()]]))
"""
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"


def asked(**given: object) -> tuple[int, dict[str, str], list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(given)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    status, headers, checks = json.loads(done.stdout.splitlines()[-1])
    return status, headers, checks


def posted(origins: list[str], **headers: str) -> tuple[int, list[str]]:
    """A form that a browser sends from https://shop.example.com, and what Django's checks say of the settings."""
    status, _, checks = asked(
        settings={
            "MIDDLEWARE": [CSRF],
            "CSRF_TRUSTED_ORIGINS": origins,
            "SECURE_PROXY_SSL_HEADER": ["HTTP_X_FORWARDED_PROTO", "https"],
        },
        enforce=True,
        method="POST",
        headers={"HTTP_HOST": "shop.example.com", "HTTP_ORIGIN": "https://shop.example.com", **headers},
    )
    return status, checks


@pytest.mark.parametrize(
    ("origins", "status", "refused"),
    [
        (["https://shop.example.com"], 200, False),
        (["https://*.example.com"], 200, False),
        (["https://shop.example.com/"], 403, False),
        (["https://*"], 403, False),
        (["https://shop.*"], 403, False),
        (["shop.example.com"], 403, True),
        ([""], 403, True),
        ([], 403, False),
    ],
)
def test_what_an_origin_is_compared_with(origins: list[str], status: int, refused: bool) -> None:
    found, checks = posted(origins)
    assert (found, "4_0.E001" in checks) == (status, refused)


def test_a_form_is_accepted_where_django_sees_the_tls() -> None:
    assert posted([], HTTP_X_FORWARDED_PROTO="https")[0] == 200


def test_a_header_by_its_own_name_is_not_found() -> None:
    given = {"MIDDLEWARE": [], "SECURE_PROXY_SSL_HEADER": ["X-Forwarded-Proto", "https"], "SECURE_SSL_REDIRECT": True}
    given["MIDDLEWARE"] = ["django.middleware.security.SecurityMiddleware"]
    headers = {"HTTP_HOST": "shop.example.com", "HTTP_X_FORWARDED_PROTO": "https"}
    status, answered, _ = asked(settings=given, method="GET", headers=headers)
    assert (status, answered["location"]) == (301, "https://shop.example.com/")


@pytest.mark.parametrize(
    ("settings", "allowed"),
    [
        ({"CORS_ALLOW_ALL_ORIGINS": True, "CORS_ALLOW_CREDENTIALS": True}, ("https://evil.example", "true")),
        ({"CORS_ALLOWED_ORIGIN_REGEXES": ["^https?://.*$"], "CORS_ALLOW_CREDENTIALS": True},
         ("https://evil.example", "true")),
        ({"CORS_ALLOW_ALL_ORIGINS": True}, ("*", None)),
        ({"CORS_ALLOWED_ORIGINS": ["https://app.example.com"], "CORS_ALLOW_CREDENTIALS": True}, (None, None)),
    ],
)  # fmt: skip
def test_what_a_foreign_page_may_read(settings: dict[str, object], allowed: tuple[str | None, str | None]) -> None:
    headers = {"HTTP_HOST": "shop.example.com", "HTTP_ORIGIN": "https://evil.example"}
    _, answered, _ = asked(settings={"MIDDLEWARE": [CORS], **settings}, method="GET", headers=headers)
    assert (answered.get("access-control-allow-origin"), answered.get("access-control-allow-credentials")) == allowed
