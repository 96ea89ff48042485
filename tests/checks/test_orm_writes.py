"""What is proposed in place of writes that a loop repeats, and of slow calls inside a transaction."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks import orm
from stackaudit.config import Config
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail
from tests.checks.applied import function
from tests.checks.test_orm_severities import failures
from tests.link.queries import oracle
from tests.stacks import stack_of

WRITES = {
    "the_same_for_all": """
    for book in Book.objects.filter(title=""):
        book.title = "none"
        book.save()
""",
    "another_for_each": """
    for book in Book.objects.all():
        book.title = book.title.strip()
        book.save()
""",
    "of_a_list": """
    for book in names:
        book = Book(title=book)
        book.save()
""",
    "deleted": """
    for book in Book.objects.filter(title=""):
        book.delete()
""",
    "deleted_first_ones": """
    for book in Book.objects.all()[:50]:
        book.delete()
""",
    "deleted_by_value": """
    for name in names:
        Shelf.objects.filter(name=name).delete()
""",
    "changed_by_value": """
    for name in names:
        Shelf.objects.filter(name=name).update(name="")
""",
    "changed_to_another": """
    for pk, name in names.items():
        Shelf.objects.filter(pk=pk).update(name=name)
""",
    "created": """
    for name in names:
        Shelf.objects.create(name=name)
""",
    "made_or_changed": """
    for code, name in names:
        Code.objects.update_or_create(code=code, defaults={"name": name})
""",
    "a_list_in_a_column": """
    for book in Book.objects.all():
        book.shelves.append("new")
        book.save()
""",
}


def test_one_statement_for_all_turns(tmp_path: Path) -> None:
    found = failures(tmp_path, "shop/views.py", "\nfrom shop.models import Code\n", WRITES, (orm.write_in_loop,))
    assert {name: fail.fix for name, (fail,) in found.items()} == {
        "the_same_for_all": 'Write `Book.objects.filter(title="").update(title="none")` in place of the loop.',
        "another_for_each": "Change the objects in the loop and write them after it with "
        '`Book.objects.bulk_update(objects, ["title"])`.',
        "of_a_list": "Change the objects in the loop and write them after it with "
        "`Book.objects.bulk_update(objects, [fields])` (new objects: `bulk_create()`).",
        "deleted": 'Write `Book.objects.filter(title="").delete()` in place of the loop.',
        "deleted_first_ones": "Collect the keys in the loop and delete after it with "
        "`Book.objects.filter(pk__in=keys).delete()`.",
        "deleted_by_value": "Write `Shelf.objects.filter(name__in=names).delete()` in place of the loop.",
        "changed_by_value": 'Write `Shelf.objects.filter(name__in=names).update(name="")` in place of the loop.',
        "changed_to_another": "Load the rows of all turns with `Shelf.objects.filter(pk__in=…)`, set the values in the "
        'loop and write them after it with `bulk_update(rows, ["name"])`.',
        "made_or_changed": "Use `Code.objects.bulk_create(objects, update_conflicts=True, "
        'update_fields=["name"], unique_fields=["code"])`.',
        "a_list_in_a_column": "Change the objects in the loop and write them after it with "
        '`Book.objects.bulk_update(objects, ["shelves"], batch_size=100)`.',
        "created": "Collect the objects in a list and pass it to `Shelf.objects.bulk_create()` after the loop.",
    }


BEHIND = """

def before():
    for profile in Profile.objects.all():
        print(profile.text)
        profile.author.delete()
    return Author.objects.filter(profile__isnull=False).count(), Author.objects.count()


def by_key():
    keys = [profile.author_id for profile in Profile.objects.all()]
    Author.objects.filter(pk__in=keys).delete()
    return Author.objects.filter(profile__isnull=False).count(), Author.objects.count()


def behind_one():
    for author in Author.objects.all():
        print(author.name)
        author.profile.delete()


def behind_two():
    for profile in Profile.objects.all():
        print(profile.text)
        profile.author.country.delete()
"""


def test_rows_behind_the_row_of_a_turn_are_deleted_by_their_own_keys() -> None:
    told = orm.write_in_loop(Stack(oracle.files(oracle.HEAD + BEHIND), Config()))
    collect = "Collect `%s` in the loop and delete after it with `%s.objects.filter(pk__in=keys).delete()`."
    assert {function(item): item.fix for item in told if isinstance(item, Fail)} == {
        "before": collect % ("profile.author_id", "Author"),
        "behind_one": collect % ("author.profile.pk", "Profile"),
        "behind_two": collect % ("profile.author.country_id", "Country"),
    }
    one, other = (oracle.ask(oracle.HEAD + BEHIND, name, oracle.SIZES[1]) for name in ("before", "by_key"))
    assert one["value"] == other["value"]
    assert one["count"] > other["count"]


def test_what_runs_when_something_failed(tmp_path: Path) -> None:
    bodies = {
        "put_back": """
    for pk, name in names.items():
        Shelf.objects.filter(pk=pk).update(name=name)
""",
        "tried": """
    try:
        print(names[0])
    except KeyError:
        put_back(self, names)
""",
    }
    (fail,) = failures(tmp_path, "shop/views.py", "", bodies, (orm.write_in_loop,))["put_back"]
    assert fail.cause == "rescue"


def test_slow_calls_leave_the_transaction_each_in_its_way(tmp_path: Path) -> None:
    bodies = {
        "both": """
    with transaction.atomic():
        requests.post("https://example.org/", timeout=9)
        Shelf.objects.create(name=requests.get("https://example.org/", timeout=9).text)
""",
        "asked": """
    with transaction.atomic():
        Shelf.objects.create(name=requests.get("https://example.org/", timeout=9).text)
""",
        "answered": """
    with transaction.atomic():
        Shelf.objects.create(name="new")
        subscription = stripe.Subscription.retrieve("1")
        subscription.plan = "gold"
        subscription.save()
""",
        "told": """
    with transaction.atomic():
        Shelf.objects.create(name="new")
        requests.post("https://example.org/", timeout=9)
""",
        "waited": """
    with transaction.atomic():
        Shelf.objects.create(name="new")
        time.sleep(1)
""",
    }
    head = "\nimport time\nimport requests\nimport stripe\nfrom django.db import transaction\n"
    found = failures(tmp_path, "shop/views.py", head, bodies, (orm.slow_call_in_transaction,))
    assert {name: fail.fix for name, (fail,) in found.items()} == {
        "answered": "Call `stripe.Subscription.retrieve()` and `subscription.save()` before the block opens, so that "
        "it holds nothing but its own statements. As it is, the block takes back what it wrote where a call fails; "
        "behind it, or in `transaction.on_commit(…)`, the code has to do that itself.",
        "both": "Hand `requests.post()` to `transaction.on_commit(…)`, or to a task that is started there: then it "
        "waits for nobody's locks, and does not happen where the transaction is rolled back. Call `requests.get()` "
        "before the block opens, or after it, so that it holds nothing but its own statements.",
        "asked": "Call `requests.get()` before the block opens, or after it, so that it holds nothing but its own "
        "statements.",
        "told": "Hand `requests.post()` to `transaction.on_commit(…)`, or to a task that is started there: then it "
        "waits for nobody's locks, and does not happen where the transaction is rolled back. Where it "
        "fails there, what the block wrote stays: if that must not be, call it before any write.",
        "waited": "Leave the block before it waits, and open another one afterwards.",
    }


KEYED = {
    "by_the_row": (
        """
    for author in Author.objects.filter(pk__gt=2):
        Profile.objects.filter(text="a", author=author).delete()
""",
        'Profile.objects.filter(text="a", author__in=Author.objects.filter(pk__gt=2)).delete()',
    ),
    "by_its_key": (
        """
    for author in Author.objects.filter(pk__gt=2):
        Profile.objects.filter(author_id=author.pk).update(text="b")
""",
        'Profile.objects.filter(author_id__in=Author.objects.filter(pk__gt=2).values("pk")).update(text="b")',
    ),
    "by_an_item": (
        """
    for row in Author.objects.filter(pk__gt=2).values("name", "pk"):
        Publisher.objects.filter(name=row["name"]).update(name="b")
""",
        'Publisher.objects.filter(name__in=Author.objects.filter(pk__gt=2).values("name", "pk").values("name"))'
        '.update(name="b")',
    ),
    "by_a_key_of_a_list": (
        """
    for key in [1, 2, 3, 4]:
        Profile.objects.filter(author=key).update(text="b")
""",
        "",
    ),
    "by_a_column_that_may_be_null": (
        """
    for author in Author.objects.order_by("pk"):
        Profile.objects.filter(author__mentor=author.mentor_id).update(text="b")
""",
        "",
    ),
    "in_the_table_of_the_loop": (
        """
    for author in Author.objects.filter(pk__gt=2):
        Author.objects.filter(mentor=author).update(name="b")
""",
        "",
    ),
}


@pytest.mark.parametrize("name", list(KEYED))
def test_rows_that_the_loop_itself_hands_out(name: str) -> None:
    body, told = KEYED[name]
    ending = """    found = Profile.objects.order_by("pk"), Publisher.objects.order_by("pk")
    return [list(rows.values()) for rows in found]
"""
    programs = [f"{oracle.HEAD}\n\ndef {name}():{text}{ending}" for text in (body, f"\n    {told}\n")]
    stack = Stack(oracle.files(programs[0]), Config())
    fixes = [item.fix for item in orm.write_in_loop(stack) if isinstance(item, Fail)]
    if not told:
        assert not any("in place of the loop" in fix for fix in fixes)
        return
    assert fixes == [f"Write `{told}` in place of the loop."]
    answers = [oracle.ask(program, name, oracle.SIZES[1]) for program in programs]
    assert answers[0]["value"] == answers[1]["value"]
    assert answers[0]["count"] > oracle.SIZES[1] / 2 > answers[1]["count"]


def test_an_action_of_the_admin_goes_through_what_was_ticked(tmp_path: Path) -> None:
    writes = """
from django.contrib import admin
from shop.models import Book, Shelf

@admin.action(description="Empty")
def emptied(modeladmin, request, rows):
    for row in rows.order_by("pk"):
        Shelf.objects.filter(name=row).update(name="")

def others(modeladmin, request, rows):
    for row in rows:
        Shelf.objects.filter(name=row).update(name="")
"""
    stack = stack_of(tmp_path, {"shop/admin.py": writes})
    found = [item for item in orm.write_in_loop(stack) if isinstance(item, Fail)]
    assert [(item.cause, item.fix) for item in found] == [
        ("few", 'Write `Shelf.objects.filter(name__in=rows.order_by("pk")).update(name="")` in place of the loop.'),
        ("background", 'Write `Shelf.objects.filter(name__in=rows).update(name="")` in place of the loop.'),
    ]


def test_long_values_are_written_in_batches(tmp_path: Path) -> None:
    models = """
from django.db import models


class Page(models.Model):
    title = models.CharField(max_length=20)
    body = models.TextField()
"""
    views = """
from .models import Page


def of_rows():
    for page in Page.objects.all():
        page.body = page.body.strip()
        page.save(update_fields=["body"])


def of_values(texts):
    for pk, text in texts.items():
        Page.objects.filter(pk=pk).update(body=text)


def of_titles():
    for page in Page.objects.all():
        page.title = page.title.strip()
        page.save(update_fields=["title"])
"""
    files = {"shop/__init__.py": "", "shop/models.py": models, "shop/views.py": views}
    found = [item.fix for item in orm.write_in_loop(stack_of(tmp_path, files)) if isinstance(item, Fail)]
    after = "Change the objects in the loop and write them after it with"
    assert found == [
        f'{after} `Page.objects.bulk_update(objects, ["body"], batch_size=100)`.',
        "Load the rows of all turns with `Page.objects.filter(pk__in=…)`, set the values in the loop and write them "
        'after it with `bulk_update(rows, ["body"], batch_size=100)`.',
        f'{after} `Page.objects.bulk_update(objects, ["title"])`.',
    ]
    run = subprocess.run([sys.executable, "-c", BATCHES], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == {"at once": [1, 25_000], "in batches": [3, 10_000], "changed": 250}


BATCHES = """
import json
import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["shop"],
)
django.setup()
from django.db import connection

from shop.models import Page

with connection.schema_editor() as editor:
    editor.create_model(Page)
Page.objects.bulk_create([Page(title=str(number), body="") for number in range(250)])


def written(**options):
    sizes = []

    def wrapper(execute, sql, params, many, context):
        if sql.startswith("UPDATE"):
            sizes.append(sum(len(value) for value in params if isinstance(value, str)))
        return execute(sql, params, many, context)

    pages = list(Page.objects.all())
    for page in pages:
        page.body = "x" * 100
    with connection.execute_wrapper(wrapper):
        Page.objects.bulk_update(pages, ["body"], **options)
    return len(sizes), max(sizes)


told = {"at once": written(), "in batches": written(batch_size=100)}
print(json.dumps({**told, "changed": Page.objects.filter(body="x" * 100).count()}))
"""
