"""Several relations of which one function asks whether there is anything: what is proposed, and what it costs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from stackaudit.checks import orm
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Tag(models.Model):
    name = models.CharField(max_length=9)

class Book(models.Model):
    tags = models.ManyToManyField(Tag)

class Rule(models.Model):
    any_tags = models.ManyToManyField(Tag, related_name="rules_with")
    no_tags = models.ManyToManyField(Tag, related_name="rules_without")
    books = models.ManyToManyField(Book)

class Remark(models.Model):
    rule = models.ForeignKey(Rule, models.CASCADE)

class Doubt(models.Model):
    rule = models.ForeignKey(Rule, models.CASCADE)
"""
VIEWS = """\
from .models import Book, Rule

def narrowed(books, rule):
    if rule.any_tags.exists():
        books = books.filter(tags__in=rule.any_tags.all()).distinct()
    if rule.no_tags.exists():
        books = books.exclude(tags__in=rule.no_tags.all())
    return books

def is_bare(rule):
    return not rule.books.exists()

def is_silent(rule):
    return not (rule.remark_set.exists() or rule.doubt_set.exists())

def several():
    return [str(narrowed(Book.objects.all(), rule).query) for rule in Rule.objects.all()]

def one():
    return [is_bare(rule) for rule in Rule.objects.all()]

def of_others():
    return [is_silent(rule) for rule in Rule.objects.all()]
"""
MEASURED = """\
import django
from django.conf import settings
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
settings.configure(DATABASES=databases, INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()
from django.db import connection
from django.test.utils import CaptureQueriesContext
from shop import models, views

with connection.schema_editor() as editor:
    for model in (models.Tag, models.Book, models.Rule):
        editor.create_model(model)
tags = [models.Tag.objects.create(name=str(number)) for number in range(3)]
for number in range(10):
    models.Rule.objects.create().any_tags.set(tags[:number % 3])
with CaptureQueriesContext(connection) as captured:
    answer = views.several()
print(len(captured), answer)
"""


def test_relations_that_are_tested_together_are_prefetched(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/views.py": VIEWS}
    stack = stack_of(tmp_path, files)
    found = [item for item in orm.n_plus_one_reverse(stack) if isinstance(item, Fail)]
    told = {item.site.name.partition(":")[0].rpartition(".")[2]: item.fix for item in found}
    assert told == {
        "several": 'Append `.prefetch_related("any_tags", "no_tags")` to `Rule.objects.all()`. `exists()` uses what is '
        "prefetched: it stays in `shop.views.narrowed`.",
        "one": 'Append `.annotate(…=Exists(Book.objects.filter(rule=OuterRef("pk"))))` to `Rule.objects.all()` and let '
        "`shop.views.is_bare` use that where the row has it.",
        "of_others": 'Append `.annotate(…=Exists(Remark.objects.filter(rule=OuterRef("pk"))), '
        '…=Exists(Doubt.objects.filter(rule=OuterRef("pk"))))` to `Rule.objects.all()` and let `shop.views.is_silent` '
        "use that where the row has it.",
    }
    call = re.findall(r"`(\.prefetch_related\(.*?\))`", told["several"])[0]
    measured = []
    for views in (VIEWS, VIEWS.replace("Rule.objects.all()", f"Rule.objects.all(){call}")):
        (tmp_path / "shop/views.py").write_text(views)
        ran = subprocess.run(
            [sys.executable, "-B", "-c", MEASURED], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        measured.append(ran.stdout.partition(" "))
    assert [queries for queries, _, _ in measured] == ["21", "3"]
    assert measured[0][2] == measured[1][2]
