"""Fixes for querysets that Python makes for each row of a template's loop: by a tag, or by a method of the row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.test_template_fixes import failures
from tests.link.queries import oracle

MODELS = """\
from django.db import models

class Shelf(models.Model):
    name = models.CharField(max_length=99)
    slug = models.SlugField(unique=True)

    def newest(self):
        return Book.objects.filter(shelf=self, is_sold=False).order_by("-pk")

    @property
    def namesakes(self):
        return Shelf.objects.exclude(pk=self.pk).filter(name=self.name)

    @property
    def members(self):
        return Shelf.objects.filter(slug__in=self.name.split(","))

class Book(models.Model):
    shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="books")
    title = models.CharField(max_length=99)
    is_sold = models.BooleanField(default=False)
"""
VIEWS = """\
from django.shortcuts import render
from .models import Shelf

def shelf(request):
    return render(request, "shelf.html", {"shelves": Shelf.objects.all()})
"""
TAGS = """\
from django import template
from ..models import Book, Shelf

register = template.Library()

@register.simple_tag
def get_shelves():
    return Shelf.objects.order_by("name")

@register.simple_tag
def newest(slug, limit=5):
    \"\"\"The last ones.\"\"\"
    return Book.objects.filter(shelf__slug__exact=slug)[:limit]

@register.simple_tag
def unsold(shelf, sold=False):
    return Book.objects.order_by("title").filter(shelf_id=shelf.pk, is_sold=sold)

@register.simple_tag
def named(name):
    return Book.objects.filter(shelf__name=name)

@register.simple_tag(takes_context=True)
def around(context, shelf):
    return Book.objects.filter(shelf=shelf, title=context["title"])
"""
LIST = "`shop/templates/shelf.html`"
VIEW = "to `Shelf.objects.all()` in shop.views.shelf"
CASES = {
    "tag": (
        "{% newest shelf.slug as books %}",
        "`Book.objects.filter(shelf__slug__exact=slug)[:limit]` in `shop.templatetags.shop_tags.newest`, for "
        '`{% newest shelf.slug as books %}`, runs for each row: append `.prefetch_related(Prefetch("books", '
        f'queryset=Book.objects.all()[:5], to_attr="…"))` {VIEW}, and go through that list in place of `books` in '
        f"{LIST} (a Prefetch takes a slice since Django 4.2).",
    ),
    "number": (
        "{% newest slug=shelf.slug limit=2 as books %}",
        "`Book.objects.filter(shelf__slug__exact=slug)[:limit]` in `shop.templatetags.shop_tags.newest`, for "
        "`{% newest slug=shelf.slug limit=2 as books %}`, runs for each row: append `.prefetch_related(Prefetch("
        f'"books", queryset=Book.objects.all()[:2], to_attr="…"))` {VIEW}, and go through that list in place of '
        f"`books` in {LIST} (a Prefetch takes a slice since Django 4.2).",
    ),
    "key": (
        "{% unsold shelf as books %}",
        '`Book.objects.order_by("title").filter(shelf_id=shelf.pk, is_sold=sold)` in '
        "`shop.templatetags.shop_tags.unsold`, for `{% unsold shelf as books %}`, runs for each row: append "
        '`.prefetch_related(Prefetch("books", queryset=Book.objects.order_by("title").filter(…), to_attr="…"))` '
        f"{VIEW}, and go through that list in place of `books` in {LIST}.",
    ),
    "another_column": (
        "{% named shelf.name as books %}",
        "`Book.objects.filter(shelf__name=name)` in `shop.templatetags.shop_tags.named`, for "
        "`{% named shelf.name as books %}`, runs for each row: let the view bring the Book rows with those of the "
        f"loop, under a name of their own, and go through that in place of `books` in {LIST}.",
    ),
    "another_value": (
        "{% newest shelf.name as books %}",
        "`Book.objects.filter(shelf__slug__exact=slug)[:limit]` in `shop.templatetags.shop_tags.newest`, for "
        "`{% newest shelf.name as books %}`, runs for each row: let the view bring the Book rows with those of the "
        f"loop, under a name of their own, and go through that in place of `books` in {LIST}.",
    ),
    "a_limit_of_the_row": (
        "{% newest shelf.slug shelf.pk as books %}",
        "`Book.objects.filter(shelf__slug__exact=slug)[:limit]` in `shop.templatetags.shop_tags.newest`, for "
        "`{% newest shelf.slug shelf.pk as books %}`, runs for each row: let the view bring the Book rows with those "
        f"of the loop, under a name of their own, and go through that in place of `books` in {LIST}.",
    ),
    "the_context": (
        "{% around shelf as books %}",
        '`Book.objects.filter(shelf=shelf, title=context["title"])` in `shop.templatetags.shop_tags.around`, for '
        "`{% around shelf as books %}`, runs for each row: let the view bring the Book rows with those of the loop, "
        f"under a name of their own, and go through that in place of `books` in {LIST}.",
    ),
}
ROWS = "{% for book in books %}<p>{{ book.title }}</p>{% endfor %}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "shop/templatetags").mkdir(parents=True)
    (tmp_path / "shop/templatetags/shop_tags.py").write_text(TAGS)
    return tmp_path


def told(root: Path, inner: str, shelves: str = "") -> list[str]:
    template = f"{{% load shop_tags %}}{shelves}{{% for shelf in shelves %}}{inner}{{% endfor %}}"
    return [item.fix for item in failures(root, template, VIEWS, MODELS)]


@pytest.mark.parametrize("name", CASES)
def test_what_a_tag_gives_a_template(root: Path, name: str) -> None:
    tag, fix = CASES[name]
    assert told(root, tag + ROWS) == [fix]


def test_the_rows_of_the_loop_may_come_from_a_tag_as_well(root: Path) -> None:
    (fix,) = told(root, "{% newest shelf.slug as books %}" + ROWS, "{% get_shelves as shelves %}")
    assert '` to `Shelf.objects.order_by("name")` in shop.templatetags.shop_tags.get_shelves, and go' in fix


def test_the_way_shows_the_tag_and_its_query(root: Path) -> None:
    template = "{% load shop_tags %}{% for shelf in shelves %}\n{% newest shelf.slug as books %}\n" + ROWS
    (fail,) = failures(root, template + "{% endfor %}", VIEWS, MODELS)
    assert [(step.place.path.rpartition("/")[2], step.place.region.line, step.text) for step in fail.flow] == [
        ("shelf.html", 1, "{% for shelf in shelves %}"),
        ("shelf.html", 2, "`{% newest shelf.slug as books %}`"),
        ("shop_tags.py", 13, "`Book.objects.filter(shelf__slug__exact=slug)[:limit]` makes the queryset"),
        ("shelf.html", 3, "runs a query on each turn"),
    ]


def test_what_a_method_of_the_row_gives_a_template(root: Path) -> None:
    for path in ("shelf.newest", "shelf.newest.all"):
        assert told(root, f"{{% for book in {path} %}}{{{{ book.title }}}}{{% endfor %}}") == [
            '`Book.objects.filter(shelf=self, is_sold=False).order_by("-pk")` in `shop.models.Shelf.newest` runs for '
            'each row: append `.prefetch_related(Prefetch("books", queryset=Book.objects.filter(is_sold=False)'
            f'.order_by("-pk"), to_attr="…"))` {VIEW}, and go through that list in place of `{path}` in {LIST}.'
        ]
    assert told(root, "{{ shelf.namesakes.count }}") == [
        "`Shelf.objects.exclude(pk=self.pk).filter(name=self.name).count()` in `shop.models.Shelf.namesakes` runs for "
        f"each row: let the rows bring the number, `annotate(…=Subquery(…))` over Shelf, and show that in {LIST}."
    ]
    assert told(root, "{{ shelf.members.count }}") == [
        '`Shelf.objects.filter(slug__in=self.name.split(",")).count()` in `shop.models.Shelf.members` runs for each '
        "row: its filter is put together in Python, which no annotation repeats: fetch the rows of Shelf that any of "
        "them needs with one query before, and answer from these."
    ]


def test_a_view_that_names_a_model_gets_a_queryset(root: Path) -> None:
    views = (
        "from django.views.generic import ListView\nfrom .models import Shelf\n\nclass Shelves(ListView):\n"
        '    model = Shelf\n    template_name = "shelf.html"\n    context_object_name = "shelves"\n'
    )
    template = "{% load shop_tags %}{% for shelf in shelves %}{% unsold shelf as books %}" + ROWS + "{% endfor %}"
    (fail,) = failures(root, template, views, MODELS)
    assert "runs for each row: return `super().get_queryset().prefetch_related(Prefetch(" in fail.fix
    assert "` from get_queryset() of shop.views.Shelves, and go through that list in place of `books`" in fail.fix


PROGRAM = (
    oracle.HEAD
    + """

def asked():
    return [list(Book.objects.filter(author__pk__exact=author.pk)[:2]) for author in Author.objects.all()]


def brought():
    books = Prefetch("books", queryset=Book.objects.all()[:2], to_attr="newest")
    found = [author.newest for author in Author.objects.prefetch_related(books)]
    return found


def same():
    assert brought() == asked()
"""
)


def test_a_prefetch_brings_what_each_row_would_ask_for() -> None:
    assert [oracle.grows(PROGRAM, name) for name in ("asked", "brought")] == [True, False]
    assert not isinstance(oracle.counts(PROGRAM, "same"), str)
