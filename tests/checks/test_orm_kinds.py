"""Rows that come as rows of the classes below: what they ask on real Django, and what is told of it.

`polymorphic` is a stand-in here that gives rows as django-polymorphic does: each as one of its own class, with one
query for each class.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stackaudit.checks.orm import query_in_loop
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of, write

STAND_IN = """\
from django.db import models


class PolymorphicQuerySet(models.QuerySet):
    def _fetch_all(self):
        is_new = self._result_cache is None
        super()._fetch_all()
        if is_new and self._result_cache and isinstance(self._result_cache[0], self.model):
            own = {}
            for child in self.model.__subclasses__():
                own.update(models.QuerySet(child).in_bulk([row.pk for row in self._result_cache]))
            self._result_cache = [own.get(row.pk, row) for row in self._result_cache]


class PolymorphicModel(models.Model):
    objects = models.Manager.from_queryset(PolymorphicQuerySet)()

    class Meta:
        abstract = True
"""
MODELS = """\
from django.db import models
from polymorphic.models import PolymorphicModel


class Publisher(models.Model):
    name = models.CharField(max_length=20)


class Note(PolymorphicModel):
    text = models.CharField(max_length=20)

    def changed(self, publisher):
        return self.text


class Price(Note):
    publisher = models.ForeignKey(Publisher, on_delete=models.CASCADE)

    def changed(self, publisher):
        return self.text if publisher != self.publisher else "changed"


class Word(Note):
    language = models.CharField(max_length=20)
"""
VIEWS = """\
from django.db.models import prefetch_related_objects
from shop.models import Note, Price, Publisher


def asked():
    publisher = Publisher.objects.get(name="first")
    return [note.changed(publisher) for note in Note.objects.all()]


def named():
    return [note.publisher.name for note in Note.objects.all().prefetch_related("publisher")]


def mended():
    publisher = Publisher.objects.get(name="first")
    rows = list(Note.objects.all())
    prefetch_related_objects([row for row in rows if isinstance(row, Price)], "publisher")
    return [note.changed(publisher) for note in rows]
"""
PROGRAM = """\
import json

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from shop import views
from shop.models import Note, Price, Publisher, Word

call_command("migrate", run_syncdb=True, verbosity=0)
first = Publisher.objects.create(name="first")
counts = {"asked": [], "mended": []}
for size in (3, 6):
    while Price.objects.count() < size:
        Word.objects.create(text="a", language="en")
        Price.objects.create(text="b", publisher=Publisher.objects.create(name="other"))
    for name in counts:
        with CaptureQueriesContext(connection) as captured:
            getattr(views, name)()
        counts[name].append(len(captured))
try:
    views.named()
except AttributeError as error:
    counts["named"] = str(error)
print(json.dumps(counts))
"""


def test_what_a_class_below_alone_has_is_asked_for_each_row_of_it(tmp_path: Path) -> None:
    write(tmp_path / "shop", {"__init__.py": "", "models.py": MODELS, "views.py": VIEWS})
    write(tmp_path / "polymorphic", {"__init__.py": "", "models.py": STAND_IN})
    (tmp_path / "run.py").write_text(PROGRAM)
    ran = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    counts = json.loads(ran.stdout)
    assert counts["asked"][1] - counts["asked"][0] == 3, "one for each Price more"
    assert counts["mended"][1] == counts["mended"][0]
    assert "publisher" in counts["named"], "no queryset of Note can name it"


def test_what_is_told_of_it(tmp_path: Path) -> None:
    write(tmp_path / "shop", {"__init__.py": "", "models.py": MODELS, "views.py": VIEWS})
    told = {item.site.name.partition(":")[0]: item for item in query_in_loop(stack_of(tmp_path))}
    found = {name: item for name, item in told.items() if isinstance(item, Fail)}
    assert [*found] == ["shop.views.asked"]
    assert found["shop.views.asked"].cause == "kind"
    assert found["shop.views.asked"].fix == (
        "Only Price has `publisher`, so no queryset of the class above can name it: hand all Price rows to "
        '`prefetch_related_objects([row for row in rows if isinstance(row, Price)], "publisher")` before the loop '
        "(to compare it with a row, `publisher_id` and the key of that row are enough)."
    )
