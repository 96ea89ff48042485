"""Fixes for serializer methods that single objects run, too: real Django REST framework asks less, and nobody pays."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.drf import method_field_query
from stackaudit.model.verdict import Fail
from tests.checks.test_drf_list_fixes import asked
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Genre(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    genre = models.ForeignKey(Genre, on_delete=models.CASCADE)

def fill():
    genres = [Genre.objects.create(name=name) for name in "cab"]
    for number in range(10):
        author = Author.objects.create(name=f"{number}")
        for genre in [*genres, genres[0]]:
            Book.objects.create(author=author, genre=genre)
"""
API = """\
from django.db.models import Prefetch
from rest_framework import serializers, viewsets
from rest_framework.response import Response
from .models import Author, Book

class AuthorSerializer(serializers.ModelSerializer):
    genres = serializers.SerializerMethodField()

    class Meta:
        model = Author
        fields = ["id", "genres"]

    def get_genres(self, author):{begin}
        return list(author.books.order_by("genre__name").values_list("genre__name", flat=True).distinct())

class Chosen(viewsets.ViewSet):
    def list(self, request):
        authors = {authors}{given}
        return Response(AuthorSerializer(authors, many=True).data)
"""
ONE = """
class One(viewsets.ViewSet):
    def list(self, request):
        return Response(AuthorSerializer(Author.objects.get(pk=1)).data)
"""
ALL = 'Author.objects.order_by("pk")'
TAKES = """
        if hasattr(author, "genres_attr"):
            return author.genres_attr"""
GIVEN = """
        found = {}
        rows = Book.objects.filter(author__in=authors).order_by("genre__name")
        for key, name in rows.values_list("author", "genre__name").distinct():
            found.setdefault(key, []).append(name)
        authors = list(authors)
        for author in authors:
            author.genres_attr = found.get(author.pk, [])"""
LISTED = """
        if hasattr(author, "sorted_books"):
            return list(dict.fromkeys(book.genre.name for book in author.sorted_books))"""
LISTS = (
    f"{ALL}.prefetch_related(Prefetch("
    '"books", queryset=Book.objects.select_related("genre").order_by("genre__name"), to_attr="sorted_books"))'
)
PLAIN = """
        return sorted({book.genre.name for book in author.books.all()})"""


def api(begin: str = "", authors: str = ALL, given: str = "", more: str = ONE) -> str:
    return API.replace("{begin}", begin).replace("{authors}", authors).replace("{given}", given) + more


def told(root: Path, text: str) -> list[str]:
    stack = stack_of(root, {"shop/models.py": MODELS, "shop/api.py": text, "shop/__init__.py": ""})
    return [item.fix for item in method_field_query(stack) if isinstance(item, Fail)]


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize("more", ["", ONE])
def test_an_attribute_that_a_method_takes_is_given(tmp_path: Path, more: str) -> None:
    assert told(tmp_path / "told", api(TAKES, more=more)) == [
        "`shop.api.AuthorSerializer.get_genres` takes `genres_attr` where the row has it: give the rows of "
        f"`{ALL}` in shop.api.Chosen.list that attribute, found for all of them with one query, and leave the code as "
        "it is."
    ]


def test_given_to_a_list_it_costs_single_objects_nothing(tmp_path: Path) -> None:
    before, one = asked(tmp_path / "before", MODELS, api(TAKES), "Chosen", "One")
    after, same = asked(tmp_path / "after", MODELS, api(TAKES, given=GIVEN), "Chosen", "One")
    assert (before[1], one) == (after[1], same)
    assert (before[0], after[0]) == (11, 2)


def test_a_list_of_its_own_costs_single_objects_nothing(tmp_path: Path) -> None:
    text = api()
    (fix,) = told(tmp_path / "told", text)
    assert fix == (
        'Add `.prefetch_related(Prefetch("books", queryset=Book.objects.select_related("genre")'
        '.order_by("genre__name"), '
        f'to_attr="…"))` to `{ALL}` in shop.api.Chosen.list. `shop.api.AuthorSerializer.get_genres` serves others, too '
        f"(shop/api.py:{line_of(text, 'AuthorSerializer(Author.objects.get')}): bring the rows under a name of their "
        "own, and let it read that, each once, and ask where there is none."
    )
    before, one = asked(tmp_path / "before", MODELS, text, "Chosen", "One")
    after, same = asked(tmp_path / "after", MODELS, api(LISTED, LISTS), "Chosen", "One")
    _, dear = asked(tmp_path / "plain", MODELS, api(PLAIN, f'{ALL}.prefetch_related("books__genre")'), "Chosen", "One")
    assert (before[1], one) == (after[1], same)
    assert (before[0], after[0]) == (11, 2)
    assert dear[0] > one[0]


def test_a_method_that_nobody_else_runs_is_written_in_another_way(tmp_path: Path) -> None:
    assert told(tmp_path / "told", api(more="")) == [
        f'Add `.prefetch_related("books__genre")` to `{ALL}` in shop.api.Chosen.list. In '
        "`shop.api.AuthorSerializer.get_genres` work it out from `author.books.all()` in Python, each once and in the "
        "same order: `order_by()` asks the database even where `books` is prefetched."
    ]
    ((before, shown),) = asked(tmp_path / "before", MODELS, api(more=""), "Chosen")
    loaded = api(PLAIN, f'{ALL}.prefetch_related("books__genre")', more="")
    ((after, again),) = asked(tmp_path / "after", MODELS, loaded, "Chosen")
    assert shown == again
    assert (before, after) == (11, 3)


@pytest.mark.parametrize(
    "more",
    [
        ONE.replace("Author.objects.get", 'Author.objects.prefetch_related("books__genre").get'),
        "\nclass Authors(viewsets.ReadOnlyModelViewSet):\n    serializer_class = AuthorSerializer\n"
        '    queryset = Author.objects.order_by("name")\n',
    ],
)
def test_single_objects_that_bring_the_rows_do_not_count(tmp_path: Path, more: str) -> None:
    """Those of a queryset whose own list lacks the same will bring them."""
    assert not any("serves others" in fix for fix in told(tmp_path, api(more=more)))


def test_what_a_method_keeps_itself_is_not_to_be_given(tmp_path: Path) -> None:
    keeps = """
        if hasattr(author, "_genres"):
            return author._genres
        author._genres = [book.genre.name for book in author.books.exclude(genre=None)]"""
    assert not any("takes `_genres`" in fix for fix in told(tmp_path, api(keeps, more="")))


COUNTS = """\
from django.db.models import Count, Q
from rest_framework import serializers, viewsets
from rest_framework.response import Response
from .models import Author, Book

class OfGenre(serializers.IntegerField):
    def __init__(self, genre):
        self.genre = genre
        super().__init__(read_only=True)

    def get_attribute(self, author):{begin}
        return author.books.filter(genre__name=self.genre).count()

class BookSerializer(serializers.ModelSerializer):
    class Meta:
        model = Book
        fields = ["id"]

class AuthorSerializer(serializers.ModelSerializer):
    a = OfGenre("a")
    b = OfGenre("b")
    books = BookSerializer(many=True, read_only=True)

    class Meta:
        model = Author
        fields = ["id", "a", "b", "books"]

def moved(pk):
    author = Author.objects.get(pk=pk)
    author.books.filter(genre__name="c").update(genre=1)
    return author

class Authors(viewsets.ReadOnlyModelViewSet):
    queryset = {authors}
    serializer_class = AuthorSerializer

    def partial_update(self, request):
        return Response(AuthorSerializer(moved(1)).data)
"""
WRITTEN = """
class One(Authors):
    list = Authors.partial_update
"""
COUNTED = "Author.objects.all()"
BRINGS = (
    '.prefetch_related("books").annotate(n_a=Count("books", distinct=True, filter=Q(books__genre__name="a")), '
    'n_b=Count("books", distinct=True, filter=Q(books__genre__name="b")))'
)
BROUGHT = """
        if hasattr(author, f"n_{self.genre}"):
            return getattr(author, f"n_{self.genre}")"""


def test_what_a_write_shows_of_a_row_that_brings_nothing_stays_as_cheap(tmp_path: Path) -> None:
    def counts(begin: str = "", authors: str = COUNTED, more: str = "") -> str:
        return COUNTS.replace("{begin}", begin).replace("{authors}", authors) + more

    (fix,) = told(tmp_path / "told", counts())
    assert fix == (
        'Add `.annotate(…=Count("books", distinct=True, filter=Q(…)))` to `Author.objects.all()` in shop.api.Authors '
        "and let `shop.api.OfGenre.get_attribute` use that where the row has it."
    )
    before, one = asked(tmp_path / "before", MODELS, counts(more=WRITTEN), "Authors", "One")
    loaded = counts(BROUGHT, f"{COUNTED}{BRINGS}", WRITTEN)
    after, same = asked(tmp_path / "after", MODELS, loaded, "Authors", "One")
    assert (before[1], one) == (after[1], same)
    assert (before[0], after[0]) == (31, 2)


def test_a_write_that_shows_a_row_of_the_list_brings_what_the_list_does(tmp_path: Path) -> None:
    text = COUNTS.replace("{begin}", "").replace("{authors}", COUNTED).replace("moved(1)", "self.get_object()")
    (fix,) = told(tmp_path, text)
    assert "count over `author.books.all()` in Python" in fix


def test_each_field_that_counts_asks_anew(tmp_path: Path) -> None:
    text = COUNTS.replace("{begin}", "").replace("{authors}", COUNTED)
    stack = stack_of(tmp_path, {"shop/models.py": MODELS, "shop/api.py": text, "shop/__init__.py": ""})
    (fail,) = [item for item in method_field_query(stack) if isinstance(item, Fail)]
    assert fail.cost is not None
    assert (fail.cost.queries, fail.cost.rows) == (2 * 25, 25)
