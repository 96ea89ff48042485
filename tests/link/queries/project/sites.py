import heapq
import random
from collections import defaultdict, deque
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from operator import attrgetter
from typing import NamedTuple

from django import forms
from django.core import serializers
from django.core.paginator import Paginator
from django.db.models import Count, Prefetch, prefetch_related_objects
from django.forms.models import model_to_dict
from shop.models import Author, Book, Chapter, Country, Note, Publisher, Tag


def grows_attribute():
    for book in Book.objects.all():
        print(book.author.name)


def grows_pk_of_relation():
    return [book.author.pk for book in Book.objects.all()]


def flat_key():
    return [book.author_id for book in Book.objects.all()]


def grows_is_none():
    return [book.author is None for book in Book.objects.all()]


def grows_equality():
    author = Author.objects.first()
    return [book.author == author for book in Book.objects.all()]


def flat_key_equality():
    author = Author.objects.first()
    return [book.author_id == author.pk for book in Book.objects.all()]


def flat_select_related():
    return [book.author.name for book in Book.objects.select_related("author")]


def grows_second_step():
    return [book.author.country.name for book in Book.objects.select_related("author")]


def flat_second_step():
    return [book.author.country.name for book in Book.objects.select_related("author__country")]


def flat_bare_select_related():
    return [book.author.country.name for book in Book.objects.select_related()]


def grows_bare_select_related_of_nullable():
    return [book.editor.name for book in Book.objects.select_related()]


def grows_reset():
    return [book.author.name for book in Book.objects.select_related("author").select_related(None)]


def grows_only():
    return [book.price for book in Book.objects.only("title")]


def flat_only():
    return [book.title for book in Book.objects.only("title")]


def grows_defer():
    return [book.price for book in Book.objects.defer("price")]


def grows_only_key():
    return [book.author_id for book in Book.objects.only("title")]


def grows_any():
    return any(book.author.name == "nobody" for book in Book.objects.all())


def grows_sorted():
    return sorted(Book.objects.all(), key=lambda book: book.author.name)


def grows_map():
    return list(map(lambda book: book.author.name, Book.objects.all()))


def grows_zip():
    return [book.author.name for book, number in zip(Book.objects.all(), range(1000))]


def grows_enumerate():
    return [(number, book.author.name) for number, book in enumerate(Book.objects.all())]


def grows_dict():
    return {book.pk: book.author.name for book in Book.objects.all()}


def flat_slice():
    return [book.author.name for book in Book.objects.all()[:3]]


def grows_has_one_to_one():
    return [hasattr(author, "profile") for author in Author.objects.all()]


def grows_reverse_one_to_one():
    return [author.profile.text for author in Author.objects.all()]


def flat_reverse_one_to_one():
    return [author.profile.text for author in Author.objects.select_related("profile")]


def flat_prefetched_foreign_key():
    return [book.author.name for book in Book.objects.prefetch_related("author")]


def flat_prefetched_objects():
    books = list(Book.objects.all())
    prefetch_related_objects(books, "author")
    return [book.author.name for book in books]


def flat_known_parent():
    author = Author.objects.first()
    return [book.author.name for book in author.books.all()]


def flat_known_parent_filtered():
    author = Author.objects.first()
    return [book.author.name for book in author.books.filter(title__gt="")]


def flat_parent_after_prefetch():
    return [book.author.name for author in Author.objects.prefetch_related("books") for book in author.books.all()]


def flat_union_of_conditions():
    books = Book.objects.select_related("author").filter(price=1) | Book.objects.filter(price=2)
    return [book.author.name for book in books]


def grows_union_of_conditions():
    books = Book.objects.filter(price=1) | Book.objects.select_related("author").filter(price=2)
    return [book.author.name for book in books]


def flat_break():
    for book in Book.objects.all():
        print(book.author.name)
        break


def flat_single_rows():
    book = Book.objects.first()
    return book.author.name, Book.objects.latest("pk").author.name, Book.objects.all()[0].author.name


def flat_assigned():
    author = Author.objects.first()
    for book in Book.objects.all():
        book.author = author
        print(book.author.name)


def grows_many_to_many():
    return [[tag.name for tag in book.tags.all()] for book in Book.objects.all()]


def flat_many_to_many():
    return [[tag.name for tag in book.tags.all()] for book in Book.objects.prefetch_related("tags")]


def grows_count():
    return [author.books.count() for author in Author.objects.all()]


def flat_prefetched_count():
    return [author.books.count() for author in Author.objects.prefetch_related("books")]


def flat_annotated_count():
    return [author.number for author in Author.objects.annotate(number=Count("books"))]


def grows_filter_of_prefetched():
    return [list(book.tags.filter(name="x")) for book in Book.objects.prefetch_related("tags")]


def flat_lazy_filter():
    return [book.tags.filter(name="x") for book in Book.objects.prefetch_related("tags")]


def grows_first_of_prefetched():
    return [book.tags.first() for book in Book.objects.prefetch_related("tags")]


def flat_first_of_prefetched_and_ordered():
    return [book.chapter_set.first() for book in Book.objects.prefetch_related("chapter_set")]


def grows_last_of_prefetched_and_ordered():
    return [book.chapter_set.last() for book in Book.objects.prefetch_related("chapter_set")]


def flat_prefetched_to_attr():
    wanted = Prefetch("books", queryset=Book.objects.filter(price=1), to_attr="cheap")
    return [[book.title for book in author.cheap] for author in Author.objects.prefetch_related(wanted)]


def grows_prefetched_to_attr():
    wanted = Prefetch("books", queryset=Book.objects.filter(price=1), to_attr="cheap")
    return [[book.publisher.name for book in author.cheap] for author in Author.objects.prefetch_related(wanted)]


def flat_prefetched_queryset():
    wanted = Prefetch("books", queryset=Book.objects.select_related("publisher"))
    return [[book.publisher.name for book in author.books.all()] for author in Author.objects.prefetch_related(wanted)]


def grows_second_level():
    authors = Author.objects.prefetch_related("books")
    return [[tag.name for tag in book.tags.all()] for author in authors for book in author.books.all()]


def flat_second_level():
    authors = Author.objects.prefetch_related("books__tags")
    return [[tag.name for tag in book.tags.all()] for author in authors for book in author.books.all()]


def flat_indices_of_prefetched():
    for book in Book.objects.prefetch_related("tags"):
        tags = book.tags.all()
        print(tags[0], tags[:2], len(tags), list(reversed(tags)), book.tags.exists())


def grows_property():
    return [book.by for book in Book.objects.all()]


def flat_property():
    return [book.by for book in Book.objects.with_author()]


def grows_method():
    return [book.tag_names() for book in Book.objects.shown()]


def flat_method():
    return [book.tag_names() for book in Book.objects.shown().prefetch_related("tags")]


def grows_text():
    return [str(book) for book in Book.objects.all()]


def grows_format():
    return [f"{book}" for book in Book.objects.all()]


def flat_text():
    return [str(book) for book in Book.objects.select_related("author")]


def grows_text_of_related():
    return [f"{book.author}" for book in Book.objects.select_related("author")]


def flat_manager():
    return [book.publisher.name for book in Book.published.all()]


def grows_default_manager():
    return [book.publisher.name for book in Book.objects.all()]


def grows_join():
    return ", ".join(book.author.name for book in Book.objects.all())


def helper(book):
    return book.author.name


def grows_helper():
    for book in Book.objects.all():
        helper(book)


def flat_helper():
    for book in Book.objects.select_related("author"):
        helper(book)


def generated():
    for book in Book.objects.all():
        yield book


def grows_generator():
    return [book.author.name for book in generated()]


def grows_collected():
    books = []
    for book in Book.objects.all():
        books.append(book)
    return [book.author.name for book in books]


def grows_get():
    return [Book.objects.get(pk=pk) for pk in Book.objects.values_list("pk", flat=True)]


def flat_in_bulk():
    found = Book.objects.in_bulk()
    return [found[pk].title for pk in list(found)]


def grows_in_bulk():
    found = Book.objects.in_bulk()
    return [found[pk].author.name for pk in Book.objects.values_list("pk", flat=True)]


def grows_exists():
    return [name for name in Tag.objects.values_list("name") if Book.objects.filter(title=name).exists()] + [
        author for author in Author.objects.all() if Book.objects.filter(author=author).exists()
    ]


def flat_values():
    return [(title, name) for title, name in Book.objects.values_list("title", "author__name")]


def flat_iterator():
    return [book.author.name for book in Book.objects.select_related("author").iterator()]


def grows_iterator():
    return [book.author.name for book in Book.objects.iterator()]


def grows_generic():
    return [note.about.title for note in Note.objects.all()]


def flat_generic():
    return [note.about.title for note in Note.objects.prefetch_related("about")]


def grows_generic_relation():
    return [list(book.notes.all()) for book in Book.objects.all()]


def grows_save():
    for book in Book.objects.all():
        book.price = 2
        book.save()


def flat_bulk_update():
    books = list(Book.objects.all())
    for book in books:
        book.price = 2
    Book.objects.bulk_update(books, ["price"])


def grows_create():
    for author in Author.objects.all():
        Tag.objects.create(name=author.name)


def flat_bulk_create():
    Tag.objects.bulk_create([Tag(name=author.name) for author in Author.objects.all()])


def flat_second_loop():
    books = Book.objects.select_related("author")
    for book in books:
        print(book.title)
    for book in books:
        print(book.author.name)


def flat_new_rows():
    return [Book(author=author).author.name for author in Author.objects.all()]


def grows_refresh():
    for book in Book.objects.all():
        book.refresh_from_db()


def grows_nested():
    for author in Author.objects.prefetch_related("books"):
        for book in author.books.all():
            print(book.publisher.name)


def grows_while_popping():
    books = list(Book.objects.all())
    for _ in range(len(books)):
        print(books.pop().title)
    for book in Book.objects.filter(price=1):
        if book.title:
            print(book.author.name)


def flat_constant_list():
    return [Book.objects.filter(title=title).first() for title in ("a", "b", "c")]


def flat_discarded():
    books = Book.objects.all()
    books.select_related("author")
    return [book.title for book in books]


def grows_discarded():
    books = Book.objects.all()
    books.select_related("author")
    return [book.author.name for book in books]


def grows_membership():
    author = Author.objects.first()
    return [book for book in Book.objects.all() if author in Author.objects.filter(books=book)]


def grows_all_of_all():
    return [list(book.tags.all().all()) for book in Book.objects.prefetch_related("tags")]


def grows_reverse_of_prefetched():
    return [list(book.tags.all().reverse()) for book in Book.objects.prefetch_related("tags")]


def flat_parent_of_single():
    author = Author.objects.first()
    return [(book.author.country, book.author.name) for book in author.books.all()]


def flat_subclasses_and_getters():
    return sorted(Book.objects.select_related("author"), key=attrgetter("author.name"))


def grows_getters():
    return sorted(Book.objects.all(), key=attrgetter("author.name"))


def grows_many_through_one():
    return [[tag.name for tag in chapter.book.tags.all()] for chapter in Chapter.objects.select_related("book")]


def flat_many_through_one():
    return [[tag.name for tag in chapter.book.tags.all()] for chapter in Chapter.objects.prefetch_related("book__tags")]


def grows_update_or_create():
    for author in Author.objects.all():
        Tag.objects.update_or_create(pk=author.pk, defaults={"name": author.name})


def grows_delete():
    for book in Book.objects.all():
        book.delete()


def grows_add():
    book = Book.objects.first()
    for tag in Tag.objects.all():
        book.tags.remove(tag)


def flat_remove_at_once():
    book = Book.objects.first()
    book.tags.remove(*Tag.objects.all())


def flat_early_return():
    for book in Book.objects.all():
        return book.author.name


def grows_while():
    books = list(Book.objects.all())
    names = []
    for index in range(len(books)):
        names.append(books[index].author.name)
    return names


def flat_hasattr_annotation():
    authors = Author.objects.annotate(number=Count("books"))
    return [author.number if hasattr(author, "number") else author.books.count() for author in authors]


def flat_found():
    for book in Book.objects.all():
        if book.title == "book 1.0":
            return book.author.name
    return None


def grows_raised_and_caught():
    for book in Book.objects.all():
        try:
            if book.title:
                print(book.author.name)
        except ValueError:
            print("odd")


def prefetch_books(books):
    prefetch_related_objects(books, "tags", "author")


def flat_prefetched_in_helper():
    books = list(Book.objects.all())
    prefetch_books(books)
    for book in books:
        print(book.author.name, [t.name for t in book.tags.all()])


def flat_prefetched_comprehension():
    chapters = list(Chapter.objects.select_related("book"))
    prefetch_related_objects([chapter.book for chapter in chapters], "tags")
    for chapter in chapters:
        print([t.name for t in chapter.book.tags.all()])


def grows_grouped():
    chapters = defaultdict(list)
    for chapter in Chapter.objects.all():
        chapters[chapter.book_id].append(chapter)
    for found in chapters.values():
        for chapter in found:
            print(chapter.book.title)


def flat_grouped():
    chapters = defaultdict(list)
    for chapter in Chapter.objects.all():
        chapters[chapter.book_id].append(chapter)
    for book in Book.objects.all():
        for chapter in chapters[book.pk]:
            print(chapter.title)


def flat_grouped_setdefault():
    chapters = {}
    for chapter in Chapter.objects.select_related("book"):
        chapters.setdefault(chapter.book_id, []).append(chapter)
    for book in Book.objects.all():
        for chapter in chapters.get(book.pk, []):
            print(chapter.book.title)


def grows_page_object_list():
    page = Paginator(Book.objects.order_by("pk"), 1000).page(1)
    for book in page.object_list:
        print(book.author.name)


def flat_prefetched_page():
    page = Paginator(Book.objects.order_by("pk"), 1000).page(1)
    prefetch_related_objects(page.object_list, "author")
    for book in page:
        print(book.author.name)


def flat_set_attribute():
    countries = {country.pk: country for country in Country.objects.all()}
    authors = list(Author.objects.all())
    for author in authors:
        author.country = countries[author.country_id]
    for author in authors:
        print(author.country.name)


def flat_isnull():
    for book in Book.objects.filter(editor__isnull=True):
        print(book.editor)


def flat_none():
    for book in Book.objects.filter(editor=None):
        print(book.editor)


def flat_islice():
    for book in islice(Book.objects.order_by("pk"), 2):
        print(book.author.name)


def flat_setattr_related():
    authors = {a.pk: a for a in Author.objects.all()}
    for book in Book.objects.all():
        setattr(book, "author", authors[book.author_id])  # noqa: B010
        print(book.author.name)


def grows_only_joined():
    for book in Book.objects.select_related("author").only("title", "author__name"):
        print(book.author.country_id)


def flat_only_joined():
    for book in Book.objects.select_related("author").only("title", "author__name"):
        print(book.title, book.author.name)


def grows_defer_joined():
    for book in Book.objects.select_related("author").defer("author__name"):
        print(book.author.name)


def grows_star():
    _first, *rest = Book.objects.all()
    for book in rest:
        print(book.author.name)


def flat_star():
    _first, *rest = Book.objects.select_related("author")
    for book in rest:
        print(book.author.name)


def parts(items, size):
    items = iter(items)
    while found := list(islice(items, size)):
        yield found


def flat_parts():
    ids = list(Book.objects.values_list("pk", flat=True))
    return [len(Book.objects.filter(pk__in=some)) for some in parts(ids, 500)]


def slices(items, n):
    for start in range(0, len(items), n):
        yield items[start : start + n]


def flat_slices():
    ids = list(Book.objects.values_list("pk", flat=True))
    for some in slices(ids, 500):
        print(len(Book.objects.filter(pk__in=some)))


def flat_parts_of_rows():
    for some in slices(list(Book.objects.all()), 500):
        print(Author.objects.filter(pk__in=[book.author_id for book in some]).count())


def grows_rows_of_parts():
    for some in slices(list(Book.objects.all()), 500):
        for book in some:
            print(Author.objects.filter(pk=book.author_id).count())


def flat_pages():
    pages = Paginator(Book.objects.order_by("pk"), 500)
    for number in pages.page_range:
        print(len(Author.objects.filter(pk__in=[book.author_id for book in pages.page(number)])))


def flat_succeeds():
    for number in range(len(Book.objects.all()) + 1):
        try:
            Tag.objects.create(name=f"x{number}")
            break
        except ValueError:
            continue


def flat_default(turns=3):
    for number in range(turns):
        Tag.objects.create(name=f"x{number}")


def flat_constant():
    for number in range(20):
        print(Tag.objects.filter(pk=number).exists())


def grows_batch_in_name_only():
    for batch in Book.objects.all():
        print(batch.author.name)


def grows_attempts_in_name_only():
    for attempt in range(len(Book.objects.all())):
        print(Tag.objects.filter(pk=attempt).exists())


def grows_small_steps():
    ids = list(Book.objects.values_list("pk", flat=True))
    for start in range(0, len(ids), 2):
        print(len(Book.objects.filter(pk__in=ids[start : start + 2])))


def grows_form_in_name_only():
    for form in Book.objects.all():
        Tag.objects.create(name=form.title)


def grows_parent_of_list():
    books = Book.objects.prefetch_related(Prefetch("chapter_set", to_attr="kept"))
    return [[str(part.book) for part in row.kept] for row in books]


def flat_parent_of_list():
    books = Book.objects.prefetch_related(Prefetch("chapter_set", to_attr="kept"))
    return [[part.book.title for part in row.kept] for row in books]


def grows_few_of_each():
    for author in Author.objects.prefetch_related("books"):
        for book in author.books.all()[:2]:
            print(book.publisher.name)


def grows_few_of_each_asked():
    for author in Author.objects.all():
        for book in Book.objects.filter(author=author)[:2]:
            print(book.publisher.name)


def flat_few_of_each():
    for author in Author.objects.prefetch_related("books__publisher"):
        for book in author.books.all()[:2]:
            print(book.publisher.name)


def flat_parent_joined():
    chapters = Chapter.objects.select_related("book__author")
    books = Book.objects.prefetch_related(Prefetch("chapter_set", queryset=chapters))
    return [[part.book.author.name for part in row.chapter_set.all()] for row in books]


def grows_parent_not_joined():
    books = Book.objects.prefetch_related(Prefetch("chapter_set", queryset=Chapter.objects.all()))
    return [[part.book.author.name for part in row.chapter_set.all()] for row in books]


def grows_text_of_dictionary():
    return str({author.pk: author for author in Author.objects.all()})


def flat_text_of_dictionary():
    return str({author.pk: author for author in Author.objects.select_related("country")})


def flat_parent_prefetched():
    books = Book.objects.prefetch_related("author")
    authors = Author.objects.prefetch_related(Prefetch("books", queryset=books, to_attr="kept"))[:2]
    return [[part.author.country.name for part in row.kept] for row in authors]


def flat_below_parent_prefetched():
    chapters = Chapter.objects.prefetch_related("book__author")
    books = Book.objects.prefetch_related(Prefetch("chapter_set", queryset=chapters, to_attr="kept"))
    return [[part.book.author.name for part in row.kept] for row in books]


def grows_key_of_stored_rows():
    return [book.drafts() for book in Book.objects.all()]


def flat_key_of_new_rows():
    return [Book(title=tag.name).drafts() for tag in Tag.objects.all()]


def grows_only_stored_rows():
    return [book.stored() for book in Book.objects.all()]


def flat_only_stored_rows():
    return [Book(title=tag.name).stored() for tag in Tag.objects.all()]


def flat_only_new_rows():
    return [book.fresh() for book in Book.objects.all()]


def flat_copies_without_a_key():
    for book in Book.objects.all():
        book.pk = None
        print(book.drafts())


def flat_a_dictionary_under_the_name_of_a_relation(plans=None):
    for author in Author.objects.all():
        print((plans or {}).get(author.pk, None))


def flat_length_of_an_entry():
    shelf = {"books": Book.objects.all()}
    print(len(shelf["books"]))
    for _ in Author.objects.all():
        print([book.title for book in shelf["books"]])


def grows_bare_select_related():
    return [book.editor.name for book in Book.objects.select_related().exclude(editor=None)]


def grows_manager_or_nothing(hidden=False):
    books = Book.objects
    if hidden:
        books = Book.objects.none()
    return [book.author.name for book in books.filter(price=1)]


def grows_parent_prefetched_anew():
    chapters = Chapter.objects.prefetch_related("book")
    books = Book.objects.select_related("author").prefetch_related(Prefetch("chapter_set", queryset=chapters))
    return [[str(part.book) for part in row.chapter_set.all()] for row in books]


def flat_names_after_a_bare_select_related():
    return [book.author.name for book in Book.objects.select_related().select_related("author")]


def grows_names_after_a_bare_select_related():
    return [book.publisher.name for book in Book.objects.select_related().select_related("author")]


def flat_bare_select_related_after_names():
    return [chapter.book.author.country.name for chapter in Chapter.objects.select_related("book").select_related()]


def _named(book, kind="short"):
    if kind == "long":
        return book.author.name
    return book.title


def flat_what_a_default_leaves_out():
    return [_named(book) for book in Book.objects.all()]


def grows_what_a_caller_asks_for():
    return [_named(book, kind="long") for book in Book.objects.all()]


def flat_back_through_one_to_one():
    return [str(author.profile.author) for author in Author.objects.select_related("country", "profile__author")]


def grows_back_through_one_to_one():
    return [author.profile.author.country.name for author in Author.objects.select_related("profile")]


def grows_asked_of_the_row_that_one_to_one_leads_back_to():
    authors = Author.objects.select_related("profile")
    return [author.profile.author.books.order_by("title").first() for author in authors]


def flat_asked_of_the_row_that_one_to_one_leads_back_to():
    authors = Author.objects.select_related("profile", "country").prefetch_related("books")
    return [(author.profile.author.books.all(), author.profile.author.country.name) for author in authors]


def flat_prefetched_one_to_one_leads_back():
    authors = Author.objects.select_related("country").prefetch_related("profile")
    return [author.profile.author.country.name for author in authors]


@dataclass
class _Line:
    book: Book
    count: int = 1


class _Pair(NamedTuple):
    number: int
    book: Book


def grows_rows_in_objects():
    return [line.book.author.name for line in [_Line(book) for book in Book.objects.all()]]


def grows_rows_in_named_tuples():
    return [pair.book.author.name for pair in [_Pair(1, book=book) for book in Book.objects.all()]]


def flat_joined_rows_in_objects():
    return [line.book.author.name for line in [_Line(book) for book in Book.objects.select_related("author")]]


def flat_one_row_in_an_object():
    line = _Line(Book.objects.first())
    return [line.book.author.name for _ in range(5)]


def grows_pages_one_after_another():
    return [book.author.name for page in Paginator(Book.objects.order_by("pk"), 1000) for book in page]


def flat_joined_pages_one_after_another():
    rows = Book.objects.select_related("author").order_by("pk")
    return [book.author.name for page in Paginator(rows, 1000) for book in page]


def grows_queue():
    waiting = deque(Book.objects.all())
    while waiting:
        print(waiting.popleft().author.name)


def flat_joined_stack():
    waiting = list(Book.objects.select_related("author"))
    while len(waiting):
        book = waiting.pop()
        print(book.author.name)


def grows_attributes_by_name():
    for book in Book.objects.select_related("author"):
        for name in ("author", "publisher"):
            print(getattr(book, name).name)


def flat_joined_attributes_by_name():
    for book in Book.objects.select_related("author", "publisher"):
        for name in ("author", "publisher"):
            print(getattr(book, name).name)


class _BooksForm(forms.Form):
    books = forms.ModelMultipleChoiceField(queryset=Book.objects.all())
    joined = forms.ModelMultipleChoiceField(queryset=Book.objects.select_related("author"))


def _form():
    keys = list(Book.objects.values_list("pk", flat=True))
    form = _BooksForm({"books": keys, "joined": keys})
    assert form.is_valid()
    return form


def grows_chosen_in_a_form():
    return [book.author.name for book in _form().cleaned_data["books"]]


def flat_joined_chosen_in_a_form():
    return [book.author.name for book in _form().cleaned_data.get("joined")]


class _AddedForm(forms.Form):
    given = forms.ModelMultipleChoiceField(queryset=Book.objects.none())
    joined = forms.ModelMultipleChoiceField(queryset=Book.objects.all())

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["books"] = forms.ModelMultipleChoiceField(queryset=Book.objects.all())
        self.fields["joined"].queryset = Book.objects.select_related("author")


def _added():
    keys = list(Book.objects.values_list("pk", flat=True))
    form = _AddedForm({"books": keys, "joined": keys, "given": keys})
    form.fields["given"].queryset = Book.objects.filter(pk__gt=0)
    assert form.is_valid()
    return form


def grows_chosen_in_an_added_field():
    return [book.author.name for book in _added().cleaned_data["books"]]


def grows_chosen_of_rows_that_were_set_later():
    return [book.author.name for book in _added().cleaned_data["given"]]


def flat_joined_chosen_of_replaced_rows():
    return [book.author.name for book in _added().cleaned_data["joined"]]


def grows_rows_of_a_field():
    return [book.author.name for book in _AddedForm().fields["books"].queryset]


def flat_joined_rows_of_a_field():
    return [book.author.name for book in _AddedForm().fields["joined"].queryset]


def flat_rows_of_another_field():
    form = _AddedForm()
    form.fields["books"] = forms.CharField()
    return [book.author.name for book in getattr(form.fields["books"], "queryset", ())]


class _AuthorForm(forms.ModelForm):
    class Meta:
        model = Author
        fields = ["name"]


def grows_behind_the_row_of_a_form():
    form = _AuthorForm(instance=Author.objects.first())
    Book.objects.update(author=form.instance)
    return [book.publisher.name for book in form.instance.books.all()]


def flat_joined_behind_the_row_of_a_form():
    form = _AuthorForm(instance=Author.objects.first())
    Book.objects.update(author=form.instance)
    return [book.publisher.name for book in form.instance.books.select_related("publisher")]


def grows_model_to_dict():
    return [model_to_dict(book) for book in Book.objects.all()]


def flat_prefetched_model_to_dict():
    return [model_to_dict(book) for book in Book.objects.prefetch_related("tags")]


def flat_model_to_dict_of_columns():
    return [model_to_dict(book, fields=["title"]) for book in Book.objects.all()]


def flat_model_to_dict_without_tags():
    return [model_to_dict(book, exclude=["tags"]) for book in Book.objects.all()]


def grows_prefetch_by_a_deferred_key():
    return [book.title for book in Book.objects.only("title").prefetch_related("author")]


def flat_prefetch_by_a_key_that_is_there():
    return [book.title for book in Book.objects.only("title", "author").prefetch_related("author")]


def grows_prefetched_rows_without_the_key():
    books = Prefetch("books", queryset=Book.objects.only("title"))
    return [author.pk for author in Author.objects.prefetch_related(books)]


def flat_prefetched_rows_that_another_table_links():
    books = Prefetch("book_set", queryset=Book.objects.only("title"))
    return [tag.pk for tag in Tag.objects.prefetch_related(books)]


def grows_related_rows_without_the_key():
    return [book.title for book in Author.objects.first().books.only("title")]


def flat_related_rows_that_another_table_links():
    return [book.title for book in Tag.objects.first().book_set.only("title")]


def grows_generic_key_that_was_left_out():
    return [note.pk for note in Note.objects.only("text").prefetch_related("about")]


def flat_generic_key():
    return [note.pk for note in Note.objects.only("text", "content_type", "object_id").prefetch_related("about")]


def grows_generic_rows_without_the_key():
    notes = Prefetch("notes", queryset=Note.objects.only("text"))
    return [book.pk for book in Book.objects.prefetch_related(notes)]


def grows_columns_of_the_parent():
    for author in Author.objects.only("mentor").prefetch_related("books"):
        print([book.author.name for book in author.books.all()])


class Selection:
    def __init__(self, books):
        self.books = books

    def __iter__(self):
        return iter(self.books)


def grows_through_an_object_that_is_gone_through():
    return [book.author.name for book in Selection(Book.objects.all())]


def flat_through_an_object_that_is_gone_through():
    return [book.author.name for book in Selection(Book.objects.select_related("author"))]


def yielded(books):
    for book in books:
        yield book


def first_ones():
    yield from Book.objects.all()[:2]


def grows_of_what_is_yielded():
    return [book.author.name for book in yielded(Book.objects.all())]


def flat_of_the_few_that_are_yielded():
    return [book.author.name for book in first_ones()]


def grows_where_a_list_is_sorted_in_place():
    books = list(Book.objects.all())
    books.sort(key=lambda book: book.author.name)
    return books


def flat_where_a_list_is_sorted_in_place():
    books = list(Book.objects.select_related("author"))
    books.sort(key=lambda book: book.author.name)
    return books


def grows_by_the_options_of_the_model():
    return [book.author.name for book in Book._meta.default_manager.all()]


def grows_where_rows_are_written_out():
    return serializers.serialize("json", Book.objects.all())


def flat_where_written_rows_bring_their_tags():
    return serializers.serialize("json", Book.objects.prefetch_related("tags"))


def flat_where_the_tags_are_left_out():
    return serializers.serialize("json", Book.objects.all(), fields=["title", "author"])


def flat_where_rows_without_tags_are_written_out():
    return serializers.serialize("json", Author.objects.all())


def grows_by_another_manager():
    return [list(author.books(manager="published").all()) for author in Author.objects.all()]


def grows_of_rows_by_another_manager():
    for author in Author.objects.all():
        for book in author.books(manager="published").all():
            print(book.publisher.name)


def flat_by_another_manager_of_prefetched_rows():
    return [list(author.books(manager="published").all()) for author in Author.objects.prefetch_related("books")]


def grows_by_all_fields():
    return [{field.name: getattr(book, field.name) for field in Book._meta.fields} for book in Book.objects.all()]


def flat_by_the_columns_of_all_fields():
    return [{field.name: getattr(book, field.attname) for field in Book._meta.fields} for book in Book.objects.all()]


def flat_by_the_fields_that_are_no_keys():
    found = []
    for book in Book.objects.all():
        for field in book._meta.fields:
            if not field.is_relation:
                found.append(getattr(book, field.name))
    return found


def grows_with_the_largest_ones():
    return heapq.nlargest(3, Book.objects.all(), key=lambda book: book.author.name)


def grows_in_pairs():
    return [(one.author.name, other.author.name) for one, other in pairwise(Book.objects.all())]


def grows_of_a_sample():
    return [book.author.name for book in random.sample(list(Book.objects.all()), Book.objects.count())]


def flat_of_one_by_chance():
    return random.choice(Book.objects.all()).author.name


def grows_where_a_few_loops_give_many_rows():
    books = [book for price in (0, 1) for book in Book.objects.filter(price__gt=price - 1)]
    return [book.author.name for book in books]


def flat_where_a_few_loops_give_rows_with_authors():
    books = [book for price in (0, 1) for book in Book.objects.filter(price__gt=price - 1).select_related("author")]
    return [book.author.name for book in books]


def grows_where_a_number_counts_up():
    books = list(Book.objects.all())
    names, index = [], 0
    while index < len(books):
        names.append(books[index].author.name)
        index += 1
    return names


def flat_where_a_number_counts_up():
    books = list(Book.objects.select_related("author"))
    names, index = [], 0
    while index < len(books):
        names.append(books[index].author.name)
        index += 1
    return names


def grows_by_names_in_a_later_loop():
    return [[tag.name for name in ("tags",) for tag in getattr(book, name).all()] for book in Book.objects.all()]


def flat_by_names_in_a_later_loop():
    books = Book.objects.prefetch_related("tags")
    return [[tag.name for name in ("tags",) for tag in getattr(book, name).all()] for book in books]


def grows_in_a_chain_of_many():
    found = [author.books.all() for author in Author.objects.all()]
    return [book.title for book in chain(*found)]


def grows_in_a_chain_of_one():
    found = [author.books.all() for author in Author.objects.all()]
    return [book.title for book in chain.from_iterable(found)]


def flat_in_a_chain_of_many():
    found = [author.books.all() for author in Author.objects.prefetch_related("books")]
    return [book.title for book in chain(*found)]


class Shelf:
    def __init__(self, rows):
        self.rows = rows

    def __iter__(self):
        yield from self.rows


def all_of(shelf):
    yield from shelf


def grows_of_what_an_object_yields():
    return [book.author.name for book in all_of(Shelf(Book.objects.all()))]


def flat_of_what_an_object_yields():
    return [book.author.name for book in all_of(Shelf(Book.objects.select_related("author")))]


def several_ways(few):
    books = Book.objects.filter(price__gt=0)
    if few:
        books = [Book.objects.filter(author=author).first() for author in Author.objects.all()[:2]]
    return books


def grows_where_one_branch_lists_single_rows():
    return [book.author.name for book in several_ways(False)]


def grows_by_methods_behind_a_relation():
    return [[book.author.name for book in publisher.book_set.shown().shown()] for publisher in Publisher.objects.all()]


def flat_by_methods_behind_a_relation():
    author = Author.objects.first()
    return [book.publisher_id for book in author.books.filter(price__gt=0).shown().with_author()]


def grows_in_a_list_of_two_models():
    rows = list(Author.objects.all()) + list(Book.objects.all())
    return [row.author.name if isinstance(row, Book) else row.name for row in rows]


def flat_in_a_list_of_two_models():
    rows = list(Author.objects.all()) + list(Book.objects.select_related("author"))
    return [row.author.name if isinstance(row, Book) else row.name for row in rows]


def grows_in_a_list_that_is_spread_out_of_two_models():
    rows = [*Author.objects.all(), *Book.objects.all()]
    return [row.author.name if isinstance(row, Book) else row.name for row in rows]


def flat_in_a_list_that_is_spread_out_of_two_models():
    rows = [*Author.objects.all(), *Book.objects.select_related("author")]
    return [row.author.name if isinstance(row, Book) else row.name for row in rows]


def grows_in_a_list_that_gets_two_models():
    rows = list(Book.objects.select_related("author"))
    rows.extend(Author.objects.all())
    names = []
    for row in sorted(rows, key=lambda row: row.pk):
        if isinstance(row, Author):
            names.append(row.country.name)
        else:
            names.append(row.author.name)
    return names


def flat_in_a_list_that_gets_two_models():
    rows = [*Book.objects.select_related("author")]
    rows += Author.objects.select_related("country")
    return [row.country.name if isinstance(row, Author) else row.author.name for row in rows]


def grows_where_a_relation_is_joined_with_others():
    for author in Author.objects.prefetch_related("books"):
        print([book.title for book in Book.objects.filter(title="a") | author.books.all()])


def flat_where_all_turns_are_joined():
    books = Book.objects.none()
    for author in Author.objects.all()[:3]:
        books |= Book.objects.filter(author=author)
    return [book.title for book in books]


def grows_below_a_pick():
    for book in Book.objects.prefetch_related("chapter_set"):
        print(book.chapter_set.first().title, book.chapter_set.last().book.author.name)


def flat_below_a_pick():
    for author in Author.objects.prefetch_related("books__publisher"):
        print([book.publisher.name for book in author.books.all()[:1]], author.books.all()[0].publisher.name)


def grows_on_the_way_back():
    for book in Book.objects.prefetch_related("chapter_set__book"):
        print([chapter.book.author.name for chapter in book.chapter_set.all()])


def flat_on_the_way_back():
    for book in Book.objects.prefetch_related("chapter_set__book__author"):
        print(book.author.name, [chapter.book.author.name for chapter in book.chapter_set.all()])


def grows_by_what_a_chained_call_gives():
    rows = [f"{book.pk}; {book.title}" for book in Book.objects.all()]
    return [Book.objects.filter(title=row.split(";")[1].strip()).exists() for row in rows]


def flat_by_what_a_chained_call_gives_before():
    rows = [f"{book.pk}; {book.title}" for book in Book.objects.all()]
    return Book.objects.filter(title__in=[row.split(";")[1].strip() for row in rows]).count()


def first_tag(tags):
    return tags.first()


def flat_first_of_an_ordered_prefetch():
    for book in Book.objects.prefetch_related(Prefetch("tags", queryset=Tag.objects.order_by("pk"))):
        print(book.tags.first(), book.tags.all().first(), first_tag(book.tags))


def grows_first_of_a_prefetch_that_has_lost_its_order():
    tags = Tag.objects.order_by("pk").filter(pk__gt=0).order_by()
    for book in Book.objects.prefetch_related(Prefetch("tags", queryset=tags)):
        print(book.tags.first())


def grows_last_of_an_ordered_prefetch():
    for book in Book.objects.prefetch_related(Prefetch("tags", queryset=Tag.objects.order_by("pk"))):
        print(book.tags.last())


def flat_sets_of_what_was_loaded():
    titles = set(Book.objects.values_list("title", flat=True))
    names = set(Author.objects.values_list("name", flat=True))
    found = []
    for book in Book.objects.all():
        found += sorted(titles.union([book.title])) + sorted(titles.difference(names, {book.title}))
    return found


def grows_union_of_querysets():
    found = []
    for book in Book.objects.all():
        found += list(Book.objects.filter(pk=book.pk).union(Book.objects.filter(title="")))
    return found


def grows_through_the_manager_of_a_row_from_before():
    author = Author.objects.first()
    return [author.books.filter(title=book.title).exists() for book in Book.objects.all()]


def grows_rows_through_the_manager_of_a_row_from_before():
    author, found = Author.objects.get(pk=Author.objects.first().pk), []
    for book in Book.objects.all():
        found += [other.pk for other in author.books.filter(title=book.title)]
    return found


def flat_manager_of_a_row_from_before_asked_at_once():
    author = Author.objects.first()
    titles = set(author.books.values_list("title", flat=True))
    return [book.title in titles for book in Book.objects.all()]


def flat_what_stays_the_same_was_assigned():
    shared, found = Book.objects.first(), []
    for chapter in Chapter.objects.all():
        chapter.book = shared
        found.append(chapter.book.author.name)
    return found


def grows_what_was_assigned_to_some():
    shared, found = Book.objects.first(), []
    for chapter in Chapter.objects.all():
        if chapter.pk == 1:
            chapter.book = shared
        found.append(chapter.book.author.name)
    return found


def grows_read_before_it_was_assigned():
    shared, found = Book.objects.first(), []
    for chapter in Chapter.objects.all():
        found.append(chapter.book.author.name)
        chapter.book = shared
    return found
