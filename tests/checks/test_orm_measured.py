"""What the rules of `orm` call wasteful costs more on real Django than what their fixes say; the rules agree."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from stackaudit import config
from stackaudit.scan import scan
from tests.link.queries import oracle

SIZES = (4, 9)
HEAD = "from django.db.models import F, Prefetch, Sum\nfrom shop.models import Author, Book, Chapter, Country, Tag\n"
PAIRS: dict[str, tuple[str, str, str]] = {
    # name: (rule, wasteful, better)
    "exists first": (
        "exists-then-evaluate",
        """
        books = Book.objects.filter(price=1)
        if books.exists():
            return [book.title for book in books]
        """,
        """
        books = Book.objects.filter(price=1)
        if books:
            return [book.title for book in books]
        """,
    ),
    "count first": (
        "exists-then-evaluate",
        """
        books = Book.objects.all()
        print(books.count())
        return [book.title for book in books]
        """,
        """
        books = Book.objects.all()
        print(len(books))
        return [book.title for book in books]
        """,
    ),
    "key of each author": (
        "fk-id-dereference",
        "return [book.author.pk for book in Book.objects.all()]",
        "return [book.author_id for book in Book.objects.all()]",
    ),
    "key of one": (
        "fk-id-dereference",
        """
        book = Book.objects.get(title="book 0.0")
        return book.author.id
        """,
        """
        book = Book.objects.get(title="book 0.0")
        return book.author_id
        """,
    ),
    "first twice": (
        "repeated-evaluation",
        """
        books = Book.objects.order_by("title")
        return books.first().title, books.first().price
        """,
        """
        book = Book.objects.order_by("title").first()
        return book.title, book.price
        """,
    ),
    "first, asked before it is read": (
        "repeated-evaluation",
        """
        books = Book.objects.order_by("title")
        short = (
            books.first().price < 3
            if books.first()
            else True
        )
        return short, books.first().title
        """,
        """
        books = Book.objects.order_by("title")
        answer = books.first()
        short = (
            answer.price < 3
            if answer
            else True
        )
        return short, answer.title
        """,
    ),
    "all twice": (
        "repeated-evaluation",
        "return [tag.name for tag in Tag.objects.all()], [tag.pk for tag in Tag.objects.all()]",
        """
        tags = Tag.objects.all()
        return [tag.name for tag in tags], [tag.pk for tag in tags]
        """,
    ),
    "counted after they were loaded": (
        "count-as-existence",
        """
        author = Author.objects.get(name="author 0")
        are_dear = all([book.price > 1 for book in author.books.all()])
        return author.books.all().count() > 0 and are_dear
        """,
        """
        author = Author.objects.get(name="author 0")
        books = list(author.books.all())
        are_dear = all([book.price > 1 for book in books])
        return bool(books) and are_dear
        """,
    ),
    "prefetched for nothing": (
        "unused-eager-load",
        'return [author.name for author in Author.objects.prefetch_related("books")]',
        "return [author.name for author in Author.objects.all()]",
    ),
    "the same in a loop": (
        "loop-invariant-query",
        """
        titles = ["a", "b", "c"]
        return [title for title in titles if title in Book.objects.values_list("title", flat=True)]
        """,
        """
        titles = ["a", "b", "c"]
        known = Book.objects.values_list("title", flat=True)
        return [title for title in titles if title in known]
        """,
    ),
}
LOADING: dict[str, tuple[str, str, str]] = {
    "length": ("loads-rows-to-count", "return len(Book.objects.all())", "return Book.objects.count()"),
    "truth": (
        "loads-rows-to-count",
        """
        books = Book.objects.all()
        if not books:
            return "none"
        """,
        """
        books = Book.objects.all()
        if not books.exists():
            return "none"
        """,
    ),
    "member": (
        "loads-rows-to-count",
        """
        book = Book.objects.get(title="book 0.0")
        return book in Book.objects.filter(price=1)
        """,
        """
        book = Book.objects.get(title="book 0.0")
        return Book.objects.filter(price=1).contains(book)
        """,
    ),
    "sum": (
        "python-aggregation",
        "return sum(book.price for book in Book.objects.all())",
        'return Book.objects.aggregate(value=Sum("price", default=0))["value"]',
    ),
}


def function(name: str, body: str) -> str:
    return f"def {name}():\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"


def failed(rule: str, program: str, tmp_path: Path) -> list[int]:
    """The lines at which a rule fails in a program over the models of the oracle's project."""
    (tmp_path / "shop").mkdir()
    files = {"shop/__init__.py": "", "shop/views.py": program}
    files["shop/models.py"] = (oracle.PROJECT / "shop/models.py").read_text(encoding="utf-8")
    for path, text in files.items():
        (tmp_path / path).write_text(text, encoding="utf-8")
    wishes = config.convert({"select": [f"orm/{rule}"], "no-cache": True, "jobs": 1}, config.Config, "")
    return [item.location.line for item in scan(tmp_path, wishes).findings]


@pytest.mark.parametrize("name", PAIRS)
def test_fewer_queries(name: str, tmp_path: Path) -> None:
    rule, wasteful, better = PAIRS[name]
    program = HEAD + function("wasteful", wasteful) + function("better", better)
    for size in SIZES:
        slow, fast = (oracle.ask(program, which, size) for which in ("wasteful", "better"))
        assert slow["count"] > fast["count"], (slow, fast)
    first = HEAD.count("\n") + 1
    last = first + function("wasteful", wasteful).count("\n")
    lines = failed(rule, program, tmp_path)
    assert [first <= line < last for line in lines] == [True]


@pytest.mark.parametrize("name", LOADING)
def test_fewer_rows(name: str, tmp_path: Path) -> None:
    rule, wasteful, better = LOADING[name]
    program = HEAD + function("wasteful", wasteful) + function("better", better)
    few, many = (oracle.ask(program, "wasteful", size) for size in SIZES)
    assert many["rows"] > few["rows"]
    few, many = (oracle.ask(program, "better", size) for size in SIZES)
    assert many["rows"] == few["rows"]
    first = HEAD.count("\n") + 1
    last = first + function("wasteful", wasteful).count("\n")
    lines = failed(rule, program, tmp_path)
    assert [first <= line < last for line in lines] == [True]


def test_increments_are_lost() -> None:
    """Two copies of one row, each read before the other is saved: the second write undoes the first."""
    program = (
        HEAD
        + function(
            "lost",
            """
        one, other = Book.objects.get(title="book 0.0"), Book.objects.get(title="book 0.0")
        for book in (one, other):
            book.price += 1
            book.save()
        return Book.objects.get(title="book 0.0").price
        """,
        )
        + function(
            "kept",
            """
        one, other = Book.objects.get(title="book 0.0"), Book.objects.get(title="book 0.0")
        for book in (one, other):
            Book.objects.filter(pk=book.pk).update(price=F("price") + 1)
        return Book.objects.get(title="book 0.0").price
        """,
        )
    )
    assert [oracle.ask(program, name, SIZES[0])["value"] for name in ("lost", "kept")] == ["2", "3"]


def test_what_asks_on_import() -> None:
    """The body of a class runs as that of a module does: `choices` are gone through, a `queryset` is not."""
    program = (
        HEAD
        + "from django import forms\n"
        + function(
            "choices",
            """
        class Form(forms.Form):
            book = forms.ChoiceField(choices=Book.objects.values_list("pk", "title"))
        """,
        )
        + function(
            "listed",
            """
        class Form(forms.Form):
            book = forms.ChoiceField(choices=[(book.pk, book.title) for book in Book.objects.all()])
        """,
        )
        + function(
            "called",
            """
        class Form(forms.Form):
            book = forms.ChoiceField(choices=lambda: Book.objects.values_list("pk", "title"))
        """,
        )
        + function(
            "lazy",
            """
        class Form(forms.Form):
            book = forms.ModelChoiceField(queryset=Book.objects.all())
        """,
        )
    )
    counts = {name: oracle.ask(program, name, SIZES[0])["count"] for name in ("choices", "listed", "called", "lazy")}
    assert counts == {"choices": 1, "listed": 1, "called": 0, "lazy": 0}


def test_what_a_loop_keeps() -> None:
    """A queryset keeps every row that a loop went through; `iterator()` keeps none, and wants to know its chunks."""
    program = (
        HEAD
        + function(
            "kept",
            """
            books = Book.objects.all()
            for book in books:
                pass
            return len(books._result_cache) == Book.objects.count()
            """,
        )
        + function(
            "streamed",
            """
            books = Book.objects.all()
            for book in books.iterator():
                pass
            return books._result_cache
            """,
        )
        + function(
            "prefetched",
            """
            for book in Book.objects.prefetch_related("tags").iterator():
                pass
            """,
        )
        + function(
            "in_chunks",
            """
            for book in Book.objects.prefetch_related("tags").iterator(chunk_size=2):
                pass
            """,
        )
    )
    answers = {name: oracle.ask(program, name, SIZES[0]) for name in ("kept", "streamed", "prefetched", "in_chunks")}
    assert [answers[name]["value"] for name in ("kept", "streamed", "in_chunks")] == ["True", "None", "None"]
    assert answers["prefetched"]["error"].startswith("ValueError: chunk_size must be provided")


def test_what_a_select_asks() -> None:
    """The text of each option is asked: with one that follows a relation a select costs a query for each row."""
    program = (
        HEAD
        + "from django import forms\n"
        + function(
            "follows",
            """
            class Form(forms.Form):
                author = forms.ModelChoiceField(queryset=Author.objects.all())
            return str(Form()["author"]).count("<option")
            """,
        )
        + function(
            "brought",
            """
            class Form(forms.Form):
                author = forms.ModelChoiceField(queryset=Author.objects.select_related("country"))
            return str(Form()["author"]).count("<option")
            """,
        )
    )
    follows, brought = ([oracle.ask(program, name, size)["count"] for size in SIZES] for name in ("follows", "brought"))
    assert follows == [1 + size for size in SIZES]
    assert brought == [1, 1]


def test_what_a_lookup_reads() -> None:
    """Without an index the whole table is read."""
    program = (
        HEAD
        + function("without", "return Book.objects.filter(price=1).explain()")
        + function("with_one", "return Book.objects.filter(author_id=1).explain()")
    )
    plans = [oracle.ask(program, name, SIZES[0])["value"] for name in ("without", "with_one")]
    assert ["SCAN" in plan for plan in plans] == [True, False]
    assert ["USING INDEX" in plan for plan in plans] == [False, True]


def test_counts_of_the_same_rows() -> None:
    """One aggregate answers several counts of the rows of one row."""
    apart = """
        found = []
        for author in Author.objects.order_by("pk"):
            books = Book.objects.filter(author_id=author.pk)
            found.append((books.count(), books.filter(price__gt=1).count(), books.filter(price__lte=1).count()))
        return found
        """
    together = """
        found = []
        for author in Author.objects.order_by("pk"):
            counted = Book.objects.filter(author_id=author.pk).aggregate(
                total=Count("pk"), dear=Count("pk", filter=Q(price__gt=1)), cheap=Count("pk", filter=Q(price__lte=1))
            )
            found.append(tuple(counted.values()))
        return found
        """
    program = (
        "from django.db.models import Count, Q\n" + HEAD + function("apart", apart) + function("together", together)
    )
    for size in SIZES:
        many, few = (oracle.ask(program, name, size)["count"] for name in ("apart", "together"))
        assert (many - 1) == 3 * (few - 1)
    same = program + function("same", "assert apart() == together()")
    assert not isinstance(oracle.counts(same, "same"), str)
