"""What a finding tells people to write has to be what helps."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks.template import n_plus_one
from stackaudit.config import Config
from stackaudit.discover import discover
from stackaudit.link.stack import Stack
from stackaudit.lower import pool
from stackaudit.model.verdict import Fail

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Tag(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    tags = models.ManyToManyField(Tag)

    def red(self):
        return self.tags.filter(name="red")
"""
VIEWS = """\
from django.shortcuts import render
from .models import Book

def shelf(request):
    return render(request, "shelf.html", {"books": Book.objects.all()})
"""


def fixes(root: Path, template: str) -> list[str]:
    files = {"models.py": MODELS, "views.py": VIEWS, "__init__.py": "", "templates/shelf.html": template}
    for name, text in files.items():
        path = root / "shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inputs = discover(root)
    stack = Stack(pool.lower_all(inputs.files, inputs.read, jobs=1, cache=None), Config())
    return [verdict.fix for verdict in n_plus_one(stack) if isinstance(verdict, Fail)]


def test_a_join_and_a_prefetch(tmp_path: Path) -> None:
    template = (
        "{% for book in books %}{{ book.author.name }}{% for t in book.tags.all %}{{ t }}{% endfor %}{% endfor %}"
    )
    assert fixes(tmp_path, template) == [
        'Add `.select_related("author").prefetch_related("tags")` to `Book.objects.all()` in shop.views.shelf.'
    ]


def test_what_asks_again_is_not_helped_by_a_plain_prefetch(tmp_path: Path) -> None:
    template = "{% for book in books %}{{ book.author.name }}{% for t in book.red %}{{ t }}{% endfor %}{% endfor %}"
    assert fixes(tmp_path, template) == [
        'Add `.select_related("author")` to `Book.objects.all()` in shop.views.shelf. '
        'Add `.prefetch_related(Prefetch("tags", queryset=…, to_attr="…"))` to `Book.objects.all()` '
        "in shop.views.shelf and read that list: `filter()` asks the database even where `tags` is prefetched."
    ]
