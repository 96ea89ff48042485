"""security/client-ip-trust: what DRF's throttles make of X-Forwarded-For, as they do."""

from __future__ import annotations

import json
import subprocess
import sys

REAL = """
import json, sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF="__main__", USE_TZ=True, MIDDLEWARE=[],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None,
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"anon": "3/hour"}, "NUM_PROXIES": None,
    },
)
django.setup()
from django.core.cache import cache
from django.test import Client
from django.test.utils import override_settings
from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.response import Response

@api_view()
def view(request):
    return Response({})

urlpatterns = [path("", view)]

def refused(header):
    cache.clear()
    asked = [Client().get("/", headers={"X-Forwarded-For": header(number)}).status_code for number in range(10)]
    return asked.count(429)

def both():
    added = refused(lambda number: f"10.0.0.{number}, 203.0.113.7")  # nginx adds the address to what was sent
    return [added, refused(lambda number: "203.0.113.7")]  # nginx replaces what was sent

alone = both()
with override_settings(REST_FRAMEWORK={**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}):
    print(json.dumps([alone, both()]))
"""


def test_made_up_headers_get_around_the_limit_without_num_proxies() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", REAL], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[0, 7], [7, 7]]
