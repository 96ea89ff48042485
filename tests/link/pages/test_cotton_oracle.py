"""Components of django-cotton against the package itself: the verdict is right where the query count agrees.

Every page is rendered on SQLite with 3 and with 6 rows in a child process; "grows" means that more rows took more
queries.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks.template import n_plus_one
from stackaudit.model.verdict import Fail
from tests.link.pages.test_pages_oracle import MODELS
from tests.stacks import stack_of

EACH = "{% for b in books %}{{ b.author }}{% endfor %}"
COMPONENTS = {
    "shelf": EACH,
    "book_row": "<c-vars given-book title />{{ given_book.author }}",
    "small/shelf": EACH,
    "panel/index": EACH,
    "box": "<div>{{ head }}{{ slot }}{{ slot }}</div>",
    "given": '<c-vars :rows="books" kind="wide" />'
    '{% if kind == "wide" %}{% for b in rows %}{{ b.author }}{% endfor %}{% endif %}',
    "wrap": '<c-shelf :attrs="attrs" />',
    "title": "{{ text }}",
}

# name: (queryset, template, whether the number of queries grows with the rows)
PAGES = {
    "attribute": ("Book.objects.all()", '<c-shelf :books="books" />', True),
    "attribute_loaded": ("Book.objects.select_related('author')", '<c-shelf :books="books" />', False),
    "unquoted": ("Book.objects.all()", "<c-shelf books=books />", True),
    "text": ("Book.objects.all()", '<c-shelf books="books" />', False),
    "row": ("Book.objects.all()", '{% for b in books %}<c-book-row :given-book="b"></c-book-row>{% endfor %}', True),
    "row_loaded": (
        "Book.objects.select_related('author')",
        '{% for b in books %}<c-book-row :given-book="b" title="A > B" />{% endfor %}',
        False,
    ),
    "folder": ("Book.objects.all()", '<c-small.shelf\n  class="wide"\n  :books="books"\n/>', True),
    "index": ("Book.objects.all()", "<c-panel :books='books' />", True),
    "around": ("Book.objects.all()", "<c-shelf />", True),
    "only": ("Book.objects.all()", "<c-shelf only />", False),
    "slot": ("Book.objects.all()", f"<c-box>{EACH}</c-box>", True),
    "slot_loaded": ("Book.objects.select_related('author')", f"<c-box>{EACH}</c-box>", False),
    "slot_named": ("Book.objects.all()", f'<c-box><c-slot name="head">{EACH}</c-slot>x</c-box>', True),
    "slot_of_one": ("Book.objects.all()", "<c-box>{{ books.0.author }}</c-box>", False),
    "default": ("Book.objects.all()", "<c-given />", True),
    "default_replaced": ("Book.objects.all()", "<c-given rows='x' />", False),
    "default_of_condition": ("Book.objects.all()", '<c-given kind="narrow" />', False),
    "attributes": ("Book.objects.all()", '<c-wrap :books="books" />', True),
    "attributes_loaded": ("Book.objects.select_related('author')", '<c-wrap :books="books" />', False),
    "dynamic": ("Book.objects.all()", '<c-component is="shelf" :books="books" />', True),
    "native": ("Book.objects.all()", '{% cotton shelf :books="books" %}{% endcotton %}', True),
    "native_loaded": ("Book.objects.select_related('author')", '{% cotton shelf :books="books" / %}', False),
    "rendered": ("Book.objects.all()", '{% for b in books %}<c-title text="{{ b.author }}" />{% endfor %}', True),
    "rendered_once": ("Book.objects.all()", '<c-title text="{{ books.0.author }}" />', False),
    "comment": ("Book.objects.all()", '{# <c-shelf :books="books" /> #}{% comment %}<c-shelf/>{% endcomment %}', False),
    "verbatim": ("Book.objects.all()", "{% verbatim %}<c-shelf />{% endverbatim %}", False),
}  # fmt: skip

RUN = """
import json, sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ROOT_URLCONF="shop.urls", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django_cotton", "shop"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from shop import models, views
call_command("migrate", run_syncdb=True, verbosity=0)

def add(count):
    for number in range(count):
        country = models.Country.objects.create(name="c")
        models.Book.objects.create(title="t", author=models.Author.objects.create(name="a", country=country))

def counts():
    found = {}
    for name in json.loads(sys.argv[1]):
        with CaptureQueriesContext(connection) as captured:
            getattr(views, name)(RequestFactory().get("/"))
        found[name] = len(captured)
    return found

add(3)
before = counts()
add(3)
after = counts()
json.dump({name: after[name] > before[name] for name in before}, sys.stdout)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cotton")
    shop = root / "shop"
    shop.mkdir()
    (shop / "__init__.py").write_text("")
    (shop / "models.py").write_text(MODELS)
    (shop / "urls.py").write_text("urlpatterns = []\n")
    for name, text in COMPONENTS.items():
        file = shop / "templates" / "cotton" / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    views = ["from django.shortcuts import render\nfrom .models import Book"]
    for name, (queryset, template, _) in PAGES.items():
        (shop / "templates" / f"{name}.html").write_text(template)
        views.append(f'def {name}(request):\n    return render(request, "{name}.html", {{"books": {queryset}}})')
    (shop / "views.py").write_text("\n\n".join(views))
    (root / "run.py").write_text(RUN)
    return root


def judged(root: Path) -> set[str]:
    """The pages that the rule fails."""
    stack = stack_of(root)
    failed = (item for item in n_plus_one(stack) if isinstance(item, Fail))
    return {item.site.name.partition(" > ")[0].rpartition(".")[2] for item in failed}


def test_verdicts_agree_with_measured_queries(project: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "run.py", json.dumps(list(PAGES))],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    expected = {name: grows for name, (_, _, grows) in PAGES.items()}
    assert json.loads(run.stdout) == expected
    failed = judged(project)
    assert {name: name in failed for name in expected} == expected
