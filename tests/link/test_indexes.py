"""The indexes that a model asks for are those that Django makes for it."""

from __future__ import annotations

import json
import textwrap

from stackaudit.facts.files import FileFacts
from stackaudit.link.indexes import indexes_of
from stackaudit.link.models import Models
from stackaudit.link.modules import Modules
from stackaudit.lower.python import lower
from tests.link.queries import oracle

MODELS = """
class Owner(models.Model):
    number = models.IntegerField(unique=True)
    slug = models.SlugField()
    short = models.SlugField(db_index=False)
    name = models.CharField(max_length=50, db_index=True, unique=True)

    class Meta:
        app_label = "shop"
        unique_together = ("slug", "number")


class Thing(models.Model):
    owner = models.ForeignKey(Owner, on_delete=models.CASCADE)
    other = models.ForeignKey(Owner, on_delete=models.CASCADE, db_index=False, related_name="+")
    single = models.OneToOneField(Owner, on_delete=models.CASCADE, related_name="+")
    made = models.DateTimeField(db_index=True)
    size = models.IntegerField()

    class Meta:
        app_label = "shop"
        indexes = [
            models.Index(fields=["owner", "-made"], name="newest"),
            models.Index(fields=["size"], name="by_size"),
        ]
        constraints = [models.UniqueConstraint(fields=["owner", "size"], name="one_of_a_size")]
"""


def test_what_django_creates() -> None:
    program = "from django.db import connection, models\nimport json, re\ndef found():\n" + textwrap.indent(
        MODELS, "    "
    )
    program += textwrap.indent(
        textwrap.dedent("""
            statements = []
            for model in (Owner, Thing):
                editor = connection.SchemaEditorClass(connection, collect_sql=True)
                editor.deferred_sql = []
                editor.create_model(model)
                statements += [str(line) for line in (*editor.collected_sql, *editor.deferred_sql)]
            return json.dumps(sorted(
                re.search(r"\\((.*)\\)", line)[1].replace('"', "")
                for line in statements
                if line.startswith("CREATE INDEX")
            ))
            """),
        "    ",
    )
    answer = oracle.ask(program, "found", oracle.SIZES[0])
    made = json.loads(answer["value"][1:-1])
    path = "shop/models.py"
    text = ("from django.db import models\n" + MODELS).encode()
    files = [FileFacts(path, "python", facts=lower(text, path))]
    files.append(FileFacts("shop/__init__.py", "python", facts=lower(b"", "shop/__init__.py")))
    models = Models(Modules(files))
    expected = sorted(
        ", ".join(_column(name) for name in index.columns)
        for label in ("shop.Owner", "shop.Thing")
        for index in indexes_of(models, models.by_label[label])[0]
        if index.asked != "unique"
    )
    assert made == expected


def _column(name: str) -> str:
    plain = name.removeprefix("-")
    column = f"{plain}_id" if plain in ("owner", "other", "single") else plain
    return f"{column} DESC" if name.startswith("-") else column
