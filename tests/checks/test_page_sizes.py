"""Costs count the rows that a page has where the code or the settings declare its size."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import drf, template
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Cost, Fail
from tests.stacks import stack_of

FILES = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")\n',
    "project/__init__.py": "",
    "project/settings.py": """
import os

DEBUG = False
INSTALLED_APPS = ["shop", "rest_framework"]
REST_FRAMEWORK = {"DEFAULT_PAGINATION_CLASS": "shop.pages.Default", "PAGE_SIZE": 100, "PAGINATE_BY": 40}
PER_PAGE = int(os.environ.get("PER_PAGE", 15))
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    editor = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="edited")
""",
    "shop/pages.py": """
from django.conf import settings
from rest_framework.pagination import LimitOffsetPagination, PageNumberPagination

class Default(PageNumberPagination):
    max_page_size = 200

class Fifty(PageNumberPagination):
    page_size = 50

class Limited(LimitOffsetPagination):
    default_limit = settings.PER_PAGE

class Asked(Fifty):
    def get_page_size(self, request):
        return request.user.page_size
""",
}
API = """
from rest_framework import serializers, viewsets
from rest_framework.pagination import CursorPagination
from rest_framework.settings import api_settings
from . import pages
from .models import Author, Book

class {name}Serializer(serializers.ModelSerializer):
    author = serializers.CharField(source="editor.name")

    class Meta:
        model = Book
        fields = ["author"]

class {name}ViewSet(viewsets.ReadOnlyModelViewSet):
    serializer_class = {name}Serializer
    queryset = Book.objects.all()
    {body}
"""
VIEWSETS = {
    "Plain": "",
    "Fifty": "pagination_class = pages.Fifty",
    "Limited": "pagination_class = pages.Limited",
    "Asked": "pagination_class = pages.Asked",
    "OfSettings": "pagination_class = CursorPagination",
    "Whole": "pagination_class = None",
    "Kept": "paginate_by = 30\n    def get_paginate_by(self): return self.paginate_by",
    "KeptSetting": "paginate_by = api_settings.PAGINATE_BY\n    def get_paginate_by(self): return self.paginate_by",
    "Ignored": "paginate_by = 30",
    "OfOneAuthor": "def get_queryset(self): return Book.objects.filter(author=Author.objects.get(pk=1))",
}
VIEWS = """
from django.conf import settings
from django.core.paginator import Paginator
from django.shortcuts import render
from django.views.generic import ListView
from project.settings import PER_PAGE
from .models import Author, Book

class Constant(ListView):
    queryset = Book.objects.all()
    template_name = "Constant.html"
    paginate_by = 30

class Setting(ListView):
    queryset = Book.objects.all()
    template_name = "Setting.html"
    paginate_by = settings.PER_PAGE

def imported(request):
    page = Paginator(Book.objects.order_by("pk"), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "imported.html", {"object_list": page})

def of_a_list(request):
    found = [book for book in Book.objects.order_by("pk") if book.pk % 2]
    page = Paginator(found, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "of_a_list.html", {"object_list": page.object_list})

def of_one_author(request, pk):
    author = Author.objects.get(pk=pk)
    page = Paginator(author.book_set.order_by("pk"), per_page=PER_PAGE).page(1)
    return render(request, "of_one_author.html", {"object_list": page})

def long_of_one_author(request, pk):
    author = Author.objects.get(pk=pk)
    page = Paginator(author.book_set.order_by("pk"), 200).page(1)
    return render(request, "long_of_one_author.html", {"object_list": page})

def asked(request):
    page = Paginator(Book.objects.order_by("pk"), request.GET["size"]).get_page(1)
    return render(request, "asked.html", {"object_list": page})
"""


def stack(root: Path, files: dict[str, str]) -> Stack:
    return stack_of(root, {**FILES, **files})


def test_pages_of_an_api(tmp_path: Path) -> None:
    files = {f"shop/api_{name}.py": API.format(name=name, body=body) for name, body in VIEWSETS.items()}
    found = [item for item in drf.n_plus_one(stack(tmp_path, files)) if isinstance(item, Fail)]
    names = (item.site.place.path.removeprefix("shop/api_").removesuffix(".py") for item in found)
    assert dict(zip(names, (item.cost for item in found), strict=True)) == {
        "Plain": Cost(100, 100, "100 rows on a page"),
        "Fifty": Cost(50, 50, "50 rows on a page"),
        "Limited": Cost(15, 15, "15 rows on a page"),
        "Asked": Cost(25, 25, "25 rows in a page, assumed"),
        "OfSettings": Cost(100, 100, "100 rows on a page"),
        "Whole": Cost(25, 25, "25 rows in a page, assumed"),
        "Kept": Cost(30, 30, "30 rows on a page"),
        "KeptSetting": Cost(40, 40, "40 rows on a page"),
        "Ignored": Cost(100, 100, "100 rows on a page"),
        "OfOneAuthor": Cost(10, 10, "10 rows of one Author, assumed"),
    }


def test_pages_of_templates(tmp_path: Path) -> None:
    names = ("Constant", "Setting", "imported", "of_a_list", "of_one_author", "long_of_one_author", "asked")
    shown = "{% for book in object_list %}{{ book.editor }}{% endfor %}"
    files = {f"shop/templates/{name}.html": shown for name in names} | {"shop/views.py": VIEWS}
    found = [item for item in template.n_plus_one(stack(tmp_path, files)) if isinstance(item, Fail)]
    told = {item.site.place.path.rpartition("/")[2]: (item.cause, item.cost and item.cost.assumed) for item in found}
    assert told == {
        "Constant.html": ("", "30 rows on a page"),
        "Setting.html": ("", "15 rows on a page"),
        "imported.html": ("", "15 rows on a page"),
        "of_a_list.html": ("", "15 rows on a page"),
        "of_one_author.html": ("detail", "15 rows on a page"),
        "long_of_one_author.html": ("", "200 rows on a page"),
        "asked.html": ("", "25 rows on a page, assumed"),
    }


NESTED = {
    "shop/models.py": """
from django.db import models

class Tag(models.Model):
    name = models.CharField(max_length=80)

class Chapter(models.Model):
    tags = models.ManyToManyField(Tag)
    authors = models.ManyToManyField(Tag, related_name="+")

class Book(models.Model):
    title = models.CharField(max_length=80)
    chapters = models.ManyToManyField(Chapter)
""",
    "shop/search.py": """
from django.shortcuts import render
from rest_framework import serializers, viewsets
from rest_framework.response import Response
from rest_framework.views import APIView
from .models import Book, Chapter
from .pages import Fifty

LIMIT = 3

class ChapterSerializer(serializers.ModelSerializer):
    class Meta:
        model = Chapter
        fields = ["id", "tags", "authors"]

class BookSerializer(serializers.ModelSerializer):
    chapters = ChapterSerializer(many=True)

    class Meta:
        model = Book
        fields = ["id", "chapters"]

class AtOnce(APIView):
    def get(self, request):
        books = Book.objects.filter(title=request.GET["q"])[:LIMIT]
        return Response(BookSerializer(books, many=True).data)

class Later(APIView):
    def get(self, request):
        limit = 3
        books = Book.objects.filter(title=request.GET["q"])
        books = books[:limit]
        return Response(BookSerializer(books, many=True).data)

class Permitted(APIView):
    def get(self, request):
        books = Book.objects.filter(title=request.GET["q"]) if request.user.has_perm("shop.view_book") else []
        books = books[:LIMIT]
        return Response(BookSerializer(books, many=True).data)

class Twenty(APIView):
    def get(self, request):
        books = Book.objects.prefetch_related("chapters")[:20]
        return Response(BookSerializer(books, many=True).data)

class Open(APIView):
    def get(self, request):
        books = Book.objects.filter(title=request.GET["q"])[:request.GET["size"]]
        return Response(BookSerializer(books, many=True).data)

class Paged(viewsets.ReadOnlyModelViewSet):
    queryset = Book.objects.prefetch_related("chapters")
    serializer_class = BookSerializer
    pagination_class = Fifty

def shown(request):
    return render(request, "shown.html", {"books": Book.objects.order_by("pk")[:5]})
""",
    "shop/templates/shown.html": (
        "{% for book in books %}{% for chapter in book.chapters.all %}{% for tag in chapter.tags.all %}{{ tag.name }}"
        "{% endfor %}{% endfor %}{% endfor %}"
    ),
}


def test_what_lies_behind_the_rows_of_a_page_goes_by_that_page(tmp_path: Path) -> None:
    linked = stack(tmp_path, NESTED)
    found = [item for item in (*drf.n_plus_one(linked), *template.n_plus_one(linked)) if isinstance(item, Fail)]
    told = {item.site.name.partition(" > ")[0].removesuffix(".get").rpartition(".")[2]: item for item in found}
    assert {name: (item.cause, item.cost) for name, item in told.items()} == {
        "AtOnce": ("short", Cost(6, 3, "3 rows on a page")),
        "Later": ("short", Cost(6, 3, "3 rows on a page")),
        "Permitted": ("short", Cost(6, 3, "3 rows on a page")),
        "Twenty": ("", Cost(40, 20, "20 rows on a page")),
        "Open": ("", Cost(75, 25, "25 rows in a page, assumed")),
        "Paged": ("", Cost(100, 50, "50 rows on a page")),
        "shown": ("short", Cost(5, 5, "5 rows on a page")),
    }
