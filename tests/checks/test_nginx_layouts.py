"""nginx/cache-leaks-private on layouts with a token, beside the cookies that Django sets for guests."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks import nginx
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

PROGRAM = """
import json, sys, types
layout, page = json.loads(sys.argv[1])
import django
from django.conf import settings
from django.shortcuts import render
from django.urls import path

urls = types.ModuleType("urls")
urls.urlpatterns = [path("", lambda request: render(request, "page.html"))]
sys.modules["urls"] = urls
loaders = [("django.template.loaders.locmem.Loader", {"layout.html": layout, "page.html": page})]
settings.configure(
    SECRET_KEY="x" * 50, ROOT_URLCONF="urls", ALLOWED_HOSTS=["*"], DATABASES={},
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    TEMPLATES=[{
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"loaders": loaders, "context_processors": ["django.template.context_processors.request"]},
    }],
)
django.setup()
from django.test import Client

print("csrftoken" in Client().get("/").cookies)
"""
CONF = """
events {}
http {
    proxy_cache_path /var/cache/nginx keys_zone=pages:10m;
    proxy_cache pages;
    proxy_cache_bypass $cookie_sessionid $http_authorization;
    proxy_no_cache $cookie_sessionid $http_authorization;
    server { location / { proxy_ignore_headers Set-Cookie; proxy_pass http://127.0.0.1:8000; } }
}
"""
SETTINGS = """
SECRET_KEY = "x"
ROOT_URLCONF = "shop.urls"
MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
"""
PAGE = '{% extends "layout.html" %}{% block main %}x{% endblock %}'
TAKEN = "{% if request.user.is_authenticated %}{{ csrf_token }}{% endif %}{% block main %}{% endblock %}"


@pytest.mark.parametrize(
    ("layout", "told", "cookie"),
    [
        ("<p>\n{{ csrf_token }}{% block main %}{% endblock %}", "layout.html (line 2) writes", True),
        ("{% with a=1 %}<form>{% csrf_token %}</form>{% endwith %}{% block main %}{% endblock %}", "(line 1)", True),
        ("{{ csrf_token }}\n{% if x %}{% csrf_token %}{% endif %}", "extends it (line 2 may do so, too): put", True),
        ("{% block main %}{% csrf_token %}{% endblock %}", "", False),
        (TAKEN, "", False),
    ],
)
def test_a_layout_that_writes_the_token(layout: str, told: str, cookie: bool, tmp_path: Path) -> None:
    pages = {f"shop/templates/{name}.html": PAGE for name in ("one", "two", "three")}
    files = {
        "nginx.conf": CONF,
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        "shop/__init__.py": "",
        "shop/settings.py": SETTINGS,
        "shop/templates/layout.html": layout,
        **pages,
    }
    (found,) = (item for item in nginx.cache_leaks_private(stack_of(tmp_path, files)) if isinstance(item, Fail))
    assert told in found.values["layout"] and bool(told) == bool(found.values["layout"])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps([layout, PAGE])],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(cookie)
