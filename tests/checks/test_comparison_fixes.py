"""Rows that are asked for to be compared: their keys are told, where real Django gives the same answers with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.applied import applied
from tests.checks.test_drf_fixes import fixes as api_fixes
from tests.link.queries import oracle

COLUMN = ": the key is a column of the row."
ASKED = """

def answers():
    Book.objects.filter(pk__in=[2, 3]).update(editor=None)
    found = []
    for who in (Author.objects.get(pk=1), Author(), None):
        found += [may(who, book) for book in Book.objects.order_by("pk")]
    return str(found)

"""
KEY = 'getattr(who, "pk", None)'
CASES = {
    "or": (
        "def may(who, book):\n    return book.editor is None or book.editor == who",
        f"write `book.editor_id is None` for `book.editor is None`, and `book.editor_id == {KEY}` for "
        "`book.editor == who`",
        f"def may(who, book):\n    return book.editor_id is None or book.editor_id == {KEY}",
    ),
    "and": (
        "def may(who, book):\n    return bool(book.editor and not who != book.editor)",
        f"write `book.editor_id` for `book.editor`, and `{KEY} != book.editor_id` for `who != book.editor`",
        f"def may(who, book):\n    return bool(book.editor_id and not {KEY} != book.editor_id)",
    ),
    "left before": (
        "def may(who, book):\n    if not book.editor:\n        return True\n    return book.editor == who",
        f"write `book.editor_id` for `book.editor`, and `book.editor_id == {KEY}` for `book.editor == who`",
        f"def may(who, book):\n    if not book.editor_id:\n        return True\n    return book.editor_id == {KEY}",
    ),
    "inside": (
        "def may(who, book):\n    if book.editor is not None:\n        return book.editor == who\n    return None",
        f"write `book.editor_id is not None` for `book.editor is not None`, and `book.editor_id == {KEY}` for "
        "`book.editor == who`",
        "def may(who, book):\n    if book.editor_id is not None:\n"
        f"        return book.editor_id == {KEY}\n    return None",
    ),
    "never None": (
        "def may(who, book):\n    return book.author == who",
        f"write `book.author_id == {KEY}` for `book.author == who`",
        f"def may(who, book):\n    return book.author_id == {KEY}",
    ),
    "not looked at": ("def may(who, book):\n    return book.editor == who", "", ""),
    "looked at too late": (
        "def may(who, book):\n    return book.editor == who or book.editor is None",
        "",
        "",
    ),
    "more is read": (
        "def may(who, book):\n    return book.editor is None or book.editor == who or book.editor.name == 'a'",
        "",
        "",
    ),
    "another model": (
        "def may(who, book):\n    return book.publisher == who",
        "",
        "",
    ),
}


@pytest.mark.parametrize("name", list(CASES))
def test_the_column_in_place_of_a_row_that_is_compared(name: str) -> None:
    before, told, after = CASES[name]
    found = applied(oracle.HEAD + before + ASKED).fixes["answers"]
    assert oracle.grows(oracle.HEAD + before + ASKED, "answers")
    if not told:
        assert not any("column of the row" in fix for fix in found)
        return
    assert found == [f"In `shop.views.may` {told}{COLUMN}"]
    assert not oracle.grows(oracle.HEAD + after + ASKED, "answers")
    size = oracle.SIZES[1]
    values = [oracle.ask(oracle.HEAD + program + ASKED, "answers", size)["value"] for program in (before, after)]
    assert values[0] == values[1]


def test_a_key_is_none_where_an_anonymous_user_has_none() -> None:
    """Why a relation that may be None has to be looked at before."""
    tests = ("book.editor == who", f"book.editor_id == {KEY}")
    programs = [f"{oracle.HEAD}def may(who, book):\n    return {test}{ASKED}" for test in tests]
    values = [oracle.ask(program, "answers", 6)["value"] for program in programs]
    assert values[0] != values[1]


MODELS = """\
from django.conf import settings
from django.db import models

class Mail(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
"""
API = """\
from rest_framework import serializers, viewsets
from .models import Mail

class MailSerializer(serializers.ModelSerializer):
    mine = serializers.SerializerMethodField()

    class Meta:
        model = Mail
        fields = ["mine"]

    def get_mine(self, mail):
        return mail.owner is None or mail.owner == self.context["request"].user

class MailViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Mail.objects.all()
    serializer_class = MailSerializer
"""


def test_the_user_of_a_request(tmp_path: Path) -> None:
    told = "In `MailSerializer.get_mine` write `mail.owner_id is None` for `mail.owner is None`, and `mail.owner_id == "
    told += 'self.context["request"].user.pk` for `mail.owner == self.context["request"].user`'
    assert api_fixes(tmp_path, API, MODELS, whole=True) == [told + COLUMN]
    team = (
        MODELS
        + """
class Team(models.Model):
    pass

class Note(models.Model):
    owner = models.ForeignKey(Team, null=True, on_delete=models.SET_NULL)
"""
    )
    assert api_fixes(tmp_path, API, team, whole=True) == [
        'Add `.select_related("owner")` to `Mail.objects.all()` in shop.api.MailViewSet.'
    ]
