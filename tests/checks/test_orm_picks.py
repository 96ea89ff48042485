"""What a row is asked that a turn picks among those behind its own: one more query, told with the pick."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks import admin
from tests.checks.applied import applied, findings
from tests.checks.test_small_fixes import told
from tests.checks.test_template_fixes import fixes
from tests.link.queries import oracle

HEAD = (
    oracle.HEAD
    + """from django.db.models import OuterRef, Subquery


def dearest(author):
    return author.books.order_by("-price").first()


def known_by(author):
    return author.books.order_by("-price").first()


def last_tag(book):
    return book.tags.order_by("-name").first()


def others():
    author, book = Author.objects.get(pk=1), Book.objects.get(pk=1)
    print(dearest(author), known_by(author), last_tag(book))
"""
)
IN_PYTHON = (
    'Append `.prefetch_related("books__tags", "books__publisher")` to `Author.objects.all()`. In `shop.views.%s` pick '
    "from `author.books.all()` in Python, or let the rows bring it by `annotate(…=Subquery(…))` where each has many: "
    "`%s()` asks the database even where `books` is prefetched."
)
CASES = {
    "first": (
        """
    for author in Author.objects.all():
        book = author.books.first()
        print(book.publisher.name, list(book.tags.all()))
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.order_by("pk")), "books__tags", '
        '"books__publisher")` to `Author.objects.all()`. `first()` of a prefetch that is ordered asks nothing: it '
        "stays in `shop.views.first`.",
        """
    books = Prefetch("books", queryset=Book.objects.order_by("pk"))
    for author in Author.objects.prefetch_related(books, "books__tags", "books__publisher"):
        book = author.books.first()
        print(book.publisher.name, list(book.tags.all()))
""",
    ),
    "get": (
        """
    for author in Author.objects.all():
        book = author.books.filter(price__gt=0).earliest("pk")
        print(book.publisher.name, list(book.tags.all()))
""",
        IN_PYTHON % ("get", "filter"),
        """
    for author in Author.objects.prefetch_related("books__publisher", "books__tags"):
        book = min((book for book in author.books.all() if book.price > 0), key=lambda book: book.pk)
        print(book.publisher.name, list(book.tags.all()))
""",
    ),
    "index": (
        """
    for author in Author.objects.all():
        print(author.books.all()[0].publisher.name)
""",
        'Append `.prefetch_related("books__publisher")` to `Author.objects.all()`.',
        """
    for author in Author.objects.prefetch_related("books__publisher"):
        print(author.books.all()[0].publisher.name)
""",
    ),
    "ordered": (
        """
    for book in Book.objects.all():
        print(book.chapter_set.first().book.title)
""",
        'Append `.prefetch_related("chapter_set")` to `Book.objects.all()`.',
        """
    for book in Book.objects.prefetch_related("chapter_set"):
        print(book.chapter_set.first().book.title)
""",
    ),
    "prefetched": (
        """
    for author in Author.objects.prefetch_related("books"):
        print(author.books.filter(price__gt=0).first().publisher.name)
""",
        'Append `.prefetch_related("books__publisher")` to `Author.objects.prefetch_related("books")`. In '
        "`shop.views.prefetched` pick from `author.books.all()` in Python, or let the rows bring it by "
        "`annotate(…=Subquery(…))` where each has many: `filter()` asks the database even where `books` is prefetched.",
        """
    for author in Author.objects.prefetch_related("books").prefetch_related("books__publisher"):
        print([book for book in author.books.all() if book.price > 0][0].publisher.name)
""",
    ),
    "joined": (
        """
    for author in Author.objects.all():
        print(author.books.select_related("publisher").last().publisher.name)
""",
        'Append `.prefetch_related("books")` to `Author.objects.all()`. In `shop.views.joined` pick from '
        "`author.books.all()` in Python (and have the prefetch load what that needs in turn), or let the rows bring it "
        "by `annotate(…=Subquery(…))` where each has many: `select_related()` asks the database even where `books` is "
        "prefetched.",
        """
    for author in Author.objects.prefetch_related(Prefetch("books", Book.objects.select_related("publisher"))):
        print(max(author.books.all(), key=lambda book: book.pk).publisher.name)
""",
    ),
    "shared": (
        """
    for author in Author.objects.all():
        print(dearest(author).publisher.name)
""",
        "Append "
        '`.annotate(…=Subquery(Book.objects.filter(author=OuterRef("pk")).order_by("-price").values("pk")[:1]))` to '
        "`Author.objects.all()`. `shop.views.dearest` serves others, too (shop/views.py:22): leave it alone, fetch the "
        'rows of these keys with one `Book.objects.select_related("publisher").in_bulk(keys)`, set each on its row '
        "and that row on it (`book.author = row`), as the manager does, and read that in place of `dearest(author)`.",
        """
    keys = Book.objects.filter(author=OuterRef("pk")).order_by("-price").values("pk")[:1]
    authors = list(Author.objects.annotate(key=Subquery(keys)))
    found = Book.objects.select_related("publisher").in_bulk([author.key for author in authors])
    for author in authors:
        print(found[author.key].publisher.name)
""",
    ),
    "shared_and_asked_for_its_row": (
        """
    for author in Author.objects.all():
        print(known_by(author).author.name)
""",
        "Append "
        '`.annotate(…=Subquery(Book.objects.filter(author=OuterRef("pk")).order_by("-price").values("pk")[:1]))` to '
        "`Author.objects.all()`. `shop.views.known_by` serves others, too (shop/views.py:22): leave it alone, fetch "
        "the rows of these keys with one `Book.objects.in_bulk(keys)`, set each on its row and that row on it "
        "(`book.author = row`), as the manager does, and read that in place of `known_by(author)`.",
        """
    keys = Book.objects.filter(author=OuterRef("pk")).order_by("-price").values("pk")[:1]
    authors = list(Author.objects.annotate(key=Subquery(keys)))
    found = Book.objects.in_bulk([author.key for author in authors])
    for row in authors:
        row.known_by = book = found[row.key]
        book.author = row
    for author in authors:
        print(author.known_by.author.name)
""",
    ),
    "shared_of_many_to_many": (
        """
    for book in Book.objects.all():
        print(last_tag(book).name)
""",
        'Append `.annotate(…=Subquery(Tag.objects.filter(book=OuterRef("pk")).order_by("-name").values("pk")[:1]))` to '
        "`Book.objects.all()`. `shop.views.last_tag` serves others, too (shop/views.py:22): leave it alone, fetch the "
        "rows of these keys with one `Tag.objects.in_bulk(keys)`, set each on its row, and read that in place of "
        "`last_tag(book)`.",
        """
    keys = Tag.objects.filter(book=OuterRef("pk")).order_by("-name").values("pk")[:1]
    books = list(Book.objects.annotate(key=Subquery(keys)))
    found = Tag.objects.in_bulk([book.key for book in books])
    for book in books:
        print(found[book.key].name)
""",
    ),
    "sliced": (
        """
    for book in Book.objects.all():
        print(book.notes.all()[0].content_type.model)


def makes():
    Note.objects.create(text="a", about=Book.objects.get(pk=1))
""",
        "Leave `book.notes.all()[0]`, or number the rows of each with a `Window()`: asks for the first rows of each, "
        'where a prefetch would load all of them. Put `.select_related("content_type")` before the slice.',
        "",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_rows_behind_a_pick(name: str) -> None:
    before, fix, after = CASES[name]
    program = f"{HEAD}\n\ndef {name}():{before}"
    assert applied(program).fixes[name] == [fix]
    assert oracle.grows(program, name)
    if after:
        assert not oracle.grows(f"{HEAD}\n\ndef {name}():{after}", name)


def test_each_relation_costs_a_query() -> None:
    """Rows that are made on the way are no rows of a queryset."""
    program = HEAD + "".join(f"\n\ndef {name}():{CASES[name][0]}" for name in ("first", "index", "prefetched"))
    program += """

def made():
    for author in Author.objects.all():
        book, made = author.books.get_or_create(title="a", publisher_id=1)
        print(book.author.name)
"""
    assert {item.site.name.partition(":")[0]: item.cost.queries for item in findings(program) if item.cost} == {
        "shop.views.first": 301,
        "shop.views.index": 201,
        "shop.views.prefetched": 201,
    }


MODELS = """\
from django.db import models

class Part(models.Model):
    word = models.CharField(max_length=80)

class Page(models.Model):
    parts = models.ManyToManyField(Part)

    class Meta:
        ordering = ["pk"]

class Volume(models.Model):
    name = models.CharField(max_length=80)
    pages = models.ManyToManyField(Page)

    class Meta:
        ordering = ["name"]
"""
ADMIN = """\
from django.contrib import admin
from .models import Part

@admin.register(Part)
class PartAdmin(admin.ModelAdmin):
    list_display = ["volume", "word"]

    def volume(self, obj):
        volumes = obj.page_set.first().volume_set.all() if obj.page_set.exists() else None
        return volumes.first().name if volumes else "-"
"""


def test_a_column_of_the_admin(tmp_path: Path) -> None:
    prefetch = 'In PartAdmin return `super().get_queryset(request).prefetch_related("page_set__volume_set")` from '
    asked = told(tmp_path / "ordered", admin.list_display_n_plus_one, models=MODELS, admin=ADMIN)
    assert asked == [("", f"{prefetch}get_queryset().")]
    plain = MODELS.replace('        ordering = ["name"]', "        pass")
    path, made = '"page_set__volume_set"', 'Prefetch("page_set__volume_set", queryset=Volume.objects.order_by("pk"))'
    assert told(tmp_path / "plain", admin.list_display_n_plus_one, models=plain, admin=ADMIN) == [
        (
            "",
            f"{prefetch.replace(path, made)}get_queryset(). `first()` of a prefetch that is ordered asks nothing: it "
            "stays in `shop.admin.PartAdmin.volume`.",
        )
    ]


def test_a_path_of_a_template(tmp_path: Path) -> None:
    template = "{% for part in parts %}{% for v in part.page_set.first.volume_set.all %}{{ v }}{% endfor %}{% endfor %}"
    views = """\
from django.shortcuts import render
from .models import Part

def shelf(request):
    return render(request, "shelf.html", {"parts": Part.objects.all()})
"""
    assert fixes(tmp_path, template, views, MODELS) == [
        'Add `.prefetch_related("page_set__volume_set")` to `Part.objects.all()` in shop.views.shelf.'
    ]
