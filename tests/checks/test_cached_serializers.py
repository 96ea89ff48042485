"""Serializers that answer from a cache: what they ask is asked for those rows alone that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.drf import method_field_query, n_plus_one
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

class Sale(models.Model):
    author_name = models.CharField(max_length=80)
"""
API = """\
from django.core.cache import cache
from rest_framework import serializers, viewsets
from .models import Author, Book, Sale

class BookSerializer(serializers.ModelSerializer):
    by = serializers.StringRelatedField(source="author")
    sold = serializers.SerializerMethodField()

    class Meta:
        model = Book
        fields = ["by", "sold"]

    def get_sold(self, book):
        return Sale.objects.filter(author_name=book.author_id).count()

    def to_representation(self, instance):
        key = f"book-{instance.pk}"
        %s
        made = super().to_representation(instance)
        %s
        return made

class BookViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Book.objects.all()
    serializer_class = BookSerializer
"""
SET = "cache.set(key, made, 600)"
CASES = {
    "truth": ("found = cache.get(key)\n        if found:\n            return found", SET, True),
    "not None": ("found = cache.get(key)\n        if found is not None:\n            return found", SET, True),
    "named": ("if found := cache.get(key):\n            return found", SET, True),
    "never filled": ("if found := cache.get(key):\n            return found", "", False),
    "under another key": (
        "if found := cache.get(key):\n            return found",
        'cache.set("book", made)',
        False,
    ),
    "something else": ("found = cache.get(key)\n        if instance.pk:\n            return None", SET, False),
    "only filled": ("", SET, False),
}


@pytest.mark.parametrize("name", list(CASES))
def test_what_a_cache_answers(name: str, tmp_path: Path) -> None:
    before, after, is_cached = CASES[name]
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/api.py": API % (before, after or "pass")}
    stack = stack_of(tmp_path, files)
    causes = [item.cause for rule in (n_plus_one, method_field_query) for item in rule(stack) if isinstance(item, Fail)]
    expected = ["cached", "cached-query"] if is_cached else ["", "query"]
    assert [cause.removeprefix("guarded-") for cause in causes] == expected


def test_who_asks_each_time_is_told_before_whom_a_cache_answers(tmp_path: Path) -> None:
    other = """
def sold(book):
    return Sale.objects.filter(author_name=book.author_id).count()

class PlainSerializer(serializers.ModelSerializer):
    number = serializers.SerializerMethodField()

    class Meta:
        model = Book
        fields = ["number"]

    def get_number(self, book):
        return sold(book)

class PlainViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Book.objects.order_by("pk")
    serializer_class = PlainSerializer
"""
    before, after, _ = CASES["named"]
    api = (API % (before, after)).replace(
        "return Sale.objects.filter(author_name=book.author_id).count()", "return sold(book)"
    )
    stack = stack_of(tmp_path, {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/api.py": api + other})
    (found,) = [item for item in method_field_query(stack) if isinstance(item, Fail)]
    assert (found.cause, found.values["field"]) == ("query", "number")
