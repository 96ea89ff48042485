"""A list of those rows that Python lets through asks for each of them: told, loaded and counted like all rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.checks.drf import method_field_query
from stackaudit.model.verdict import Fail
from tests.checks.test_drf_list_fixes import asked
from tests.stacks import stack_of

MODELS = """\
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models

class Shop(models.Model):
    name = models.CharField(max_length=80)

class Note(models.Model):
    text = models.CharField(max_length=80)
    content_type = models.ForeignKey(ContentType, on_delete=models.CASCADE)
    object_id = models.IntegerField()
    content_object = GenericForeignKey()

def fill():
    for number in range(10):
        Note.objects.create(text="x", content_object=Shop.objects.create(name=f"{number}"))
"""
API = """\
from rest_framework import serializers, viewsets
from rest_framework.response import Response
from .models import Note

class NoteSerializer(serializers.ModelSerializer):
    of = serializers.SerializerMethodField()

    class Meta:
        model = Note
        fields = ["id", "of"]

    def get_of(self, note):
        return note.content_object.name

class Notes(viewsets.ViewSet):
    def list(self, request):
        notes = Note.objects.filter(text="x").order_by("pk"){more}
        {before}
        return Response(NoteSerializer({rows}, many=True).data)
"""
LOAD = (
    'Add `.prefetch_related("content_object")` to `Note.objects.filter(text="x").order_by("pk")` in '
    "shop.api.Notes.list."
)
CHUNKED = (
    "Give its `iterator()` a chunk size, `.iterator(chunk_size=2000)`: without one it prefetches nothing (ValueError "
    "since Django 5.0)."
)
CASES = {
    "all": ("pass", "notes"),
    "comprehension": ("pass", "[note for note in notes if note.text]"),
    "generator": ("pass", "list(note for note in notes if note.text)"),
    "name": ("shown = [note for note in notes if note.text]", "shown"),
    "appended": (
        "shown = []\n        for note in notes:\n            if note.text:\n                shown.append(note)", "shown"
    ),
    "sorted": ("pass", "sorted([note for note in notes if note.text], key=lambda note: note.pk)"),
}  # fmt: skip


def api(case: str, more: str = "") -> str:
    before, rows = CASES[case]
    return API.replace("{before}", before).replace("{rows}", rows).replace("{more}", more)


def told(root: Path, text: str) -> list[Fail]:
    files = {"shop/models.py": MODELS, "shop/api.py": text, "shop/__init__.py": ""}
    return [item for item in method_field_query(stack_of(root, files)) if isinstance(item, Fail)]


@pytest.mark.parametrize("case", sorted(CASES))
def test_rows_that_are_left_are_loaded_with_all(tmp_path: Path, case: str) -> None:
    (found,) = told(tmp_path / "told", api(case))
    assert (found.cause, found.fix) == ("", LOAD)
    ((before, shown),) = asked(tmp_path / "before", MODELS, api(case), "Notes")
    ((after, again),) = asked(tmp_path / "after", MODELS, api(case, '.prefetch_related("content_object")'), "Notes")
    assert shown == again
    assert (before - after) == 9


def test_a_stream_of_them_needs_a_chunk_size(tmp_path: Path) -> None:
    (found,) = told(tmp_path / "told", api("comprehension", ".iterator()"))
    assert (found.cause, found.fix) == ("", f"{LOAD} {CHUNKED}")
    loaded = '.prefetch_related("content_object").iterator(chunk_size=2000)'
    ((before, shown),) = asked(tmp_path / "before", MODELS, api("comprehension", ".iterator()"), "Notes")
    ((after, again),) = asked(tmp_path / "after", MODELS, api("comprehension", loaded), "Notes")
    assert shown == again
    assert (before - after) == 9


def test_a_condition_inside_the_field_is_still_told(tmp_path: Path) -> None:
    text = api("all").replace("return note", "return note.text and note")
    assert [found.cause for found in told(tmp_path, text)] == ["guarded"]
