"""What a page shows to some visitors only is loaded for them, and not for everybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.test_template_fixes import failures

VIEWS = """\
from django.shortcuts import get_object_or_404, render
from .models import Author

def shelf(request, pk):
    author = get_object_or_404(Author, pk=pk)
    return render(request, "shelf.html", {"author": author, "owns": author.user_id == request.user.pk})
"""
OWN = "{% for b in its %}{% for t in b.tags.all %}{{ t }}{% endfor %}{% endfor %}"
LOOP = "{% for b in author.book_set.all %}{% for t in b.tags.all %}{{ t }}{% endfor %}{% endfor %}"
EVERYBODY = (
    'Give `get_object_or_404` in shop.views.shelf the queryset `Author.objects.prefetch_related("book_set__tags")` '
    "instead of `Author`."
)
SOME = (
    "Where the condition holds, hand the Author of shop.views.shelf to "
    '`prefetch_related_objects([row], "book_set__tags")`: a prefetch on its queryset would cost everybody else up to '
    "2 queries for nothing."
)


@pytest.mark.parametrize(
    "template",
    [
        LOOP,
        f"{{% if author.book_set.exists %}}{LOOP}{{% endif %}}",
        f"{{% if author %}}{LOOP}{{% endif %}}",
        f"{{% with its=author.book_set.all %}}{{% if its %}}{OWN}{{% endif %}}{{% endwith %}}",
        f"{{% with writer=author %}}{{% if writer.book_set.exists %}}{LOOP}{{% endif %}}{{% endwith %}}",
        f"{{% if True %}}{LOOP}{{% endif %}}",
        f"{{% if owns %}}{LOOP}{{% endif %}}{LOOP}",
    ],
)
def test_what_everybody_sees_is_loaded_by_the_view(tmp_path: Path, template: str) -> None:
    found = failures(tmp_path, template, VIEWS)
    assert {(fail.cause, fail.fix) for fail in found} == {("detail", EVERYBODY)}


@pytest.mark.parametrize(
    "template",
    [
        f"{{% if owns %}}{LOOP}{{% endif %}}",
        f"{{% if request.user.is_staff %}}{LOOP}{{% endif %}}",
        f"{{% if not owns %}}Hello{{% else %}}{{% if author %}}{LOOP}{{% endif %}}{{% endif %}}",
    ],
)
def test_what_some_visitors_see_is_loaded_for_them(tmp_path: Path, template: str) -> None:
    found = failures(tmp_path, template, VIEWS)
    assert [(fail.cause, fail.fix) for fail in found] == [("guarded-detail", SOME)]


def test_rows_of_a_list_are_loaded_where_they_are_shown(tmp_path: Path) -> None:
    """A queryset runs where the loop is: where the condition fails nothing is prefetched."""
    views = VIEWS.replace("get_object_or_404(Author, pk=pk)", "Author.objects.all()").replace("author.user_id", "pk")
    template = (
        "{% if owns %}{% for a in author %}{% for b in a.book_set.all %}{{ b.pk }}{% endfor %}{% endfor %}{% endif %}"
    )
    assert [(fail.cause, fail.fix) for fail in failures(tmp_path, template, views)] == [
        ("", 'Add `.prefetch_related("book_set")` to `Author.objects.all()` in shop.views.shelf.')
    ]


def test_a_block_that_a_layout_shows_to_some_is_a_page_like_any_other(tmp_path: Path) -> None:
    layout = "{% if request.user.moved %}Moved{% else %}{% block main %}{% endblock %}{% endif %}"
    (tmp_path / "shop/templates").mkdir(parents=True)
    (tmp_path / "shop/templates/layout.html").write_text(layout)
    template = f'{{% extends "layout.html" %}}{{% block main %}}{LOOP}{{% endblock %}}'
    assert [(fail.cause, fail.fix) for fail in failures(tmp_path, template, VIEWS)] == [("detail", EVERYBODY)]


def test_what_is_included_for_all_and_for_some_is_for_all(tmp_path: Path) -> None:
    (tmp_path / "shop/templates").mkdir(parents=True)
    (tmp_path / "shop/templates/books.html").write_text(LOOP)
    include = '{% include "books.html" %}'
    for template in (
        f"{{% if owns %}}{include}{{% endif %}}{include}",
        f"{include}{{% if owns %}}{include}{{% endif %}}",
    ):
        assert {(fail.cause, fail.fix) for fail in failures(tmp_path, template, VIEWS)} == {("detail", EVERYBODY)}
    only = failures(tmp_path, f"{{% if owns %}}{include}{{% endif %}}", VIEWS)
    assert [(fail.cause, fail.fix) for fail in only] == [("guarded-detail", SOME)]


COMMAND = """\
from django.core.management.base import BaseCommand
from django.template.loader import render_to_string
from shop.models import Book

class Command(BaseCommand):
    def handle(self, *args, **options):
        for book in Book.objects.all():
            self.stdout.write(render_to_string("shelf.html", {"book": book}))
"""


def test_what_a_command_renders_that_nothing_runs(tmp_path: Path) -> None:
    command = tmp_path / "shop/management/commands/mail.py"
    command.parent.mkdir(parents=True)
    command.write_text(COMMAND, encoding="utf-8")
    template = "{{ book.author.name }}"
    assert [(fail.cause, fail.site.place.region.line) for fail in failures(tmp_path, template)] == [("by-hand", 8)]
    (tmp_path / "crontab").write_text("0 3 * * * python /srv/manage.py mail\n", encoding="utf-8")
    assert [(fail.cause, fail.site.place.region.line) for fail in failures(tmp_path, template)] == [("", 8)]


def test_rows_of_their_own_are_loaded_where_they_are_shown(tmp_path: Path) -> None:
    """A queryset inside a loop over what some visitors see runs there, too: nobody else pays for what it prefetches."""
    inner = "{% for o in others %}{% for t in o.tags.all %}{% for b in t.book_set.all %}{{ b }}{% endfor %}{% endfor %}"
    template = f"{{% if owns %}}{{% for b in author.book_set.all %}}{inner}{{% endfor %}}{{% endfor %}}{{% endif %}}"
    views = VIEWS.replace('"author": author,', '"author": author, "others": Book.objects.all(),')
    found = failures(tmp_path, template, views.replace("import Author", "import Author, Book"))
    assert [fail.fix for fail in found] == [
        'Add `.prefetch_related("tags__book_set")` to `Book.objects.all()` in shop.views.shelf.'
    ]


def test_lists_of_their_own_are_queries_like_any_other(tmp_path: Path) -> None:
    """The books, and the list of tags of each: a prefetch asks for both."""
    loop = "{% for b in author.book_set.all %}{% for t in b.red %}{{ t }}{% endfor %}{% endfor %}"
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/jobs.py").write_text(
        "from .models import Book\n\ndef job():\n    return Book.objects.get(pk=1).red()\n"
    )
    (found,) = failures(tmp_path, f"{{% if owns %}}{loop}{{% endif %}}", VIEWS)
    assert "to_attr" in found.fix
    assert "would cost everybody else up to 2 queries for nothing." in found.fix
