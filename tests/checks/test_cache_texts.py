"""What rules on caches and heartbeats say beside their verdict: the worst first, and each place that needs it."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import cache, server
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
SETTINGS = "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\n"
GUARDED = """
from django.contrib.auth.decorators import login_required, user_passes_test
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_page
from django.views.generic import TemplateView

staff_required = [login_required, user_passes_test(lambda user: user.is_staff)]


@method_decorator(cache_page(60), name="dispatch")
@method_decorator(staff_required, name="dispatch")
class Report(TemplateView):
    template_name = "report.html"

    def get_context_data(self, **kwargs):
        return {"name": self.request.user.username}


@method_decorator(staff_required, name="dispatch")
@method_decorator(cache_page(60), name="dispatch")
class Open(TemplateView):
    template_name = "report.html"
"""
THROTTLE = """
from django.core.cache import cache


class Throttle:
    def allow_request(self, request, view):
        seen = cache.get(request.user.pk, 0)
        cache.set(request.user.pk, seen + 1)
        return seen < 1
"""
STORE = """
from django.core.cache import cache


def prices(request):
    return cache.get("prices")
"""


def test_a_list_of_guards_below_the_cache_is_told_first(tmp_path: Path) -> None:
    files = {"manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": SETTINGS, "shop/views.py": GUARDED}
    files["shop/templates/report.html"] = "{{ name }}"
    found = [item for item in cache.page_cache_leaks_user(stack_of(tmp_path, files)) if isinstance(item, Fail)]
    assert [(item.values["view"], item.values["what"]) for item in found] == [
        (
            "shop.views.Report",
            "login_required is asked only while the cache is empty, afterwards anybody gets the page, also without a"
            " login",
        )
    ]


def test_what_a_throttle_counts_in_each_process(tmp_path: Path) -> None:
    told = {
        "throttle.py": (
            THROTTLE,
            "what shop/throttle.py counts is counted in each of them, so a limit of 1 is up to 3",
        ),
        "store.py": (STORE, "what one deletes the others keep"),
    }
    for name, (code, apart) in told.items():
        files = {"manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": SETTINGS, f"shop/{name}": code}
        files["Procfile"] = "web: gunicorn shop.wsgi --workers 3\n"
        stack = stack_of(tmp_path / name, files)
        (found,) = (item for item in cache.local_memory_multiprocess(stack) if isinstance(item, Fail))
        assert found.values["apart"] == apart


def test_the_other_branch_of_a_script_is_named(tmp_path: Path) -> None:
    script = (
        '#!/bin/sh\nif [ "$ASYNC" = 1 ]; then\n    exec gunicorn shop.asgi -k uvicorn_worker.UvicornWorker\nelse\n'
        "    exec gunicorn shop.wsgi\nfi\n"
    )
    docker = 'FROM python:3.13-slim\nCOPY start.sh /start.sh\nCMD ["/start.sh"]\n'
    stack = stack_of(tmp_path, {"Dockerfile": docker, "start.sh": script})
    (found,) = (item for item in server.heartbeat_on_disk(stack) if isinstance(item, Fail))
    assert (found.site.place.region.line, [step.place.region.line for step in found.related]) == (3, [5])
