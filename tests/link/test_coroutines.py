"""Coroutines against real Django: what it refuses is what is told, and nothing else.

Every case runs in an event loop over SQLite in a child process; "refused" means SynchronousOnlyOperation.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.stacks import stack_of

MODELS = """\
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=20)


class Tag(models.Model):
    name = models.CharField(max_length=20)


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    tags = models.ManyToManyField(Tag)
"""

# name: (body of the coroutine, whether Django refuses it)
CASES = {
    "lazy": ("return Book.objects.filter(pk=1)[:5]", False),
    "plain_for": ("for book in Book.objects.all():\n        pass", True),
    "async_for": ("async for book in Book.objects.all():\n        pass", False),
    "comprehension": ("return [book.pk for book in Book.objects.all()]", True),
    "async_comprehension": ("return [book.pk async for book in Book.objects.all()]", False),
    "get": ("return Book.objects.get(pk=1)", True),
    "aget": ("return await Book.objects.aget(pk=1)", False),
    "first": ("return Book.objects.order_by('pk').first()", True),
    "exists": ("return Book.objects.exists()", True),
    "acount": ("return await Book.objects.acount()", False),
    "truth": ("return 1 if Book.objects.all() else 2", True),
    "negated": ("return not Book.objects.all()", True),
    "length": ("return len(Book.objects.all())", True),
    "listed": ("return list(Book.objects.all())", True),
    "indexed": ("return Book.objects.all()[0]", True),
    "sliced": ("return Book.objects.all()[0:2]", False),
    "save": ("book = await Book.objects.aget(pk=1)\n    book.save()", True),
    "asave": ("book = await Book.objects.aget(pk=1)\n    await book.asave()", False),
    "create": ("Tag.objects.create(name='x')", True),
    "acreate": ("await Tag.objects.acreate(name='x')", False),
    "bulk": ("Tag.objects.bulk_create([Tag(name='x')])", True),
    "atomic": ("with transaction.atomic():\n        pass", True),
    "shortcut": ("return get_object_or_404(Book, pk=1)", True),
    "ashortcut": ("return await aget_object_or_404(Book, pk=1)", False),
    "relation": ("book = await Book.objects.aget(pk=1)\n    return book.author.name", True),
    "relation_key": ("book = await Book.objects.aget(pk=1)\n    return book.author_id", False),
    "relation_loaded": (
        "book = await Book.objects.select_related('author').aget(pk=1)\n    return book.author.name", False
    ),
    "relation_looped": ("async for book in Book.objects.all():\n        book.author.name", True),
    "relation_given": (
        "author = await Author.objects.afirst()\n    book = await Book.objects.acreate(title='t', author=author)\n"
        "    return book.author.name", False,
    ),
    "related": ("book = await Book.objects.aget(pk=1)\n    return [t.name for t in book.tags.all()]", True),
    "related_async": ("book = await Book.objects.aget(pk=1)\n    return [t async for t in book.tags.all()]", False),
    "prefetched": (
        "async for book in Book.objects.prefetch_related('tags'):\n        [t.name for t in book.tags.all()]", False
    ),
    "prefetched_filtered": (
        "async for book in Book.objects.prefetch_related('tags'):\n        list(book.tags.filter(pk=1))", True
    ),
    "prefetched_count": ("async for book in Book.objects.prefetch_related('tags'):\n        book.tags.count()", False),
    "in_thread": ("return await sync_to_async(lambda: list(Book.objects.all()))()", False),
    "in_thread_bound": ("return await sync_to_async(Book.objects.count)()", False),
    "in_thread_list": ("return await sync_to_async(list)(Book.objects.all())", False),
    "in_function": (
        "def load():\n        return list(Book.objects.all())\n    return await sync_to_async(load)()", False
    ),
}  # fmt: skip

HEAD = """\
from asgiref.sync import sync_to_async
from django.db import transaction
from django.shortcuts import aget_object_or_404, get_object_or_404

from .models import Author, Book, Tag
"""

RUN = """
import asyncio, json, sys
import django
from django.conf import settings
settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "data.sqlite3"}}, INSTALLED_APPS=["shop"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from shop import models, views
call_command("migrate", run_syncdb=True, verbosity=0)
book = models.Book.objects.create(title="t", author=models.Author.objects.create(name="a"))
book.tags.add(models.Tag.objects.create(name="x"))

async def ask(name):
    try:
        await getattr(views, name)()
    except SynchronousOnlyOperation:
        return True
    return False

json.dump({name: asyncio.run(ask(name)) for name in json.loads(sys.argv[1])}, sys.stdout)
"""


def test_what_django_refuses(tmp_path: Path) -> None:
    views = HEAD + "".join(f"\n\nasync def {name}():\n    {body}\n" for name, (body, _) in CASES.items())
    stack = stack_of(tmp_path, {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/views.py": views})
    told = {
        coroutine.name.rpartition(".")[2]: any(not (touch.is_fine or touch.why) for touch in coroutine.touches())
        for coroutine in stack.coroutines
    }
    (tmp_path / "run.py").write_text(RUN)
    run = subprocess.run(
        [sys.executable, "run.py", json.dumps(list(CASES))], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr[-2000:]
    refused = {name: case[1] for name, case in CASES.items()}
    assert json.loads(run.stdout) == refused
    assert told == refused
