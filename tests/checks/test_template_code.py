"""What templates ask of a row that a loop of the code hands to them, one by one."""

from __future__ import annotations

from pathlib import Path

from stackaudit.model.verdict import Cost
from tests.checks.test_template_fixes import MODELS, failures


def test_what_the_code_has_read_of_the_row_is_there(tmp_path: Path) -> None:
    views = """\
from django.template.loader import render_to_string
from .models import Book

def shelf():
    for book in Book.objects.only("pk"):
        if %s:
            print(render_to_string("shelf.html", {"book": book}))
"""
    models = MODELS + "    title = models.CharField(max_length=80)\n"
    template = "{{ book.author.name }} {{ book.title }}"
    read, unread = (failures(tmp_path, template, views % test, models) for test in ("book.author.name", "book.pk"))
    letting_in = 'to the only() of `Book.objects.only("pk")`.'
    joining = 'Add `.select_related("author")` to `Book.objects.only("pk")` in shop.views.shelf.'
    assert [(item.values["relation"], item.fix) for item in (*read, *unread)] == [
        ("title", f'Add "title" {letting_in}'),
        ("author, title", f'Add "author", "title" {letting_in} {joining}'),
    ]
    assert [item.cost for item in (*read, *unread)] == [
        Cost(queries, 100, "100 rows in the loop, assumed") for queries in (100, 200)
    ]
