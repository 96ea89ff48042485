"""Runs programs on real Django and an SQLite database in memory; one JSON document for each line, in and out."""

import io
import json
import sys
from contextlib import redirect_stdout
from functools import lru_cache
from math import isqrt

import django
from django.apps import apps
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.contenttypes.models import ContentType  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.backends.sqlite3 import base  # noqa: E402
from django.db.backends.sqlite3.base import Database  # noqa: E402
from shop import models  # noqa: E402

with connection.schema_editor() as editor:
    for table in (ContentType, *apps.get_app_config("shop").get_models()):
        editor.create_model(table)
for table in apps.get_app_config("shop").get_models():
    ContentType.objects.get_for_model(table)


class UndoError(Exception):
    pass


class EnoughError(BaseException):
    """So many queries are answer enough; no program catches it."""


class Fetched(Database.Cursor):
    """Counts the rows that come from the database."""

    total = 0

    def fetchone(self):
        row = Database.Cursor.fetchone(self)
        Fetched.total += row is not None
        return row

    def fetchmany(self, *args):
        rows = Database.Cursor.fetchmany(self, *args)
        Fetched.total += len(rows)
        return rows


base.SQLiteCursorWrapper.fetchone = Fetched.fetchone
base.SQLiteCursorWrapper.fetchmany = Fetched.fetchmany


def mentor_of(number, authors):
    """The last have none; those that loops meet first have several pupils each, and mentors who have a mentor.

    The first two have each other, so that pupils of pupils are left where a loop skips the first author.
    """
    last = len(authors) - isqrt(len(authors))
    if number == 0:
        return authors[1]
    return authors[number // (len(authors) // 3)] if number < last else None


def fill(size):
    """Rows of which there are more in every respect when `size` is greater: more in all, more for each parent."""
    tags = [models.Tag.objects.create(name=f"tag {number}") for number in range(size // 2)]
    publishers = [models.Publisher.objects.create(name=f"publisher {number}") for number in range(size)]
    authors = []
    for number in range(size):
        country = models.Country.objects.create(name=f"country {number}")
        authors.append(models.Author.objects.create(name=f"author {number}", country=country))
    for number, author in enumerate(authors):
        author.mentor = mentor_of(number, authors)
        author.save()
        models.Profile.objects.create(author=author, text="x")
        for part in range(size // 7 + 1):
            editor = authors[number - part - 1]  # another one for each book
            publisher = publishers[number - part]  # whose books are by several authors
            title = f"book {number}.{part}"
            book = models.Book.objects.create(title=title, author=author, publisher=publisher, editor=editor)
            book.tags.add(*tags)
            for chapter in range(size // 6):
                models.Chapter.objects.create(book=book, title=f"chapter {chapter}")
            for _ in range(size // 5):
                models.Note.objects.create(about=book, text="x")


@lru_cache(maxsize=4)
def compiled(program):
    return compile(program, "program", "exec")


def measure(program, name, most=sys.maxsize):
    """Queries that `name()` of the program runs, rows that they bring, and what it returns."""
    space = {}
    exec(compiled(program), space)
    asked = 0

    def count(execute, sql, params, many, context):
        nonlocal asked
        asked += not sql.startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))
        if asked > most:
            raise EnoughError
        return execute(sql, params, many, context)

    try:
        with transaction.atomic():
            Fetched.total = 0
            with connection.execute_wrapper(count), redirect_stdout(io.StringIO()):
                value = space[name]()
            rows = Fetched.total
            raise UndoError
    except EnoughError:
        return {"count": asked}
    except UndoError:
        return {"count": asked, "rows": rows, "value": repr(value)}


fill(int(sys.argv[1]))
for line in sys.stdin:
    asked = json.loads(line)
    try:
        answer = measure(asked["program"], asked["name"], asked.get("most", sys.maxsize))
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer), flush=True)
