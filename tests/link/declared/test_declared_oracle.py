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
from stackaudit.config import Config
from stackaudit.discover import discover
from stackaudit.link.stack import Stack
from stackaudit.lower import pool
from stackaudit.model.verdict import Fail

MODELS = """\
from django.db import models


class Country(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name


class Author(models.Model):
    name = models.CharField(max_length=20)
    country = models.ForeignKey(Country, on_delete=models.CASCADE)

    def __str__(self):
        return self.name

    def get_absolute_url(self):
        return f"/{self.country.name}/{self.pk}"


class Tag(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    tags = models.ManyToManyField(Tag)

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return f"/{self.pk}"

    def byline(self):
        return f"by {self.author.name}"


class Review(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="reviews")

    def __str__(self):
        return f"of {self.book.title}"

    def get_absolute_url(self):
        return f"/{self.book.title}/{self.pk}"


class Note(models.Model):
    review = models.ForeignKey(Review, on_delete=models.CASCADE)
    text = models.CharField(max_length=20)
"""

ALL = "models.Book.objects.all()"
AUTHORS = "models.Book.objects.select_related('author')"
TAGS = "models.Book.objects.prefetch_related('tags')"
REVIEWS = "models.Review.objects.all()"

# name: (queryset, body of the table, whether the number of queries grows with the rows)
TABLES = {
    "PlainTable": (ALL, "title = tables.Column()", False),
    "RelationTable": (ALL, "author = tables.Column()", True),
    "LoadedTable": (AUTHORS, "author = tables.Column()", False),
    "KeyTable": (ALL, "who = tables.Column(accessor='author_id')", False),
    "PathTable": (AUTHORS, "who = tables.Column(accessor='author__country__name')", True),
    "AccessorTable": (ALL, "who = tables.Column(accessor=A('author__name'))", True),
    "MethodTable": (ALL, "byline = tables.Column()", True),
    "FieldsTable": (ALL, "class Meta:\n        model = models.Book\n        fields = ('title', 'author')", True),
    "TitleTable": (ALL, "class Meta:\n        model = models.Book\n        fields = ('title',)", False),
    "StockTable": (ALL, "class Meta:\n        model = models.Book", True),
    "ExcludeTable": (ALL, "class Meta:\n        model = models.Book\n        exclude = ('author',)", False),
    "ManyTable": (ALL, "class Meta:\n        model = models.Book\n        fields = ('tags',)", True),
    "ManyLoadedTable": (TAGS, "class Meta:\n        model = models.Book\n        fields = ('tags',)", False),
    "ManyColumnTable": (ALL, "tags = tables.ManyToManyColumn()", True),
    "ManyFilterTable": (TAGS, "tags = tables.ManyToManyColumn(filter=lambda tags: tags.filter(name='red'))", True),
    "ManagerTable": (ALL, "tags = tables.Column()", False),
    "HiddenTable": (ALL, "title = tables.Column()\n    author = tables.Column(visible=False)", False),
    "RenderTable": (
        ALL, "title = tables.Column()\n    def render_title(self, record):\n        return record.author.name", True
    ),
    "RenderValueTable": (
        TAGS,
        "tags = tables.Column()\n    def render_tags(self, value):\n        return [tag.name for tag in value.all()]",
        False,
    ),
    "OrderTable": (
        ALL,
        "title = tables.Column()\n    def order_title(self, queryset, is_descending):\n"
        "        return queryset, [book.author.name for book in queryset[:0]]",
        False,
    ),
    "LinkTable": (ALL, "title = tables.LinkColumn('one', args=[A('author__pk')])", True),
    "LinkKeyTable": (ALL, "title = tables.LinkColumn('one', args=[A('author_id')])", False),
    "LinkifyTable": (ALL, "title = tables.Column(linkify=('one', {'pk': A('author__pk')}))", True),
    "LinkifyTrueTable": (AUTHORS, "author = tables.Column(linkify=True)", True),
    "LinkifyOwnTable": (ALL, "title = tables.Column(linkify=True)", False),
    "LinkifyCallTable": (ALL, "title = tables.Column(linkify=lambda record: f'/{record.author.name}')", True),
    "TemplateTable": (ALL, "who = tables.TemplateColumn(template_name='cell.html', accessor='pk')", True),
    "CodeTable": (ALL, "who = tables.TemplateColumn('{{ record.author.name }}', accessor='pk')", True),
    "CodeManyTable": (
        ALL,
        "who = tables.TemplateColumn('{% for tag in record.tags.all %}{{ tag }}{% endfor %}', accessor='pk')",
        True,
    ),
    "CodeLoadedTable": (
        TAGS,
        "who = tables.TemplateColumn(template_code='''{% for tag in record.tags.all %}{{ tag }}{% endfor %}''',"
        " accessor='pk')",
        False,
    ),
    "CodePlainTable": (ALL, "who = tables.TemplateColumn('{{ record.title|upper }}', accessor='pk')", False),
    "AttrsTable": (
        ALL, "title = tables.Column(attrs={'td': {'data-a': lambda record: record.author.name}})", True
    ),
    "RowAttrsTable": (
        ALL,
        "title = tables.Column()\n    class Meta:\n        row_attrs = {'data-a': lambda record: record.author.name}",
        True,
    ),
    "CustomTable": (ALL, "title = Shouted()", True),
    "DefaultTable": (ALL, "who = Written()", True),
    "DefaultLoadedTable": (AUTHORS, "who = Written()", False),
    "InitTable": (
        ALL,
        "title = tables.Column()\n    author = tables.Column()\n    def __init__(self, data, **kwargs):\n"
        "        super().__init__(data.select_related('author'), **kwargs)",
        False,
    ),
    "TextTable": (REVIEWS, "me = tables.Column(accessor='book__reviews__first')", True),
}  # fmt: skip

# name: (queryset, body of the resource, whether it grows)
RESOURCES = {
    "StockResource": (ALL, "class Meta:\n        model = models.Book\n        exclude = ('tags',)", False),
    "TagsResource": (ALL, "class Meta:\n        model = models.Book", True),
    "TagsLoadedResource": (TAGS, "class Meta:\n        model = models.Book", False),
    "FieldResource": (
        ALL,
        "author = fields.Field(attribute='author', widget=ForeignKeyWidget(models.Author, 'name'))\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title', 'author')",
        True,
    ),
    "FieldLoadedResource": (
        AUTHORS,
        "author = fields.Field(attribute='author', widget=ForeignKeyWidget(models.Author, 'name'))\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title', 'author')",
        False,
    ),
    "WidgetPathResource": (
        AUTHORS,
        "author = fields.Field(attribute='author', widget=ForeignKeyWidget(models.Author, 'country__name'))\n"
        "    class Meta:\n        model = models.Book\n        fields = ('author',)",
        True,
    ),
    "PathResource": (ALL, "class Meta:\n        model = models.Book\n        fields = ('author__name',)", True),
    "AttributeResource": (
        ALL,
        "who = fields.Field(attribute='author__name')\n    class Meta:\n        model = models.Book\n"
        "        fields = ('who',)",
        True,
    ),
    "DehydrateResource": (
        ALL,
        "who = fields.Field()\n    def dehydrate_who(self, book):\n        return book.author.name\n"
        "    class Meta:\n        model = models.Book\n        fields = ('who',)",
        True,
    ),
    "DehydratedInsteadResource": (
        ALL,
        "author = fields.Field(attribute='author__name')\n    def dehydrate_author(self, book):\n"
        "        return book.author_id\n"
        "    class Meta:\n        model = models.Book\n        fields = ('author',)",
        False,
    ),
    "UnlistedResource": (
        ALL,
        "who = fields.Field(attribute='author__name')\n    class Meta:\n        model = models.Book\n"
        "        fields = ('title',)",
        False,
    ),
}

# name: (base class, body, whether it grows)
FEEDS = {
    "BookSitemap": ("Sitemap", f"def items(self):\n        return {ALL}", False),
    "ReviewSitemap": ("Sitemap", f"def items(self):\n        return {REVIEWS}", True),
    "ReviewLoadedSitemap": (
        "Sitemap", "def items(self):\n        return models.Review.objects.select_related('book')", False
    ),
    "LocationSitemap": (
        "Sitemap",
        f"def items(self):\n        return {ALL}\n    def location(self, book):\n        return '/' + book.author.name",
        True,
    ),
    "PrioritySitemap": (
        "Sitemap",
        f"def items(self):\n        return {ALL}\n    def priority(self, book):\n        return len(book.author.name)",
        True,
    ),
    "BookFeed": ("Stock", f"def items(self):\n        return {ALL}", False),
    "ReviewFeed": ("Stock", f"def items(self):\n        return {REVIEWS}", True),
    "AuthorFeed": (
        "Stock",
        f"def items(self):\n        return {ALL}\n    def item_author_name(self, book):\n"
        "        return book.author.name",
        True,
    ),
    "AuthorLoadedFeed": (
        "Stock",
        f"def items(self):\n        return {AUTHORS}\n    def item_author_name(self, book):\n"
        "        return book.author.name",
        False,
    ),
    "TemplateFeed": (
        "Stock", f"description_template = 'item.html'\n    def items(self):\n        return {ALL}", True
    ),
}  # fmt: skip

# name: (body of the index, whether it grows)
INDEXES = {
    "TitleIndex": ("title = indexes.CharField(model_attr='title')", False),
    "AuthorIndex": ("title = indexes.CharField(model_attr='author__name')", True),
    "TagIndex": ("title = indexes.MultiValueField(model_attr='tags__name')", True),
    "PrepareIndex": (
        "title = indexes.CharField()\n    def prepare_title(self, book):\n        return book.author.name", True
    ),
    "LoadedIndex": (
        "title = indexes.CharField(model_attr='author__name')\n    def index_queryset(self, using=None):\n"
        "        return self.get_model().objects.select_related('author')",
        False,
    ),
    "TemplateIndex": ("title = indexes.CharField(use_template=True, template_name='object.html')", True),
}  # fmt: skip

# name: (body of the document, whether it grows)
DOCUMENTS = {
    "TitleDocument": ("title = search.TextField()", False),
    "AttrDocument": ("title = search.TextField(attr='author.name')", True),
    "ObjectDocument": ("author = search.ObjectField(properties={'name': search.TextField()})", True),
    "ObjectLoadedDocument": (
        "author = search.ObjectField(properties={'name': search.TextField()})\n    def get_queryset(self):\n"
        "        return super().get_queryset().select_related('author')",
        False,
    ),
    "ObjectDeepDocument": (
        "author = search.ObjectField(properties={'land': search.TextField(attr='country.name')})\n"
        "    def get_queryset(self):\n        return super().get_queryset().select_related('author')",
        True,
    ),
    "NestedDocument": ("tags = search.NestedField(properties={'name': search.TextField()})", True),
    "NestedLoadedDocument": (
        "tags = search.NestedField(properties={'name': search.TextField()})\n    def get_queryset(self):\n"
        "        return super().get_queryset().prefetch_related('tags')",
        False,
    ),
    "PrepareDocument": (
        "who = search.TextField()\n    def prepare_who(self, book):\n        return book.author.name", True
    ),
}  # fmt: skip

# name: (queryset, body of the graphene type, fields that are asked for, whether it grows)
GRAPHENE = {
    "TitleType": (ALL, "class Meta:\n        model = models.Book\n        fields = ('title',)", "title", False),
    "AuthorFieldType": (
        ALL,
        "class Meta:\n        model = models.Book\n        fields = '__all__'",
        "author{name}",
        True,
    ),
    "TagFieldType": (ALL, "class Meta:\n        model = models.Book\n        fields = ('tags',)", "tags{name}", True),
    "TagLoadedType": (
        TAGS,
        "class Meta:\n        model = models.Book\n        fields = ('tags',)",
        "tags{name}",
        False,
    ),
    "LoadedType": (
        AUTHORS,
        "class Meta:\n        model = models.Book\n        fields = ('author',)",
        "author{name}",
        False,
    ),
    "UntypedType": (
        ALL,
        "class Meta:\n        model = models.Book\n        fields = ('title', 'reviews')",
        "title",
        False,
    ),
    "ResolverType": (
        ALL,
        "who = graphene.String()\n    def resolve_who(self, info):\n        return self.author.name\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title',)",
        "who",
        True,
    ),
    "ResolverKeyType": (
        ALL,
        "who = graphene.ID()\n    def resolve_who(root, info):\n        return root.author_id\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title',)",
        "who",
        False,
    ),
    "ResolverLoadedType": (
        AUTHORS,
        "who = graphene.Field(AuthorType)\n    @staticmethod\n    def resolve_who(root, info):\n"
        "        return root.author\n    class Meta:\n        model = models.Book\n        fields = ('title',)",
        "who{name}",
        False,
    ),
    "CountType": (
        ALL,
        "n = graphene.Int()\n    def resolve_n(self, info):\n        return self.tags.count()\n"
        "    class Meta:\n        model = models.Book\n        fields = ('title',)",
        "n",
        True,
    ),
}

# name: (queryset, body of the strawberry type, fields that are asked for, whether it grows)
STRAWBERRY = {
    "TitleNode": (ALL, "title: str", "title", False),
    "AuthorNode": (ALL, "author: 'AuthorNodes'", "author{name}", False),
    "TagNode": (ALL, "tags: list['TagNodes']", "tags{name}", False),
    "WhoNode": (
        ALL, "@strawberry_django.field\n    def who(self) -> str:\n        return self.author.name", "who", True
    ),
    "HintedNode": (
        ALL,
        "@strawberry_django.field(select_related=['author'])\n    def who(self) -> str:\n"
        "        return self.author.name",
        "who",
        False,
    ),
    "CountNode": (
        ALL, "@strawberry_django.field\n    def n(self) -> int:\n        return self.tags.count()", "n", True
    ),
    "CountHintedNode": (
        ALL,
        "@strawberry_django.field(prefetch_related=['tags'])\n    def n(self) -> int:\n"
        "        return self.tags.count()",
        "n",
        False,
    ),
}  # fmt: skip

# name: (base class, body of the form, whether it grows)
FORMS = {
    "TitleForm": ("forms.Form", "book = forms.ModelChoiceField(queryset=models.Book.objects.all())", False),
    "ReviewForm": ("forms.Form", "review = forms.ModelChoiceField(queryset=models.Review.objects.all())", True),
    "ReviewLoadedForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.select_related('book'))",
        False,
    ),
    "ReviewHiddenForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all(), widget=forms.HiddenInput)",
        False,
    ),
    "ReviewRadioForm": (
        "forms.Form",
        "review = forms.ModelMultipleChoiceField(models.Review.objects.all(), widget=forms.CheckboxSelectMultiple())",
        True,
    ),
    "ReplacedForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['review'].queryset = models.Review.objects.select_related('book')",
        False,
    ),
    "FilledForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.none())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['review'].queryset = models.Review.objects.filter(book__title='t')",
        True,
    ),
    "ExtendedForm": (
        "forms.Form",
        "review = forms.ModelChoiceField(queryset=models.Review.objects.all())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        field = self.fields['review']\n        field.queryset = field.queryset.select_related('book')",
        False,
    ),
    "LabelForm": (
        "forms.Form",
        "book = forms.ModelChoiceField(queryset=models.Book.objects.all())\n"
        "    def __init__(self, *args, **kwargs):\n        super().__init__(*args, **kwargs)\n"
        "        self.fields['book'].label_from_instance = lambda book: book.author.name",
        True,
    ),
    "LabelFieldForm": ("forms.Form", "book = Labelled(queryset=models.Book.objects.all())", True),
    "ModelStockForm": ("forms.ModelForm", "class Meta:\n        model = models.Note\n        fields = '__all__'", True),
    "ModelListForm": ("forms.ModelForm", "class Meta:\n        model = models.Note\n        fields = ['review']", True),
    "ModelExcludeForm": (
        "forms.ModelForm", "class Meta:\n        model = models.Note\n        exclude = ['review']", False
    ),
    "ModelWidgetForm": (
        "forms.ModelForm",
        "class Meta:\n        model = models.Note\n        fields = ['review']\n"
        "        widgets = {'review': forms.NumberInput}",
        False,
    ),
    "ReviewFilter": (
        "django_filters.FilterSet",
        "review = django_filters.ModelChoiceFilter(queryset=models.Review.objects.all())",
        True,
    ),
    "ReviewCallFilter": (
        "django_filters.FilterSet",
        "review = django_filters.ModelChoiceFilter(queryset=lambda request: models.Review.objects.all())",
        True,
    ),
    "BookFilter": (
        "django_filters.FilterSet",
        "book = django_filters.ModelMultipleChoiceFilter(queryset=models.Book.objects.all())",
        False,
    ),
}  # fmt: skip

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

def ask(kind, name):
    request = RequestFactory().get("/")
    if kind == "tables":
        return getattr(views, name + "View").as_view()(request).render()
    if kind == "choices":
        made = getattr(choices, name)
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
    inputs = discover(root)
    stack = Stack(pool.lower_all(inputs.files, inputs.read, jobs=1, cache=None), Config())
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
