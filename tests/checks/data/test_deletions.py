"""data/celery-delay-in-atomic on signals of deletion: which cure is told for which task."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks.data import celery_delay_in_atomic
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

FILES = {
    "shop/__init__.py": "",
    "shop/models.py": """\
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=80)


class Item(models.Model):
    title = models.CharField(max_length=80)


class Book(Item):
    owner = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="books")
""",
    "shop/tasks.py": """\
from celery import shared_task

from shop.models import Customer, Item


@shared_task
def forget(pk):
    for item in Item.objects.filter(pk=pk):
        print(item.title)


@shared_task
def recount(pk):
    print(Customer.objects.get(pk=pk).books.count())


@shared_task
def shelve(pk):
    print(Customer.objects.get(pk=pk).books.first())
""",
    "shop/handlers.py": """\
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from shop.models import Book
from shop.tasks import forget, recount, shelve


@receiver(post_delete, sender=Book)
def gone(sender, instance, **kwargs):
    forget.delay(instance.pk)
    recount.delay(instance.owner_id)


@receiver(post_save, sender=Book)
def kept(sender, instance, **kwargs):
    shelve.delay(instance.owner_id)
""",
}


def test_the_deleted_row_is_read_before_and_opposite_tasks_wait_together(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, FILES)
    found = [item for item in celery_delay_in_atomic(stack) if isinstance(item, Fail)]
    assert [(item.values["task"], item.cause, item.values["beside"]) for item in found] == [
        ("forget", "deleted", ""),
        (
            "recount",
            "signal",
            " Other receivers of the same model send `shelve`: where one undoes what the other does, let these wait "
            "for the commit as well, or their order changes.",
        ),
    ]
