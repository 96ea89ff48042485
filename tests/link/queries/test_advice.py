"""What is told to be loaded exists: every path begins at the model of the queryset that it is to be appended to."""

from __future__ import annotations

from stackaudit.link.queries.advice import leads, loading, of_one, outermost
from stackaudit.link.queries.events import Event
from stackaudit.link.queries.lookups import is_joined, lookups
from stackaudit.link.queries.roots import apart
from tests.link.queries import oracle

PROGRAM = (oracle.PROJECT / "sites.py").read_text(encoding="utf-8")
CHAIN = """
def pages():
    for author in Author.objects.all():
        for book in author.books.all():
            for chapter in book.chapter_set.all():
                print(chapter.title, book.publisher.name)
            print([note.text for note in book.notes.filter(text="x")])
"""


def failing(program: str) -> list[Event]:
    events = oracle.walked(program).events
    return [event for event in events if event.outcome == "fail" and event.kind in ("forward", "reverse", "deferred")]


def test_every_path_begins_at_its_queryset() -> None:
    found = [(event, outermost(event)) for event in failing(PROGRAM)]
    assert len(found) > 50
    lost = [event.text for event, moved in found if not (leads(event) and leads(moved))]
    bare = [event.text for event, _ in found if event.origin is not None and event.origin.model is None]
    assert (lost, bare) == ([], [])


def test_down_a_chain() -> None:
    moved = [outermost(event) for event in failing(oracle.HEAD + CHAIN)]
    origin = moved[0].origin
    assert origin is not None
    assert [(event.origin.text if event.origin else "", event.path) for event in moved] == [
        ("Author.objects.all()", ("books",)),
        ("Author.objects.all()", ("books", "chapter_set")),
        ("Author.objects.all()", ("books", "publisher")),
        ("Author.objects.all()", ("books", "notes")),
    ]
    assert loading(origin, moved) == '.prefetch_related("books__chapter_set", "books__publisher", "books__notes")'


def test_every_branch_is_named() -> None:
    program = """
def several(drafts):
    if drafts:
        books = Book.objects.filter(title="")
    else:
        books = Book.objects.order_by("title")
    return [book.author.name for book in books]
"""
    (event,) = failing(oracle.HEAD + program)
    assert event.origin is not None
    assert of_one(event.origin, event.origin.text, [event]) == (
        'Append `.select_related("author")` to `Book.objects.filter(title="")` and `Book.objects.order_by("title")`.'
    )


def test_every_queryset_that_fills_a_list_is_named() -> None:
    program = """
def filled():
    books = []
    books.extend(list(Book.objects.filter(title="")))
    books.extend(Book.objects.exclude(title="").order_by("title"))
    return [book.author.name for book in books]


def of_one_queryset():
    books, found = Book.objects.order_by("pk"), []
    found.extend(books.filter(title=""))
    found.extend(books.exclude(title=""))
    return [book.author.name for book in found]
"""
    told = [of_one(item.origin, item.origin.text, [item]) for item in failing(oracle.HEAD + program) if item.origin]
    assert told == [
        'Append `.select_related("author")` to `Book.objects.filter(title="")` and '
        '`Book.objects.exclude(title="").order_by("title")`.',
        'Append `.select_related("author")` to `Book.objects.order_by("pk")`.',
    ]


def test_a_helper_that_serves_several_models_is_no_place_for_a_fix() -> None:
    program = """
def marked(rows):
    return rows.annotate(mark=Count("pk"))


def of_books():
    return [book.author.name for book in marked(Book.objects.all())]


def of_chapters():
    return [chapter.book.title for chapter in marked(Chapter.objects.order_by("pk"))]
"""
    found = apart(event for event in failing(oracle.HEAD + program))
    told = [(event.origin.text, of_one(event.origin, event.origin.text, [event])) for event in found if event.origin]
    assert told == [
        ("Book.objects.all()", 'Append `.select_related("author")` to `Book.objects.all()`.'),
        ('Chapter.objects.order_by("pk")', 'Append `.select_related("book")` to `Chapter.objects.order_by("pk")`.'),
    ]


def test_names_take_the_place_of_a_bare_select_related() -> None:
    (event,) = (event for event in failing(PROGRAM) if event.where.endswith("grows_bare_select_related"))
    assert loading(event.origin, [event]) == '.select_related("author__country", "publisher", "editor")'


def test_joined_paths() -> None:
    model = next(event.model for event in failing(PROGRAM) if event.model is not None and event.model.name == "Book")
    paths = [("author",), ("author", "country"), ("author", "profile"), ("tags",), ("author", "books"), ("notes",)]
    assert [is_joined(model, path) for path in paths] == [True, True, True, False, False, False]


def test_longer_paths_hold_shorter_ones() -> None:
    paths = [("author",), ("author", "country"), ("authors",), ("author",)]
    assert lookups(paths) == ["author__country", "authors"]


def test_one_row_takes_no_calls_behind_it() -> None:
    program = """
def first():
    author = Author.objects.order_by("pk").prefetch_related("books").first()
    return [book.publisher.name for book in author.books.all()]


def long_one():
    author = Author.objects.exclude(name="somebody").filter(pk__gt=0).order_by("pk").prefetch_related("books").first()
    return [book.publisher.name for book in author.books.all()]
"""
    moved = [(event, event.origin) for event in map(outermost, failing(oracle.HEAD + program))]
    told = [of_one(origin, origin.text, [event]).partition(" in ")[0] for event, origin in moved if origin is not None]
    assert told == ['Put `.prefetch_related("books__publisher")` before `.first(…)`'] * 2
