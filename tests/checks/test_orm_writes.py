"""What is proposed in place of writes that a loop repeats, and of slow calls inside a transaction."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import orm
from tests.checks.test_orm_severities import failures

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
        "deleted_by_value": "Collect the values of `name` in the loop and delete after it with "
        "`Shelf.objects.filter(name__in=…).delete()`.",
        "changed_by_value": "Collect the values of `name` in the loop and write after it with "
        '`Shelf.objects.filter(name__in=…).update(name="")`.',
        "changed_to_another": "Load the rows of all turns with `Shelf.objects.filter(pk__in=…)`, set the values in the "
        'loop and write them after it with `bulk_update(rows, ["name"])`.',
        "made_or_changed": "Use `Code.objects.bulk_create(objects, update_conflicts=True, "
        'update_fields=["name"], unique_fields=["code"])`.',
        "a_list_in_a_column": "Change the objects in the loop and write them after it with "
        '`Book.objects.bulk_update(objects, ["shelves"])`.',
        "created": "Collect the objects in a list and pass it to `Shelf.objects.bulk_create()` after the loop.",
    }


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
