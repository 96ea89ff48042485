"""Templates, serializers and changelists against real Django: the verdict is right where the query count agrees.

Every case is rendered on SQLite with 3 and with 6 rows in a child process; "grows" means that more rows took more
queries.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks.admin import list_display_n_plus_one
from stackaudit.checks.drf import method_field_query
from stackaudit.checks.drf import n_plus_one as api_n_plus_one
from stackaudit.checks.template import n_plus_one as page_n_plus_one
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

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


class Tag(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    editor = models.ForeignKey(Author, null=True, on_delete=models.CASCADE, related_name="edited")
    tags = models.ManyToManyField(Tag)

    def __str__(self):
        return self.title

    def byline(self):
        return f"by {self.author.name}"

    @property
    def red(self):
        return self.tags.filter(name="red").count()


class Review(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="reviews")
    writer = models.ForeignKey(Author, on_delete=models.CASCADE)
    pages = models.IntegerField(default=0)

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return f"{self.pk} {self.book.title}"
"""

TAGS = """\
from django import template

register = template.Library()


@register.filter
def signed(book):
    return f"{book.title}, {book.author.name}"


@register.simple_tag
def country_of(author):
    return author.country.name


@register.inclusion_tag("badge.html")
def badge(book):
    return {"item": book}


class AuthorOf(template.Node):
    def __init__(self, book):
        self.book = template.Variable(book)

    def render(self, context):
        return self.book.resolve(context).author.name


@register.tag
def author_of(parser, token):
    name, book = token.split_contents()
    return AuthorOf(book)


class Books(template.Node):
    def __init__(self, rows, name):
        self.rows = rows
        self.name = name

    def render(self, context):
        context[self.name] = self.rows.resolve(context).exclude(title="")
        return ""


@register.tag("titled")
def do_titled(parser, token):
    bits = token.contents.split()
    return Books(parser.compile_filter(bits[1]), bits[3])


class EachNode(template.Node):
    def __init__(self, rows, nodelist):
        self.rows = rows
        self.nodelist = nodelist

    def render(self, context):
        out = []
        for row in self.rows.resolve(context):
            with context.push():
                context["row"] = row
                out.append(self.nodelist.render(context))
        return "".join(out)


def each(parser, token):
    nodelist = parser.parse(("endeach",))
    parser.delete_first_token()
    return EachNode(parser.compile_filter(token.split_contents()[1]), nodelist)


register.tag("each", each)
"""

FORM_CLASSES = """\
from django import forms

from .models import Book, Review


class BookForm(forms.Form):
    book = forms.ModelChoiceField(queryset=Book.objects.order_by("title"))
    loaded = forms.ModelChoiceField(queryset=Book.objects.select_related("author"))
    replaced = forms.ModelMultipleChoiceField(queryset=Book.objects.none())

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["added"] = forms.ModelChoiceField(queryset=Book.objects.order_by("pk"))
        self.fields["replaced"].queryset = Book.objects.select_related("author")

    @classmethod
    def of(cls, title):
        form = cls()
        form.fields["replaced"].queryset = Book.objects.filter(title=title)
        return form


class ReviewForm(forms.ModelForm):
    class Meta:
        model = Review
        fields = ["book"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["book"].queryset = Book.objects.exclude(title="")
"""

# name: (queryset, template, whether the number of queries grows with the rows)
PAGES = {
    "plain": ("Book.objects.all()", "{% for b in books %}{{ b.title }}{{ b.author_id }}{% endfor %}", False),
    "author": ("Book.objects.all()", "{% for b in books %}{{ b.author }}{% endfor %}", True),
    "author_pk": ("Book.objects.all()", "{% for b in books %}{{ b.author.pk }}{% endfor %}", True),
    "joined": ("Book.objects.select_related('author')", "{% for b in books %}{{ b.author.name }}{% endfor %}", False),
    "deeper": ("Book.objects.select_related('author')", "{% for b in books %}{{ b.author.country }}{% endfor %}", True),
    "deep": (
        "Book.objects.select_related('author__country')",
        "{% for b in books %}{{ b.author.country }}{% endfor %}",
        False,
    ),
    "bare": ("Book.objects.select_related()", "{% for b in books %}{{ b.author.country }}{% endfor %}", False),
    "bare_null": ("Book.objects.select_related()", "{% for b in books %}{{ b.editor.name }}{% endfor %}", True),
    "tags": (
        "Book.objects.all()",
        "{% for b in books %}{% for t in b.tags.all %}{{ t }}{% endfor %}{% endfor %}",
        True,
    ),
    "tags_loaded": (
        "Book.objects.prefetch_related('tags')",
        "{% for b in books %}{{ b.tags.count }}{{ b.tags.all.0 }}{{ b.tags.all|slice:':2' }}"
        "{{ b.tags.all|length }}{% for t in b.tags.all %}{{ t }}{% endfor %}{% endfor %}",
        False,
    ),
    "tags_first": ("Book.objects.prefetch_related('tags')", "{% for b in books %}{{ b.tags.first }}{% endfor %}", True),
    "reviews_first": (
        "Book.objects.prefetch_related('reviews')",
        "{% for b in books %}{{ b.reviews.first.pk }}{% endfor %}",
        False,
    ),
    "tags_filtered": ("Book.objects.prefetch_related('tags')", "{% for b in books %}{{ b.red }}{% endfor %}", True),
    "method": ("Book.objects.all()", "{% for b in books %}{{ b.byline }}{% endfor %}", True),
    "method_loaded": ("Book.objects.select_related('author')", "{% for b in books %}{{ b.byline }}{% endfor %}", False),
    "with": (
        "Book.objects.all()",
        "{% for b in books %}{% with a=b.author %}{{ a.name }}{% endwith %}{% endfor %}",
        True,
    ),
    "filter": ("Book.objects.all()", "{% load shop_tags %}{% for b in books %}{{ b|signed }}{% endfor %}", True),
    "tag": (
        "Book.objects.select_related('author')",
        "{% load shop_tags %}{% for b in books %}{% country_of b.author %}{% endfor %}",
        True,
    ),
    "inclusion": ("Book.objects.all()", "{% load shop_tags %}{% for b in books %}{% badge b %}{% endfor %}", True),
    "inclusion_loaded": (
        "Book.objects.select_related('author')",
        "{% load shop_tags %}{% for b in books %}{% badge b %}{% endfor %}",
        False,
    ),
    "node": ("Book.objects.all()", "{% load shop_tags %}{% for b in books %}{% author_of b %}{% endfor %}", True),
    "node_loaded": (
        "Book.objects.select_related('author')",
        "{% load shop_tags %}{% for b in books %}{% author_of b %}{% endfor %}",
        False,
    ),
    "node_gives": (
        "Book.objects.all()",
        "{% load shop_tags %}{% titled books as found %}{% for b in found %}{{ b.author.name }}{% endfor %}",
        True,
    ),
    "node_gives_loaded": (
        "Book.objects.select_related('author')",
        "{% load shop_tags %}{% titled books as found %}{% for b in found %}{{ b.author.name }}{% endfor %}",
        False,
    ),
    "node_body": ("Book.objects.all()", "{% load shop_tags %}{% each books %}{{ row.author }}{% endeach %}", True),
    "node_body_loaded": (
        "Book.objects.select_related('author')",
        "{% load shop_tags %}{% each books %}{{ row.author }}{% endeach %}",
        False,
    ),
    "include": ("Book.objects.all()", "{% for b in books %}{% include 'badge.html' with item=b %}{% endfor %}", True),
    "regroup": (
        "Book.objects.order_by('author')",
        "{% regroup books by author as groups %}{% for g in groups %}{{ g.grouper }}{% endfor %}",
        True,
    ),
    "regroup_key": (
        "Book.objects.order_by('author')",
        "{% regroup books by author_id as groups %}{% for g in groups %}{{ g.grouper }}{% endfor %}",
        False,
    ),
    "regroup_apart": (
        "Book.objects.order_by('title')",
        "{% regroup books by title as groups %}{% for title, found in groups %}{{ title }}"
        "{% for b in found %}{{ b.author }}{% endfor %}{% endfor %}",
        True,
    ),
    "regroup_apart_loaded": (
        "Book.objects.order_by('title').select_related('author')",
        "{% regroup books by title as groups %}{% for title, found in groups %}{{ title }}"
        "{% for b in found %}{{ b.author }}{% endfor %}{% endfor %}",
        False,
    ),
    "form_field": ("BookForm()", "{% for b in books.fields.book.queryset %}{{ b.author }}{% endfor %}", True),
    "form_field_loaded": ("BookForm()", "{% for b in books.fields.loaded.queryset %}{{ b.author }}{% endfor %}", False),
    "form_field_added": ("BookForm()", "{% for b in books.fields.added.queryset %}{{ b.author }}{% endfor %}", True),
    "form_field_replaced": (
        "BookForm()",
        "{% for b in books.fields.replaced.queryset %}{{ b.author }}{% endfor %}",
        False,
    ),
    "form_field_set": (
        "BookForm.of('t')",
        "{% for b in books.fields.replaced.queryset %}{{ b.author }}{% endfor %}",
        True,
    ),
    "form_field_model": ("ReviewForm()", "{% for b in books.fields.book.queryset %}{{ b.author }}{% endfor %}", True),
    "dictsort": ("Book.objects.all()", "{% for b in books|dictsort:'author.name' %}{{ b.title }}{% endfor %}", True),
    "few": ("Book.objects.all()[:3]", "{% for b in books %}{{ b.author }}{% endfor %}", False),
    "few_here": ("Book.objects.all()", "{% for b in books|slice:':3' %}{{ b.author }}{% endfor %}", False),
    "known_parent": (
        "Author.objects.prefetch_related('books')",
        "{% for a in books %}{% for b in a.books.all %}{{ b.author.name }}{% endfor %}{% endfor %}",
        False,
    ),
    "text": ("Review.objects.all()", "{% for r in books %}{{ r }}{% endfor %}", True),
    "text_loaded": ("Review.objects.select_related('book')", "{% for r in books %}{{ r }}{% endfor %}", False),
    "url": ("Book.objects.all()", "{% for b in books %}{% url 'one' b.author.pk %}{% endfor %}", True),
    "block": ("Book.objects.all()", "{% extends 'base.html' %}{% block main %}{{ block.super }}{% endblock %}", True),
    "if": ("Book.objects.all()", "{% for b in books %}{% if b.author.name %}x{% endif %}{% endfor %}", True),
    "member": ("Book.objects.all()", "{% for b in books %}{% if 1 in b.tags.all %}x{% endif %}{% endfor %}", True),
    "negated": ("Book.objects.all()", "{% for b in books %}{% if not b.tags.all %}x{% endif %}{% endfor %}", True),
    "member_loaded": (
        "Book.objects.prefetch_related('tags')",
        "{% for b in books %}{% if 1 not in b.tags.all or not b.tags.all %}x{% endif %}{% endfor %}",
        False,
    ),
    "outside": ("Book.objects.all()", "{% for b in books %}{{ b.title }}{% endfor %}{{ books.0.author }}", False),
}

# name: (queryset, serializer body, fields, whether it grows)
LISTS = {
    "Keys": ("Book.objects.all()", "", "['title', 'author', 'editor']", False),
    "TagKeys": ("Book.objects.all()", "", "['tags']", True),
    "TagKeysLoaded": ("Book.objects.prefetch_related('tags')", "", "['tags']", False),
    "Everything": ("Book.objects.all()", "", "'__all__'", True),
    "Text": ("Book.objects.all()", "author = serializers.StringRelatedField()", "['author']", True),
    "TextLoaded": (
        "Book.objects.select_related('author')",
        "author = serializers.StringRelatedField()",
        "['author']",
        False,
    ),
    "Slug": ("Book.objects.all()", "author = serializers.SlugRelatedField('name', read_only=True)", "['author']", True),
    "Source": ("Book.objects.all()", "who = serializers.CharField(source='author.name')", "['who']", True),
    "SourceKey": ("Book.objects.all()", "who = serializers.IntegerField(source='author_id')", "['who']", False),
    "SourceId": ("Book.objects.all()", "who = serializers.IntegerField(source='author.id')", "['who']", True),
    "Nested": ("Book.objects.all()", "author = AuthorSerializer()", "['author']", True),
    "NestedLoaded": ("Book.objects.select_related('author')", "author = AuthorSerializer()", "['author']", False),
    "NestedDeep": ("Book.objects.select_related('author')", "author = DeepAuthorSerializer()", "['author']", True),
    "Reverse": ("Book.objects.all()", "reviews = ReviewSerializer(many=True)", "['reviews']", True),
    "ReverseLoaded": (
        "Book.objects.prefetch_related('reviews')",
        "reviews = ReviewSerializer(many=True)",
        "['reviews']",
        False,
    ),
    "Method": (
        "Book.objects.all()",
        "n = serializers.SerializerMethodField()\n    def get_n(self, book):\n        return book.tags.count()",
        "['n']",
        True,
    ),
    "MethodLoaded": (
        "Book.objects.prefetch_related('tags')",
        "n = serializers.SerializerMethodField()\n    def get_n(self, book):\n        return book.tags.count()",
        "['n']",
        False,
    ),
    "MethodFiltered": (
        "Book.objects.prefetch_related('tags')",
        "n = serializers.SerializerMethodField()\n    def get_n(self, book):\n"
        "        return book.tags.filter(pk=1).count()",
        "['n']",
        True,
    ),
    "Property": ("Book.objects.all()", "red = serializers.ReadOnlyField()", "['red']", True),
    "Written": (
        "Book.objects.all()",
        "def to_representation(self, book):\n        return {**super().to_representation(book), 'a': book.author.name}",
        "['title']",
        True,
    ),
    "WriteOnly": (
        "Book.objects.all()",
        "who = serializers.CharField(source='author.name', write_only=True)",
        "['who']",
        False,
    ),
}

# name: (body of the admin class, whether it grows)
ADMINS = {
    "Functions": (
        "def get_list_display(self, request):\n        return ['title', lambda book: book.author.name]", True,
    ),
    "Appended": (
        "list_display = ['title']\n"
        "    def get_list_display(self, request):\n"
        "        columns = list(super().get_list_display(request))\n"
        "        if request.user.is_superuser:\n            columns.append('who')\n"
        "        return columns\n"
        "    def who(self, book):\n        return book.author.name", True,
    ),
    "Plain": ("list_display = ['title', 'author_id']", False),
    "Joined": ("list_display = ['title', 'author']", False),
    "Nullable": ("list_display = ['title', 'editor']", True),
    "NullableNamed": ("list_display = ['title', 'editor']\n    list_select_related = ['editor']", False),
    "NullableTrue": ("list_display = ['title', 'editor']\n    list_select_related = True", True),
    "Off": ("list_display = ['title', 'author']\n    list_select_related = ()", True),
    "Path": ("list_display = ['title', 'author__name']", True),
    "Callable": ("list_display = ['who']\n    def who(self, book):\n        return book.author.name", True),
    "CallableBeside": (
        "list_display = ['author', 'who']\n    def who(self, book):\n        return book.author.name", False
    ),
    "ModelMethod": ("list_display = ['byline']", True),
    "Many": ("list_display = ['names']\n    def names(self, book):\n        return list(book.tags.all())", True),
    "Queryset": (
        "list_display = ['names']\n    def names(self, book):\n        return list(book.tags.all())\n"
        "    def get_queryset(self, request):\n        return super().get_queryset(request).prefetch_related('tags')",
        False,
    ),
    "NullableBeside": ("list_display = ['author', 'editor']", True),
    "Deep": (
        "list_display = ['author', 'editor', 'where']\n    def where(self, book):\n"
        "        return book.author.country.name", True
    ),
    "ManyBeside": (
        "list_display = ['author', 'names']\n    def names(self, book):\n        return list(book.tags.all())", True
    ),
    "ManyNullable": (
        "list_display = ['author', 'editor', 'names']\n    def names(self, book):\n"
        "        return list(book.tags.all())", True
    ),
    "QuerysetJoins": (
        "list_display = ['author', 'editor']\n"
        "    def get_queryset(self, request):\n        return super().get_queryset(request).select_related('editor')",
        True,
    ),
    "QuerysetBare": (
        "list_display = ['author', 'editor']\n"
        "    def get_queryset(self, request):\n        return super().get_queryset(request).select_related()",
        True,
    ),
    "QuerysetWins": (
        "list_display = ['editor']\n    list_select_related = ['editor']\n"
        "    def get_queryset(self, request):\n        return super().get_queryset(request).select_related('author')",
        True,
    ),
    "NamedOther": ("list_display = ['author', 'editor']\n    list_select_related = ['author']", True),
    "Editable": ("list_display = ['title', 'author']\n    list_editable = ['author']", True),
    "EditablePlain": ("list_display = ['id', 'title']\n    list_editable = ['title']", False),
    "Registered": ("", False),
}  # fmt: skip

# name: (body of the inline of a book's reviews, whether the form's queries grow with them)
FORMS = {
    "Text": ("fields = ['pages']", True),
    "TextLoaded": (
        "fields = ['pages']\n    def get_queryset(self, request):\n"
        "        return super().get_queryset(request).select_related('book')",
        False,
    ),
    "Template": ("fields = ['pages']\n    template = 'inline.html'", False),
    "ReadOnly": ("fields = ['writer']\n    readonly_fields = ['writer']\n    template = 'inline.html'", True),
    "Method": (
        "fields = ['who']\n    readonly_fields = ['who']\n    template = 'inline.html'\n"
        "    def who(self, review):\n        return review.writer.name",
        True,
    ),
}

RUN = """
import json, sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ROOT_URLCONF="shop.urls", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.sessions", "django.contrib.messages", "rest_framework", "shop"],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {
        "context_processors": ["django.template.context_processors.request",
                               "django.contrib.auth.context_processors.auth",
                               "django.contrib.messages.context_processors.messages"]}}],
)
django.setup()
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIRequestFactory
from shop import admin as admins, api, models, views
call_command("migrate", run_syncdb=True, verbosity=0)
staff = User.objects.create_superuser("a", "a@b.c", "x")

def add(count):
    for number in range(count):
        country = models.Country.objects.create(name="c")
        author = models.Author.objects.create(name="a", country=country)
        editor = models.Author.objects.create(name="e", country=country)
        book = models.Book.objects.create(title="t", author=author, editor=editor)
        book.tags.set([models.Tag.objects.create(name="red"), models.Tag.objects.create(name="x")])
        models.Review.objects.create(book=book, writer=author)
        models.Review.objects.create(book=book, writer=editor)
        models.Review.objects.create(book=models.Book.objects.first(), writer=author)

def ask(kind, name):
    if kind == "page":
        return getattr(views, name)(RequestFactory().get("/"))
    if kind == "list":
        return getattr(api, name + "View").as_view()(APIRequestFactory().get("/")).render()
    request = RequestFactory().get("/")
    request.user, request.session, request._messages = staff, {}, None
    if kind == "form":
        site = admin.ModelAdmin(models.Plain, admin.site)
        site.inlines, site.fields = [getattr(admins, name + "Inline")], ["title"]
        return site.change_view(request, str(models.Book.objects.first().pk)).render()
    model = getattr(models, name)
    return admin.site._registry[model].changelist_view(request).render()

def counts(asked):
    found = {}
    for kind, names in asked.items():
        for name in names:
            ask(kind, name)
            with CaptureQueriesContext(connection, ) as captured:
                ask(kind, name)
            found[f"{kind} {name}"] = len(captured)
    return found

add(3)
before = counts(json.loads(sys.argv[1]))
add(3)
after = counts(json.loads(sys.argv[1]))
grows = {name: after[name] > before[name] for name in before}

def mend(shown, option, calls):
    if option:
        shown.list_select_related = option
    if calls:
        asked = shown.get_queryset
        shown.get_queryset = lambda request: eval("rows" + calls, {"rows": asked(request)})

mended = json.loads(sys.argv[2])
for name, (option, calls) in mended.items():
    mend(admin.site._registry[getattr(models, name)], option, calls)
before = counts({"admin": mended})
add(3)
after = counts({"admin": mended})
still = {name: after[f"admin {name}"] > before[f"admin {name}"] for name in mended}
json.dump({"grows": grows, "mended": still}, sys.stdout)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pages")
    shop = root / "shop"
    (shop / "templates").mkdir(parents=True)
    (shop / "templatetags").mkdir()
    for name in ("__init__.py", "templatetags/__init__.py"):
        (shop / name).write_text("")
    proxies = "".join(f"\n\nclass {name}(Book):\n    class Meta:\n        proxy = True\n" for name in ADMINS)
    (shop / "models.py").write_text(MODELS + proxies)
    (shop / "templatetags" / "shop_tags.py").write_text(TAGS)
    (shop / "templates" / "badge.html").write_text("{{ item.author.name }}")
    (shop / "templates" / "base.html").write_text(
        "{% block main %}{% for b in books %}{{ b.author }}{% endfor %}{% endblock %}"
    )
    views = ["from django.shortcuts import render", "from .forms import BookForm, ReviewForm"]
    views.append("from .models import Author, Book, Review")
    for name, (queryset, template, _) in PAGES.items():
        (shop / "templates" / f"page_{name}.html").write_text(template)
        safe = f"{name}_" if name in ("with", "if") else name
        views.append(f'def {safe}(request):\n    return render(request, "page_{name}.html", {{"books": {queryset}}})')
    (shop / "views.py").write_text("\n\n".join(views))
    (shop / "forms.py").write_text(FORM_CLASSES)
    api = [
        "from rest_framework import generics, serializers\nfrom .models import Author, Book, Review",
        "class AuthorSerializer(serializers.ModelSerializer):\n"
        "    class Meta:\n        model = Author\n        fields = ['name']",
        "class DeepAuthorSerializer(serializers.ModelSerializer):\n    country = serializers.StringRelatedField()\n"
        "    class Meta:\n        model = Author\n        fields = ['name', 'country']",
        "class ReviewSerializer(serializers.ModelSerializer):\n    class Meta:\n        model = Review\n"
        "        fields = ['pk', 'writer']",
    ]
    for name, (queryset, body, fields, _) in LISTS.items():
        api.append(
            f"class {name}(serializers.ModelSerializer):\n    {body}\n"
            f"    class Meta:\n        model = Book\n        fields = {fields}"
        )
        api.append(f"class {name}View(generics.ListAPIView):\n    queryset = {queryset}\n    serializer_class = {name}")
    (shop / "api.py").write_text("\n\n".join(api))
    admins = ["from django.contrib import admin\nfrom . import models"]
    for name, (body, _) in ADMINS.items():
        head = f"@admin.register(models.{name})\nclass {name}Admin(admin.ModelAdmin):\n    {body}"
        admins.append(head if body else f"admin.site.register(models.{name})")
    for name, (body, _) in FORMS.items():
        admins.append(f"class {name}Inline(admin.TabularInline):\n    model = models.Review\n    extra = 0\n    {body}")
    inlines = ", ".join(f"{name}Inline" for name in FORMS)
    admins.append(f"@admin.register(models.Author)\nclass AuthorAdmin(admin.ModelAdmin):\n    inlines = [{inlines}]")
    (shop / "admin.py").write_text("\n\n".join(admins))
    (shop / "templates" / "inline.html").write_text(
        "{% for form in inline_admin_formset %}{% for fieldset in form %}{% for line in fieldset %}"
        "{% for field in line %}"
        "{% if field.is_readonly %}{{ field.contents }}{% else %}{{ field.field }}{% endif %}"
        "{% endfor %}{% endfor %}{% endfor %}{% endfor %}"
    )
    (shop / "urls.py").write_text(
        "from django.contrib import admin\nfrom django.urls import path\nfrom . import views\n"
        "urlpatterns = [path('admin/', admin.site.urls), path('one/<int:pk>', views.plain, name='one')]\n"
    )
    (root / "run.py").write_text(RUN)
    return root


def mends(fix: str) -> tuple[list[str], str]:
    """What a fix of a changelist tells people to write: `list_select_related`, and the calls on the queryset."""
    option = re.search(r"list_select_related = (\[[^]]*\])", fix)
    calls = re.search(r"`(?:super\(\)\.get_queryset\(request\))?(\.[^`]*)`", fix)
    return ast.literal_eval(option[1]) if option else [], calls[1] if calls else ""


def measured(root: Path, mended: dict[str, tuple[list[str], str]]) -> tuple[dict[str, bool], dict[str, bool]]:
    """Whether the queries of each case grow with the rows, and whether those of the mended changelists still do."""
    names = {
        "page": [f"{n}_" if n in ("with", "if") else n for n in PAGES],
        "list": list(LISTS),
        "admin": list(ADMINS),
        "form": list(FORMS),
    }
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "run.py", json.dumps(names), json.dumps(mended)],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout)
    return found["grows"], found["mended"]


def judged(root: Path) -> tuple[set[str], dict[str, tuple[list[str], str]]]:
    """The cases that the rules fail, and what their fixes say of each changelist."""
    stack = stack_of(root)
    found = set()
    mended = {}
    for verdict in page_n_plus_one(stack):
        if isinstance(verdict, Fail):
            where = verdict.site.name.partition(" > ")[0].rpartition(".")[2]
            page = Path(verdict.site.place.path).stem.removeprefix("page_")
            is_elsewhere = where == "render" or ".forms." in verdict.site.name  # the rows of a tag's node, or a field's
            found.add(f"page {page if is_elsewhere else where}")
    for rule in (api_n_plus_one, method_field_query):
        for verdict in rule(stack):
            if isinstance(verdict, Fail):
                places = [verdict.site.place, *(step.place for step in (*verdict.related, *verdict.flow))]
                lines = (root / "shop" / "api.py").read_text().splitlines()
                for place in places:
                    if place.path == "shop/api.py":
                        head = next(line for line in reversed(lines[: place.region.line]) if line.startswith("class "))
                        name = head.split()[1].partition("(")[0]
                        if name.endswith("View"):
                            found.add(f"list {name.removesuffix('View')}")
    for verdict in list_display_n_plus_one(stack):
        if isinstance(verdict, Fail):
            name = verdict.site.name.rpartition(".admin.")[2].partition(".")[0].partition(":")[0]
            kind = "form" if name.endswith("Inline") else "admin"
            case = name.removesuffix("Inline").removesuffix("Admin")
            found.add(f"{kind} {case}")
            if kind == "admin" and verdict.cause != "editable":
                mended[case] = mends(verdict.fix)
    return found, mended


def test_verdicts_agree_with_measured_queries(project: Path) -> None:
    expected = {f"page {n}_" if n in ("with", "if") else f"page {n}": grows for n, (_, _, grows) in PAGES.items()}
    expected |= {f"list {name}": case[-1] for name, case in LISTS.items()}
    expected |= {f"admin {name}": case[-1] for name, case in ADMINS.items()}
    expected |= {f"form {name}": case[-1] for name, case in FORMS.items()}
    failed, mended = judged(project)
    grows, still = measured(project, mended)
    assert grows == expected
    assert {name: name in failed for name in expected} == expected
    assert still == {name: False for name, (_, grows) in ADMINS.items() if grows and name != "Editable"}


def test_the_fix_of_a_changelist_names_what_django_joined_by_itself(project: Path) -> None:
    stack = stack_of(project)
    fixes = {item.site.name.rpartition(".admin.")[2].partition(".")[0]: item.fix
             for item in list_display_n_plus_one(stack) if isinstance(item, Fail)}  # fmt: skip
    assert {name: fixes[f"{name}Admin"] for name in ("Nullable", "Deep", "ManyNullable", "QuerysetWins")} == {
        "Nullable": 'In NullableAdmin set `list_select_related = ["editor"]`.',
        "Deep": 'In DeepAdmin set `list_select_related = ["editor", "author__country"]`.',
        "ManyNullable": 'In ManyNullableAdmin set `list_select_related = ["author", "editor"]` and return '
        '`super().get_queryset(request).prefetch_related("tags")` from get_queryset().',
        "QuerysetWins": 'Add `.select_related("editor")` to what get_queryset() of QuerysetWinsAdmin returns.',
    }
