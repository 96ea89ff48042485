"""What real Django asks while it makes rows, and for the rows beside them, against what is said of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from stackaudit.checks.orm import query_in_loop
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of, write

MODELS = """\
from django.db import models
from django.db.models.signals import post_init
from django.dispatch import receiver


class Author(models.Model):
    name = models.CharField(max_length=20)


class Film(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.was = self.author.name


class Play(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.was = self.author_id


class Poem(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)


@receiver(post_init, sender=Poem)
def remember(sender, instance, **kwargs):
    instance.was = instance.author.name


class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        order_with_respect_to = "author"
"""
VIEWS = """\
from shop.models import Author, Book


def neighbours():
    return [book.get_next_by_made().pk for book in Book.objects.order_by("made")[:100] if book.pk]


def in_order():
    return [book.get_previous_in_order() for book in Book.objects.filter(author__name="first", _order__gt=0)]
"""
PROGRAM = """\
import json

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["shop"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from shop import views
from shop.models import Author, Book, Film, Play, Poem

call_command("migrate", run_syncdb=True, verbosity=0)
first = Author.objects.create(name="first")
asked = {
    "init": lambda: list(Film.objects.all()),
    "init joined": lambda: list(Film.objects.select_related("author")),
    "key": lambda: list(Play.objects.all()),
    "signal": lambda: list(Poem.objects.select_related("author")),
    "by date": lambda: [book.get_next_by_made() for book in Book.objects.order_by("made")[: Book.objects.count() - 1]],
    "in order": views.in_order,
}
counts = {name: [] for name in asked}
for size in (3, 6):
    while Book.objects.count() < size:
        author = Author.objects.create(name="a")
        for kind in (Film, Play, Poem):
            kind.objects.create(author=author)
        Book.objects.create(author=first)
    for name, ask in asked.items():
        with CaptureQueriesContext(connection) as captured:
            ask()
        counts[name].append(len(captured))
print(json.dumps({name: after > before for name, (before, after) in counts.items()}))
"""


def test_what_is_asked_for_each_row_that_django_makes(tmp_path: Path) -> None:
    write(tmp_path / "shop", {"__init__.py": "", "models.py": MODELS, "views.py": VIEWS})
    (tmp_path / "run.py").write_text(PROGRAM)
    ran = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == {
        "init": True, "init joined": True, "key": False, "signal": True, "by date": True, "in order": True,
    }  # fmt: skip
    (tmp_path / "run.py").unlink()
    stack = stack_of(tmp_path)
    found = {(item.site.place.path, item.site.place.region.line, item.cause)
             for item in query_in_loop(stack) if isinstance(item, Fail)}  # fmt: skip
    lines = {name: number for number, name in enumerate(MODELS.splitlines(), 1)}
    views = [number for number, line in enumerate(VIEWS.splitlines(), 1) if line.startswith("    return")]
    assert {(path, line) for path, line, _ in found} == {
        ("shop/models.py", lines["        self.was = self.author.name"]),
        ("shop/models.py", lines["    instance.was = instance.author.name"]),
        *(("shop/views.py", number) for number in views),
    }
    assert {cause for path, _, cause in found if path == "shop/models.py"} == {"made"}
