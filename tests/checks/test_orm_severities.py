"""What a loop is for, and what else its turns do, decides how much a query in it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from stackaudit.checks import orm
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    title = models.CharField(max_length=80)
    shelves = models.JSONField(default=list)
    editor = models.ForeignKey(Author, null=True, on_delete=models.SET_NULL, related_name="+")

class Reviewer(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    name = models.CharField(max_length=80)

class Shelf(models.Model):
    name = models.CharField(max_length=80)
    books = models.ManyToManyField(Book)

class Code(models.Model):
    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=80)

class ReviewRole(models.Model):
    name = models.CharField(max_length=80)
"""
LOOP = """
    for book in Book.objects.all():
        print(book.author.name)
"""
BODIES = {
    "plain": LOOP,
    "guarded": """
    for book in Book.objects.all():
        if book.title:
            print(book.author.name)
""",
    "of_one_row": """
    author = Author.objects.get(name=names[0])
    for book in author.book_set.all():
        print([review.name for review in book.reviewer_set.all()])
""",
    "of_the_words_of_a_text": """
    words = filter(str.isdigit, re.findall(r"#(\\w+)", names))
    for book in Book.objects.filter(Q(pk__in=words) | Q(title__in=words)):
        print(book.author.name)
""",
    "of_a_short_page": """
    for book in Book.objects.order_by("title")[:10]:
        print(book.author.name)
""",
    "of_one_key": """
    author = Author.objects.get(name=names[0])
    for book in Book.objects.filter(author=author, title="").order_by("title"):
        print([review.name for review in book.reviewer_set.all()])
""",
    "of_one_row_where": """
    author = Author.objects.get(name=names[0])
    for book in author.book_set.all():
        if book.title:
            print([review.name for review in book.reviewer_set.all()])
""",
    "after_an_early_turn": """
    for book in Book.objects.all():
        if book.title == "":
            continue
        print(book.author.name)
""",
    "after_what_is_missing": """
    for book in Book.objects.all():
        if book is None:
            continue
        if not book.title:
            raise ValueError
        print(book.author.name)
""",
    "until_one_turn_decides": """
    return any(book.author.name for book in Book.objects.all())
""",
    "beside_requests": """
    for book in Book.objects.all():
        self._client.post(book.title, book.author.name)
""",
    "beside_pictures": """
    for book in Book.objects.all():
        shrink(book.author.name)
""",
    "only_where_it_is_refused": """
    for book in Book.objects.all():
        try:
            self.open(book.title)
            return book
        except PermissionError:
            print(book.author.name)
""",
    "where_it_is_refused_and_goes_on": """
    for book in Book.objects.all():
        try:
            self.open(book.title)
        except PermissionError:
            print(book.author.name)
""",
    "before_it_is_refused": """
    for book in Book.objects.all():
        try:
            self.open(book.author.name)
            return book
        except PermissionError:
            print(book.author.name)
""",
    "beside_a_write": """
    for book in Book.objects.all():
        book.title = book.author.name
        self.log(book.title)
        Shelf.objects.filter(name=book.title).delete()
""",
    "beside_two_writes": """
    for book in Book.objects.all():
        Shelf.objects.create(name=book.author.name)
        book.save()
""",
    "for_admins": """
    for admin in names:
        Book.objects.create(title=admin)
""",
    "of_a_column": """
    book = Book.objects.get(title=names[0])
    for shelf in book.shelves:
        Shelf.objects.create(name=shelf)
""",
    "written_where": """
    for name in names:
        if name:
            Shelf.objects.create(name=name)
""",
    "written_unless_dry": """
    for book in Book.objects.all():
        if not self.dry_run:
            Book.objects.filter(pk=book.pk).update(title="")
""",
    "written_of_a_list": """
    for name in names:
        Shelf.objects.create(name=name)
""",
    "written_of_ten": """
    for name in names[:10]:
        Shelf.objects.create(name=name)
""",
    "written_of_one_row": """
    author = Author.objects.get(name=names[0])
    for book in author.book_set.all():
        book.title = ""
        book.save()
""",
    "written_beside_a_cache": """
    for book in Book.objects.all():
        cache.delete(book.title)
        book.title = ""
        book.save()
""",
    "written_beside_one": """
    for name in names:
        Book.objects.create(title=name, author=Author.objects.get(name=name))
""",
    "written_beside_two": """
    for name in names:
        author = Author.objects.get(name=name)
        Book.objects.create(title=Shelf.objects.get(name=name).name, author=author)
""",
    "written_and_needed": """
    keys = []
    for name in names:
        shelf = Shelf.objects.create(name=name)
        keys.append(shelf.pk)
""",
    "written_and_needed_where": """
    keys = []
    for name in names:
        if name:
            shelf = Shelf.objects.create(name=name)
            keys.append(shelf.pk)
""",
    "written_beside_mail": """
    for book in Book.objects.all():
        book.author_mail.send()
        book.save()
""",
    "written_as_posted": """
    titles = validated_data.pop("titles")
    for title in titles:
        Book.objects.create(title=title)
""",
}
HELPERS = """
from PIL import Image

def shrink(name):
    picture = Image.open(name)
    picture.thumbnail((80, 80))
    picture.save(name)

def one_of(rows, **wanted):
    return rows.get(**wanted)


def shelf_of(name):
    return Shelf.objects.filter(name=name).first()

def moved(name):
    shelf = Shelf.objects.get(name=name)
    Author.objects.create(name=shelf.name)

def moved_and_counted(name):
    shelf = Shelf.objects.get(name=name)
    print(Book.objects.filter(title=name).count(), Author.objects.filter(name=name).exists())
    Author.objects.create(name=shelf.name)
"""


def causes(
    root: Path,
    path: str,
    decorator: str = "",
    bodies: dict[str, str] = BODIES,
    checks: tuple[Callable[[Stack], Iterator[Verdict]], ...] = (
        orm.n_plus_one_forward,
        orm.n_plus_one_reverse,
        orm.write_in_loop,
    ),
    crontab: str = "",
) -> dict[str, list[str]]:
    """The causes of the findings of each function, where the functions stand in a file at `path`."""
    found = failures(root, path, decorator, bodies, checks, crontab)
    return {name: [fail.cause for fail in fails] for name, fails in found.items()}


def failures(
    root: Path,
    path: str,
    decorator: str,
    bodies: dict[str, str],
    checks: tuple[Callable[[Stack], Iterator[Verdict]], ...],
    crontab: str = "",
) -> dict[str, list[Fail]]:
    """The findings of each function, where the functions stand in a file at `path`."""
    lines = "".join(f"\n{decorator}\ndef {name}(self, names):{body}\n" for name, body in bodies.items())
    files = {
        "requirements.txt": "celery==5.6.0\ndjango==5.2\n",
        "crontab": crontab,
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        path: "from celery import shared_task\nfrom django.db.models import Q\nfrom shop.models import Author, Book\n"
        f"from shop.models import ReviewRole, Shelf\n{HELPERS}{lines}",
    }
    stack = stack_of(root, files)
    found: dict[str, list[Fail]] = {}
    for check in checks:
        for verdict in check(stack):
            if isinstance(verdict, Fail):
                found.setdefault(verdict.site.name.partition(":")[0].rpartition(".")[2], []).append(verdict)
    return found


def test_in_a_request(tmp_path: Path) -> None:
    assert causes(tmp_path, "shop/views.py") == {
        "plain": [""],
        "guarded": ["conditional"],
        "of_one_row": ["detail"],
        "of_one_key": ["detail"],
        "of_the_words_of_a_text": ["few"],
        "of_a_short_page": ["short"],
        "of_one_row_where": ["conditional-detail"],
        "after_an_early_turn": ["conditional"],
        "after_what_is_missing": [""],
        "until_one_turn_decides": ["conditional"],
        "beside_requests": ["beside"],
        "beside_pictures": ["beside"],
        "where_it_is_refused_and_goes_on": ["conditional"],
        "before_it_is_refused": [""],
        "beside_a_write": ["background", ""],
        "beside_two_writes": ["beside", ""],
        "for_admins": ["few"],
        "of_a_column": ["few"],
        "written_where": ["conditional"],
        "written_unless_dry": [""],
        "written_of_a_list": ["given"],
        "written_of_ten": ["few"],
        "written_of_one_row": ["given"],
        "written_beside_a_cache": [""],
        "written_beside_one": ["beside"],
        "written_and_needed": ["needed"],
        "written_as_posted": ["few"],
    }


def test_in_commands_and_tasks(tmp_path: Path) -> None:
    expected = {
        "plain": ["background"],
        "guarded": ["conditional"],
        "of_one_row": ["background"],
        "of_one_key": ["background"],
        "of_the_words_of_a_text": ["few"],
        "of_a_short_page": ["short"],
        "of_one_row_where": ["conditional-detail"],
        "after_an_early_turn": ["conditional"],
        "after_what_is_missing": ["background"],
        "until_one_turn_decides": ["conditional"],
        "beside_requests": ["beside"],
        "beside_pictures": ["beside"],
        "where_it_is_refused_and_goes_on": ["conditional"],
        "before_it_is_refused": ["background"],
        "beside_a_write": ["beside", "background"],
        "beside_two_writes": ["beside", "background"],
        "for_admins": ["few"],
        "of_a_column": ["few"],
        "written_where": ["conditional"],
        "written_unless_dry": ["background"],
        "written_of_a_list": ["background"],
        "written_of_ten": ["few"],
        "written_of_one_row": ["background"],
        "written_beside_a_cache": ["background"],
        "written_beside_one": ["beside"],
        "written_and_needed": ["needed"],
        "written_as_posted": ["few"],
    }
    command, crontab = "shop/management/commands/load.py", "0 3 * * * python /srv/manage.py load\n"
    assert causes(tmp_path / "commands", command, crontab=crontab) == expected
    assert causes(tmp_path / "tasks", "shop/mails.py", "@shared_task(bind=True)") == expected


def test_in_a_command_that_nothing_runs(tmp_path: Path) -> None:
    told = {
        name: BODIES[name]
        for name in ("plain", "guarded", "of_one_row", "beside_requests", "beside_a_write", "written_of_a_list")
    }
    counted = """
    print(Book.objects.count() > 0)
"""
    checks = (orm.n_plus_one_forward, orm.n_plus_one_reverse, orm.count_as_existence)
    bodies = {**told, "counted": counted}
    found = causes(tmp_path, "shop/management/commands/load.py", bodies=bodies, checks=checks)
    assert found == {name: ["by-hand"] for name in told if name != "written_of_a_list"}
    written = causes(tmp_path / "w", "shop/management/commands/load.py", bodies=told, checks=(orm.write_in_loop,))
    assert written == {"beside_a_write": ["by-hand"], "written_of_a_list": ["by-hand"]}


def test_each_queryset_is_told_the_whole_chain(tmp_path: Path) -> None:
    """Two loops hand their rows to one function: what the second one lacks is not less than what the first one does."""
    bodies = {
        "of_all": """
    for author in Author.objects.all():
        names_of(author)
""",
        "of_some": """
    for author in Author.objects.filter(name="a"):
        names_of(author)
""",
        "where": """
    for author in Author.objects.exclude(name="a"):
        if author.name:
            names_of(author)
""",
    }
    helper = {
        "shop/models.py": MODELS,
        "shop/__init__.py": "",
        "shop/views.py": "from shop.models import Author\n\n\ndef names_of(author):\n"
        "    return [[item.name for item in book.reviewer_set.all()] for book in author.book_set.all()]\n"
        + "".join(f"\ndef {name}(request):{body}\n" for name, body in bodies.items()),
    }
    found = {
        item.site.name.partition(":")[0].rpartition(".")[2]: (item.cause, item.values["paths"], item.values["each"])
        for item in orm.n_plus_one_reverse(stack_of(tmp_path, helper))
        if isinstance(item, Fail)
    }
    chain, each = "`book_set`, `book_set.reviewer_set`", "once for each Author, or for each row behind it"
    assert found == {
        "of_all": ("", chain, each),
        "of_some": ("", chain, each),
        "where": ("conditional", chain, "for each Author that a condition lets through"),
    }


def test_a_prefetch_for_few_rows_of_what_waits_for_others_is_not_told(tmp_path: Path) -> None:
    bodies = {
        "always": BODIES["of_one_row"].replace("print(", "self._client.post("),
        "where": BODIES["of_one_row_where"].replace("print(", "self._client.post("),
        "of_all_where": """
    for book in Book.objects.all():
        if book.title:
            self._client.post([review.name for review in book.reviewer_set.all()])
""",
    }
    assert causes(tmp_path, "shop/views.py", bodies=bodies) == {"always": ["beside"], "of_all_where": ["beside"]}


def test_how_often_is_said_as_it_is(tmp_path: Path) -> None:
    bodies = {name: BODIES[name] for name in ("plain", "guarded")}
    bodies["behind_the_rows"] = """
    for author in Author.objects.all():
        print([[reviewer.name for reviewer in book.reviewer_set.all()] for book in author.book_set.all()])
"""
    bodies["of_a_key_that_may_be_null"] = """
    for book in Book.objects.all():
        print(book.editor.name)
"""
    found = failures(tmp_path, "shop/views.py", "", bodies, (orm.n_plus_one_forward, orm.n_plus_one_reverse))
    assert {name: [fail.values["each"] for fail in fails] for name, fails in found.items()} == {
        "plain": ["once for each Book"],
        "guarded": ["for each Book that a condition lets through"],
        "behind_the_rows": ["once for each Author, or for each row behind it"],
        "of_a_key_that_may_be_null": ["once for each Book that has one"],
    }


OF_TWO = """\
from django.conf import settings
from django.db import models

class Shop(models.Model):
    name = models.CharField(max_length=80)

class Genre(models.Model):
    name = models.CharField(max_length=80)

class Author(models.Model):
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)

class Book(models.Model):
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)

class Note(models.Model):
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)
    genre = models.ForeignKey(Genre, on_delete=models.CASCADE)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="notes")
    next = models.ForeignKey("self", null=True, on_delete=models.CASCADE)
"""
OF_TWO_VIEWS = """\
from django.shortcuts import get_object_or_404
from django.views.generic import DetailView
from shop.models import Author, Book, Genre, Note, Shop

def of_a_book(request, pk):
    book = get_object_or_404(Book, pk=pk)
    for note in Note.objects.filter(user=request.user, book=book):
        print(note.next)

def of_books_of_an_author(request, pk):
    author = get_object_or_404(Author, pk=pk)
    for note in Note.objects.filter(user=request.user).filter(book__author=author):
        if note.genre_id > 3:
            print(note.next)

def behind_a_book(request, pk):
    book = get_object_or_404(Book, pk=pk)
    for note in book.notes.filter(user=request.user):
        print(note.next)

def of_all_books(request):
    for book in Book.objects.all():
        for note in Note.objects.filter(user=request.user, book=book):
            print(note.next)

def of_a_shop(request, pk):
    shop = get_object_or_404(Shop, pk=pk)
    for note in Note.objects.filter(user=request.user, shop=shop):
        print(note.next)

def of_a_genre(request, pk):
    genre = get_object_or_404(Genre, pk=pk)
    for note in Note.objects.filter(user=request.user, genre=genre):
        print(note.next)

def of_a_book_and_an_author(request, pk):
    book = get_object_or_404(Book, pk=pk)
    for note in Note.objects.filter(book=book, book__author=book.author):
        print(note.next)

class BookView(DetailView):
    model = Book

    def of_self_object(self):
        return [note.next for note in Note.objects.filter(book=self.object)]

    def of_self_object_and_user(self):
        return [note.next for note in Note.objects.filter(book=self.object, user=self.request.user)]
"""


def test_rows_of_one_user_and_of_something_else_are_fewer(tmp_path: Path) -> None:
    others = "".join(f"class Page{number}(models.Model):\n    pass\n\n" for number in range(4))
    belonging = "".join(
        f"class Shelf{number}(models.Model):\n    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)\n\n"
        for number in range(3)
    )
    files = {"shop/__init__.py": "", "shop/models.py": OF_TWO + others + belonging, "shop/views.py": OF_TWO_VIEWS}
    found = {
        item.site.name.partition(":")[0].rpartition(".")[2]: (item.cause, item.cost and item.cost.assumed)
        for item in orm.n_plus_one_forward(stack_of(tmp_path, files))
        if isinstance(item, Fail)
    }
    assert found == {
        "of_a_book": ("pair", "2 rows of one User and of one Book, assumed"),
        "of_books_of_an_author": ("conditional-pair", "2 rows of one User and of one Author, assumed"),
        "behind_a_book": ("pair", "2 rows of one User and of one Book, assumed"),
        "of_all_books": ("own", "10 rows of one User, assumed"),
        "of_a_shop": ("own", "10 rows of one User, assumed"),
        "of_a_genre": ("own", "10 rows of one User, assumed"),
        "of_a_book_and_an_author": ("detail", "10 rows of one Book, assumed"),
        "of_self_object": ("detail", "10 rows of one Book, assumed"),
        "of_self_object_and_user": ("pair", "2 rows of one User and of one Book, assumed"),
    }


def test_nobody_waits_for_an_index(tmp_path: Path) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "shop/search_indexes.py": """
from haystack import indexes
from .models import Author, Book

class BookIndex(indexes.SearchIndex, indexes.Indexable):
    text = indexes.CharField(document=True, model_attr="title")
    author = indexes.CharField(model_attr="author__name")

    def get_model(self):
        return Book

    def prepare_text(self, book):
        return [reviewer.name for reviewer in book.reviewer_set.all()]
""",
        "shop/feeds.py": """
from django.contrib.syndication.views import Feed
from .models import Book

class NewBooks(Feed):
    title = description = link = "/new/"

    def items(self):
        return Book.objects.all()

    def item_link(self, book):
        return f"/books/{book.pk}/"

    def item_author_name(self, book):
        return book.author.name
""",
    }
    stack = stack_of(tmp_path, files)
    found = [*orm.n_plus_one_forward(stack), *orm.n_plus_one_reverse(stack)]
    told = sorted((item.site.place.path, item.cause) for item in found if isinstance(item, Fail))
    assert told == [("shop/feeds.py", ""), ("shop/search_indexes.py", "background"),
                    ("shop/search_indexes.py", "background")]  # fmt: skip
