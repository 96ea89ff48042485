"""Functions, classes and objects that are handed around before they meet the rows."""

from contextlib import contextmanager
from functools import partial, reduce, wraps
from operator import attrgetter

from shop.models import Author, Book, Note


def line(mark, book):
    return f"{mark} {book.author.name}"


def grows_partial():
    return list(map(partial(line, "-"), Book.objects.all()))


def flat_partial():
    return list(map(partial(line, "-"), Book.objects.select_related("author")))


def grows_partial_of_a_row():
    calls = [partial(line, "-", book) for book in Book.objects.all()]
    return [call() for call in calls]


def grows_partial_with_names():
    show = partial(line, mark="-")
    return [show(book=book) for book in Book.objects.all()]


def grows_reduce():
    return reduce(lambda names, book: names + book.author.name, Book.objects.all(), "")


def flat_reduce():
    return reduce(lambda total, book: total + book.price, Book.objects.all(), 0)


def grows_sort():
    books = list(Book.objects.all())
    books.sort(key=lambda book: book.author.name)
    return books


def flat_sort():
    books = list(Book.objects.all())
    books.sort(key=lambda book: book.title)
    return books


def with_author(function):
    @wraps(function)
    def wrapper(book, *args):
        return function(book, book.author, *args)

    return wrapper


def noted(text):
    def decorator(function):
        @wraps(function)
        def wrapper(*args, **kwargs):
            Note.objects.filter(text=text, object_id=args[0].pk).first()
            return function(*args, **kwargs)

        return wrapper

    return decorator


def quiet(function):
    @wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@with_author
def credit(book, author):
    return f"{book.title} by {author.name}"


@with_author
def country(book, author):
    return author.country.name


@noted("shown")
def shown(book):
    return book.title


@quiet
def title(book):
    return book.title


def grows_decorator_that_reads():
    return [credit(book) for book in Book.objects.all()]


def flat_decorator_that_reads():
    return [credit(book) for book in Book.objects.select_related("author")]


def grows_behind_what_a_decorator_gives():
    return [country(book) for book in Book.objects.select_related("author")]


def grows_decorator_that_asks():
    return [shown(book) for book in Book.objects.all()]


def flat_decorator():
    return [title(book) for book in Book.objects.all()]


class Shelf:
    def __init__(self, books):
        self.books = books

    def __iter__(self):
        return iter(self.books)

    def __enter__(self):
        return self.books.all()

    def __exit__(self, *args):
        return False


def grows_iter():
    return [book.author.name for book in Shelf(Book.objects.all())]


def flat_iter():
    return [book.author.name for book in Shelf(Book.objects.select_related("author"))]


def grows_list_of_iter():
    return [book.author.name for book in list(Shelf(Book.objects.all()))]


def grows_enter():
    with Shelf(Book.objects.all()) as books:
        return [book.author.name for book in books]


def flat_enter():
    with Shelf(Book.objects.select_related("author")) as books:
        return [book.author.name for book in books]


@contextmanager
def opened(books):
    yield books.all()


def grows_context_manager():
    with opened(Book.objects.all()) as books:
        return [book.author.name for book in books]


def by_author(book):
    return book.author.name


def by_title(book):
    return book.title


class Column:
    def __init__(self, name, get):
        self.name = name
        self.get = get


class Plain:
    def show(self, book):
        return book.title


class Full(Plain):
    def show(self, book):
        return f"{book.author.name}: {super().show(book)}"


SHOWS = {"title": by_title, "author": by_author}
CLASSES = {"plain": Plain, "full": Full}
MANAGERS = {"book": Book, "author": Author}


def grows_columns():
    columns = [("title", by_title), ("author", by_author)]
    return [[get(book) for _, get in columns] for book in Book.objects.all()]


def flat_columns():
    columns = [("title", by_title), ("price", lambda book: book.price)]
    return [[get(book) for _, get in columns] for book in Book.objects.all()]


def grows_column_objects():
    columns = [Column("title", by_title), Column("author", lambda book: book.author.name)]
    return [[column.get(book) for column in columns] for book in Book.objects.all()]


def grows_dictionary_of_functions(kind="author"):
    show = SHOWS[kind]
    return [show(book) for book in Book.objects.all()]


def grows_dictionary_of_classes(kind="full"):
    shown = CLASSES[kind]()
    return [shown.show(book) for book in Book.objects.all()]


def flat_entry_of_classes():
    shown = CLASSES["plain"]()
    return [shown.show(book) for book in Book.objects.all()]


def grows_dictionary_of_models(kind="author"):
    return [MANAGERS[kind].objects.get(pk=book.author_id) for book in Book.objects.all()]


TABLE = {Book: by_author, Author: lambda author: author.name}


def grows_dictionary_by_model():
    return [show(row) for model, show in TABLE.items() for row in model.objects.all()]


def grows_dictionary_by_type():
    return [TABLE[type(book)](book) for book in Book.objects.all()]


def flat_dictionary_by_type():
    return [TABLE[type(author)](author) for author in Author.objects.all()]


class Index:
    fields = ("title", "author")

    def prepare(self, book):
        return {name: getattr(self, f"prepare_{name}")(book) for name in self.fields}

    def prepare_title(self, book):
        return book.title

    def prepare_author(self, book):
        return book.author.name


def grows_methods_by_name():
    index = Index()
    return [index.prepare(book) for book in Book.objects.all()]


GETTERS = [attrgetter("title"), attrgetter("author.name")]


def grows_by_getters_of_a_list():
    return [[getter(book) for getter in GETTERS] for book in Book.objects.all()]


def flat_by_getters_of_a_list():
    return [[getter(book) for getter in GETTERS] for book in Book.objects.select_related("author")]


def flat_under_a_key_that_is_not_held():
    given = {"all": Book.objects.all()}
    return [book.author.name for book in given.get("some") or ()]


class Presenter:
    def __init__(self, row):
        self.row = row

    def __getattr__(self, name):
        return getattr(self.row, name)

    def __str__(self):
        return f"{self.row.title} by {self.row.author.name}"


def grows_behind_a_presenter():
    return [Presenter(book).author.name for book in Book.objects.all()]


def flat_behind_a_presenter():
    return [Presenter(book).author.name for book in Book.objects.select_related("author")]


def grows_as_the_text_of_an_object():
    return [str(Presenter(book)) for book in Book.objects.all()]


def flat_as_the_text_of_an_object():
    return [f"{Presenter(book)}" for book in Book.objects.select_related("author")]


class Visitor:
    def visit(self, row):
        return getattr(self, "visit_" + type(row).__name__.lower())(row)

    def visit_book(self, book):
        return book.author.name

    def visit_author(self, author):
        return author.name


def grows_for_a_visitor():
    return [Visitor().visit(book) for book in Book.objects.all()]


def flat_for_a_visitor():
    return [Visitor().visit(author) for author in Author.objects.all()]
