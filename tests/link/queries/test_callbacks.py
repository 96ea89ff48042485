"""What a pool, a thread or a commit runs is asked for each row, too.

The oracle cannot measure it: its database lives in one connection and one transaction. With one in a file Django 5.2
ran 13 queries for 12 rows where 4 ran for 3 (1 and 1 for those that are flat), by `CursorWrapper.execute`.
"""

from __future__ import annotations

import re

import pytest

from tests.link.queries import oracle

PROGRAM = """import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Thread

from django.db import transaction
from shop.models import Book


def line(mark, book):
    return f"{mark} {book.author.name}"


def grows_pool():
    with ThreadPoolExecutor(1) as pool:
        return list(pool.map(partial(line, "-"), list(Book.objects.all())))


def grows_submit():
    with ThreadPoolExecutor(1) as pool:
        return [pool.submit(line, "-", book).result() for book in Book.objects.all()]


def flat_submit():
    with ThreadPoolExecutor(1) as pool:
        return [pool.submit(line, "-", book).result() for book in Book.objects.select_related("author")]


def grows_thread():
    for book in Book.objects.all():
        thread = Thread(target=line, args=("-", book))
        thread.start()
        thread.join()


async def grows_to_thread():
    return [await asyncio.to_thread(line, "-", book) async for book in Book.objects.all()]


def grows_on_commit():
    for book in Book.objects.all():
        transaction.on_commit(partial(line, "-", book))


def grows_on_commit_with_a_default():
    for book in Book.objects.all():
        transaction.on_commit(lambda book=book: line("-", book))


def flat_on_commit():
    for book in Book.objects.all():
        transaction.on_commit(partial(print, book.title))
"""
NAMES = re.findall(r"^(?:async )?def ((?:grows|flat)_\w+)\(", PROGRAM, re.MULTILINE)


@pytest.fixture(scope="module")
def said() -> dict[str, str]:
    return oracle.verdicts(PROGRAM)


@pytest.mark.parametrize("name", NAMES)
def test_callback(name: str, said: dict[str, str]) -> None:
    assert said.get(name, "pass") == ("fail" if name.startswith("grows_") else "pass")
