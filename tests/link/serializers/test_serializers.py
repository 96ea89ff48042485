"""What serializers write out, and how admin classes and tag libraries are found."""

from __future__ import annotations

from stackaudit.facts.files import FileFacts
from stackaudit.link.admin import Admins
from stackaudit.link.models import Models
from stackaudit.link.modules import Modules
from stackaudit.link.pages.files import Templates
from stackaudit.link.serializers import Serializers, Shape
from stackaudit.link.serializers.views import ApiViews
from stackaudit.lower import python, template

MODELS = """
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    title = models.CharField(max_length=80)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")
    tags = models.ManyToManyField("Tag")

class Tag(models.Model):
    name = models.CharField(max_length=80)
"""
HEAD = "from rest_framework import generics, serializers, viewsets\nfrom .models import Author, Book\n"


def linked(**files: str) -> Models:
    sources = {"shop/__init__.py": "", "shop/models.py": MODELS}
    sources |= {f"shop/{name.replace('__', '/')}.py": text for name, text in files.items()}
    facts = [FileFacts(path, "python", python.lower(text.encode(), path)) for path, text in sources.items()]
    return Models(Modules(facts))


def shape(body: str, name: str = "S") -> Shape:
    models = linked(api=HEAD + body)
    module = models.modules.by_path["shop/api.py"]
    found = models.classes.of(models.modules.member(module, name))
    assert found is not None and not isinstance(found, str)
    return Serializers(models).shape(found)


def fields(body: str) -> dict[str, tuple[str, str]]:
    return {item.name: (item.kind, ".".join(item.source)) for item in shape(body).fields}


def test_all_means_columns_and_own_relations() -> None:
    body = "class S(serializers.ModelSerializer):\n    class Meta:\n        model = Book\n        fields = '__all__'\n"
    assert fields(body) == {
        "id": ("plain", "id"),
        "title": ("plain", "title"),
        "author": ("pk", "author"),
        "tags": ("pk", "tags"),
    }


def test_exclude_and_depth() -> None:
    body = (
        "class S(serializers.ModelSerializer):\n    class Meta:\n        model = Book\n"
        "        exclude = ['tags', 'id']\n"
        "        depth = 1\n"
    )
    assert fields(body) == {"title": ("plain", "title"), "author": ("nested", "author")}


def test_declared_fields() -> None:
    body = """
class A(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]

class Base(serializers.ModelSerializer):
    gone = serializers.CharField()
    text = serializers.StringRelatedField(source="author")

class S(Base):
    gone = None
    writer = A(source="author")
    names = serializers.SlugRelatedField("name", many=True, read_only=True, source="tags")
    link = serializers.HyperlinkedIdentityField(view_name="book")
    count = serializers.SerializerMethodField(method_name="how_many")
    whole = serializers.CharField(source="*")
    secret = serializers.CharField(write_only=True)
    hidden = serializers.HiddenField(default=1)
    computed = serializers.CharField(source=NAME)

    class Meta:
        model = Book
        fields = ("text", "writer", "names", "link", "count", "whole", "secret", "hidden", "computed") + ("author",)
"""
    assert fields(body) == {
        "text": ("string", "author"),
        "writer": ("nested", "author"),
        "names": ("slug", "tags"),
        "link": ("link", ""),
        "count": ("method", ""),
        "whole": ("plain", ""),
        "computed": ("unknown", "computed"),
        "author": ("pk", "author"),
    }


def test_a_field_of_the_repository_is_what_it_derives_from() -> None:
    body = """
class RelatedField(serializers.HyperlinkedRelatedField):
    pass

class IdentityField(serializers.HyperlinkedIdentityField):
    pass

class S(serializers.ModelSerializer):
    all_tags = RelatedField(many=True, read_only=True, view_name="tag", source="tags")
    href = IdentityField(view_name="book")

    class Meta:
        model = Book
        fields = ["all_tags", "href"]
"""
    assert fields(body) == {"all_tags": ("link", "tags"), "href": ("link", "")}


def test_fields_that_are_computed_leave_the_shape_open() -> None:
    body = "class S(serializers.ModelSerializer):\n    class Meta:\n        model = Book\n        fields = names()\n"
    assert shape(body).open == "Meta.fields is computed"


def test_the_serializer_of_an_action() -> None:
    body = """
class Brief(serializers.ModelSerializer):
    class Meta:
        model = Book
        fields = ["title"]

class Full(Brief):
    pass

class View(viewsets.ModelViewSet):
    queryset = Book.objects.all()
    serializer_class = Full

    def get_serializer_class(self):
        if self.action in ("list", "search"):
            return Brief
        elif self.request.method != "GET":
            return Full
        return super().get_serializer_class()
"""
    views = ApiViews(Serializers(linked(api=HEAD + body)))
    (view,) = views
    assert [item.label for item in views.shapes(view)[0]] == ["Brief"]
    assert [item.label for item in views.shapes(view, "retrieve")[0]] == ["Full"]


def test_admins_their_options_and_inlines() -> None:
    models = linked(
        admin="""
from django.contrib import admin
from .models import Author, Book

COMMON = ["title"]

class BookInline(admin.TabularInline):
    model = Book

class Base(admin.ModelAdmin):
    list_display = COMMON + ["author"]

@admin.register(Book)
class BookAdmin(Base):
    list_filter = [("author", admin.RelatedOnlyFieldListFilter)]

class AuthorAdmin(admin.ModelAdmin):
    inlines = [BookInline]
    list_display = columns()

admin.site.register(Author, AuthorAdmin)
"""
    )
    books, authors = Admins(models)
    columns = books.option("list_display")
    filters = books.option("list_filter")
    assert columns is not None and [item.text for item in columns.items] == ["title", "author"]
    assert filters is not None and [item.names for item in filters.items] == [("author", "RelatedOnlyFieldListFilter")]
    assert [(inline.cls.label, inline.model.name if inline.model else "") for inline in authors.inlines] == [
        ("BookInline", "Book")
    ]
    computed = authors.option("list_display")
    assert computed is not None and computed.open == "it is computed"


def test_templates_by_name_and_tags_by_library() -> None:
    models = linked(
        templatetags__one="""
from django import template
register = template.Library()

@register.filter("shown")
def show(value):
    return value

@register.inclusion_tag("x.html", takes_context=True)
def box(context):
    return {}
""",
        templatetags__two="""
from django import template
register = template.Library()

@register.simple_tag
def box():
    pass
""",
    )
    paths = ("shop/templates/shop/a.html", "theme/templates/shop/a.html", "pages/home/b.html")
    text = b"{% load one %}{% box %}"
    templates = Templates([FileFacts(path, "template", template.lower(text, path)) for path in paths], models.modules)
    assert [file.path for file in templates.find("shop/a.html")] == list(paths[:2])
    assert [file.path for file in templates.find("home/b.html")] == ["pages/home/b.html"]
    assert templates.find("nothing.html") == []
    file = templates.by_path[paths[0]]
    found, shown = templates.tag("box", file), templates.tag("|shown", file)
    assert found is not None and (found.kind, found.takes_context, found.template) == ("inclusion", True, "x.html")
    assert shown is not None and (shown.kind, shown.function.name) == ("filter", "show")
