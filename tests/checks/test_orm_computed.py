"""Keys that a turn computes, texts that somebody pastes and values that no column takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stackaudit.checks import orm
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MODELS = """
import uuid
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=20)


class Entry(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    date = models.DateField()


class Task(models.Model):
    key = models.UUIDField(primary_key=True, default=uuid.uuid4)
    state = models.CharField(max_length=9)
"""
VIEWS = """
import csv
import datetime
import io
from .models import Entry, Task


def of_an_author(author, cleaned_data):
    parsed = csv.reader(io.StringIO(cleaned_data["text"]))
    for row in parsed:
        try:
            day = datetime.date.fromisoformat(row[0])
            print(Entry.objects.filter(date=day, author=author).exists())
        except ValueError:
            pass


def of_all(request):
    parsed = csv.reader(io.StringIO(request.POST["text"]))
    for row in parsed:
        day = datetime.date.fromisoformat(row[0])
        print(Entry.objects.filter(date=day).exists())


def of_texts(redis):
    for owner in redis.keys():
        try:
            if is_finished(owner):
                print(owner)
        except Exception:
            print("failed")


def is_finished(owner):
    key = owner[3:]
    return not Task.objects.filter(pk=key, state="new").exists()


def of_keys(request):
    for pk in request.POST["keys"].splitlines():
        print(Entry.objects.filter(pk=pk).exists())


def picked(form):
    for author in form.cleaned_data["authors"]:
        print(Entry.objects.filter(author=author).exists())


def pasted(form):
    for author in form.cleaned_data["authors"].splitlines():
        print(Entry.objects.filter(author=author).exists())


def uploaded(form):
    for author in form.cleaned_data["upload"]:
        print(Entry.objects.filter(author=author).exists())


def of_words(form):
    for author in form.cleaned_data["authors"].split(","):
        print(Entry.objects.filter(author=author).exists())
"""


def told(root: Path) -> dict[str, Fail]:
    """What is found in the functions above."""
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/views.py": VIEWS}
    found = (item for item in orm.query_in_loop(stack_of(root, files)) if isinstance(item, Fail))
    return {item.site.name.partition(":")[0].rpartition(".")[2]: item for item in found}


def test_lines_of_a_text_are_as_many_as_they_are(tmp_path: Path) -> None:
    assert {name: item.cause for name, item in told(tmp_path).items()} == {
        "of_an_author": "given",
        "of_all": "given",
        "of_texts": "given",
        "of_keys": "given",
        "picked": "few",
        "pasted": "given",
        "uploaded": "given",
        "of_words": "few",
    }


def test_what_is_proposed(tmp_path: Path) -> None:
    found = told(tmp_path)
    typed = " Look up values of the column's type: "
    assert found["of_an_author"].fix == (
        'Ask once before the loop: `dates = set(Entry.objects.filter(author=author).values_list("date", flat=True))`, '
        f"and write `day in dates` in the loop.{typed}a set of dates does not hold a datetime."
    )
    assert found["of_all"].fix == (
        "Go through `parsed` once and keep what each turn computes in a list, ask for all of them with "
        "`Entry.objects.filter(date__in=…)`, and go through the list. "
        f'Keep `set(….values_list("date", flat=True))` of it and look it up in the loop.{typed}a set of dates does not '
        "hold a datetime."
    )
    assert found["of_texts"].fix == (
        "Ask once before the loop by the same query with `pk__in=…` in place of `pk=…`. "
        'Keep `set(….values_list("pk", flat=True))` of it and hand it to `is_finished()`.'
        f"{typed}a set of UUIDs does not hold their text, use `uuid.UUID(…)`."
        " The loop catches what one turn raises: catch what the one query raises, too."
    )
    assert found["of_keys"].fix.endswith(f'{typed}a set that holds 1 does not hold "1".')


PROGRAM = """
import csv, datetime, io, json, uuid
import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["shop"],
    USE_TZ=True,
)
django.setup()
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shop.models import Author, Entry, Task

with connection.schema_editor() as editor:
    for model in (Author, Entry, Task):
        editor.create_model(model)
ann, bob = Author.objects.create(name="Ann"), Author.objects.create(name="Bob")
Entry.objects.create(author=ann, date=datetime.date(2020, 1, 1))
Entry.objects.create(author=bob, date=datetime.date(2020, 1, 2))
task = Task.objects.create(state="new")
TEXT = "2020-01-01\\nbad\\n2020-01-02\\n2020-01-03"


def day_of(row):
    return datetime.date.fromisoformat(row[0])


def of_an_author(dates=None):
    found = []
    for row in csv.reader(io.StringIO(TEXT)):
        try:
            day = day_of(row)
            if dates is None:
                found.append(Entry.objects.filter(date=day, author=ann).exists())
            else:
                found.append(day in dates)
        except ValueError:
            found.append("bad")
    return found


def once_of_an_author():
    return of_an_author(set(Entry.objects.filter(author=ann).values_list("date", flat=True)))


def of_all():
    parsed = csv.reader(io.StringIO(TEXT.replace("bad\\n", "")))
    return [Entry.objects.filter(date=day_of(row)).exists() for row in parsed]


def once_of_all():
    parsed = csv.reader(io.StringIO(TEXT.replace("bad\\n", "")))
    days = [day_of(row) for row in parsed]
    known = set(Entry.objects.filter(date__in=days).values_list("date", flat=True))
    return [day in known for day in days]


def measured(function):
    with CaptureQueriesContext(connection) as queries:
        answer = function()
    return answer, len(queries)


def refused(keys):
    try:
        return len(Task.objects.filter(pk__in=keys))
    except ValidationError:
        return "ValidationError"


keys = set(Task.objects.values_list("pk", flat=True))
told = {function.__name__: measured(function) for function in (of_an_author, once_of_an_author, of_all, once_of_all)}
told["datetime"] = datetime.datetime(2020, 1, 1) in set(Entry.objects.values_list("date", flat=True))
told["one malformed key"] = refused([str(task.pk), "no key"])
told["keys"] = [str(task.pk) in keys, uuid.UUID(str(task.pk)) in keys]
print(json.dumps(told))
"""


def test_what_is_proposed_answers_the_same(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "models.py").write_text(MODELS)
    run = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {
        "of_an_author": [[True, "bad", False, False], 3],
        "once_of_an_author": [[True, "bad", False, False], 1],
        "of_all": [[True, True, False], 3],
        "once_of_all": [[True, True, False], 1],
        "datetime": False,
        "one malformed key": "ValidationError",
        "keys": [False, True],
    }


FETCHED = """
import requests
from .models import Author, Task


def of_users(feed):
    users = [requests.get(url).json() for url in feed]
    return [known(user) for user in users]


def known(user):
    if Task.objects.filter(state=user["state"]).exists():
        return True
    return Author.objects.filter(name=user.get("name", "")).exists()
"""


def test_what_else_a_turn_asks_for_is_named(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/views.py": FETCHED}
    (found,) = (item for item in orm.query_in_loop(stack_of(tmp_path, files)) if isinstance(item, Fail))
    assert (found.cause, found.values["beside"]) == (
        "beside",
        '`Author.objects.filter(name=user.get("name", "")).exists()`',
    )


TOTALS = """
from .models import Author, Entry, Task


def totals(author, day):
    entries = Entry.objects.filter(author_id=author.pk)
    entries_of_a_day = entries.filter(date=day)
    author.entries, author.new = entries.count(), entries_of_a_day.count()
    author.tasks = Task.objects.filter(state=author.name).count()


def refresh(day):
    for author in Author.objects.all():
        totals(author, day)
"""


def test_counts_of_the_same_rows_are_asked_at_once(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/views.py": TOTALS}
    (found,) = (item for item in orm.query_in_loop(stack_of(tmp_path, files)) if isinstance(item, Fail))
    assert found.fix == (
        "`totals()` counts the same rows several times (Entry 2 times): let one query there answer, "
        '`aggregate(total=Count("pk"), part=Count("pk", filter=Q(…)), …)` of the rows that all of them begin with, and '
        "a `filter=` for each that narrows them. That serves every caller."
    )
    apart = {**files, "shop/views.py": TOTALS.replace("entries.filter(date", "Entry.objects.filter(date")}
    (other,) = (item for item in orm.query_in_loop(stack_of(tmp_path / "apart", apart)) if isinstance(item, Fail))
    assert "counts the same rows" not in other.fix
