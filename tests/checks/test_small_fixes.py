"""What the smaller rules tell people to write has to be true of the code that they judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from stackaudit.checks import orm
from stackaudit.config import Config
from stackaudit.discover import discover
from stackaudit.link.stack import Stack
from stackaudit.lower import pool
from stackaudit.model.verdict import Fail, Verdict

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
"""


def told(root: Path, rule: Callable[[Stack], Iterator[Verdict]], **files: str) -> list[tuple[str, str]]:
    """The causes and fixes of what a rule finds in the modules of an app."""
    for name, text in {"__init__": "", "models": MODELS, **files}.items():
        path = root / "shop" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inputs = discover(root)
    stack = Stack(pool.lower_all(inputs.files, inputs.read, jobs=1, cache=None), Config())
    return [(item.cause, item.fix) for item in rule(stack) if isinstance(item, Fail)]


def test_a_count_of_the_rows_of_one(tmp_path: Path) -> None:
    views = """\
from .models import Author, Book

def views(author: Author):
    if author.book_set.count() > 0:
        show(author.book_set.all())
    if Book.objects.filter(author=author).count() == 0:
        show()
    if Book.objects.exclude(title__in=["The first of all titles", "The last of all titles"]).count() == 0:
        show()
    return not Book.objects.count()
"""
    assert told(tmp_path, orm.count_as_existence, views=views) == [
        (
            "few",
            "Load them once: `rows = author.book_set.all()` before the test, `if rows:` in its place, and `rows` where"
            " line 5 asks for them again.",
        ),
        ("few", "Write `not Book.objects.filter(author=author).exists()` instead."),
        ("small", "Ask by `.exists()`, with `not` before it, instead of counting and comparing."),
        ("small", "Write `Book.objects.exists()` instead."),
    ]
