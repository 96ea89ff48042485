"""Code that wants no more of a row than its key: what is told, and that real Django asks for no such row then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.applied import applied
from tests.checks.test_drf_fixes import MODELS as FOOD
from tests.checks.test_drf_fixes import fixes as api_fixes
from tests.checks.test_template_fixes import MODELS, fixes
from tests.link.queries import oracle

COLUMN = ": the key is a column of the row."
CASES = {
    "way": (
        'def way(book):\n    return f"/{book.author.pk}/{book.author.id}/"',
        "In `shop.views.way` write `book.author_id` for `book.author.pk`, and `book.author_id` for `book.author.id`",
        'def way(book):\n    return f"/{book.author_id}/{book.author_id}/"',
    ),
    "none": (
        "def none(book):\n    return book.editor is None",
        "In `shop.views.none` write `book.editor_id is None` for `book.editor is None`",
        "def none(book):\n    return book.editor_id is None",
    ),
    "truth": (
        "def truth(book):\n    return book.editor.pk if book.editor and not book.title else 0",
        "In `shop.views.truth` write `book.editor_id` for `book.editor`, and `book.editor_id` for `book.editor.pk`",
        "def truth(book):\n    return book.editor_id if book.editor_id and not book.title else 0",
    ),
    "named": (
        'def named(book):\n    return bool(getattr(book, "author", None)) and 1',
        "",
        "",
    ),
    "asked": (
        'def asked(book):\n    if getattr(book, "author", None):\n'
        "        return Book.objects.filter(author=book.author).query",
        'In `shop.views.asked` write `getattr(book, "author_id", None)` for `getattr(book, "author", None)`, and '
        "`book.author_id` for `book.author`",
        'def asked(book):\n    if getattr(book, "author_id", None):\n'
        "        return Book.objects.filter(author=book.author_id).query",
    ),
    "shown": (
        "def shown(book):\n    return book.author.pk, str(book.author)",
        "",
        "",
    ),
    "given": (
        "def given(book):\n    return dict(author=book.author)",
        "",
        "",
    ),
}
LOOP = '\n\n\ndef {name}s():\n    return [str({name}(book)) for book in Book.objects.order_by("pk")]\n'


@pytest.mark.parametrize("name", list(CASES))
def test_the_column_in_place_of_the_row(name: str) -> None:
    before, told, after = (text + LOOP.format(name=name) if "\n" in text else text for text in CASES[name])
    (found,) = applied(oracle.HEAD + before).fixes[f"{name}s"]
    assert oracle.grows(oracle.HEAD + before, f"{name}s")
    if not told:
        assert "column of the row" not in found
        return
    assert found == told + COLUMN
    assert not oracle.grows(oracle.HEAD + after, f"{name}s")
    size = oracle.SIZES[1]
    values = [oracle.ask(oracle.HEAD + program, f"{name}s", size)["value"] for program in (before, after)]
    assert values[0] == values[1]


def test_other_relations_are_loaded_all_the_same() -> None:
    program = """
def one(book):
    return f"/{book.author.pk}/{book.publisher.name}/"


def two(chapter):
    return chapter.book.author.pk


def ones():
    return [one(book) for book in Book.objects.all()]


def twos():
    return [two(chapter) for chapter in Chapter.objects.all()]
"""
    assert applied(oracle.HEAD + program).fixes == {
        "ones": [
            'Append `.select_related("publisher")` to `Book.objects.all()`. In `shop.views.one` write `book.author_id` '
            f"for `book.author.pk`{COLUMN}"
        ],
        "twos": [
            'Append `.select_related("book")` to `Chapter.objects.all()`. In `shop.views.two` write '
            f"`chapter.book.author_id` for `chapter.book.author.pk`{COLUMN}"
        ],
    }


def test_rows_that_are_not_asked_for_may_be_written() -> None:
    program = """
def one(book):
    return f"/{book.author.pk}/"


def ones():
    for book in Book.objects.all():
        Author.objects.filter(name=one(book)).update(name=book.title)
"""
    assert (
        f"In `shop.views.one` write `book.author_id` for `book.author.pk`{COLUMN}"
        in applied(oracle.HEAD + program).fixes["ones"]
    )


def test_what_a_template_leads_to(tmp_path: Path) -> None:
    models = MODELS.replace(
        "    def red(self)",
        '    def get_absolute_url(self):\n        return f"/{self.author.pk}/"\n\n    def red(self)',
    )
    template = "{% for book in books %}{{ book.get_absolute_url }}{{ book.author.pk }}{% endfor %}"
    method = f"In `Book.get_absolute_url` write `self.author_id` for `self.author.pk`{COLUMN}"
    assert fixes(tmp_path, template, models=models) == [
        f"{method} Write `book.author_id` for `book.author.pk` in shop/templates/shelf.html{COLUMN}"
    ]
    shown = template + "{% for book in books %}{{ book.author.name }}{% endfor %}"
    assert fixes(tmp_path, shown, models=models) == [
        'Add `.select_related("author")` to `Book.objects.all()` in shop.views.shelf.'
    ]


def test_rows_of_models_without_such_a_column(tmp_path: Path) -> None:
    api = """
def named(row):
    return row.food.pk if getattr(row, "food", None) else 0

class NamedSerializer(serializers.ModelSerializer):
    named = serializers.SerializerMethodField()

    class Meta:
        model = Ingredient
        fields = ["named"]

    def get_named(self, row):
        return named(row)

class NamedViewSet(viewsets.ReadOnlyModelViewSet):
    queryset = Ingredient.objects.all()
    serializer_class = NamedSerializer
"""
    told = 'In `shop.api.named` write `getattr(row, "food_id", None)` for `getattr(row, "food", None)`, and '
    told += "`row.food_id` for `row.food.pk`: the key is a column of the row"
    assert f"{told}." in api_fixes(tmp_path, api)
    meal = '\nclass {}(models.Model):\n    @property\n    def food(self):\n        return "soup"\n'
    assert f"{told} (Meal has no such column)." in api_fixes(tmp_path, api, FOOD + meal.format("Meal"))
    many = FOOD + "".join(map(meal.format, ("Breakfast", "Lunch", "Dinner")))
    assert not any("column" in fix for fix in api_fixes(tmp_path, api, many))
