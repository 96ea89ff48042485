"""Rows of one of several models: what a page reads of them is told by every way that leads to it, and the fix helps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stackaudit.checks.template import n_plus_one
from stackaudit.link.queries.lookups import arguments
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

KINDS = ("quotation", "review", "comment", "report")
MODELS = """\
from django.db import models

class Member(models.Model):
    name = models.CharField(max_length=80)

class Author(models.Model):
    name = models.CharField(max_length=80)

class Work(models.Model):
    title = models.CharField(max_length=80)

class Book(models.Model):
    work = models.ForeignKey(Work, on_delete=models.CASCADE)
    authors = models.ManyToManyField(Author)

class Status(models.Model):
    member = models.ForeignKey(Member, on_delete=models.CASCADE)

class About(Status):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)

    class Meta:
        abstract = True

""" + "".join(f"class {kind.title()}(About):\n    pass\n\n" for kind in KINDS)
CHOOSING = (
    "from django import template\n\nregister = template.Library()\n\n@register.filter\ndef as_child(status):\n"
    + "".join(f'    if hasattr(status, "{kind}"):\n        return status.{kind}\n' for kind in KINDS)
    + "    return status\n"
)
VIEWS = """\
from django.shortcuts import render
from .models import Status

def shelf(request):
    return render(request, "shelf.html", {"statuses": Status.objects.order_by("pk")})
"""
TEMPLATE = """{% load kinds %}{% for status in statuses %}{% with row=status|as_child %}
{{ row.member.name }} {{ row.book.work.title }}
{% for author in row.book.authors.all %}{{ author.name }}{% endfor %}
{% endwith %}{% endfor %}"""
RENDER = """\
import sys
import django
from django.conf import settings
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
settings.configure(DATABASES=databases, INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()
from django.apps import apps
from django.db import connection
from django.template import Context, Engine
from django.test.utils import CaptureQueriesContext
from shop.models import *

with connection.schema_editor() as editor:
    for model in apps.get_app_config("shop").get_models():
        editor.create_model(model)
engine = Engine(dirs=["shop/templates"], libraries={"kinds": "shop.templatetags.kinds"})
for turn in range(2):
    for model in (Quotation, Review, Comment, Report, Status):
        given = {"member": Member.objects.create(name=model.__name__)}
        if model is not Status:
            given["book"] = Book.objects.create(work=Work.objects.create(title="w"))
            given["book"].authors.add(Author.objects.create(name=f"a{turn}"))
        model.objects.create(**given)
    for calls in ("", sys.argv[1]):
        rows = eval("Status.objects.order_by('pk')" + calls)
        with CaptureQueriesContext(connection) as asked:
            shown = engine.get_template("shelf.html").render(Context({"statuses": rows}))
        print(len(asked), hash(shown))
"""


def test_each_way_is_told(tmp_path: Path) -> None:
    files = {
        "models.py": MODELS,
        "views.py": VIEWS,
        "__init__.py": "",
        "templatetags/__init__.py": "",
        "templatetags/kinds.py": CHOOSING,
        "templates/shelf.html": TEMPLATE,
    }
    stack = stack_of(tmp_path, {f"shop/{name}": text for name, text in files.items()})
    (found,) = (item for item in n_plus_one(stack) if isinstance(item, Fail))
    sure, some = found.values["relation"].split(" (and, where a condition holds, ")
    assert [path.split(".")[-1] for path in sure.split(", ")] == ["member"] * 5
    assert [path.split(".")[1:] for path in some.removesuffix(" and 2 more)").split(", ")] == (
        [["book", "work"]] * 4 + [["book", "authors"]] * 2
    )
    assert found.fix == (
        'Add `.select_related("member", *(f"{kind}__{path}" for kind in ("quotation", "review", "comment", "report") '
        'for path in ("member", "book__work"))).prefetch_related("quotation__book__authors", "review__book__authors", '
        '"comment__book__authors", "report__book__authors")` to `Status.objects.order_by("pk")` in shop.views.shelf.'
    )
    ran = subprocess.run(
        [sys.executable, "-c", RENDER, found.fix.split("`")[1]],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    (few, first), (one, second), (many, third), (same, fourth) = (line.split() for line in ran.stdout.splitlines())
    assert (first, third) == (second, fourth)
    assert one == same
    assert int(many) > int(few) > int(one)


def test_what_several_relations_share_is_written_once() -> None:
    few = [("red", "a"), ("red", "b"), ("blue", "a"), ("blue", "b")]
    assert arguments(few) == '"red__a", "red__b", "blue__a", "blue__b"'
    paths = [("top", kind, end) for kind in ("red", "blue", "grey") for end in ("a", "b")]
    given = [*paths, ("top",), ("top", "red", "c", "d"), ("other", "a")]
    written = arguments(given)
    assert written == (
        '"top__red__c__d", "other__a", '
        '*(f"top__{kind}__{path}" for kind in ("red", "blue", "grey") for path in ("a", "b"))'
    )
    assert sorted(eval(f"[{written}]")) == sorted("__".join(path) for path in given if path != ("top",))
