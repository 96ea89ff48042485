"""Who calls a function decides how often its loops turn, and who waits for them."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import orm
from stackaudit.model.verdict import Fail
from tests.checks.test_orm_severities import MODELS
from tests.stacks import stack_of

FILES = {
    "requirements.txt": "celery==5.6.0\ndjango==5.2\n",
    "shop/__init__.py": "",
    "shop/models.py": MODELS,
    "shop/shelves.py": """
from shop.models import Shelf


def by_task(names):
    print([Shelf.objects.get(name=name) for name in names])


def through_another(names):
    by_task(names)


def by_task_and_view(names):
    print([Shelf.objects.get(name=name) for name in names])


def by_nobody(names):
    print([Shelf.objects.get(name=name) for name in names])


def of_words(words):
    print([Shelf.objects.get(name=word) for word in words])


def of_two(names):
    print([Shelf.objects.get(name=name) for name in names])


def of_two_or_more(names):
    print([Shelf.objects.get(name=name) for name in names])


def put_back(names):
    for pk, name in names.items():
        Shelf.objects.filter(pk=pk).update(name=name)
""",
    "shop/jobs.py": """
from celery import shared_task

from shop import shelves
from shop.models import Book


@shared_task
def nightly(names):
    shelves.through_another(names)
    shelves.by_task_and_view(names)


@shared_task
def of_one(keys):
    if not isinstance(keys, list):
        keys = [keys]
    for book in Book.objects.filter(pk__in=keys):
        print(book.author.name)


@shared_task
def of_some(keys):
    for book in Book.objects.filter(pk__in=keys):
        print(book.author.name)


@shared_task
def roll_back(names):
    shelves.put_back(names)


def send(book, keys, names):
    of_one.delay(book.pk)
    of_some.apply_async(args=[keys])
    nightly.apply_async(kwargs={"names": names}, link_error=roll_back.s(names))
""",
    "shop/views.py": """
from shop import shelves


def page(request, names):
    shelves.by_task_and_view(names)
    shelves.of_words(request.GET["words"].split())
    shelves.of_two(["new", "used"])
    shelves.of_two_or_more(["new", "used"])
    shelves.of_two_or_more(names)
""",
}


def test_callers(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, FILES)
    causes = {
        verdict.site.name.partition(":")[0].rpartition(".")[2]: verdict.cause
        for check in (orm.query_in_loop, orm.n_plus_one_forward, orm.write_in_loop)
        for verdict in check(stack)
        if isinstance(verdict, Fail)
    }
    assert causes == {
        "by_task": "background",
        "by_task_and_view": "given",
        "by_nobody": "given",
        "of_words": "few",
        "of_two": "few",
        "of_two_or_more": "given",
        "put_back": "rescue",
        "of_one": "few",
        "of_some": "background",
    }
