"""What findings on repeated queries of a template tell people to write: real Django shows the same and asks less."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from stackaudit.checks.template import repeated_related_query
from stackaudit.model.verdict import Fail
from tests.checks.test_template_fixes import VIEWS, linked

TEMPLATES = (
    "{{ books.count }} of\n{{ books.count }}",
    "{{ books.count }}:\n{% for b in books %}{{ b.pk }}{% endfor %}",
    "{{ books.first.pk }}\n{% for b in books %}{{ b.pk }}{% endfor %}",
    "{% if book.tags.exists %}\n{{ book.tags.count }}{% endif %}",
    "{% if book.tags.exists %}\n{{ book.tags.first.pk }}{% endif %}",
    "{% if book.tags.exists %}\n{% for t in book.tags.all %}{{ t.name }}{% endfor %}{{ book.tags.count }}{% endif %}",
    "{% if book.red %}\n{% for t in book.red %}{{ t.name }}{% endfor %}{% endif %}",
)
MODELS = """\
from django.db import models

class Tag(models.Model):
    name = models.CharField(max_length=80)

    class Meta:
        ordering = ["pk"]


class Book(models.Model):
    tags = models.ManyToManyField(Tag)

    class Meta:
        ordering = ["pk"]

    def red(self):
        return self.tags.filter(name="red")
"""
RENDER = """\
import json, sys
import django
from django.conf import settings
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
settings.configure(
    DEBUG=True, DATABASES=databases, INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.AutoField"
)
django.setup()
from django.db import connection, reset_queries
from django.template import Context, Engine
from shop.models import Book, Tag

with connection.schema_editor() as editor:
    editor.create_model(Tag)
    editor.create_model(Book)
for name in ("red", "blue"):
    Book.objects.create().tags.set([Tag.objects.create(name=name), Tag.objects.create(name="red")])
for template in json.load(sys.stdin):
    context = {"book": Book.objects.first(), "books": Book.objects.all()}
    reset_queries()
    shown = Engine().from_string(template).render(Context(context))
    print(json.dumps([len(connection.queries), shown.split()]))
"""
NAMED = re.compile(r"Put `(\{% with [^`]* %\})…\{% endwith %\}`")
WRITTEN = re.compile(r"`([^`]+)` for ((?:`[^`]+`(?: and )?)+)")
TESTED = re.compile(r"Test `(\{% if [^`]* %\})` before the rest")


def applied(template: str, fix: str) -> str:
    """A template as a fix tells to write it."""
    said = {old: new for new, olds in WRITTEN.findall(fix) for old in re.findall(r"`([^`]+)`", olds)}
    names = "|".join(re.escape(old) for old in sorted(said, key=len, reverse=True))
    text = re.sub(rf"\b(?:{names})\b", lambda found: said[found[0]], template)
    for pattern, end in ((TESTED, "{% endif %}"), (NAMED, "{% endwith %}")):
        opening = pattern.search(fix)
        text = f"{opening[1]}{text}{end}" if opening is not None else text
    return text


def test_what_is_told_shows_the_same_with_fewer_queries(tmp_path: Path) -> None:
    views = VIEWS.replace('"books": Book.objects.all()', '"book": Book.objects.get(pk=1), "books": Book.objects.all()')
    mended = []
    for template in TEMPLATES:
        found = repeated_related_query(linked(tmp_path, template, views, MODELS))
        mended += [applied(template, item.fix) for item in found if isinstance(item, Fail)]
    asked = subprocess.run(
        [sys.executable, "-c", RENDER],
        input=json.dumps([*TEMPLATES, *mended]),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    rows = [json.loads(line) for line in asked.stdout.splitlines()]
    before, after = rows[: len(TEMPLATES)], rows[len(TEMPLATES) :]
    assert [shown for _, shown in after] == [shown for _, shown in before]
    assert [queries for queries, _ in before] == [2, 2, 2, 2, 2, 3, 2]
    assert [queries for queries, _ in after] == [1] * len(TEMPLATES)


FIRST = """\
import json, sys
import django
from django.conf import settings
databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
settings.configure(DATABASES=databases, INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.AutoField")
django.setup()
from django.db import connection
from django.db.models import Prefetch
from django.template import Context, Engine
from shop.models import Book, Tag

with connection.schema_editor() as editor:
    editor.create_model(Book)
    editor.create_model(Tag)
book = Book.objects.create()
for name in ("z", "a"):
    Tag.objects.create(name=name, book=book)
for books, text in (
    (Book.objects.all(), "first"),
    (Book.objects.prefetch_related("tags"), "all.0"),
    (Book.objects.prefetch_related(Prefetch("tags", queryset=Tag.objects.order_by("pk"))), "all.0"),
):
    template = Engine().from_string("{% for book in books %}{{ book.tags." + text + ".pk }}{% endfor %}")
    print(template.render(Context({"books": books})))
"""


def test_the_first_row_is_that_of_the_lowest_key(tmp_path: Path) -> None:
    models = """\
from django.db import models

class Book(models.Model):
    title = models.CharField(max_length=80)

class Tag(models.Model):
    name = models.CharField(max_length=80, primary_key=True)
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="tags")
"""
    linked(tmp_path, "", VIEWS, models)
    ran = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.split() == ["a", "z", "a"]
