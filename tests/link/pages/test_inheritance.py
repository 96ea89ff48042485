"""The names that templates read; what pages share is rendered once for each of its states."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.template import n_plus_one
from stackaudit.link.pages.inheritance import Reads
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass
from tests.stacks import stack_of

FILES = {
    "manage.py": "",
    "shop/__init__.py": "",
    "shop/models.py": """\
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=20)


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
""",
    "shop/views.py": """\
from django.shortcuts import render

from shop.models import Book


def plain(request):
    return render(request, "plain.html", {"books": Book.objects.all()})


def joined(request):
    return render(request, "joined.html", {"books": Book.objects.select_related("author")})


def again(request):
    return render(request, "again.html", {"books": Book.objects.order_by("title")})


def nested(request):
    return render(request, "nested.html", {"books": Book.objects.filter(title="x"), "row": "row.html"})
""",
    "shop/templatetags/__init__.py": "",
    "shop/templatetags/shop.py": """\
from django import template

register = template.Library()


@register.simple_tag(takes_context=True)
def active(context):
    return context["page"]
""",
    "shop/templates/base.html": "{{ site.name }}{% block body %}{{ ignored }}{% endblock %}",
    "shop/templates/plain.html": '{% include "list.html" %}',
    "shop/templates/joined.html": '{% include "list.html" %}',
    "shop/templates/again.html": '{% include "list.html" %}{% include "list.html" %}',
    "shop/templates/nested.html": "{% for book in books %}{% include row %}{% endfor %}",
    "shop/templates/list.html": """\
{% for book in books %}{% include "./row.html" with mark=3 only %}{% include "shown.html" %}{% endfor %}
""",
    "shop/templates/row.html": "{{ book.author.name|default:mark }}",
    "shop/templates/shown.html": '{% extends "base.html" %}{% block body %}{{ book.author.name }}{% endblock %}',
    "shop/templates/tagged.html": "{% load shop %}{% active %}",
    "shop/templates/outer.html": '{% if known %}{% include "tagged.html" %}{% endif %}',
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    root: Path = tmp_path_factory.mktemp("shop")
    return stack_of(root, FILES)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("row.html", {"book", "mark"}),
        ("shown.html", {"book", "site", "ignored"}),
        ("list.html", {"books", "book", "mark", "site", "ignored"}),
        ("nested.html", None),  # which template it includes is not written there
        ("tagged.html", None),  # a tag that is given the whole context
        ("outer.html", None),
    ],
)
def test_names_that_a_template_reads(stack: Stack, name: str, names: set[str] | None) -> None:
    assert Reads(stack.templates).of(stack.templates.find(name)[0]) == names


def test_each_queryset_is_judged_that_an_included_template_shows(stack: Stack) -> None:
    verdicts = {item.site.name: type(item) for item in n_plus_one(stack)}

    assert verdicts == {
        "shop.views.plain > shop/templates/shown.html: book.author.name": Fail,
        "shop.views.joined > shop/templates/shown.html: book.author.name": Pass,
        "shop.views.again > shop/templates/shown.html: book.author.name": Fail,
        "shop.views.nested > shop/templates/row.html: book.author.name": Fail,
    }
