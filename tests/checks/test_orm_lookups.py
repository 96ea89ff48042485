"""Queries that a loop repeats: how much they matter, and what is proposed in their place."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import orm
from stackaudit.model.verdict import Fail
from tests.checks.test_orm_severities import causes, failures
from tests.stacks import stack_of

QUESTIONS = {
    "beside_pictures": """
    for name in names:
        shrink(Book.objects.get(pk=name).title)
""",
    "of_rows": """
    for author in Author.objects.all():
        print(Book.objects.filter(author=author).count())
""",
    "of_a_request": """
    for pk in self.request.GET.getlist("pk"):
        print(Book.objects.get(pk=pk))
""",
    "of_a_list": """
    for name in names:
        print(Shelf.objects.get(name=name))
""",
    "of_a_slice": """
    for author in Author.objects.all()[:50]:
        print(Book.objects.filter(author=author).count())
""",
    "of_ten": """
    for name in names[:10]:
        print(Shelf.objects.get(name=name))
""",
    "of_roles": """
    for role in ReviewRole.objects.all():
        print(Shelf.objects.get(name=role.name))
""",
    "where": """
    for author in Author.objects.all():
        if author.name:
            print(Book.objects.filter(author=author).count())
""",
    "where_of_a_list": """
    for name in names:
        if name:
            print(Shelf.objects.get(name=name))
""",
    "where_typed": """
    for word in names:
        if word:
            print(Shelf.objects.filter(name__icontains=word).count())
""",
    "typed": """
    for word in names:
        print(Shelf.objects.filter(name__icontains=word).count())
""",
    "put_together": """
    for word in names:
        condition = Q(name=word) | Q(name__in=word.split())
        print(Shelf.objects.filter(condition).count())
""",
    "the_first_of_each": """
    for author in Author.objects.all():
        print(list(Book.objects.filter(author=author).order_by("title")[:3]))
""",
    "beside_one_write": """
    for name in names:
        book = Book.objects.get(title=name)
        book.title = ""
        book.save()
""",
    "beside_two": """
    for name in names:
        shelf = Shelf.objects.get(name=name)
        author = Author.objects.create(name=shelf.name)
        Book.objects.create(title=name, author=author)
""",
    "through_a_lookup": """
    for name in names:
        print(shelf_of(name))
""",
    "through_one_that_writes": """
    for name in names:
        moved(name)
""",
    "through_one_that_asks_much": """
    for name in names:
        moved_and_counted(name)
""",
    "of_either": """
    for name in names:
        print(Author.objects.get(Q(name=name) | Q(book__title=name)))
""",
    "until_one_is_found": """
    for name in names:
        shelf = Shelf.objects.filter(name=name).first()
        if shelf:
            return shelf
""",
    "looked_up_to_be_deleted": """
    for name in names:
        shelf = Shelf.objects.get(name=name)
        shelf.delete()
""",
    "in_a_task": """
    for name in names:
        print(Shelf.objects.get(name=name))
        notify.delay(name)
""",
    "in_a_client": """
    for name in names:
        print(Shelf.objects.get(name=name))
        self.session.post(name)
""",
    "typed_by_hand": """
    for name in names:
        typed = input(name)
        print(Shelf.objects.filter(name=typed).first())
""",
    "handled": """
    for name in names:
        try:
            print(int(name))
        except ValueError:
            print(Shelf.objects.get(name=name))
""",
    "in_a_comprehension_that_is_handling": """
    try:
        print(int(names))
    except ValueError:
        print([Shelf.objects.get(name=name) for name in names])
""",
}
FIXES = {
    "get_by_key": """
    for pk in names:
        print(Book.objects.get(pk=pk))
""",
    "get_by_field": """
    for name in names:
        print(Shelf.objects.get(name=name))
""",
    "get_by_field_of_any_case": """
    for name in names:
        print(Shelf.objects.get(name__iexact=name))
""",
    "last_of_rows": """
    for author in Author.objects.all():
        print(Book.objects.filter(author=author).last())
""",
    "count_of_rows": """
    for author in Author.objects.all():
        print(Book.objects.filter(author=author).count())
""",
    "count_of_a_list": """
    for name in names:
        print(Book.objects.filter(title=name).count())
""",
    "exists_of_rows": """
    for shelf in Shelf.objects.all():
        print(Book.objects.filter(title=shelf.name).exists())
""",
    "exists_of_a_list": """
    for name in names:
        print(Book.objects.filter(title=name).exists())
""",
    "rows_of_a_list": """
    for name in names:
        print(list(Book.objects.filter(title=name)))
""",
    "among_others": """
    for name in names:
        print(Book.objects.filter(author__name="Emma").get(title=name))
""",
    "among_others_exists": """
    for name in names:
        print(Book.objects.exclude(author=None).filter(title=name).exists())
""",
    "exists_and_its_key": """
    for name in names:
        books = Book.objects.exclude(author=None).filter(title=name)
        if books.exists():
            print(books.get().pk)
""",
    "exists_and_its_row": """
    for name in names:
        books = Book.objects.exclude(author=None).filter(title=name)
        if books.exists():
            print(books.first())
""",
    "exists_of_rows_and_the_row": """
    for author in Author.objects.all():
        books = Book.objects.filter(title=author.name)
        if books.exists():
            print(books.get().title)
""",
    "through_a_lookup": """
    for name in names:
        print(shelf_of(name))
""",
    "first_of_each": """
    for title in names:
        print(Book.objects.filter(title=title).order_by("author").first())
""",
    "latest_of_each": """
    for name in names:
        print(Book.objects.filter(author__name=name).latest("title"))
""",
    "days_of_each": """
    for author in Author.objects.all():
        print(Book.objects.filter(author=author).dates("made", "day").count())
""",
    "missing_and_suppressed": """
    for name in names:
        with suppress(Shelf.DoesNotExist):
            print(Shelf.objects.get(name=name))
""",
    "missing_and_several": """
    for name in names:
        try:
            print(Shelf.objects.get(name__iexact=name))
        except Shelf.DoesNotExist:
            print("none")
        except Shelf.MultipleObjectsReturned:
            print("several")
""",
    "any_case_among_others": """
    for name in names:
        print(Book.objects.exclude(author=None).filter(title__iexact=name).exists())
""",
    "count_of_any_case": """
    for name in names:
        print(Shelf.objects.filter(name__iexact=name).count())
""",
    "any_case_behind_another": """
    for name in names:
        print(Book.objects.exclude(title="").get(author__name__iexact=name.strip()))
""",
    "any_case_and_its_key": """
    for name in names:
        books = Book.objects.exclude(author=None).filter(title__iexact=name)
        if books.exists():
            print(books.get().pk)
""",
    "by_what_the_turn_asks_for": """
    for name in names:
        shelf = one_of(Shelf.objects.all(), name=name)
        title = shelf.name
        print(Book.objects.get(title=title))
""",
    "of_one_author_by_what_the_turn_asks_for": """
    author = Author.objects.create(name="Emma")
    for name in names:
        shelf = one_of(Shelf.objects.all(), name=name)
        print(author.book_set.get(title=shelf.name))
""",
    "of_one_author": """
    author = Author.objects.create(name="Emma")
    for name in names:
        print(author.book_set.get(title=name))
""",
    "by_two_values": """
    for name, title in names:
        print(Book.objects.get(author_id=name, title=title))
""",
    "keys_of_a_form": """
    for pk in self.request.POST.getlist("pk"):
        print(Book.objects.get(pk=pk))
""",
    "counted_behind_a_list": """
    authors = [Author(name=name) for name in names]
    for author in authors:
        print(author.book_set.count())
""",
    "handed_over_as_a_list": """
    for pk in names:
        self.take([Book.objects.get(pk=pk)])
""",
    "handed_to_a_relation": """
    books = [Book.objects.get(pk=pk) for pk in names]
    Shelf.objects.get(name="").books.set(books)
""",
    "handed_to_rows_that_hold_the_key": """
    books = [Book.objects.get(pk=pk) for pk in names]
    Author.objects.get(name="").book_set.set(books)
""",
    "typed": """
    for word in names:
        print(Shelf.objects.filter(name__icontains=word).count())
""",
    "the_first_three": """
    for author in Author.objects.all():
        print(list(Book.objects.filter(author=author).order_by("title")[:3]))
""",
}


def questions(root: Path, path: str, crontab: str = "") -> dict[str, list[str]]:
    """The causes of the queries that loops repeat."""
    return causes(root, path, "", QUESTIONS, (orm.query_in_loop,), crontab)


def test_queries_in_a_request(tmp_path: Path) -> None:
    assert questions(tmp_path, "shop/views.py") == {
        "of_rows": [""],
        "of_a_request": ["given"],
        "of_a_list": ["given"],
        "of_a_slice": ["given"],
        "of_ten": ["few"],
        "of_roles": ["few"],
        "where": ["conditional"],
        "where_of_a_list": ["rare"],
        "typed": ["computed"],
        "the_first_of_each": ["computed"],
        "beside_one_write": ["given"],
        "beside_two": ["beside"],
        "until_one_is_found": ["rare"],
        "through_a_lookup": ["given"],
        "through_one_that_writes": ["beside"],
        "in_a_comprehension_that_is_handling": ["given"],
    }


def test_queries_in_commands(tmp_path: Path) -> None:
    found = questions(tmp_path, "shop/management/commands/load.py", "@daily shop python /srv/manage.py load\n")
    assert found == {
        "of_rows": ["background"],
        "of_a_request": ["background"],
        "of_a_list": ["background"],
        "of_a_slice": ["background"],
        "where": ["rare"],
        "where_of_a_list": ["rare"],
        "until_one_is_found": ["rare"],
        "through_a_lookup": ["background"],
        "in_a_comprehension_that_is_handling": ["background"],
    }


def test_what_is_proposed(tmp_path: Path) -> None:
    found = failures(tmp_path, "shop/views.py", "", FIXES, (orm.query_in_loop,))
    shelves = "Ask once before the loop with `Shelf.objects.filter(name__in=…)`. "
    books = "Ask once before the loop with `Book.objects.filter(title__in=…)`. "
    same = "Ask once before the loop by the same query"
    keys = "Collect the keys, ask once with `Book.objects.in_bulk(keys)` and look the rows up in the loop."
    types = ' Look up values of the column\'s type: a dictionary does not find "1" under 1.'
    lower = "Ask once before the loop with `Shelf.objects.annotate(lower=Lower("
    given = "lower__in=[Lower(Value(value)) for value in …]"
    folded = " Look up `{}.lower()`: the database may fold other letters than Python."
    several = " `name` is not unique: of several rows with one value a dictionary keeps one, where `get()` raises."
    raised = " `{} not unique: keys with no row or with several have to raise as `get()` did."
    assert {name: fail.fix for name, (fail,) in found.items()} == {
        "get_by_key": keys + types,
        "get_by_field": shelves
        + f"Put the rows into a dictionary by `name` and look them up in the loop.{raised.format('name` is')}",
        "get_by_field_of_any_case": lower + f'"name")).filter({given})`. Put the rows into a dictionary by '
        f"`row.name.lower()` and look them up in the loop.{raised.format('name` in any case is')}"
        f"{folded.format('name')}",
        "count_of_any_case": lower + f'"name")).filter({given})`. Count in Python, `Counter(value.lower() for value in '
        f'….values_list("name", flat=True))`, and look it up in the loop.{folded.format("name")}',
        "last_of_rows": "Annotate what is needed of the row in the queryset of the loop: "
        '`Subquery(Book.objects.filter(author=OuterRef("pk")).order_by("-pk").values(…)[:1])`.',
        "count_of_rows": 'Count in the queryset of the loop: `annotate(number=Count("book", distinct=True))`.',
        "count_of_a_list": books + 'Count by key, `….order_by().values("title").annotate(number=Count("pk"))`, make a '
        "dictionary of the answer and look it up in the loop. A key without rows is not in it: "
        "read it by `.get(…, 0)`.",
        "exists_of_rows": "Ask in the queryset of the loop: "
        '`annotate(found=Exists(Book.objects.filter(title=OuterRef("name"))))`.',
        "exists_of_a_list": books + 'Keep `set(….values_list("title", flat=True))` of it and look it up in the loop.',
        "rows_of_a_list": books + "Sort the rows into a dictionary of lists by `title` and look them up in the loop.",
        "by_what_the_turn_asks_for": "Bring what `shelf` stands for with one query before the loop, and with another "
        "one the Book rows that all of those name: which of them a turn needs it only learns from `shelf`, which it "
        "asks for itself.",
        "of_one_author_by_what_the_turn_asks_for": "Load them once before the loop, "
        "`{row.title: row for row in author.book_set.all()}`, and look them up in it: which of them a turn needs it "
        "only learns from `shelf`, which it asks for itself.",
        "of_one_author": same + ", as `filter()`, with `title__in=…` in place of `title=…`. Put the rows into a "
        "dictionary by `title` and look them up in the loop.",
        "among_others": same + ", as `filter()`, with `title__in=…` in place of `title=…`. Put the rows into a "
        "dictionary by `title` and look them up in the loop.",
        "among_others_exists": same + " with `title__in=…` in place of `title=…`. Keep "
        '`set(….values_list("title", flat=True))` of it and look it up in the loop.',
        "exists_and_its_key": same + " with `title__in=…` in place of `title=…`. Keep "
        '`dict(….values_list("title", "pk"))` of it and look it up in the loop: that holds the key of the row, too.',
        "exists_and_its_row": same
        + " with `title__in=…` in place of `title=…`. Leave out `first()` and go through the "
        "rows in the same order: `found.setdefault(row.title, row)` keeps the first row of each key; look them up in "
        "the loop.",
        "exists_of_rows_and_the_row": books + "Put the rows into a dictionary by `title` and look them up in the loop.",
        "through_a_lookup": shelves + "Leave out `first()` and go through the rows in the same order: "
        "`found.setdefault(row.name, row)` keeps the first row of each key; hand those of each turn to `shelf_of()`.",
        "first_of_each": same
        + " with `title__in=…` in place of `title=…`. Leave out `first()` and go through the rows in the same order: "
        "`found.setdefault(row.title, row)` keeps the first row of each key; look them up in the loop.",
        "latest_of_each": same + " with `author__name__in=…` in place of `author__name=…`, and with "
        '`annotate(key=F("author__name"))`. Leave out `latest()` and go through the rows ordered by the same field: '
        "`found[row.key] = row` leaves the last row of each key; look them up in the loop.",
        "days_of_each": "Let one query before the loop answer for all turns, grouped by `author`, and look it up in "
        "the loop.",
        "missing_and_suppressed": "Ask once before the loop with `Shelf.objects.filter(name__in=…)`. Put the rows into "
        "a dictionary by `name` and look them up in the loop. Keys without a row take the way of "
        f"`suppress(Shelf.DoesNotExist)`.{several}",
        "missing_and_several": lower + f'"name")).filter({given})`. Sort the rows into a dictionary of lists by '
        "`row.name.lower()` and look them up in the loop. Keys without a row or with several take the way of "
        f"`except Shelf.DoesNotExist` and `except Shelf.MultipleObjectsReturned`.{folded.format('name')}",
        "any_case_among_others": same + f' with `annotate(lower=Lower("title"))` and `{given}` in place of '
        '`title__iexact=…`. Keep `{value.lower() for value in ….values_list("title", flat=True)}` of it and look it '
        f"up in the loop.{folded.format('name')}",
        "any_case_behind_another": same + f', as `filter()`, with `annotate(lower=Lower("author__name"))` and `{given}`'
        ' in place of `author__name__iexact=…`, and with `annotate(key=F("author__name"))`. Put the rows into a '
        f"dictionary by `row.key.lower()` and look them up in the loop.{folded.format('name.strip()')}",
        "any_case_and_its_key": same + f' with `annotate(lower=Lower("title"))` and `{given}` in place of '
        '`title__iexact=…`. Keep `{value.lower(): pk for value, pk in ….values_list("title", "pk")}` of it and look it '
        f"up in the loop: that holds the key of the row, too.{folded.format('name')}",
        "by_two_values": same + ", as `filter()`, with `author_id__in=…, title__in=…` in place of "
        "`author_id=…, title=…`. Put the rows into a dictionary by `(row.author_id, row.title)` and look them up in "
        "the loop." + raised.format("author_id` and `title` together are") + types,
        "keys_of_a_form": keys + types,
        "counted_behind_a_list": "Load them for all turns before the loop: "
        '`prefetch_related_objects(authors, "book_set")`, and take `len(….all())`.',
        "handed_over_as_a_list": "`self.take()` takes a list: hand it all rows at once, "
        "`Book.objects.filter(pk__in=…)`, in place of the loop.",
        "handed_to_a_relation": '`Shelf.objects.get(name="").books.set()` takes keys as well as rows: hand it the '
        "keys, and no row has to be asked for (one that does not exist is then refused by the database).",
        "handed_to_rows_that_hold_the_key": keys + types,
        "typed": "Count for all turns in one query: `aggregate()` of the Shelf rows with one "
        '`Count("pk", filter=Q(…))` for each turn.',
        "the_first_three": "Number the rows of each group in the database, "
        '`Window(RowNumber(), partition_by=F("author"), order_by=…)`, and filter by that number: one query for all '
        "turns (Django 4.2 or later).",
    }
    (lookup,) = found["through_a_lookup"]
    assert {name: lookup.values[name] for name in ("access", "asks", "turns", "loop")} == {
        "access": "shelf_of(name)",
        "asks": "asks for Shelf (`first`)",
        "turns": "each turn",
        "loop": "for name in names",
    }


def test_values_of_prefetched_rows_are_read_from_them(tmp_path: Path) -> None:
    bodies = {
        "values": """
    for author in Author.objects.prefetch_related("book_set"):
        print(list(author.book_set.values_list("title", flat=True)))
"""
    }
    (fail,) = failures(tmp_path, "shop/views.py", "", bodies, (orm.prefetch_bypassed,))["values"]
    assert fail.fix == (
        "In `shop.views.values` write `[row.title for row in author.book_set.all()]` in place of "
        '`author.book_set.values_list("title", flat=True)`: `values_list()` asks the database even where `book_set` is '
        "prefetched."
    )


VALIDATING = """
from rest_framework import serializers

class {name}({base}):
    def {method}(self, attrs):
        attrs = super().{method}(attrs)
        for name in {source}:
            print(Shelf.objects.get(name=name))
        return attrs
"""


def test_what_a_client_has_posted_is_a_handful(tmp_path: Path) -> None:
    base = "serializers.Serializer"
    cases = {
        "OneField": (base, "validate", "attrs['names']", "few"),
        "OneFieldIfGiven": (base, "validate", "attrs.get('names', [])", "few"),
        "OfItsOwn": (base, "validate", "self.names['all']", "given"),
        "AnotherMethod": (base, "prepare", "attrs['names']", "given"),
        "NoSerializer": ("Exception", "validate", "attrs['names']", "given"),
    }
    files = {
        f"shop/{name.lower()}.py": "from shop.models import Shelf\n"
        + VALIDATING.format(name=name, base=given, method=method, source=source)
        for name, (given, method, source, _) in cases.items()
    }
    models = "from django.db import models\n\nclass Shelf(models.Model):\n    name = models.CharField(max_length=9)\n"
    files |= {"requirements.txt": "django==5.2\n", "shop/__init__.py": "", "shop/models.py": models}
    found = [item for item in orm.query_in_loop(stack_of(tmp_path, files)) if isinstance(item, Fail)]
    causes = {item.site.place.path.removeprefix("shop/").removesuffix(".py"): item.cause for item in found}
    assert causes == {name.lower(): cause for name, (*_, cause) in cases.items()}
