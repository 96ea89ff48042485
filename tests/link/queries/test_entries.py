"""Where Django calls the code of a project: receivers, tasks, commands, middleware and views are walked as they are."""

from __future__ import annotations

from stackaudit.facts.files import FileFacts
from stackaudit.link.models import Models
from stackaudit.link.modules import Modules
from stackaudit.link.queries import Queries
from stackaudit.lower.python import lower

MODELS = """
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    pass


class Product(models.Model):
    name = models.CharField(max_length=9)


class Order(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="orders")
    products = models.ManyToManyField(Product)


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.CASCADE)
"""

CODE = """
from celery import shared_task
from django.core.management.base import BaseCommand
from django.db.models.signals import m2m_changed, post_save
from django.dispatch import receiver
from django.views.generic import View

from .models import Order


@receiver(post_save, sender=Order)
def saved(sender, instance, created=False, **kwargs):
    if created:
        for line in instance.lines.all():
            print(line.product.name)
    for order in sender.objects.all():
        print(order.user.username)


@receiver([m2m_changed], sender=Order.products.through)
def changed(sender, instance, action, **kwargs):
    for line in instance.lines.all():
        print(line.product.name)


@receiver(post_save)
def anything(sender, instance, **kwargs):
    for line in instance.lines.all():
        print(line.product.name)


@shared_task(bind=True)
def task(self, pk):
    for line in Order.objects.get(pk=pk).lines.all():
        print(line.product.name)


class Command(BaseCommand):
    def handle(self, *args, **options):
        for order in Order.objects.all():
            print(order.user.username)


class Middleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        for order in request.user.orders.all():
            print(order.lines.count())
        return self.get_response(request)


def function_middleware(get_response):
    def middleware(request):
        for order in request.user.orders.all():
            print(order.lines.count())
        return get_response(request)

    return middleware


class Orders(View):
    model = Order

    def get(self, request):
        for order in self.model.objects.all():
            print(order.user.username)
"""


def test_each_entry_is_walked_with_what_django_gives_it() -> None:
    files = [
        FileFacts(path, "python", facts=lower(text.encode(), path))
        for path, text in (("shop/__init__.py", ""), ("shop/models.py", MODELS), ("shop/entries.py", CODE))
    ]
    queries = Queries(Models(Modules(files), "shop.User"))
    found = {(event.where, ".".join(event.path), event.method) for event in queries.events if event.outcome == "fail"}
    assert found == {
        ("shop.entries.saved", "product", ""),
        ("shop.entries.saved", "user", ""),
        ("shop.entries.changed", "product", ""),
        ("shop.entries.task", "product", ""),
        ("shop.entries.Command.handle", "user", ""),
        ("shop.entries.Middleware.__call__", "lines", "count"),
        ("shop.entries.middleware", "lines", "count"),
        ("shop.entries.Orders.get", "user", ""),
    }
