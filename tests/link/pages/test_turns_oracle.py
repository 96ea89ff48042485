"""Queries in loops of templates that the loop does not change, against real Django.

Every page is rendered on SQLite with 3 and with 6 tags to go through, in a child process; "repeats" means that more
turns took more queries.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks.template import loop_invariant_query, n_plus_one
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MODELS = """\
from functools import lru_cache

from django.db import models
from django.utils.functional import cached_property


class Author(models.Model):
    name = models.CharField(max_length=20)


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    tags = models.ManyToManyField(Tag)

    @property
    def red(self):
        return self.tags.filter(name="red").count()

    @cached_property
    def red_once(self):
        return self.tags.filter(name="red").count()

    def reds(self):
        return self.tags.filter(name="red")

    def kept(self):
        if not hasattr(self, "_kept"):
            self._kept = self.tags.count()
        return self._kept

    def byline(self):
        return self.author.name


@lru_cache
def all_names():
    return list(Tag.objects.values_list("name", flat=True))
"""

TAGS = """\
from django import template

from shop.models import Book, all_names

register = template.Library()


@register.simple_tag
def book_count():
    return Book.objects.count()


@register.simple_tag
def name_count():
    return len(all_names())


@register.filter
def tag_count(book):
    return book.tags.count()


@register.filter
def reds(book):
    return book.red_once


@register.filter
def titled(book):
    return book.title.upper()


@register.inclusion_tag("card.html")
def card(book):
    return {"item": book}


@register.inclusion_tag("label.html")
def label(book):
    return {"item": book}
"""

LOOP = "{% for t in tags %}"
# name: (template, whether it repeats)
PAGES = {
    "member": (LOOP + "{% if t in book.tags.all %}x{% endif %}{% endfor %}", True),
    "no_member": (LOOP + "{% if t not in book.tags.all %}x{% endif %}{% endfor %}", True),
    "count": (LOOP + "{{ book.tags.count }}{% endfor %}", True),
    "exists": (LOOP + "{% if book.tags.exists %}x{% endif %}{% endfor %}", True),
    "negated": (LOOP + "{% if not book.tags.all %}x{% endif %}{% endfor %}", True),
    "first": (LOOP + "{{ book.tags.first.name }}{% endfor %}", True),
    "length": (LOOP + "{{ book.tags.all|length }}{% endfor %}", True),
    "joined": (LOOP + "{{ book.tags.all|join:', ' }}{% endfor %}", True),
    "inner": (LOOP + "{% for o in book.tags.all %}{{ o.name }}{% endfor %}{% endfor %}", True),
    "of_author": (LOOP + "{% for o in book.author.books.all %}{{ o.title }}{% endfor %}{% endfor %}", True),
    "groups": (LOOP + "{% for g in request.user.groups.all %}{{ g.name }}{% endfor %}{% endfor %}", True),
    "property": (LOOP + "{{ book.red }}{% endfor %}", True),
    "method": (LOOP + "{% for o in book.reds %}{{ o.name }}{% endfor %}{% endfor %}", True),
    "queryset_count": (LOOP + "{{ books.count }}{% endfor %}", True),
    "queryset_all": (LOOP + "{% for b in books.all %}{{ b.title }}{% endfor %}{% endfor %}", True),
    "listed": ("{% for t in listed %}{{ book.tags.count }}{% endfor %}", True),
    "with_in": (LOOP + "{% with own=book.tags.all %}{% if t in own %}x{% endif %}{% endwith %}{% endfor %}", True),
    "include": (LOOP + "{% include 'card.html' with item=book %}{% endfor %}", True),
    "include_rows": (LOOP + "{% include 'rows.html' with rows=book.tags.all %}{% endfor %}", True),
    "inclusion": ("{% load shop_tags %}" + LOOP + "{% card book %}{% endfor %}", True),
    "simple": ("{% load shop_tags %}" + LOOP + "{% book_count %}{% endfor %}", True),
    "filter": ("{% load shop_tags %}" + LOOP + "{{ book|tag_count }}{% endfor %}", True),
    "changed_body": (LOOP + "{% ifchanged %}{{ book.tags.count }}{% endifchanged %}{% endfor %}", True),
    "condition": (LOOP + "{% if t.name %}{{ book.tags.count }}{% endif %}{% endfor %}", True),
    "and": (LOOP + "{% if t.name and t in book.tags.all %}x{% endif %}{% endfor %}", True),
    "few_around": (LOOP + "{% for i in 'ab' %}{{ book.tags.count }}{% endfor %}{% endfor %}", True),
    "one_of_inner": (
        LOOP + "{% for b in books %}{% if forloop.first %}{{ book.tags.count }}{% endif %}{% endfor %}{% endfor %}",
        True,
    ),
    "with_out": (
        "{% with own=book.tags.all %}" + LOOP + "{% if t in own %}x{% endif %}{% endfor %}{% endwith %}",
        False,
    ),
    "context": (
        LOOP + "{% if book in books %}x{% endif %}{% for b in books %}{{ b.title }}{% endfor %}{% endfor %}",
        False,
    ),
    "counted_after": (LOOP + "{% for b in books %}{{ b.title }}{% endfor %}{{ books.count }}{% endfor %}", False),
    "counted_before": (LOOP + "{{ books.count }}{% for b in books %}{{ b.title }}{% endfor %}{% endfor %}", False),
    "counted_inside": (LOOP + "{{ tags.count }}{% endfor %}", False),
    "include_context": (LOOP + "{% include 'rows.html' with rows=books %}{% endfor %}", False),
    "prefetched": (LOOP + "{% if t in loaded.tags.all %}{{ loaded.tags.count }}{% endif %}{% endfor %}", False),
    "at_first": (LOOP + "{% if forloop.first %}{{ book.tags.count }}{% endif %}{% endfor %}", False),
    "changed": (LOOP + "{% ifchanged book.pk %}{{ book.tags.count }}{% endifchanged %}{% endfor %}", False),
    "one_of_them": (LOOP + "{% if t.pk == chosen %}{{ book.tags.count }}{% endif %}{% endfor %}", False),
    "and_one": (LOOP + "{% if t.pk == chosen and book.tags.exists %}x{% endif %}{% endfor %}", False),
    "tabs": ("{% for tab in tabs %}{{ book.tags.count }}{% endfor %}", False),
    "sections": ("{% for name, rows in sections.items %}{{ book.tags.count }}{% endfor %}", False),
    "few": ("{% for i in 'abc' %}{{ book.tags.count }}{% endfor %}", False),
    "sliced": ("{% for t in tags|slice:':3' %}{{ book.tags.count }}{% endfor %}", False),
    "forward": (LOOP + "{{ book.author.name }}{% endfor %}", False),
    "forward_method": (LOOP + "{{ book.byline }}{% endfor %}", False),
    "cached_property": (LOOP + "{{ book.red_once }}{% endfor %}", False),
    "kept_method": (LOOP + "{{ book.kept }}{% endfor %}", False),
    "remembered": ("{% load shop_tags %}" + LOOP + "{% name_count %}{% endfor %}", False),
    "cached_filter": ("{% load shop_tags %}" + LOOP + "{{ book|reds }}{% endfor %}", False),
    "plain_filter": ("{% load shop_tags %}" + LOOP + "{{ book|titled }}{% endfor %}", False),
    "plain_inclusion": ("{% load shop_tags %}" + LOOP + "{% label book %}{% endfor %}", False),
    "fragment": (
        "{% load cache %}" + LOOP + "{% cache 60 tags %}{{ book.tags.count }}{% endcache %}{% endfor %}",
        False,
    ),
    "once": ("{% if book.tags.exists %}" + LOOP + "{{ t.name }}{% endfor %}{% endif %}", False),
    "empty": (LOOP + "{{ t.name }}{% empty %}{{ book.tags.count }}{% endfor %}", False),
    "paginated": (LOOP + "{{ page.paginator.count }}{% endfor %}", False),
}

RUN = """
import json, sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "shop"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
        "context_processors": ["django.template.context_processors.request",
                               "django.contrib.auth.context_processors.auth"]}}],
)
django.setup()
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from shop import models, views
call_command("migrate", run_syncdb=True, verbosity=0)
reader = User.objects.create_user("a")
author = models.Author.objects.create(name="a")
for title in "xyz":
    book = models.Book.objects.create(title=title, author=author)
    book.tags.set([models.Tag.objects.create(name="red")])

def counts():
    found = {}
    for name in json.loads(sys.argv[1]):
        request = RequestFactory().get("/")
        for _ in range(2):
            request.user = User.objects.get(pk=reader.pk)
            with CaptureQueriesContext(connection) as captured:
                getattr(views, "page_" + name)(request)
        found[name] = len(captured)
    return found

before = counts()
for name in "abc":
    models.Tag.objects.create(name=name)
after = counts()
json.dump({name: after[name] > before[name] for name in before}, sys.stdout)
"""

VIEW = """
def page_{name}(request):
    tabs = []
    tabs.append({{"rows": Book.objects.all()}})
    tabs.append({{"rows": Tag.objects.all()}})
    return render(request, "page_{name}.html", {{
        "tags": Tag.objects.all(), "books": Book.objects.all(), "chosen": 1,
        "book": get_object_or_404(Book, pk=1), "page": Paginator(Book.objects.all(), 2).get_page(1),
        "tabs": tabs, "sections": {{"books": Book.objects.all(), "tags": Tag.objects.all()}},
        "listed": [{{"tag": tag}} for tag in Tag.objects.all()],
        "loaded": Book.objects.prefetch_related("tags").get(pk=2),
    }})
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("turns")
    shop = root / "shop"
    (shop / "templates").mkdir(parents=True)
    (shop / "templatetags").mkdir()
    for name in ("__init__.py", "templatetags/__init__.py"):
        (shop / name).write_text("")
    (shop / "models.py").write_text(MODELS)
    (shop / "templatetags" / "shop_tags.py").write_text(TAGS)
    (shop / "templates" / "card.html").write_text("{% for tag in item.tags.all %}{{ tag.name }}{% endfor %}")
    (shop / "templates" / "label.html").write_text("{{ item.title }}")
    (shop / "templates" / "rows.html").write_text("{% for row in rows %}{{ row.pk }}{% endfor %}")
    views = ["from django.core.paginator import Paginator", "from django.shortcuts import get_object_or_404, render"]
    views.append("from .models import Book, Tag")
    for name, (template, _) in PAGES.items():
        (shop / "templates" / f"page_{name}.html").write_text(template)
        views.append(VIEW.format(name=name))
    (shop / "views.py").write_text("\n".join(views))
    (root / "run.py").write_text(RUN)
    return root


def measured(root: Path) -> dict[str, bool]:
    """Whether each page's queries grow with the turns of its loop."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "run.py", json.dumps(list(PAGES))],
        cwd=root, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, bool] = json.loads(run.stdout)
    return found


def judged(root: Path) -> dict[str, bool]:
    """Whether the rule fails each page: the flow of a failure begins with the loop of the page."""
    stack = stack_of(root)
    failed = {
        verdict.flow[0].place.path.rpartition("/")[2] for verdict in loop_invariant_query(stack)
        if isinstance(verdict, Fail)
    }  # fmt: skip
    assert [verdict for verdict in n_plus_one(stack) if isinstance(verdict, Fail)] == []
    return {name: f"page_{name}.html" in failed for name in PAGES}


def test_verdicts_agree_with_measured_queries(project: Path) -> None:
    expected = {name: repeats for name, (_, repeats) in PAGES.items()}
    assert measured(project) == expected
    assert judged(project) == expected
