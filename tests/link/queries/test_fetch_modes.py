"""Fetch modes of Django 6.1: the labels were measured on Django 6.1.3, and are again where the tests run on it."""

from __future__ import annotations

import re

import django
import pytest

from tests.link.queries import oracle

PROGRAM = f"""{oracle.HEAD}
from django.db import models


def flat_peers():
    return [book.author.country.name for book in Book.objects.fetch_mode(models.FETCH_PEERS)]


def flat_peers_deferred():
    return [book.price for book in Book.objects.only("title").fetch_mode(models.FETCH_PEERS)]


def flat_peers_reverse_one_to_one():
    return [author.profile.text for author in Author.objects.fetch_mode(models.FETCH_PEERS)]


def grows_peers_many_to_many():
    return [list(book.tags.all()) for book in Book.objects.fetch_mode(models.FETCH_PEERS)]


def grows_peers_reverse():
    return [list(author.books.all()) for author in Author.objects.fetch_mode(models.FETCH_PEERS)]


def grows_peers_of_iterator():
    return [book.author.name for book in Book.objects.fetch_mode(models.FETCH_PEERS).iterator()]


def grows_one():
    return [book.author.name for book in Book.objects.fetch_mode(models.FETCH_ONE)]
"""
NAMES = re.findall(r"^def (\w+)\(", PROGRAM, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_site(name: str) -> None:
    grows = name.startswith("grows_")
    if django.VERSION >= (6, 1):
        assert oracle.grows(PROGRAM, name) == grows
    found = {event.outcome for event in oracle.walked(PROGRAM, (6, 1)).events if event.where.endswith(f".{name}")}
    assert ("fail" in found) == grows


def test_before_django_6_1_there_is_no_such_method() -> None:
    assert not [event for event in oracle.walked(PROGRAM, (5, 2)).events if event.outcome == "fail"]
