"""Numbers that rows bring take no order away from them: what groups has none from Meta, measured on real Django."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.orm import query_in_loop
from stackaudit.config import Config
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail
from tests.checks.applied import applied
from tests.checks.test_small_fixes import MODELS
from tests.checks.test_small_fixes import told as told_of
from tests.link.queries import oracle

HEAD = (
    oracle.HEAD
    + """from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Coalesce
"""
)
PROGRAM = """

def answers():
    rows = Chapter.objects.select_related("book"){calls}
    return str([(chapter.pk, {read}) for chapter in rows] + [rows.ordered])
"""
TAGS = 'Tag.objects.filter(book=OuterRef("book__pk"))'
CASES = {
    "number": (
        "chapter.book.tags.count()",
        f'Coalesce(Subquery({TAGS}.values("book").annotate(n=Count("pk")).values("n")), 0)',
        "chapter.found",
    ),
    "any": ("chapter.book.tags.count() > 0", f"Exists({TAGS})", "chapter.found"),
    "none": ("bool(not chapter.book.tags.count())", f"Exists({TAGS})", "not chapter.found"),
}


@pytest.mark.parametrize("name", list(CASES))
def test_numbers_leave_the_order_of_meta_alone(name: str) -> None:
    asked, expression, read = CASES[name]
    before = HEAD + PROGRAM.format(calls="", read=asked)
    (fix,) = applied(before).fixes["answers"]
    assert fix.startswith(f"Append `.annotate(…={expression})` to ")
    after = HEAD + PROGRAM.format(calls=f".annotate(found={expression})", read=read)
    assert oracle.grows(before, "answers")
    assert not oracle.grows(after, "answers")
    size = oracle.SIZES[1]
    assert oracle.ask(before, "answers", size)["value"] == oracle.ask(after, "answers", size)["value"]


def test_a_count_by_a_join_has_no_order_from_meta() -> None:
    """Why it is told only where the rows have none, or one of their own."""
    program = HEAD + PROGRAM.format(calls='.annotate(found=Count("book__tags", distinct=True))', read="chapter.found")
    assert oracle.ask(program, "answers", 6)["value"].endswith("False]'")
    (fix,) = applied(HEAD + PROGRAM.format(calls='.order_by("title")', read="chapter.book.tags.count()")).fixes[
        "answers"
    ]
    assert '.annotate(…=Count("book__tags", distinct=True))' in fix


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Chapter.objects.filter(book=book).count()", 'annotate(number=Count("chapter", distinct=True))'),
        (
            "Chapter.objects.filter(book=book).count() > 0",
            'annotate(found=Exists(Chapter.objects.filter(book=OuterRef("pk"))))',
        ),
    ],
)
def test_queries_of_a_turn_that_count(asked: str, told: str) -> None:
    program = f"{HEAD}\n\ndef answers():\n    return [{asked} for book in Book.objects.all()]\n"
    found = [item.fix for item in query_in_loop(Stack(oracle.files(program), Config())) if isinstance(item, Fail)]
    assert len(found) == 1
    assert told in found[0]


def test_queries_of_a_turn_that_count_for_rows_in_the_order_of_their_model(tmp_path: Path) -> None:
    models = MODELS.replace(
        "(max_length=80)\n\nclass Book", '(max_length=80)\n\n    class Meta:\n        ordering = ["name"]\n\nclass Book'
    )
    models += """
class Titles(models.Manager):
    def get_queryset(self):
        return super().get_queryset().order_by("title")

class Story(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
    objects = Titles()
"""
    views = """\
from .models import Author, Book, Story

def books():
    return [Book.objects.filter(author=author).count() for author in Author.objects.all()]

def stories():
    return [Story.objects.filter(author=author, title="Emma").count() for author in Author.objects.all()]
"""
    number = '.values("author").annotate(n=Count("pk")).values("n")), 0))'
    assert [fix for _, fix in told_of(tmp_path, query_in_loop, models=models, views=views)] == [
        "Count in the queryset of the loop: "
        f'`annotate(number=Coalesce(Subquery(Book.objects.filter(author=OuterRef("pk")){number}`.',
        "Count in the queryset of the loop: "
        f'`annotate(number=Coalesce(Subquery(Story.objects.filter(author=OuterRef("pk"), …).order_by(){number}`.',
    ]
