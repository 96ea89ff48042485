"""Fixes for code that serves others, too: what is told about it, and that real Django runs no query for each row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.applied import applied
from tests.checks.test_template_fixes import MODELS, VIEWS, fixes
from tests.link.queries import oracle

HEAD = (
    oracle.HEAD
    + """from django.db.models import OuterRef, Subquery


def dearest(author):
    return author.books.order_by("-price").first()


def dearest_of(author):
    return author.books.order_by("-price").first()


def dear(author):
    return author.books.filter(price__gt=0)


def kin(author):
    return author.books.filter(publisher__book__author=author).order_by("title")


def titles(author):
    print(author.name)
    return list(author.books.values_list("title", flat=True))


def publishers(author):
    print(author.name)
    return list(author.books.exclude(price=0).values_list("publisher__name", flat=True))


class Mail:
    def named(self, author):
        return list(author.books.exclude(price=0).values_list("publisher__name", flat=True))

    def __call__(self, author):
        print(self.named(author))


class Post:
    def named(self, author):
        return list(author.books.exclude(price=0).values_list("publisher__name", flat=True))

    def process(self, author):
        print(self.named(author))


mail = Mail()
post = Post().process


def ordered(author):
    return author.books.order_by("title")


def by_title(books):
    return [book.title for book in books.order_by("title")]


def dear_ones(books):
    return [book.title for book in books.filter(price__gt=0)]


def named(author):
    return [book.title for book in author.books.filter(title="a")]
"""
)
OTHERS = """

def others():
    author = Author.objects.get(pk=1)
    print(publishers(author), mail(author), post(author))
    print(dearest(author), dearest_of(author), dear(author), list(kin(author)), titles(author), list(ordered(author)))
"""
"""Code that runs what the cases run, on its last two lines: `%d` in a text is the last one, `%p` the one before."""
CASES = {
    "picks": (
        """
    for author in Author.objects.all():
        print(dearest(author).title)
""",
        "Append "
        '`.annotate(…=Subquery(Book.objects.filter(author=OuterRef("pk")).order_by("-price").values("pk")[:1]))` to '
        "`Author.objects.all()`. `shop.views.dearest` serves others, too (shop/views.py:%d): leave it alone, fetch the "
        "rows of these keys with one `Book.objects.in_bulk(keys)`, set each on its row and that row on it "
        "(`book.author = row`), as the manager does, and read that in place of `dearest(author)`.",
        """
    keys = Book.objects.filter(author=OuterRef("pk")).order_by("-price").values("pk")[:1]
    authors = list(Author.objects.annotate(key=Subquery(keys)))
    found = Book.objects.in_bulk([author.key for author in authors])
    for author in authors:
        author.dearest = found[author.key]
    for author in authors:
        print(author.dearest.title)
""",
    ),
    "picks_behind_a_row": (
        """
    for book in Book.objects.all():
        print(book.pk, dearest_of(book.author).title)
""",
        'Append `.annotate(…=Subquery(Book.objects.filter(author=OuterRef("author"))'
        '.order_by("-price").values("pk")[:1]))` to `Book.objects.all()`. `shop.views.dearest_of` serves others, too ('
        "shop/views.py:%d): leave it alone, fetch the rows of these keys with one `Book.objects.in_bulk(keys)`, set "
        "each on its row and that row on it (`book.author = row`), as the manager does, and read that in place of "
        "`dearest_of(book.author)`.",
        """
    keys = Book.objects.filter(author=OuterRef("author")).order_by("-price").values("pk")[:1]
    books = list(Book.objects.select_related("author").annotate(key=Subquery(keys)))
    found = Book.objects.in_bulk([book.key for book in books])
    for book in books:
        print(book.pk, found[book.key].title)
""",
    ),
    "filters": (
        """
    for author in Author.objects.all():
        print([book.title for book in dear(author)])
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.filter(price__gt=0), to_attr="…"))` to '
        "`Author.objects.all()`. `shop.views.dear` serves others, too (shop/views.py:%d): leave it alone, bring the "
        "rows under a name of their own, and read that in place of `dear(author)`.",
        """
    for author in Author.objects.prefetch_related(
        Prefetch("books", queryset=Book.objects.filter(price__gt=0), to_attr="dear")
    ):
        print([book.title for book in author.dear])
""",
    ),
    "filters_by_the_row": (
        """
    for author in Author.objects.all():
        print([book.title for book in kin(author)])
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.prefetch_related("publisher__book_set"), '
        'to_attr="…"))` to `Author.objects.all()`. `shop.views.kin` serves others, too (shop/views.py:%d): leave it '
        "alone, bring the rows under a name of their own, and read that in place of `kin(author)`.",
        """
    books = Prefetch("books", queryset=Book.objects.prefetch_related("publisher__book_set"), to_attr="kin")
    for author in Author.objects.prefetch_related(books):
        beside = {book: book.publisher.book_set.all() for book in author.kin}
        print([book.title for book in author.kin if any(other.author_id == author.pk for other in beside[book])])
""",
    ),
    "takes_values": (
        """
    for author in Author.objects.all():
        print(titles(author))
""",
        'Append `.prefetch_related(Prefetch("books", to_attr="…"))` to `Author.objects.all()`. `shop.views.titles` '
        "serves others, too (shop/views.py:%d): bring the rows under a name of their own, and let it read that, and "
        "ask where there is none.",
        """
    for author in Author.objects.prefetch_related(Prefetch("books", to_attr="brought")):
        print([book.title for book in author.brought])
""",
    ),
    "takes_values_behind_a_key": (
        """
    for author in Author.objects.all():
        print(publishers(author))
""",
        'Append `.prefetch_related(Prefetch("books", '
        'queryset=Book.objects.select_related("publisher").exclude(price=0), to_attr="…"))` to `Author.objects.all()`. '
        "`shop.views.publishers` serves others, too (shop/views.py:%p): "
        "bring the rows under a name of their own, and let it read that, and ask where there is none.",
        """
    books = Book.objects.select_related("publisher").exclude(price=0)
    for author in Author.objects.prefetch_related(Prefetch("books", queryset=books, to_attr="brought")):
        print([book.publisher.name for book in author.brought])
""",
    ),
    "calls_an_object": (
        """
    for author in Author.objects.all():
        mail(author)
""",
        'Append `.prefetch_related(Prefetch("books", '
        'queryset=Book.objects.select_related("publisher").exclude(price=0), to_attr="…"))` to `Author.objects.all()`. '
        "`shop.views.Mail.named` serves others, too (shop/views.py:%p): "
        "bring the rows under a name of their own, and let it read that, and ask where there is none.",
        """
    books = Book.objects.select_related("publisher").exclude(price=0)
    for author in Author.objects.prefetch_related(Prefetch("books", queryset=books, to_attr="brought")):
        print([book.publisher.name for book in author.brought])
""",
    ),
    "calls_a_bound_method": (
        """
    for author in Author.objects.all():
        post(author)
""",
        'Append `.prefetch_related(Prefetch("books", '
        'queryset=Book.objects.select_related("publisher").exclude(price=0), to_attr="…"))` to `Author.objects.all()`. '
        "`shop.views.Post.named` serves others, too (shop/views.py:%p): "
        "bring the rows under a name of their own, and let it read that, and ask where there is none.",
        """
    books = Book.objects.select_related("publisher").exclude(price=0)
    for author in Author.objects.prefetch_related(Prefetch("books", queryset=books, to_attr="brought")):
        print([book.publisher.name for book in author.brought])
""",
    ),
    "sorts": (
        """
    for author in Author.objects.all():
        print([book.title for book in ordered(author)])
""",
        'Append `.prefetch_related("books")` to `Author.objects.all()`. In `shop.views.ordered` sort '
        "`author.books.all()` in Python: `order_by()` asks the database even where `books` is prefetched.",
        """
    for author in Author.objects.prefetch_related("books"):
        print(sorted(book.title for book in author.books.all()))
""",
    ),
    "alone": (
        """
    for author in Author.objects.all():
        print(named(author))
""",
        'Append `.prefetch_related("books")` to `Author.objects.all()`. In `shop.views.named` filter '
        "`author.books.all()` in Python (where each row has few of them): `filter()` asks the database even where "
        "`books` is prefetched.",
        """
    for author in Author.objects.prefetch_related("books"):
        print([book.title for book in author.books.all() if book.title == "a"])
""",
    ),
    "sorts_what_it_is_given": (
        """
    for author in Author.objects.all():
        print(by_title(author.books))
""",
        'Append `.prefetch_related("books")` to `Author.objects.all()`. In `shop.views.by_title` sort the rows of '
        "whatever relation it is given in Python: `order_by()` asks the database even where `books` is prefetched.",
        """
    for author in Author.objects.prefetch_related("books"):
        print(sorted(book.title for book in author.books.all()))
""",
    ),
    "filters_by_what_a_query_finds": (
        """
    tags = Tag.objects.filter(name="a")
    for author in Author.objects.all():
        print([book.title for book in author.books.filter(tags__in=tags)])
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.filter(tags__in=tags), to_attr="…"))` to '
        "`Author.objects.all()`. In `shop.views.filters_by_what_a_query_finds` read that list in place of "
        "`author.books.filter(tags__in=tags)`: `filter()` asks the database even where `books` is prefetched.",
        """
    tags = Tag.objects.filter(name="a")
    tagged = Prefetch("books", queryset=Book.objects.filter(tags__in=tags), to_attr="tagged")
    for author in Author.objects.prefetch_related(tagged):
        print([book.title for book in author.tagged])
""",
    ),
    "filters_by_what_a_dictionary_holds": (
        """
    wanted = {"tags__in": Tag.objects.filter(name="a")}
    for author in Author.objects.all():
        print(list(author.books.filter(**wanted).values_list("title", flat=True)))
""",
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.filter(**wanted), to_attr="…"))` to '
        "`Author.objects.all()`. In `shop.views.filters_by_what_a_dictionary_holds` take the values from that list in "
        'place of `author.books.filter(**wanted).values_list("title", flat=True)`: `filter()` asks the database even '
        "where `books` is prefetched.",
        """
    tags = Tag.objects.filter(name="a")
    tagged = Prefetch("books", queryset=Book.objects.filter(tags__in=tags), to_attr="tagged")
    for author in Author.objects.prefetch_related(tagged):
        print([book.title for book in author.tagged])
""",
    ),
    "filters_by_what_the_row_finds": (
        """
    for author in Author.objects.all():
        own = Tag.objects.filter(name=author.name)
        print([book.title for book in author.books.filter(tags__in=own)])
""",
        'Append `.prefetch_related("books__tags")` to `Author.objects.all()`. In '
        "`shop.views.filters_by_what_the_row_finds` filter `author.books.all()` in Python (where each row has few of "
        "them): `filter()` asks the database even where `books` is prefetched.",
        """
    for author in Author.objects.prefetch_related("books__tags"):
        books = author.books.all()
        print([book.title for book in books if author.name in [tag.name for tag in book.tags.all()]])
""",
    ),
}


def program(index: int) -> str:
    return HEAD + OTHERS + "".join(f"\n\ndef {name}():{case[index]}" for name, case in CASES.items())


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return applied(program(0)).fixes


@pytest.mark.parametrize("name", CASES)
def test_what_is_told_of_shared_code_helps(name: str, told: dict[str, list[str]]) -> None:
    line = program(0).splitlines().index(OTHERS.splitlines()[-1]) + 1
    assert told[name] == [CASES[name][1].replace("%d", str(line)).replace("%p", str(line - 1))]
    assert (oracle.grows(program(0), name), oracle.grows(program(2), name)) == (True, False)


def test_what_templates_ask_of_rows_is_no_list(tmp_path: Path) -> None:
    template = "{% for book in books %}{% for t in book.red.all %}{{ t }}{% endfor %}{% endfor %}"
    told = fixes(tmp_path, template)
    (tmp_path / "shop/templates/book.html").write_text("{{ book.red.count }}")
    assert [*told, *fixes(tmp_path, template)] == [
        'Add `.prefetch_related("tags")` to `Book.objects.all()` in shop.views.shelf. In `shop.models.Book.red` filter '
        "`self.tags.all()` in Python (where each row has few of them): `filter()` asks the database even where `tags` "
        "is prefetched. What it gives is a list then, which has no such methods: change `book.red.all` in "
        "shop/templates/shelf.html.",
        'Add `.prefetch_related(Prefetch("tags", queryset=Tag.objects.filter(name="red"), to_attr="…"))` to '
        "`Book.objects.all()` in shop.views.shelf. `shop.models.Book.red` serves others, too ("
        "shop/templates/book.html:1): leave it alone, bring the rows under a name of their own, and read that in place "
        "of `book.red.all` in shop/templates/shelf.html.",
    ]


ORDERED_SOMEHOW = MODELS.replace(
    "max_length=80)\n\nclass Book", "max_length=80)\n\n    class Meta:\n        ordering = made()\n\nclass Book"
)


def test_an_argument_has_no_index(tmp_path: Path) -> None:
    template = "{% for book in books %}{{ book.title|default:book.tags.first.name }}{% endfor %}"
    assert fixes(tmp_path, template, models=ORDERED_SOMEHOW) == [
        'Add `.prefetch_related("tags")` to `Book.objects.all()` in shop.views.shelf. In `shop/templates/shelf.html` '
        "put `{% with first=book.tags.all|first %}…{% endwith %}` around it and write `first.name` for "
        "`book.tags.first.name`: `first` asks the database even where `tags` is prefetched."
    ]


def test_templates_that_change_alike_are_told_together(tmp_path: Path) -> None:
    asked = "{{ book.title|default:book.tags.first.name }}"
    (tmp_path / "shop/templates").mkdir(parents=True)
    (tmp_path / "shop/templates/part.html").write_text(asked)
    template = "{% for book in books %}" + asked + '{% include "part.html" %}{% endfor %}'
    (fix,) = fixes(tmp_path, template, models=ORDERED_SOMEHOW)
    told = "In `shop/templates/shelf.html` and `shop/templates/part.html` put `{% with first=book.tags.all|first %}"
    assert (fix.count(told), fix.count("{% with")) == (1, 1)


def test_what_filters_of_templates_narrow(tmp_path: Path) -> None:
    (tmp_path / "shop/templatetags").mkdir(parents=True)
    (tmp_path / "shop/templatetags/narrowing.py").write_text("""
from django import template
from ..models import Book

register = template.Library()

@register.filter
def known(tags, shelf):
    return tags.exclude(book__in=Book.objects.filter(author__name=shelf))

@register.filter
def written(tags, shelf):
    return tags.filter(book__author__name=shelf)
""")
    told = [
        fixes(
            tmp_path,
            "{% load narrowing %}{% for book in books %}{% with few=book.tags.all|" + name + ":'a'|slice:5 %}"
            "{% for t in few %}{{ t }}{% endfor %}{% endwith %}{% endfor %}",
        )
        for name in ("known", "written")
    ]
    assert told == [
        [
            'Add `.prefetch_related(Prefetch("tags", queryset=Tag.objects.exclude(…), to_attr="…"))` to '
            "`Book.objects.all()` in shop.views.shelf. For `shop/templates/shelf.html` read that list in place of "
            '`book.tags.all|known:"a"`: `exclude` asks the database even where `tags` is prefetched.'
        ],
        [
            'Add `.prefetch_related("tags__book_set__author")` to `Book.objects.all()` in shop.views.shelf. For '
            "`shop/templates/shelf.html` filter the rows of `tags.all()` in Python (where each row has few of them): "
            "`filter` asks the database even where `tags` is prefetched."
        ],
    ]


def test_numbers_by_several_filters_of_code_that_serves_others(tmp_path: Path) -> None:
    models = MODELS + '\n    def blue(self):\n        return self.tags.filter(name="blue")\n'
    template = (
        "{% for book in books %}{{ book.red.count }} of {{ book.blue.count }}"
        "{% for t in book.tags.all %}{{ t }}{% endfor %}{% endfor %}"
    )
    fixes(tmp_path, template, VIEWS, models)
    (tmp_path / "shop/templates/book.html").write_text("{{ book.red.first }}{{ book.blue.first }}")
    assert fixes(tmp_path, template, VIEWS, models) == [
        'Add `.prefetch_related("tags").annotate(…=Count("tags", distinct=True, filter=Q(…)), …=Count("tags", '
        "distinct=True, filter=Q(…)))` to `Book.objects.all()` in "
        "shop.views.shelf and show what is annotated in place of `book.red.count` and `book.blue.count` in "
        "`shop/templates/shelf.html`."
    ]


def test_a_list_that_shared_code_reads_tells_it_their_number(tmp_path: Path) -> None:
    both = """

def weighed(author):
    return author.books.filter(price__gt=0).count() and [book.title for book in author.books.filter(price__gt=0)]


def all_weighed():
    for author in Author.objects.all():
        print(weighed(author))


def others_weighed():
    print(weighed(Author.objects.get(pk=1)))
"""
    line = (HEAD + both).splitlines().index("    print(weighed(Author.objects.get(pk=1)))") + 1
    assert applied(HEAD + both).fixes["all_weighed"] == [
        'Append `.prefetch_related(Prefetch("books", queryset=Book.objects.filter(price__gt=0), to_attr="…"))` to '
        f"`Author.objects.all()`. `shop.views.weighed` serves others, too (shop/views.py:{line}): leave it alone, "
        "bring the rows under a name of their own, and read that in place of `weighed(author)`."
    ]
