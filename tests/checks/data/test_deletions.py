"""data/celery-delay-in-atomic on signals of deletion: which cure is told for which task."""

from __future__ import annotations

from pathlib import Path

from stackaudit import catalog
from stackaudit.checks.data import celery_delay_in_atomic
from stackaudit.model.verdict import Fail
from tests.checks.test_settings_harms import real
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


def test_a_row_that_stays_matters_little(tmp_path: Path) -> None:
    rule = next(rule for rule in catalog.load() if rule.id == "data/celery-delay-in-atomic")
    files = next(example.files for example in rule.example if "protects" in example.title)
    found = [item for item in celery_delay_in_atomic(stack_of(tmp_path, files)) if isinstance(item, Fail)]
    assert [(item.values["task"], item.cause) for item in found] == [
        ("rank", "another"),
        ("recount", "signal"),
        ("index", "signal"),
    ]
    assert rule.cause["another"].severity == "low"


def test_what_a_protected_key_leads_to_outlives_the_deletion() -> None:
    script = """
from django.db import models
from django.db.models.signals import post_delete

class Post(models.Model):
    class Meta:
        app_label = "auth"

class Share(Post):
    shared = models.ForeignKey(Post, on_delete=models.PROTECT, related_name="shares")
    class Meta:
        app_label = "auth"

with connection.schema_editor() as editor:
    editor.create_model(Post)
    editor.create_model(Share)
seen = []
def unshared(sender, instance, **kwargs):
    seen.append(Post.objects.filter(pk=instance.shared_id).exists())
post_delete.connect(unshared, sender=Share)
post = Post.objects.create()
share = Share.objects.create(shared=post)
refused = 0
for rows in (post, Post.objects.all()):
    try:
        rows.delete()
    except models.ProtectedError:
        refused += 1
share.delete()
found.update(seen=seen, refused=refused, left=list(Post.objects.values_list("pk", flat=True)) == [post.pk])
"""
    assert real(script, {}) == {"seen": [True], "refused": 2, "left": True}
