"""How views come to their rows and templates, against real Django: a case fails where its queries grow with the rows.

Every case is asked for on SQLite with 3 and with 6 rows in a child process; "grows" means that more rows took more
queries. `request.GET` is empty, so each case whose branches differ shows the rows on both.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks import orm, template
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MODELS = """\
from django.db import models


class Author(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self):
        return self.name


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="books")

    def __str__(self):
        return f"{self.title} by {self.author}"

    @property
    def byline(self):
        return f"by {self.author.name}"


class Chapter(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="chapters")
    writer = models.ForeignKey(Author, on_delete=models.CASCADE)
"""
BASES = """\
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.generic import View


class OfBook:
    def dispatch(self, request, *args, **kwargs):
        self.book = self.get_book()
        return super().dispatch(request, *args, **kwargs)

    def get_book(self):
        from .models import Book
        return get_object_or_404(Book, pk=1)

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context["chapters"] = self.book.chapters.all()
        return context


class ObjectView(View):
    queryset = None
    template_name = None

    def get_template_name(self):
        if self.template_name is not None:
            return self.template_name
        return f"{self.queryset.model._meta.model_name}.html"

    def get_extra_context(self, request, row):
        return {}

    def get(self, request):
        row = get_object_or_404(self.queryset.all(), pk=1)
        context = {"object": row, **self.get_extra_context(request, row)}
        return render(request, self.get_template_name(), context)
"""
HEAD = """\
from collections import OrderedDict

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string, select_template
from django.utils.html import format_html
from django.views import generic
from django.views.generic.detail import SingleObjectMixin

from .bases import ObjectView, OfBook
from .models import Author, Book, Chapter


"""
ROWS = "{% for b in books %}{{ b.author.name }}{% endfor %}"
LISTED = "{% for c in object_list %}{{ c.writer.name }}{% endfor %}"
WRITERS = "{% for c in chapters %}{{ c.writer.name }}{% endfor %}"
PARTIAL = """\
def view(request):
    if request.GET.get("partial"):
        name = "{name}.html"
    else:
        name = "{name}_page.html"
    return render(request, name, {{"books": {books}}})
"""
NAMES = """\
class Books(generic.ListView):
    queryset = {books}
    context_object_name = "books"

    def get_template_names(self):
        if self.request.headers.get("HX-Request"):
            return ["{name}_page.html"]
        return ["{name}.html"]


view = Books.as_view()
"""
OF_BOOK = """\
class Chapters(OfBook, generic.TemplateView):
    template_name = "{name}.html"
{body}

view = Chapters.as_view()
"""
SETUP = """\
class Chapters(generic.ListView):
    template_name = "{name}.html"
    context_object_name = "chapters"

    def setup(self, request, *args, **kwargs):
        super().setup(request, *args, **kwargs)
        self.book = Book.objects.get(pk=1)

    def get_queryset(self):
        return self.book.chapters.{method}


view = Chapters.as_view()
"""
SINGLE = """\
class Chapters(SingleObjectMixin, generic.ListView):
    template_name = "{name}.html"

    def get(self, request, *args, **kwargs):
        self.object = self.get_object(queryset=Book.objects.filter(pk=1))
        return super().get(request, *args, **kwargs)

    def get_queryset(self):
        return self.object.chapters.{method}


def view(request):
    return Chapters.as_view()(request, pk=1)
"""
OWN = """\
class BookView(ObjectView):
    queryset = Book.objects.all()
    template_name = "{name}.html"

    def get_extra_context(self, request, row):
        return {{"chapters": Chapter.objects.filter(book=row){joined}}}


view = BookView.as_view()
"""
CONTEXT = """\
class Books(generic.ListView):
    {rows}
    template_name = "{name}.html"

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        for book in context["{key}"]:
            book.by = book.author.name
        return context


view = Books.as_view()
"""
ANSWER = """\
class Books(generic.list.BaseListView):
    {rows}

    def render_to_response(self, context):
        return JsonResponse({{"books": [book.byline for book in context["object_list"]]}})


view = Books.as_view()
"""
CARDS = """\
def view(request):
    return HttpResponse("".join(render_to_string("{name}.html", {{"book": book}}) for book in {books}))
"""
ORDERED = """\
def view(request):
    shelves = OrderedDict((author, author.books.all()) for author in {authors})
    return render(request, "{name}.html", {{"shelves": shelves}})
"""
SHELVES = "{% for author, books in shelves.items %}{% for b in books %}{{ b.title }}{% endfor %}{% endfor %}"
TEXTS = """\
def view(request):
    return HttpResponse("".join(format_html("<li>{{}}</li>", book) for book in {books}))
"""
NAMED = """\
def view(request):
    return HttpResponse("".join(", ".join(a.books.{method}) for a in Author.objects.all()))
"""
MERGED = """\
def more():
    return {{"books": {books}}}


def view(request):
    context = {{"title": "x"}}
    context |= more()
    return render(request, "{name}.html", context | {{"more": 1}})
"""
SELECTED = """\
def view(request):
    template = select_template(["missing.html", "{name}.html"])
    return HttpResponse(template.render({{"books": {books}}}, request))
"""
TABS = """\
def view(request):
    tabs = [("Chapters", Chapter.objects.select_related("book", "writer")), ("Books", {books})]
    return render(request, "{name}.html", {{"tabs": tabs}})
"""
TABBED = (
    "{% for label, rows in tabs %}{% for row in rows %}{{ row.writer.name }}{{ row.author.name }}{% endfor %}"
    "{% endfor %}"
)
ALL, JOINED = "Book.objects.all()", 'Book.objects.select_related("author")'
OWN_CHAPTERS = """
    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context["chapters"] = context["chapters"].select_related("writer")
        return context
"""

# name: (views, template, whether the number of queries grows with the rows)
CASES = {
    "partial": (PARTIAL.format(name="partial", books=ALL), ROWS, True),
    "partial_joined": (PARTIAL.format(name="partial_joined", books=JOINED), ROWS, False),
    "names": (NAMES.format(name="names", books=ALL), ROWS, True),
    "names_joined": (NAMES.format(name="names_joined", books=JOINED), ROWS, False),
    "dispatch": (OF_BOOK.format(name="dispatch", body=""), WRITERS, True),
    "dispatch_joined": (OF_BOOK.format(name="dispatch_joined", body=OWN_CHAPTERS), WRITERS, False),
    "setup": (SETUP.format(name="setup", method='order_by("pk")'), WRITERS, True),
    "setup_joined": (SETUP.format(name="setup_joined", method='select_related("writer")'), WRITERS, False),
    "single": (SINGLE.format(name="single", method="all()"), LISTED, True),
    "single_joined": (SINGLE.format(name="single_joined", method='select_related("writer")'), LISTED, False),
    "own": (OWN.format(name="own", joined=""), WRITERS, True),
    "own_joined": (OWN.format(name="own_joined", joined='.select_related("writer")'), WRITERS, False),
    "context": (CONTEXT.format(name="context", rows="model = Book", key="book_list"), "", True),
    "context_joined": (
        CONTEXT.format(name="context_joined", rows=f"queryset = {JOINED}", key="object_list"), "", False,
    ),
    "answer": (ANSWER.format(rows="model = Book"), "", True),
    "answer_joined": (ANSWER.format(rows=f"queryset = {JOINED}"), "", False),
    "cards": (CARDS.format(name="cards", books=ALL), "{{ book.byline }}", True),
    "cards_joined": (CARDS.format(name="cards_joined", books=JOINED), "{{ book.byline }}", False),
    "ordered": (ORDERED.format(name="ordered", authors="Author.objects.all()"), SHELVES, True),
    "ordered_loaded": (
        ORDERED.format(name="ordered_loaded", authors='Author.objects.prefetch_related("books")'), SHELVES, False,
    ),
    "merged": (MERGED.format(name="merged", books=ALL), ROWS, True),
    "merged_joined": (MERGED.format(name="merged_joined", books=JOINED), ROWS, False),
    "tabs": (TABS.format(name="tabs", books="Book.objects.order_by(\"pk\")"), TABBED, True),
    "tabs_joined": (TABS.format(name="tabs_joined", books=JOINED), TABBED, False),
    "selected": (SELECTED.format(name="selected", books=ALL), ROWS, True),
    "selected_joined": (SELECTED.format(name="selected_joined", books=JOINED), ROWS, False),
    "texts": (TEXTS.format(books=ALL), "", True),
    "texts_joined": (TEXTS.format(books=JOINED), "", False),
    "named": (NAMED.format(method='values_list("title", flat=True)'), "", True),
}  # fmt: skip

RUN = """\
import importlib, json, sys
import django
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], INSTALLED_APPS=["shop"], DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from shop import models
call_command("migrate", run_syncdb=True, verbosity=0)
views = {name: importlib.import_module(f"shop.{name}").view for name in json.loads(sys.argv[1])}

def add(count):
    for number in range(count):
        author = models.Author.objects.create(name="a")
        models.Book.objects.create(title="t", author=author)
        models.Chapter.objects.create(book=models.Book.objects.get(pk=1), writer=author)

def counts():
    found = {}
    for name, view in views.items():
        with CaptureQueriesContext(connection) as captured:
            answer = view(RequestFactory().get("/"))
            if hasattr(answer, "render"):
                answer.render()
        found[name] = len(captured)
    return found

add(3)
before = counts()
add(3)
after = counts()
json.dump({name: after[name] > before[name] for name in views}, sys.stdout)
"""


NESTED = {
    "shop/__init__.py": "",
    "shop/models.py": MODELS,
    "shop/views.py": (
        "from django.views.generic import DetailView\nfrom .models import Author\n\n"
        "class OneAuthor(DetailView):\n    model = Author\n    template_name = 'one.html'\n"
    ),
    "shop/templates/one.html": (
        "{% for book in author.books.all %}{% for chapter in book.chapters.all %}{{ chapter.writer.name }}"
        "{% endfor %}{% endfor %}"
    ),
}


def test_rows_behind_rows_of_one_row_are_one_cause(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, NESTED)
    fixes = [item.fix for item in template.n_plus_one(stack) if isinstance(item, Fail)]
    assert fixes == [
        'Return `super().get_queryset().prefetch_related("books__chapters__writer")` from get_queryset() of '
        "shop.views.OneAuthor."
    ]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("views")
    shop = root / "shop"
    (shop / "templates").mkdir(parents=True)
    (shop / "__init__.py").write_text("")
    (shop / "models.py").write_text(MODELS)
    (shop / "bases.py").write_text(BASES)
    for name, (views, text, _) in CASES.items():
        (shop / f"{name}.py").write_text(HEAD + views)
        (shop / "templates" / f"{name}.html").write_text(text)
        (shop / "templates" / f"{name}_page.html").write_text(f'<p>{{% include "{name}.html" %}}</p>')
    (root / "run.py").write_text(RUN)
    return root


def measured(root: Path) -> dict[str, bool]:
    """Whether the queries of each case grow with the rows."""
    command = [sys.executable, "-W", "ignore", "run.py", json.dumps(list(CASES))]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-3000:]
    return dict(json.loads(run.stdout))


def judged(root: Path) -> set[str]:
    """The cases that the rules fail: by their views, or by their templates."""
    stack = stack_of(root)
    found = set()
    for rule in (template.n_plus_one, orm.n_plus_one_forward, orm.n_plus_one_reverse):
        for verdict in rule(stack):
            if isinstance(verdict, Fail):
                places = [verdict.site.place, *(step.place for step in (*verdict.related, *verdict.flow))]
                found |= {Path(place.path).stem.removesuffix("_page") for place in places}
    return found & set(CASES)


def test_verdicts_agree_with_measured_queries(project: Path) -> None:
    expected = {name: grows for name, (_, _, grows) in CASES.items()}
    assert measured(project) == expected
    failed = judged(project)
    assert {name: name in failed for name in expected} == expected
