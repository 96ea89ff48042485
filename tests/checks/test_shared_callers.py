"""Who else runs the code that asks for the rows behind a row, as fixes tell it."""

from __future__ import annotations

from pathlib import Path

from tests.checks.applied import applied
from tests.checks.test_shared_fixes import HEAD
from tests.checks.test_template_fixes import MODELS, VIEWS, fixes


def test_callers_whose_rows_are_prefetched_do_not_count(tmp_path: Path) -> None:
    both = """

def prefetched():
    for author in Author.objects.prefetch_related("books"):
        print(dear(author))


def bare():
    for author in Author.objects.order_by("pk"):
        print(dear(author))
"""
    assert applied(HEAD + both).fixes["bare"] == [
        'Append `.prefetch_related("books")` to `Author.objects.order_by("pk")`. In `shop.views.dear` filter '
        "`author.books.all()` in Python (where each row has few of them): `filter()` asks the database even where "
        "`books` is prefetched."
    ]


def test_a_function_that_narrows_whatever_it_is_given_is_left_alone(tmp_path: Path) -> None:
    both = """

def given():
    for author in Author.objects.all():
        print(dear_ones(author.books))


def own():
    for author in Author.objects.all():
        print([book.title for book in author.books.filter(price__gt=0)])
"""
    assert sorted(applied(HEAD + both).fixes) == ["own"]


def test_what_a_function_is_handed_to_may_run_it_for_others() -> None:
    alone = """

def alone():
    for author in Author.objects.all():
        print(named(author))
"""
    handed = """

def handed():
    executor.submit(named, Author.objects.get(pk=1))
"""
    line = (HEAD + alone + handed).count("\n")
    assert "serves others" not in applied(HEAD + alone).fixes["alone"][0]
    (fix,) = applied(HEAD + alone + handed).fixes["alone"]
    assert f"`shop.views.named` serves others, too (shop/views.py:{line})" in fix


def test_an_object_of_a_module_is_called_by_its_name(tmp_path: Path) -> None:
    models = (
        MODELS
        + """
    def reds(self):
        return red_ones(self)

class Reds:
    def __call__(self, book):
        return book.tags.filter(name="red")

red_ones = Reds()
"""
    )
    template = "{% for book in books %}{% for t in book.reds %}{{ t }}{% endfor %}{% endfor %}"
    assert ["serves others" in fix for fix in fixes(tmp_path, template, VIEWS, models)] == [False]
    (tmp_path / "shop/jobs.py").write_text("from .models import red_ones\n\ndef job(book):\n    red_ones(book)\n")
    (fix,) = fixes(tmp_path, template, VIEWS, models)
    assert "`shop.models.Reds.__call__` serves others, too (shop/jobs.py:4)" in fix


def test_every_function_that_a_call_leads_to_serves_its_caller() -> None:
    classes = """

class Plain:
    def send(self, author):
        print(author)


class Mail(Plain):
    def send(self, author):
        print(list(author.books.filter(title="a")))


SENDERS = [Plain(), Mail()]


def all_of_them():
    for author in Author.objects.all():
        Mail().send(author)


def one(pk):
    for sender in SENDERS:
        sender.send(Author.objects.get(pk=pk))
"""
    line = (HEAD + classes).count("\n")
    (fix,) = applied(HEAD + classes).fixes["all_of_them"]
    assert f"`shop.views.Mail.send` serves others, too (shop/views.py:{line})" in fix


def test_a_name_that_several_classes_have_tells_nothing(tmp_path: Path) -> None:
    models = MODELS + "\nclass Shop:\n    def red(self):\n        return 1\n"
    template = "{% for book in books %}{% for t in book.red %}{{ t }}{% endfor %}{% endfor %}"
    fixes(tmp_path, template, VIEWS, models)
    (tmp_path / "shop/templates/shop.html").write_text("{{ shop.red }}")
    assert ["serves others" in fix for fix in fixes(tmp_path, template, VIEWS, models)] == [False]
    assert ["serves others" in fix for fix in fixes(tmp_path, template)] == [True]
