"""What two fields of one serializer read is asked for once, and told once: real Django REST framework counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.drf import method_field_query, n_plus_one
from stackaudit.model.verdict import Fail
from tests.checks.test_drf_list_fixes import asked
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Country(models.Model):
    name = models.CharField(max_length=80)

class Author(models.Model):
    name = models.CharField(max_length=80)
    country = models.ForeignKey(Country, on_delete=models.CASCADE)

class Book(models.Model):
    title = models.CharField(max_length=80)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    sequel_of = models.OneToOneField("Book", null=True, on_delete=models.CASCADE, related_name="sequel")

    @property
    def byline(self):
        return f"by {self.author.name}"

    @property
    def origin(self):
        return f"from {self.author.country.name}"

    @property
    def next(self):
        return self.sequel.title if hasattr(self, "sequel") else ""

class Review(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="reviews")
    by = models.ForeignKey(Author, on_delete=models.CASCADE)

def fill():
    before = None
    for number in range(10):
        country = Country.objects.create(name=f"{number}")
        author = Author.objects.create(name=f"{number}", country=country)
        before = Book.objects.create(title="x", author=author, sequel_of=before)
        for _ in range(2):
            Review.objects.create(book=before, by=author)
"""
API = """\
from rest_framework import serializers, viewsets
from .models import Author, Book, Review

class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]

class ReviewSerializer(serializers.ModelSerializer):
    by = AuthorSerializer()

    class Meta:
        model = Review
        fields = ["by"]

class BookSerializer(serializers.ModelSerializer):
{fields}

    class Meta:
        model = Book
        fields = [{names}]

class Books(viewsets.ReadOnlyModelViewSet):
    queryset = {queryset}
    serializer_class = BookSerializer
"""
NESTED = "author = AuthorSerializer()"
SOURCE = 'author = serializers.CharField(source="author.name")'
BYLINE, ORIGIN = "byline = serializers.ReadOnlyField()", "origin = serializers.ReadOnlyField()"
NEXT, SEQUEL = "next = serializers.ReadOnlyField()", "sequel = serializers.StringRelatedField()"
REVIEWS = "reviews = ReviewSerializer(many=True)"
WRITERS = """writers = serializers.SerializerMethodField()

    def get_writers(self, book):
        return [review.by.name for review in book.reviews.all()]
"""


def api(queryset: str, *fields: str) -> str:
    names = ", ".join(f'"{field.partition(" =")[0]}"' for field in fields)
    written = "\n".join(f"    {field}" for field in fields)
    return API.replace("{fields}", written).replace("{names}", names).replace("{queryset}", queryset)


def told(root: Path, queryset: str, *fields: str) -> dict[str, list[Fail]]:
    stack = stack_of(root, {"shop/models.py": MODELS, "shop/api.py": api(queryset, *fields), "shop/__init__.py": ""})
    rules = (n_plus_one, method_field_query)
    return {rule.__name__: [item for item in rule(stack) if isinstance(item, Fail)] for rule in rules}


def count(root: Path, queryset: str, *fields: str) -> int:
    ((queries, _),) = asked(root, MODELS, api(queryset, *fields), "Books")
    return queries


ALL = "Book.objects.all()"


@pytest.mark.parametrize("fields", [(NESTED, BYLINE), (BYLINE, NESTED), (SOURCE, BYLINE), (SEQUEL, NEXT)])
def test_what_a_row_keeps_is_told_once(tmp_path: Path, fields: tuple[str, ...]) -> None:
    found = told(tmp_path / "told", ALL, *fields)
    assert found["method_field_query"] == []
    (fail,) = found["n_plus_one"]
    path = "sequel" if SEQUEL in fields else "author"
    assert fail.fix == f'Add `.select_related("{path}")` to `Book.objects.all()` in shop.api.Books.'
    texts = [step.text for step in fail.related]
    assert f"reads `{path}` too" in texts
    assert f"asks for `{path}`" in texts
    before = count(tmp_path / "before", ALL, *fields)
    after = count(tmp_path / "after", f'Book.objects.select_related("{path}")', *fields)
    one = [field for field in fields if field in (NESTED, SOURCE, SEQUEL)]
    assert count(tmp_path / "alone", ALL, *one) == before
    assert before - after == 10


def test_what_goes_beyond_is_told(tmp_path: Path) -> None:
    found = told(tmp_path / "told", ALL, NESTED, ORIGIN)
    assert [fail.values["relation"] for fail in found["n_plus_one"]] == ["author"]
    (fail,) = found["method_field_query"]
    assert fail.values["relation"] == "author.country"
    assert fail.fix == 'Add `.select_related("author__country")` to `Book.objects.all()` in shop.api.Books.'


SHOWN = """\
from rest_framework import serializers, viewsets
from .models import Book

class ReviewField(serializers.RelatedField):
    def to_representation(self, review):
        return review.by.name if review.by else ""

class BookSerializer(serializers.ModelSerializer):
    reviews = ReviewField(many=True, read_only=True)
    sequel_of = serializers.StringRelatedField()

    class Meta:
        model = Book
        fields = ["reviews", "sequel_of"]

class Books(viewsets.ReadOnlyModelViewSet):
    queryset = Book.objects.all()
    serializer_class = BookSerializer
"""
TITLED = """class Review("""
WITH_TITLE = """    def __str__(self):
        return f"{self.title} {self.byline}"

class Review("""


def test_a_field_and_its_own_code_are_one_cause(tmp_path: Path) -> None:
    models = MODELS.replace(TITLED, WITH_TITLE)
    stack = stack_of(tmp_path / "told", {"shop/models.py": models, "shop/api.py": SHOWN, "shop/__init__.py": ""})
    assert [item for item in method_field_query(stack) if isinstance(item, Fail)] == []
    (fail,) = [item for item in n_plus_one(stack) if isinstance(item, Fail)]
    assert fail.values["relation"] == "reviews.by, sequel_of.author"
    calls = '.select_related("sequel_of__author").prefetch_related("reviews__by")'
    assert fail.fix == f"Add `{calls}` to `Book.objects.all()` in shop.api.Books."
    assert {step.place.path for step in fail.related} == {"shop/api.py", "shop/models.py"}
    assert fail.cost is not None
    assert fail.cost.queries == 4 * 25
    ((before, _),) = asked(tmp_path / "before", models, SHOWN, "Books")
    ((after, _),) = asked(tmp_path / "after", models, SHOWN.replace(".all()", calls), "Books")
    assert (before, after) == (1 + 10 + 20 + 9 + 9, 3)


def test_another_queryset_is_another_cause(tmp_path: Path) -> None:
    more = """
class Bylines(serializers.ModelSerializer):
    byline = serializers.ReadOnlyField()

    class Meta:
        model = Book
        fields = ["byline"]

class Others(viewsets.ReadOnlyModelViewSet):
    queryset = Book.objects.order_by("title")
    serializer_class = Bylines
"""
    files = {"shop/models.py": MODELS, "shop/api.py": api(ALL, NESTED, BYLINE) + more, "shop/__init__.py": ""}
    found = [item for item in method_field_query(stack_of(tmp_path, files)) if isinstance(item, Fail)]
    assert ['order_by("title")' in fail.fix for fail in found] == [True]


def test_rows_that_are_loaded_anew_are_asked_again(tmp_path: Path) -> None:
    """Without a prefetch each loop over the reviews brings rows of its own, which know no author."""
    found = told(tmp_path / "told", ALL, REVIEWS, WRITERS)
    assert [len(fails) for fails in found.values()] == [1, 1]
    alone, both = count(tmp_path / "alone", ALL, REVIEWS), count(tmp_path / "both", ALL, REVIEWS, WRITERS)
    assert both - alone == alone - 1 == 30
