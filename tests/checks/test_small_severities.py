"""What matters less than its kind does elsewhere, and words that tell findings of one function apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from stackaudit.checks import admin, orm
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of

MODELS = """\
from django.conf import settings
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    made = models.DateTimeField(auto_now_add=True)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)

    def __str__(self):
        return f"{self.title} by {self.author.name}"

    def mend(self):
        self.save()

    def save(self, *args, **kwargs):
        self.title = self.title or self.author.name
        super().save(*args, **kwargs)
"""
COMMAND = """\
from django.core.management.base import BaseCommand
from shop.models import Author, Book

class Command(BaseCommand):
    def handle(self, *args, **options):
        for author in Author.objects.all():
            print(author.name)
        for book in Book.objects.filter(title=""):
            Author.objects.create(name=book.title)
            book.mend()
        for book in Book.objects.filter(title="a"):
            print(book.author.name)
"""
MAKING = """\
from shop.models import Author

def add(request):
    Author.objects.create(name=request.POST["name"], user=request.user)
"""
PATH = "shop/management/commands/mend.py"


def found(root: Path, check: Callable[[Stack], Iterator[Verdict]], files: dict[str, str]) -> list[Fail]:
    base = {"requirements.txt": "celery==5.6.0\ndjango==5.2\n", "shop/__init__.py": "", "shop/models.py": MODELS}
    return [item for item in check(stack_of(root, {**base, **files})) if isinstance(item, Fail)]


def test_commands_that_nothing_runs(tmp_path: Path) -> None:
    by_hand = {PATH: COMMAND, "shop/views.py": MAKING}
    cron = {**by_hand, "crontab": "0 1 * * * python manage.py mend\n"}
    loops = [found(tmp_path / str(at), orm.iterate_without_iterator, it) for at, it in enumerate((by_hand, cron))]
    assert [[item.cause for item in told] for told in loops] == [["by-hand"], [""]]
    related = [found(tmp_path / str(at), orm.n_plus_one_forward, it) for at, it in enumerate((by_hand, cron))]
    lines = [[(item.cause, item.site.place.region.line) for item in told] for told in related]
    assert lines == [[("by-hand", 12)], [("beside", 10), ("background", 12)]]


def test_numbers_that_are_made_in_python(tmp_path: Path) -> None:
    command = """\
from django.core.management.base import BaseCommand
from shop.models import Book

class Command(BaseCommand):
    def handle(self, *args, **options):
        print(max(book.made for book in Book.objects.filter(title="a")))
"""
    views = """\
from shop.models import Author, Book

def told(author: Author):
    print(max(book.made for book in Book.objects.filter(title="a")))
    books = Book.objects.filter(author=author)
    print(max(book.made for book in books))

def each(request):
    for author in Author.objects.all():
        books = Book.objects.filter(author=author, title="a")
        print(max(book.made for book in books))
"""
    made = "title = models.CharField(max_length=80)\n    made = models.DateTimeField()"
    models = MODELS.replace("title = models.CharField(max_length=80)", made)
    files = {PATH: command, "shop/views.py": views, "shop/models.py": models}
    told = found(tmp_path, orm.python_aggregation, files)
    assert [(item.cause, item.site.place.region.line) for item in told] == [("by-hand", 6), ("", 4), ("few", 6)]
    assert [item.site.place.region.line for item in found(tmp_path, orm.query_in_loop, files)] == [11]


def test_turns_that_ask_for_much_else(tmp_path: Path) -> None:
    tasks = """\
from celery import shared_task
from shop.models import Author, Book

def push(name, key):
    print(Author.objects.get(name=name), Book.objects.get(pk=key))
    print(Author.objects.filter(book=key).count())

def pull(name, key):
    print(Author.objects.get(name=name))

@shared_task
def rebuild():
    for book in Book.objects.order_by("pk").iterator():
        push(book.author.name, book.pk)
    for book in Book.objects.order_by("title").iterator():
        pull(book.author.name, book.pk)
"""
    told = found(tmp_path, orm.n_plus_one_forward, {"shop/tasks.py": tasks})
    assert [item.cause for item in told] == ["beside", "background"]


def test_the_row_that_a_form_is_about(tmp_path: Path) -> None:
    inline = """\
from django.contrib import admin
from shop.models import Author, Book

class BookInline(admin.StackedInline):
    model = Book

@admin.register(Author)
class AuthorAdmin(admin.ModelAdmin):
    inlines = [BookInline]
"""
    files = {"shop/admin.py": inline}
    assert [item.cause for item in found(tmp_path, admin.list_display_n_plus_one, files)] == ["inline-parent"]
    files["shop/models.py"] = MODELS.replace("self.author.name", "self.author.user.username")
    assert [item.cause for item in found(tmp_path, admin.list_display_n_plus_one, files)] == ["inline"]


def test_a_query_of_an_inner_loop_that_only_the_outer_one_changes(tmp_path: Path) -> None:
    views = """\
from shop.models import Author

def bound(sprints):
    found = {}
    for sprint in sprints:
        for story in sprint["stories"]:
            found[story["id"]] = Author.objects.get(name=sprint["number"])
"""
    (told,) = found(tmp_path, orm.query_in_loop, {"shop/views.py": views})
    assert told.values["loop"] == 'for sprint in sprints` and, with the same answer, of `for story in sprint["stories"]'


def test_values_that_may_be_rows_already(tmp_path: Path) -> None:
    services = """\
from shop.models import Author, Book

def resolve(value):
    if isinstance(value, Author):
        return value
    try:
        return Author.objects.get(id=value)
    except Author.DoesNotExist:
        return None

def resolve_all(options):
    return {key: resolve(value) for key, value in options["authors"].items()}

def here(values):
    for value in values:
        if not isinstance(value, (Author, Book)):
            value = Author.objects.get(id=value)
        print(value)

def chosen(values):
    return [value if isinstance(value, Author) else Author.objects.get(id=value) for value in values]

def other(values):
    for value in values:
        if isinstance(value, Book):
            continue
        print(Author.objects.get(id=value))

def rows_alone(values):
    for value in values:
        if isinstance(value, Author):
            print(Author.objects.get(id=value.pk))
"""
    told = found(tmp_path, orm.query_in_loop, {"shop/services.py": services})
    causes = {item.site.place.region.line: item.cause for item in told}
    assert {line for line, cause in causes.items() if cause == "row-or-key"} == {12, 17, 21}
    assert {27, 32} <= set(causes)


def test_a_loop_of_the_callee_that_asks_for_each_of_its_rows(tmp_path: Path) -> None:
    tasks = """\
from celery import shared_task
from shop.models import Author, Book

def others(book):
    return Author.objects.exclude(book=book)

def rank(book):
    for author in others(book):
        print(Book.objects.filter(author=author, title=book.title).first())

def show(book):
    for author in others(book):
        print(author.name)

@shared_task
def rebuild():
    for book in Book.objects.all():
        rank(book)

@shared_task
def remind():
    for book in Book.objects.all():
        show(book)
"""
    lines = [item.site.place.region.line for item in found(tmp_path, orm.query_in_loop, {"shop/tasks.py": tasks})]
    assert lines == [9, 23]  # where each row of the inner loop asks again, one query for all of them is little


def test_names_for_answers(tmp_path: Path) -> None:
    views = """\
from shop.models import Author, Book

def told(author: Author):
    books = Book.objects.filter(author=author)
    print(books.count(), books.count())
    print(Author.objects.exclude(name="").count(), Author.objects.exclude(name="").count())
    print(Book.objects.get(title="a"), Book.objects.get(title="a"))

def taken(books_count):
    books = Book.objects.filter(title="b")
    print(books.count(), books.count())
"""
    told = found(tmp_path, orm.repeated_evaluation, {"shop/views.py": views})
    assert [item.fix.partition("`")[2].partition(" = ")[0] for item in told] == [
        "books_count",
        "author_count",
        "answer",
        "answer",
    ]
