"""What a finding tells people to write has to be what helps."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks.template import loop_invariant_query, n_plus_one, repeated_related_query
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MODELS = """\
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class Tag(models.Model):
    name = models.CharField(max_length=80)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    tags = models.ManyToManyField(Tag)

    def red(self):
        return self.tags.filter(name="red")

    def rivals(self):
        return Book.objects.exclude(pk=self.pk)
"""
VIEWS = """\
from django.shortcuts import render
from .models import Book

def shelf(request):
    return render(request, "shelf.html", {"books": Book.objects.all()})
"""


def linked(root: Path, template: str, views: str = VIEWS, models: str = MODELS) -> Stack:
    files = {"models.py": models, "views.py": views, "__init__.py": "", "templates/shelf.html": template}
    return stack_of(root, {f"shop/{name}": text for name, text in files.items()})


def failures(root: Path, template: str, views: str = VIEWS, models: str = MODELS) -> list[Fail]:
    return [item for item in n_plus_one(linked(root, template, views, models)) if isinstance(item, Fail)]


def fixes(root: Path, template: str, views: str = VIEWS, models: str = MODELS) -> list[str]:
    return [verdict.fix for verdict in failures(root, template, views, models)]


def test_a_join_and_a_prefetch(tmp_path: Path) -> None:
    template = (
        "{% for book in books %}{{ book.author.name }}{% for t in book.tags.all %}{{ t }}{% endfor %}{% endfor %}"
    )
    assert fixes(tmp_path, template) == [
        'Add `.select_related("author").prefetch_related("tags")` to `Book.objects.all()` in shop.views.shelf.'
    ]


def test_what_asks_again_is_not_helped_by_a_plain_prefetch(tmp_path: Path) -> None:
    template = "{% for book in books %}{{ book.author.name }}{% for t in book.red %}{{ t }}{% endfor %}{% endfor %}"
    assert fixes(tmp_path, template) == [
        'Add `.select_related("author").prefetch_related("tags")` to `Book.objects.all()` in shop.views.shelf. '
        "In `shop.models.Book.red` filter `self.tags.all()` in Python (where each row has few of them): "
        "`filter()` asks the database even where `tags` "
        "is prefetched."
    ]


def test_rows_behind_one_row_are_loaded_where_the_view_fetches_it(tmp_path: Path) -> None:
    template = "{% for b in author.book_set.all %}{% for t in b.tags.all %}{{ t }}{% endfor %}{% endfor %}"
    views = VIEWS.replace('"books": Book.objects.all()', '"author": get_object_or_404(Author, pk=1)')
    views = views.replace("render\n", "get_object_or_404, render\n").replace("Book", "Author")
    assert fixes(tmp_path, template, views) == [
        'Give `get_object_or_404` in shop.views.shelf the queryset `Author.objects.prefetch_related("book_set__tags")` '
        "instead of `Author`."
    ]
    views = views.replace("get_object_or_404(Author, pk=1)", "Author.objects.get(pk=1)")
    assert fixes(tmp_path, template, views) == [
        'Put `.prefetch_related("book_set__tags")` before `.get(…)` in `Author.objects.get(pk=1)` in shop.views.shelf.'
    ]


def test_rows_behind_the_user_of_the_request(tmp_path: Path) -> None:
    template = "{% for b in request.user.shelf.all %}{{ b.author.name }}{% endfor %}"
    models = MODELS + "    owner = models.ForeignKey('auth.User', on_delete=models.CASCADE, related_name='shelf')\n"
    assert fixes(tmp_path, template, VIEWS, models) == [
        'Load it with the User that this begins with: `.prefetch_related("shelf__author")` on its queryset, or '
        '`prefetch_related_objects([row], "shelf__author")` where there is only the row.'
    ]


def test_siblings_of_an_inner_loop_are_not_chained(tmp_path: Path) -> None:
    template = (
        "{% for a in books %}{% for b in a.book_set.all %}{% for t in b.tags.all %}{{ t }}{% endfor %}"
        "{{ b.editor.name }}{% endfor %}{% endfor %}"
    )
    models = MODELS + "    editor = models.ForeignKey(Author, null=True, on_delete=models.CASCADE, related_name='+')\n"
    assert fixes(tmp_path, template, VIEWS.replace("Book", "Author"), models) == [
        'Add `.prefetch_related("book_set__tags", "book_set__editor")` to `Author.objects.all()` in shop.views.shelf.'
    ]


def test_what_every_branch_reads_depends_on_no_condition(tmp_path: Path) -> None:
    body = "{% if b.pk %}{{ b.author.name }}{% else %}by {{ b.author }}{% endif %}"
    both = failures(tmp_path, f"{{% for b in books %}}{body}{{% endfor %}}")
    one = failures(tmp_path, f"{{% for b in books %}}{body.replace('b.author }}', 'b.pk }}')}{{% endfor %}}")
    assert ([item.cause for item in both], [item.cause for item in one]) == ([""], ["guarded"])


def test_a_column_that_was_left_out_is_let_in(tmp_path: Path) -> None:
    template = "{% for b in books %}{{ b.author.name }}{{ b.title }}{% endfor %}"
    models = MODELS + "    title = models.CharField(max_length=80)\n"
    views = VIEWS.replace("Book.objects.all()", 'Book.objects.only("author")')
    assert fixes(tmp_path, template, views, models) == [
        'Add "title" to the only() of `Book.objects.only("author")` in shop.views.shelf. '
        'Add `.select_related("author")` to `Book.objects.only("author")` in shop.views.shelf.'
    ]


def test_a_prefetch_does_not_answer_what_filters(tmp_path: Path) -> None:
    views = VIEWS.replace('"books": Book.objects.all()', '"book": Book.objects.get(pk=1)')
    told = {}
    for path in ("book.red", "book.tags.all"):
        template = f"{{% if {path} %}}{{% for tag in {path} %}}{{{{ tag.name }}}}{{% endfor %}}{{% endif %}}"
        stack = linked(tmp_path, template, views)
        told[path] = [item.fix for item in repeated_related_query(stack) if isinstance(item, Fail)]
    assert told == {
        "book.red": [
            "Put `{% with red=book.red %}…{% endwith %}` around all of it, and in it write `red` for `book.red`."
        ],
        "book.tags.all": [
            "Put `{% with tags=book.tags.all %}…{% endwith %}` around all of it, and in it write `tags` for "
            "`book.tags.all`. Or prefetch the relation in the view."
        ],
    }


def test_answers_to_the_questions_of_one_template(tmp_path: Path) -> None:
    views = VIEWS.replace('"books": Book.objects.all()', '"book": Book.objects.get(pk=1), "books": Book.objects.all()')
    told = {}
    for template in (
        "{{ books.count }}\n{{ books.count }}",
        "{{ books.count }}\n{% for b in books %}{{ b.pk }}{% endfor %}",
        "{{ books.0 }}\n{{ books.1 }}",
        "{{ books.0 }}\n{% if staff %}{{ books.3 }}{% endif %}\n{{ books.1 }}",
        "{{ books.0 }}\n{{ books.1 }}\n{% for b in books|slice:':9' %}{{ b.pk }}{% endfor %}",
        "{{ books.first.pk }}\n{% for b in books %}{{ b.pk }}{% endfor %}",
        "{% if book.tags.exists %}{{ book.tags.count }}{% endif %}",
        "{% if book.tags.exists %}{% for t in book.tags.all %}{{ t.name }}{% endfor %}{{ book.tags.count }}{% endif %}",
    ):
        found = repeated_related_query(linked(tmp_path, template, views))
        told[template] = [item.fix for item in found if isinstance(item, Fail)]
    around = "%}…{% endwith %}` around all of it, and in it write "
    kept = "`books` keeps its rows once they are loaded, which line 2 does anyway."
    tags = "`tags` for `book.tags.exists`, `tags` for `book.tags.all`, `tags|length` for `book.tags.count`"
    assert list(told.values()) == [
        [f"Put `{{% with books_count=books.count {around}`books_count` for `books.count`."],
        [f"Write `books|length` for `books.count` on line 1: {kept}"],
        ["Let the view hand over a list, `list(books[:2])`: of a queryset each row by number is a query."],
        ["Let the view hand over a list, `list(books[:4])`: of a queryset each row by number is a query."],
        [
            "Let the view hand over a list under a name of its own, `list(books[:2])`, and read the rows by number "
            "from that: of a queryset each is a query."
        ],
        [
            f"Write `books.0` for `books.first` on line 1: {kept} "
            "Test `{% if books %}` before the rest, so that `books.0` finds the rows."
        ],
        [
            f"Put `{{% with tags_count=book.tags.count {around}"
            "`tags_count` for `book.tags.exists` and `book.tags.count`."
        ],
        [f"Put `{{% with tags=book.tags.all {around}{tags}. Or prefetch the relation in the view."],
    ]


def test_all_queries_of_the_longest_way_are_counted(tmp_path: Path) -> None:
    views = VIEWS.replace('"books": Book.objects.all()', '"book": Book.objects.get(pk=1), "books": Book.objects.all()')
    asks = "{{% if {0} or staff %}}\n{{% if {0} %}}\n{{% for b in {1} %}}{{{{ b.pk }}}}{{% endfor %}}{{{{ {2} }}}}\n"
    told = {}
    for rows, loaded in (("books", "books"), ("book.tags", "book.tags.all")):
        template = asks.format(f"{rows}.exists", loaded, f"{rows}.count") + "{% endif %}{% endif %}"
        found = repeated_related_query(linked(tmp_path, template, views))
        told[rows] = [(item.values["number"], item.fix) for item in found if isinstance(item, Fail)]
    assert told["books"] == [
        (
            "three",  # the rows that the loop has loaded tell their number
            "Write `books` for `books.exists` on lines 1 and 2: `books` keeps its rows once they are loaded, which "
            "line 3 does anyway.",
        )
    ]
    assert [number for number, _ in told["book.tags"]] == ["four"]


def test_a_view_that_names_a_model_gets_a_queryset(tmp_path: Path) -> None:
    views = (
        "from django.views.generic import DetailView\nfrom .models import Author\n\n"
        'class AuthorView(DetailView):\n    model = Author\n    template_name = "shelf.html"\n'
    )
    template = "{% for b in author.book_set.all %}{% for t in b.tags.all %}{{ t }}{% endfor %}{% endfor %}"
    assert fixes(tmp_path, template, views) == [
        'Return `super().get_queryset().prefetch_related("book_set__tags")` from get_queryset() of '
        "shop.views.AuthorView."
    ]


def test_what_a_condition_guards_is_not_named_before_it(tmp_path: Path) -> None:
    models = MODELS + "\n    def is_tagged(self):\n        return self.tags.exists()\n"
    views = VIEWS.replace('"books": Book.objects.all()', '"book": Book.objects.get(pk=1), "books": Book.objects.all()')
    template = "{% for b in books %}{% if staff or book.is_tagged %}{{ b.pk }}{% endif %}{% endfor %}"
    told = {}
    for text in (template, template.replace("staff or ", "")):
        found = loop_invariant_query(linked(tmp_path, text, views, models))
        told[text] = [(item.cause, item.fix) for item in found if isinstance(item, Fail)]
    assert list(told.values()) == [
        [("guarded", "Have the view put the answer of `book.is_tagged` into the context, under the same condition.")],
        [("function", "Have the view put the answer of `book.is_tagged` into the context, and use that in the loop.")],
    ]


def test_the_first_of_a_prefetch_that_is_ordered_asks_nothing(tmp_path: Path) -> None:
    template = "{% for book in books %}{{ book.tags.first.name }}{% endfor %}"
    made = 'Prefetch("tags", queryset=Tag.objects.order_by("pk"))'
    stays = "`first()` of a prefetch that is ordered asks nothing: it stays in `shop/templates/shelf.html`."
    assert fixes(tmp_path, template) == [
        f"Add `.prefetch_related({made})` to `Book.objects.all()` in shop.views.shelf. {stays}"
    ]
    plain = VIEWS.replace(".all()", '.prefetch_related("tags")')
    by_hand = VIEWS.replace(".all()", f".prefetch_related({made})")
    by_hand = "from django.db.models import Prefetch\nfrom shop.models import Tag\n" + by_hand
    assert [fixes(tmp_path, template.replace("first", "all.0"), plain), fixes(tmp_path, template, by_hand)] == [[], []]
    assert fixes(tmp_path, template, plain) == [
        f"Let the prefetch be `{made}`, before each path that leads through it (else ValueError). {stays}"
    ]
    meta = "max_length=80)\n\n    class Meta:\n        ordering = %s\n\nclass Book"
    for ordering, told in (("['name']", ""), ("made()", "In `shop/templates/shelf.html` write `book.tags.all.0.name`")):
        models = MODELS.replace("max_length=80)\n\nclass Book", meta % ordering)
        (fix,) = fixes(tmp_path / ordering, template, VIEWS, models)
        assert fix.startswith('Add `.prefetch_related("tags")` to `Book.objects.all()` in shop.views.shelf.')
        assert (told in fix, "stays" in fix) == (True, False)


def test_a_number_of_a_property_is_brought_with_the_rows(tmp_path: Path) -> None:
    models = MODELS + "\n    @property\n    def reds(self):\n        return self.tags.filter(name='red').count()\n"
    assert fixes(tmp_path, "{% for book in books %}{{ book.reds }}{% endfor %}", VIEWS, models) == [
        'Add `.annotate(…=Count("tags", distinct=True, filter=Q(…)))` to `Book.objects.all()` in shop.views.shelf and '
        "let `shop.models.Book.reds` use that where the row has it."
    ]


def test_a_key_that_is_only_tested_needs_no_row(tmp_path: Path) -> None:
    models = MODELS + "    editor = models.ForeignKey(Author, null=True, on_delete=models.CASCADE, related_name='+')\n"
    template = "{% for b in books %}{% if not b.editor %}none{% endif %}{{ b.author.name }}{% endfor %}"
    assert fixes(tmp_path, template, VIEWS, models) == [
        'Add `.select_related("author")` to `Book.objects.all()` in shop.views.shelf. Write `b.editor_id` for '
        "`b.editor` in shop/templates/shelf.html: the key is a column of the row."
    ]


def test_rows_that_a_method_asks_for_are_loaded_there(tmp_path: Path) -> None:
    models = MODELS + "\n    def kin(self):\n        return Book.objects.filter(tags__book=self)\n"
    views = VIEWS.replace('"books": Book.objects.all()', '"book": Book.objects.get(pk=1)')
    assert fixes(tmp_path, "{% for b in book.kin.all %}{{ b.author.name }}{% endfor %}", views, models) == [
        'Add `.select_related("author")` to `Book.objects.filter(tags__book=self)` in shop.models.Book.kin.'
    ]


def test_a_query_that_is_no_relation_is_named(tmp_path: Path) -> None:
    models = MODELS + "\n    def kin(self):\n        return Book.objects.filter(author_id=self.author_id).exists()\n"
    assert fixes(tmp_path, "{% for book in books %}{{ book.kin }}{% endfor %}", VIEWS, models) == [
        "`Book.objects.filter(author_id=self.author_id).exists()` in `shop.models.Book.kin` runs for each row: let the "
        "rows bring the answer, `annotate(…=Exists(Book.objects.filter(…)))` with the row as `OuterRef(…)`, and "
        "let the code there use that where the row has it."
    ]


def test_a_query_whose_filter_is_put_together_in_python_is_no_annotation(tmp_path: Path) -> None:
    body = "wanted = models.Q(author_id=self.author_id)\n        wanted &= models.Q(pk__gt=self.pk)\n"
    body += "        return Book.objects.filter(wanted).exists()"
    models = MODELS + f"\n    def kin(self):\n        {body}\n"
    assert fixes(tmp_path, "{% for book in books %}{{ book.kin }}{% endfor %}", VIEWS, models) == [
        "`Book.objects.filter(wanted).exists()` in `shop.models.Book.kin` runs for each row: its filter is put "
        "together in Python, which no annotation repeats: fetch the rows of Book that any of them needs with one query "
        "before, and answer from these."
    ]


def test_what_a_condition_decides_on_is_told_apart(tmp_path: Path) -> None:
    template = "{% for b in books %}{{ b.author.name }}{% if b.pk > 1 %}{{ b.tags.count }}{% endif %}{% endfor %}"
    assert [item.values["relation"] for item in failures(tmp_path, template)] == [
        "author (and, where a condition holds, tags)"
    ]


def test_what_several_views_show_is_not_taken_from_one(tmp_path: Path) -> None:
    more = '\n\ndef other(request):\n    return render(request, "shelf.html", {"books": Book.objects.order_by("pk")})\n'
    template = "{% for book in books %}{{ book.tags.count }}{% endfor %}"
    number = (
        " and show that in place of `book.tags.count` in `shop/templates/shelf.html`, where every view then has to "
        "bring it."
    )
    assert fixes(tmp_path, template, VIEWS + more) == [
        'Add `.annotate(…=Count("tags", distinct=True))` to `Book.objects.all()` in shop.views.shelf' + number,
        'Add `.annotate(…=Count("tags", distinct=True))` to `Book.objects.order_by("pk")` in shop.views.other' + number,
    ]
    assert fixes(tmp_path, template, VIEWS + more.replace('order_by("pk")', 'prefetch_related("tags")')) == [
        'Add `.prefetch_related("tags")` to `Book.objects.all()` in shop.views.shelf.'
    ]


def test_a_query_behind_a_condition_is_told_as_one(tmp_path: Path) -> None:
    shown = "{% for book in books %}{{ book.rivals.count }}{% endfor %}"
    where = "{% for book in books %}{% if book.author_id %}{{ book.rivals.count }}{% endif %}{% endfor %}"
    single = "{% for book in author.book_set.all %}{{ book.rivals.count }}{% endfor %}"
    views = VIEWS.replace("import Book", "import Author").replace(
        '{"books": Book.objects.all()}', '{"author": Author.objects.get(pk=1)}'
    )
    assert [fail.cause for fail in failures(tmp_path / "a", shown)] == ["query"]
    assert [fail.cause for fail in failures(tmp_path / "b", where)] == ["guarded-query"]
    assert [fail.cause for fail in failures(tmp_path / "c", single, views)] == ["query-detail"]


def test_a_few_rows_of_each_row_are_told_at_their_own_loop(tmp_path: Path) -> None:
    views = """\
from django.shortcuts import render
from .models import Author

def shelf(request):
    held = [{"books": author.book_set.order_by("pk")[:3]} for author in Author.objects.all()]
    return render(request, "shelf.html", {"held": held})
"""
    inner = "{% for tag in book.tags.all %}{{ tag.name }}{% endfor %}"
    template = "{% for item in held %}{% for book in item.books %}" + inner + "{% endfor %}{% endfor %}"
    found = [fail.values["loop"] for fail in failures(tmp_path, template, views)]
    assert found == ["{% for item in held %}", "{% for book in item.books %}"]


def test_a_method_that_returns_rows_is_not_told_to_count_them(tmp_path: Path) -> None:
    template = "{% for book in books %}{{ book.red.count }}{% endfor %}"
    assert [fail.fix for fail in failures(tmp_path, template)] == [
        'Add `.annotate(…=Count("tags", distinct=True, filter=Q(…)))` to `Book.objects.all()` in shop.views.shelf and '
        "show that in place of `book.red.count` in `shop/templates/shelf.html`."
    ]


def test_a_child_is_no_relation_of_itself(tmp_path: Path) -> None:
    models = MODELS + "\nclass Comic(Book):\n    colours = models.IntegerField()\n"
    template = "{% for b in books %}{{ b.author.name }}{{ b.comic.colours }}{{ b.comic.author.pk }}{% endfor %}"
    views = VIEWS.replace("Book", "Comic")
    itself = "`comic` of a Comic is that row again, by one more query: write `b.colours` for `b.comic.colours`."
    assert fixes(tmp_path, template, views, models) == [
        f'Add `.select_related("author")` to `Comic.objects.all()` in shop.views.shelf. {itself} '
        f"{itself.replace('colours', 'author.pk')}"
    ]
    assert fixes(tmp_path, template, VIEWS, models) == [
        'Add `.select_related("author", "comic")` to `Book.objects.all()` in shop.views.shelf. Write '
        "`b.comic.author_id` for `b.comic.author.pk` in shop/templates/shelf.html: the key is a column of the row."
    ]


def test_a_name_holds_within_its_loop(tmp_path: Path) -> None:
    template = """{% extends "base.html" %}{% block body %}
{% for tag in book.tags.all %}
{% if tag.book_set.all %}
{% for other in tag.book_set.all %}{{ other.title }}{% endfor %}
{% endif %}
{% endfor %}
{% endblock %}"""
    views = VIEWS.replace('"books": Book.objects.all()', '"book": Book.objects.get()')
    found = [item.fix for item in repeated_related_query(linked(tmp_path, template, views)) if isinstance(item, Fail)]
    assert found == [
        "The prefetch that template/n-plus-one on line 3 asks for answers these, too: make that one, and nothing has "
        "to change here. Without it, put `{% with book=tag.book_set.all %}…{% endwith %}` around all of it within the "
        "`{% for %}` of line 2, and in it write `book` for `tag.book_set.all`."
    ]


def test_a_name_holds_within_one_block(tmp_path: Path) -> None:
    views = VIEWS.replace('"books": Book.objects.all()', '"author": Author.objects.get()').replace("Book", "Author")
    count = "\n{{ author.book_set.count }}"
    several = "{% block head %}" + count + "{% endblock %}{% block body %}" + count + "{% endblock %}"
    one = "{% block body %}" + count * 2 + "{% endblock %}"
    found = {}
    for name, template in {"alone": one, "heir": '{% extends "base.html" %}' + one, "both": several}.items():
        text = '{% extends "base.html" %}' + template if name == "both" else template
        stack = linked(tmp_path / name, text, views)
        found[name] = [item.fix for item in repeated_related_query(stack) if isinstance(item, Fail)]
    naming = "Put `{% with book_count=author.book_set.count %}…{% endwith %}` around all of it"
    written = ", and in it write `book_count` for `author.book_set.count`."
    assert found == {
        "alone": [naming + written],
        "heir": [naming + " within `{% block body %}`" + written],
        "both": [
            "Let the view hand over what `author.book_set.count` gives under a name of its own, and read that: the "
            "places stand in several blocks, which no `{% with %}` spans."
        ],
    }


def test_a_slice_is_prefetched_as_one(tmp_path: Path) -> None:
    template = (
        '{% for author in authors %}{% with books=author.book_set.all|slice:":2" %}{% for book in books %}'
        "{{ book.publisher.name }}{% endfor %}{% endwith %}{% endfor %}"
    )
    models = (
        MODELS
        + """
class Publisher(models.Model):
    name = models.CharField(max_length=80)
"""
    )
    models = models.replace(
        "tags =", 'publisher = models.ForeignKey("Publisher", on_delete=models.CASCADE)\n    tags ='
    )
    views = """\
from django.shortcuts import render
from .models import Author, Book

def shelf(request):
    return render(request, "shelf.html", {"authors": Author.objects.order_by("name")})
"""
    making = """
def add(request, author):
    Book.objects.create(author=author)
"""
    to = 'to `Author.objects.order_by("name")` in shop.views.shelf.'
    assert fixes(tmp_path, template, views + making, models) == [
        'Add `.prefetch_related(Prefetch("book_set", queryset=Book.objects.select_related("publisher")[:2], '
        f'to_attr="…"))` {to} In `shop/templates/shelf.html` read that list in place of '
        '`author.book_set.all|slice:":2"`: a prefetch of `book_set` alone would load all of them (a Prefetch takes a '
        "slice since Django 4.2, with `to_attr`)."
    ]
    assert fixes(tmp_path, template, views, models) == [f'Add `.prefetch_related("book_set__publisher")` {to}']
    whole = template + "{% for author in authors %}{% for b in author.book_set.all %}{{ b.pk }}{% endfor %}{% endfor %}"
    assert fixes(tmp_path, whole, views + making, models) == [f'Add `.prefetch_related("book_set__publisher")` {to}']
    counted = template + "{% for author in authors %}{{ author.book_set.count }}{% endfor %}"
    (fix,) = fixes(tmp_path, counted, views + making, models)
    assert f'.annotate(…=Count("book", distinct=True))` {to[:-1]} and show what is annotated in place of' in fix


def test_a_place_that_several_branches_render_is_told_once(tmp_path: Path) -> None:
    parts = "{% if book.tags.exists %}{% for tag in book.tags.all %}{{ tag }}{% endfor %}{% endif %}"
    include = '{% include "tags.html" %}'
    files = {
        "models.py": MODELS,
        "views.py": VIEWS.replace('"books": Book.objects.all()', '"book": Book.objects.first()'),
        "templates/tags.html": parts,
        "templates/shelf.html": f"{include}{{% if b %}}{include}{{% endif %}}",
    }
    stack = stack_of(tmp_path, {f"shop/{name}": text for name, text in {"__init__.py": "", **files}.items()})
    (found,) = (item for item in repeated_related_query(stack) if isinstance(item, Fail))
    assert [step.text for step in found.flow] == [
        "`book.tags.exists` runs a query",
        "`book.tags.all` runs another",
    ]
    assert [step.text for step in found.related] == ["`book.tags.exists` runs a query"]


def test_a_page_makes_a_list_of_its_rows(tmp_path: Path) -> None:
    """Measured on Django 5.2: three rows of a page by number are one query, three of its `object_list` are three."""
    views = VIEWS.replace("Book.objects.all()}", "Paginator(Book.objects.all(), 3).get_page(1)}")
    views = "from django.core.paginator import Paginator\n" + views
    asked = "{{ books.0.title }}\n{{ books.1.title }}\n{{ books.2.title }}{% for b in books %}{{ b.pk }}{% endfor %}"
    assert not list(repeated_related_query(linked(tmp_path / "page", asked, views)))
    listed = "{{ books.object_list.0.title }}\n{{ books.object_list.2.title }}\n{{ books.has_next }}"
    (found,) = repeated_related_query(linked(tmp_path / "list", listed, views))
    assert isinstance(found, Fail)
    assert found.fix == (
        "Write `books.0` for `books.object_list.0` and so on: a page makes a list of its rows, a queryset does not."
    )
