"""Rows that a class or a table of functions hands to a loop: what the finding names is theirs, and nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit import config
from stackaudit.model.result import Finding
from stackaudit.scan import scan
from tests.stacks import write

MODELS = """
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=50)


class Book(models.Model):
    title = models.CharField(max_length=50)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)


class Review(models.Model):
    text = models.CharField(max_length=50)
    critic = models.ForeignKey(Author, on_delete=models.CASCADE)
"""
REPORTS = """
from shop.models import Book, Review


class Report:
    def lines(self):
        return [self.line(row) for row in self.rows()]

    def rows(self):
        raise NotImplementedError

    def line(self, row):
        raise NotImplementedError


class Books(Report):
    def rows(self):
        return Book.objects.exclude(title="")

    def line(self, book):
        return book.author.name


class Reviews(Report):
    def rows(self):
        return Review.objects.select_related("critic")

    def line(self, review):
        return review.critic.name


def shown():
    return Books().lines() + Reviews().lines()


def of_book(book):
    return book.author.name


def of_review(review):
    return review.critic.name


def table():
    lines = []
    for model, line in ((Book, of_book), (Review, of_review)):
        for row in model.objects.all():
            lines.append(line(row))
    return lines
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    root: Path = tmp_path_factory.mktemp("handed")
    write(root / "shop", {"__init__.py": "", "models.py": MODELS, "reports.py": REPORTS})
    wishes = config.Config(select=("orm/n-plus-one-forward",), no_cache=True, no_tools=True, jobs=1)
    return sorted(scan(root, wishes).findings, key=lambda item: item.location.line)


def test_rows_of_a_derived_class_are_loaded_there(found: list[Finding]) -> None:
    """What the base class calls gives rows of another model to each class: nothing may be appended to it."""
    assert "`author`" in found[0].message
    assert found[0].fix == (
        'Append `.select_related("author")` to `Book.objects.exclude(title="")` in shop.reports.Books.rows.'
    )


def test_a_table_of_models_is_told_of_one(found: list[Finding]) -> None:
    """Book has no critic."""
    assert found[1].message.startswith("Reading `author` asks the database once for each Book:")
    assert len(found) == 2
