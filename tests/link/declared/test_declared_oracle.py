"""What classes declare against the libraries themselves: the verdict is right where the query count agrees.

Every case runs on SQLite with 3 and with 6 rows in a child process; "grows" means that more rows took more queries.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks.orm import n_plus_one_forward, n_plus_one_reverse, prefetch_bypassed, query_in_loop
from stackaudit.model.verdict import Fail
from tests.link.declared.cases import (
    DOCUMENTS,
    FEEDS,
    FORMS,
    GRAPHENE,
    INDEXES,
    MODELS,
    RESOURCES,
    STRAWBERRY,
    TABLES,
)
from tests.stacks import stack_of

RUN = """
import json, sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ROOT_URLCONF="shop.urls", ALLOWED_HOSTS=["*"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
    ELASTICSEARCH_DSL={"default": {"hosts": "http://127.0.0.1:9"}}, ELASTICSEARCH_DSL_AUTOSYNC=False,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django_tables2", "import_export",
                    "haystack", "django_elasticsearch_dsl", "graphene_django", "strawberry_django", "django_filters",
                    "shop"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
        "context_processors": ["django.template.context_processors.request"]}}],
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from shop import choices, documents, exports, feeds, models, nodes, schema, search_indexes, views
asked = json.loads(sys.argv[2])
call_command("migrate", run_syncdb=True, verbosity=0)

def add(count):
    for number in range(count):
        country = models.Country.objects.create(name="c")
        author = models.Author.objects.create(name="a", country=country)
        book = models.Book.objects.create(title="t", author=author)
        book.tags.set([models.Tag.objects.create(name="red"), models.Tag.objects.create(name="x")])
        models.Review.objects.create(book=book)
        models.Plan.objects.create(book=book)

def ask(kind, name):
    request = RequestFactory().get("/")
    if kind == "tables":
        return getattr(views, name + "View").as_view()(request).render()
    if kind == "choices":
        made = getattr(choices, name)
        made = getattr(made, "make", made)
        return str(made(queryset=models.Note.objects.all()).form if name.endswith("Filter") else made())
    if kind == "exports":
        return exports.__dict__["export_" + name.lower()]()
    if kind == "feeds":
        made = getattr(feeds, name)()
        if name.endswith("Feed"):
            return made(request)
        made.protocol = "http"
        return made.get_urls(site=type("Site", (), {"domain": "x"})())
    if kind in ("schema", "nodes"):
        run = schema.schema.execute if kind == "schema" else nodes.schema.execute_sync
        done = run("{%s{%s}}" % (name.lower(), asked[name]))
        assert not done.errors, (name, done.errors)
        return done
    if kind == "search_indexes":
        index = getattr(search_indexes, name)()
        return [index.prepare(row) for row in index.index_queryset()]
    document = getattr(documents, name)()
    return [document.prepare(row) for row in document.get_queryset()]

def counts():
    found = {}
    for kind, names in json.loads(sys.argv[1]).items():
        for name in names:
            ask(kind, name)
            with CaptureQueriesContext(connection) as captured:
                ask(kind, name)
            found[name] = len(captured)
    return found

add(3)
before = counts()
add(3)
after = counts()
json.dump({name: after[name] > before[name] for name in before}, sys.stdout)
"""


def expected() -> dict[str, dict[str, bool]]:
    return {
        "tables": {name: case[-1] for name, case in TABLES.items()},
        "exports": {name: case[-1] for name, case in RESOURCES.items()},
        "feeds": {name: case[-1] for name, case in FEEDS.items()},
        "search_indexes": {name: case[-1] for name, case in INDEXES.items()},
        "documents": {name: case[-1] for name, case in DOCUMENTS.items()},
        "choices": {name: case[-1] for name, case in FORMS.items()},
        "schema": {name: case[-1] for name, case in GRAPHENE.items()},
        "nodes": {name: case[-1] for name, case in STRAWBERRY.items()},
    }


def sources() -> dict[str, str]:
    """The files of the project by their names."""
    tables = ["import django_tables2 as tables\nfrom django_tables2 import A\nfrom . import models"]
    tables.append(
        "class Shouted(tables.Column):\n    def render(self, value, record):\n        return record.author.name.upper()"
    )
    tables.append(
        "class Written(tables.Column):\n    def __init__(self, *args, accessor=A('author__name'), **kwargs):\n"
        "        super().__init__(*args, accessor=accessor, **kwargs)"
    )
    tables += [f"class {name}(tables.Table):\n    {body}" for name, (_, body, _) in TABLES.items()]
    views = ["from django_tables2 import SingleTableView\nfrom . import models, tables"]
    views += [
        f"class {name}View(SingleTableView):\n    table_class = tables.{name}\n    template_name = 'page.html'\n"
        f"    def get_queryset(self):\n        return {queryset}"
        for name, (queryset, _, _) in TABLES.items()
    ]
    exports = [
        "from import_export import fields, resources\nfrom import_export.widgets import ForeignKeyWidget\n"
        "from . import models"
    ]
    for name, (queryset, body, _) in RESOURCES.items():
        exports.append(f"class {name}(resources.ModelResource):\n    {body}")
        exports.append(f"def export_{name.lower()}():\n    return {name}().export(queryset={queryset})")
    feeds = [
        "from django.contrib.sitemaps import Sitemap\nfrom django.contrib.syndication.views import Feed\n"
        "from . import models",
        "class Stock(Feed):\n    title = link = description = '/'",
    ]
    feeds += [f"class {name}({base}):\n    {body}" for name, (base, body, _) in FEEDS.items()]
    indexes = ["from haystack import indexes\nfrom . import models"]
    indexes += [
        f"class {name}(indexes.SearchIndex):\n    text = indexes.CharField(document=True)\n    {body}\n"
        "    def get_model(self):\n        return models.Book"
        for name, (body, _) in INDEXES.items()
    ]
    documents = [
        "from django_elasticsearch_dsl import Document, fields as search\n"
        "from django_elasticsearch_dsl.registries import registry\nfrom . import models"
    ]
    documents += [
        f"@registry.register_document\nclass {name}(Document):\n    {body}\n"
        "    class Django:\n        model = models.Book\n"
        f"    class Index:\n        name = '{name.lower()}'"
        for name, (body, _) in DOCUMENTS.items()
    ]
    choices = [
        "import django_filters\nfrom django import forms\nfrom . import models",
        "class Labelled(forms.ModelChoiceField):\n    def label_from_instance(self, book):\n"
        "        return book.author.name",
    ]
    choices += [f"class {name}({base}):\n    {body}" for name, (base, body, _) in FORMS.items()]
    views.append("from django_filters.views import FilterView\n\nfrom . import choices")
    views.append("from django.views.generic import FormView")
    views += [
        f"class {name}View(FormView):\n    form_class = choices.{name}" for name in FORMS if name.endswith("Form")
    ]
    views += [
        f"class {name}View(FilterView):\n    filterset_class = choices.{name}\n    queryset = models.Note.objects.all()"
        for name in FORMS
        if name.endswith("Filter")
    ]
    schema = [
        "import graphene\nfrom graphene_django import DjangoObjectType\nfrom . import models",
        "class AuthorType(DjangoObjectType):\n    class Meta:\n"
        "        model = models.Author\n        fields = ('name',)",
        "class TagType(DjangoObjectType):\n    class Meta:\n        model = models.Tag\n        fields = ('name',)",
    ]
    schema += [f"class {name}(DjangoObjectType):\n    {body}" for name, (_, body, _, _) in GRAPHENE.items()]
    lists = [
        f"    {name.lower()} = graphene.List({name})\n    def resolve_{name.lower()}(root, info):\n"
        f"        return {queryset}"
        for name, (queryset, _, _, _) in GRAPHENE.items()
    ]
    schema += ["class Query(graphene.ObjectType):\n" + "\n\n".join(lists), "schema = graphene.Schema(query=Query)"]
    nodes = [
        "import strawberry\nimport strawberry_django\n"
        "from strawberry_django.optimizer import DjangoOptimizerExtension\nfrom . import models",
        "@strawberry_django.type(models.Author)\nclass AuthorNodes:\n    name: str",
        "@strawberry_django.type(models.Tag)\nclass TagNodes:\n    name: str",
    ]
    nodes += [
        f"@strawberry_django.type(models.Book)\nclass {name}:\n    {body}"
        for name, (_, body, _, _) in STRAWBERRY.items()
    ]
    lists = [
        f"    @strawberry_django.field\n    def {name.lower()}(self) -> list[{name}]:\n        return {queryset}"
        for name, (queryset, _, _, _) in STRAWBERRY.items()
    ]
    nodes += [
        "@strawberry.type\nclass Query:\n" + "\n\n".join(lists),
        "schema = strawberry.Schema(query=Query, extensions=[DjangoOptimizerExtension])",
    ]
    texts = {
        "choices": choices, "schema": schema, "nodes": nodes,
        "tables": tables, "views": views, "exports": exports, "feeds": feeds, "search_indexes": indexes,
        "documents": documents,
    }  # fmt: skip
    return {f"shop/{name}.py": "\n\n\n".join(parts) + "\n" for name, parts in texts.items()}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("declared")
    (root / "shop" / "templates").mkdir(parents=True)
    (root / "shop" / "__init__.py").write_text("")
    (root / "shop" / "models.py").write_text(MODELS)
    for name, text in sources().items():
        (root / name).write_text(text)
    pages = {
        "page.html": "{% load django_tables2 %}{% render_table table %}",
        "cell.html": "{{ record.author.name }}",
        "item.html": "{{ obj.author.name }}",
        "object.html": "{{ object.author.name }}",
    }
    for name, text in pages.items():
        (root / "shop" / "templates" / name).write_text(text)
    (root / "shop" / "urls.py").write_text(
        "from django.urls import path\nurlpatterns = [path('one/<int:pk>', lambda request, pk: None, name='one')]\n"
    )
    (root / "run.py").write_text(RUN)
    return root


def measured(root: Path) -> dict[str, bool]:
    names = {kind: list(cases) for kind, cases in expected().items()}
    asked = {name: case[2] for name, case in (GRAPHENE | STRAWBERRY).items()}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "run.py", json.dumps(names), json.dumps(asked)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, bool] = json.loads(run.stdout)
    return found


def judged(root: Path) -> set[str]:
    """The classes at whose lines the rules fail."""
    stack = stack_of(root)
    found = set()
    for rule in (n_plus_one_forward, n_plus_one_reverse, prefetch_bypassed, query_in_loop):
        for verdict in rule(stack):
            if isinstance(verdict, Fail):
                lines = (root / verdict.site.place.path).read_text().splitlines()[: verdict.site.place.region.line]
                head = next(line for line in reversed(lines) if line.startswith("class "))
                found.add(head.split()[1].partition("(")[0].rstrip(":"))
    return found


def test_verdicts_agree_with_measured_queries(project: Path) -> None:
    wanted = {name: grows for cases in expected().values() for name, grows in cases.items()}
    assert measured(project) == wanted
    failed = judged(project)
    assert {name: name in failed for name in wanted} == wanted
