"""What fixes propose in place of repeated queries gives the same answers, with fewer queries: Django itself says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

MODELS = """
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=20)


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=20)
"""
PROGRAM = """
import json
from collections import Counter

import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["shop"],
)
django.setup()
from django.core.exceptions import FieldError
from django.db import connection
from django.db.models import Count, F, Q, Value, Window, prefetch_related_objects
from django.db.models.functions import Lower, RowNumber

from shop.models import Author, Book


with connection.schema_editor() as editor:
    editor.create_model(Author)
    editor.create_model(Book)
authors = [Author.objects.create(name=name) for name in ("Ann", "Bob", "Cyd")]
for author, title in zip([0, 0, 1, 0, 1], "bacAB"):
    Book.objects.create(author=authors[author], title=title)
names, keys = [author.name for author in authors], [author.pk for author in authors]
found = {}


def compare(name, each, once):
    found[name] = each == once


rows = {}
for row in Book.objects.filter(author__in=authors).order_by("title"):
    rows.setdefault(row.author_id, row)
compare(
    "the first of each",
    [Book.objects.filter(author=author).order_by("title").first() for author in authors],
    [rows.get(key) for key in keys],
)
rows = {}
for row in Book.objects.filter(author__name__in=names).annotate(key=F("author__name")).order_by("title"):
    rows[row.key] = row
compare(
    "the last of each, by the column of another table",
    [Book.objects.filter(author__name=name).order_by("title").last() for name in names],
    [rows.get(name) for name in names],
)
counts = dict(Book.objects.filter(author__in=authors).order_by().values_list("author_id").annotate(number=Count("pk")))
compare(
    "counts by key",
    [Book.objects.filter(author=author).count() for author in authors],
    [counts.get(key, 0) for key in keys],
)
compare(
    "counts with the rows of the loop",
    [Book.objects.filter(author=author).count() for author in authors],
    [author.number for author in Author.objects.order_by("pk").annotate(number=Count("book", distinct=True))],
)
Book.objects.create(author=authors[2], title="ÄPFEL.pdf")
titles = ["A", "Z", "ÄPFEL.pdf", "ÄPFEL.PDF"]
folded = Book.objects.annotate(lower=Lower("title")).filter(lower__in=[Lower(Value(title)) for title in titles])
lower = {value.lower() for value in folded.values_list("title", flat=True)}
compare(
    "any case",
    [Book.objects.filter(title__iexact=title).exists() for title in titles],
    [title.lower() in lower for title in titles],
)
numbers = Counter(value.lower() for value in folded.values_list("title", flat=True))
compare(
    "counts in any case",
    [Book.objects.filter(title__iexact=title).count() for title in titles],
    [numbers[title.lower()] for title in titles],
)
by_python = Book.objects.annotate(lower=Lower("title")).filter(lower__in=[title.lower() for title in titles])
found["letters that Python has folded"] = "ÄPFEL.pdf" in by_python.values_list("title", flat=True)
try:
    list(Book.objects.filter(title__iexact__in=["a"]))
except FieldError as error:
    found["iexact__in"] = str(error).split(" for ")[0]
compare(
    "one count for each condition",
    [Book.objects.filter(title__gt=title).count() for title in "Ba"],
    list(Book.objects.aggregate(
        one=Count("pk", filter=Q(title__gt="B")), other=Count("pk", filter=Q(title__gt="a"))
    ).values()),
)
number = Window(RowNumber(), partition_by=F("author"), order_by="title")
compare(
    "the first two of each",
    [book.title for author in authors for book in Book.objects.filter(author=author).order_by("title")[:2]],
    [book.title for book in Book.objects.annotate(number=number).filter(number__lte=2).order_by("author", "title")],
)
held = dict(Book.objects.filter(title__in=["a", "z"]).values_list("title", "pk"))
compare(
    "whether there is one, and its key",
    [(rows.exists(), rows.exists() and rows.get().pk) for rows in (Book.objects.filter(title=name) for name in "az")],
    [(name in held, name in held and held[name]) for name in "az"],
)
given = list(Author.objects.order_by("pk"))
prefetch_related_objects(given, "book_set")
compare(
    "a list of rows",
    [author.book_set.count() for author in Author.objects.order_by("pk")],
    [len(author.book_set.all()) for author in given],
)
found["keys as text"] = [key in Author.objects.in_bulk([str(keys[0])]) for key in (keys[0], str(keys[0]))]
print(json.dumps(found))
"""


def test_what_is_proposed_answers_the_same(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "models.py").write_text(MODELS)
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {
        "the first of each": True,
        "the last of each, by the column of another table": True,
        "whether there is one, and its key": True,
        "counts by key": True,
        "counts with the rows of the loop": True,
        "any case": True,
        "counts in any case": True,
        "letters that Python has folded": False,
        "iexact__in": "Unsupported lookup 'iexact__in'",
        "one count for each condition": True,
        "the first two of each": True,
        "a list of rows": True,
        "keys as text": [True, False],
    }
