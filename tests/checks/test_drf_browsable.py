"""Who offers the login of the browsable API wants its pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks import drf
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

URLS = """\
from django.conf import settings
from django.contrib.auth import views
from django.urls import include, path
from rest_framework import routers

urlpatterns = [path("", include(routers.DefaultRouter().urls))]
own = [path("login/", views.LoginView.as_view(), name="login")]
"""
OFFERS = {
    'urlpatterns += [path("auth/", include("rest_framework.urls"))]': "wanted",
    'urlpatterns.append(path("auth/", include("rest_framework.urls", namespace="api")))': "wanted",
    'urlpatterns += [path("auth/", include((own, "rest_framework")))]': "wanted",
    'urlpatterns += [path("auth/", include((own, "app"), namespace="rest_framework"))]': "wanted",
    'urlpatterns += [path("auth/", include((own, "accounts")))]': "",
    'if settings.DEBUG:\n    urlpatterns += [path("auth/", include("rest_framework.urls"))]': "",
    'urlpatterns += [path("auth/", include("rest_framework.urls"))] if settings.DEBUG else []': "",
}


@pytest.mark.parametrize("offer", OFFERS)
def test_its_pages_are_wanted_where_their_login_is(tmp_path: Path, offer: str) -> None:
    files = {
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
        "shop/__init__.py": "",
        "shop/settings.py": 'SECRET_KEY = "x"\nDEBUG = False\nINSTALLED_APPS = ["rest_framework"]\n',
        "shop/urls.py": f"{URLS}{offer}\n",
    }
    found = [verdict.cause for verdict in drf.browsable_api(stack_of(tmp_path, files)) if isinstance(verdict, Fail)]
    assert found == [OFFERS[offer]]
