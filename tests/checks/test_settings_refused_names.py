"""The names that Django refuses, beside Django's own comparison and its answer."""

from __future__ import annotations

from itertools import combinations

import pytest
from django.http.request import validate_host

from stackaudit.checks.settings.refused_names import allows
from tests.checks.test_settings_harms import real

PATTERNS = ("shop.io", ".shop.io", "WWW.shop.io", "*", "", "api.shop.io", "127.0.0.1")
NAMES = ("shop.io", "www.shop.io", "a.b.shop.io", "xshop.io", "io", "api.shop.io")


@pytest.mark.parametrize("hosts", [chosen for count in range(3) for chosen in combinations(PATTERNS, count)])
def test_names_as_django_compares_them(hosts: tuple[str, ...]) -> None:
    assert {name: allows(hosts, name) for name in NAMES} == {name: validate_host(name, hosts) for name in NAMES}  # type: ignore[no-untyped-call]


def test_common_middleware_answers_400() -> None:
    script = """
urls.urlpatterns = [path("", lambda request: HttpResponse("ok"))]
for name, middleware in (("with", ["django.middleware.common.CommonMiddleware"]), ("without", [])):
    with override_settings(MIDDLEWARE=middleware):
        found[name] = Client().get("/", headers={"host": "api.shop.io"}).status_code
"""
    assert real(script, {"settings": {"ALLOWED_HOSTS": ["shop.io"]}}) == {"with": 400, "without": 200}
