from contextlib import suppress

from django.db.models import Count, Max, Prefetch
from django.db.models.functions import Coalesce
from shop.models import Author, Book


def size_of(author):
    if hasattr(author, "number"):
        return author.number
    return author.books.count()


def flat_attribute_set_behind_a_key():
    for book in Book.objects.select_related("author"):
        book.author.number = 1
        print(size_of(book.author))


def flat_attribute_set_behind_a_key_by_name():
    for book in Book.objects.select_related("author"):
        for name in ("number",):
            setattr(book.author, name, 1)
        print(size_of(book.author))


def flat_attribute_set_behind_a_key_before():
    books = list(Book.objects.select_related("author"))
    for book in books:
        book.author.number = 1
    return [size_of(book.author) for book in books]


def grows_where_another_row_got_the_attribute():
    for book in Book.objects.select_related("author", "editor"):
        book.editor.number = 1
        print(size_of(book.author))


def first_of(author, book=None):
    if book is None:
        book = author.books.filter(price__gte=0)[0]
    return book.title


def first_or(author, book=None):
    book = book or author.books.filter(price__gte=0)[0]
    return book.title


def first_if(author, book=None):
    return book.title if book else author.books.filter(price__gte=0)[0].title


def flat_row_handed_over():
    for book in Book.objects.select_related("author"):
        print(first_of(book.author, book), first_or(book.author, book), first_if(book.author, book))


def grows_without_the_row():
    for book in Book.objects.select_related("author"):
        print(first_of(book.author))


def grows_row_of_a_dictionary_handed_over():
    known = {book.author_id: book for book in Book.objects.filter(pk__lte=1)}
    for author in Author.objects.all():
        print(first_of(author, known.get(author.pk)))


def flat_row_of_a_full_dictionary_handed_over():
    known = {book.author_id: book for book in Book.objects.all()}
    for author in Author.objects.filter(books__isnull=False):
        print(first_of(author, known[author.pk]))


def grows_by_a_row_of_some_turns():
    book = None
    for author in Author.objects.all():
        print(first_of(author, book))
        if author.name == "nobody":
            book = Book(title="none")


def grows_by_the_row_of_the_turn_before():
    found = None
    for author in Author.objects.all():
        if found is None:
            print(author.books.count())
        else:
            print(author.country.name)
        found = author


def grows_behind_a_key_that_may_be_null():
    for author in Author.objects.select_related("mentor"):
        if author.mentor is None or not author.mentor:
            print(author.books.count())
        print(author.country.name)


def grows_where_none_is_found():
    nobody = Author.objects.filter(name="nobody").first()
    for author in Author.objects.all():
        print(nobody or author.books.count())


def asked_by_default(author):
    number = getattr(author, "number", None)
    if number is None:
        number = author.books.count()
    return number


def asked_in_a_try(author):
    try:
        return author.number
    except AttributeError:
        return author.books.count()


def asked_in_dict(author):
    return author.number if "number" in author.__dict__ else author.books.count()


def asked_in_vars(author):
    if "number" not in vars(author):
        return author.books.count()
    return author.number


def flat_annotated_number_asked_for():
    for author in Author.objects.annotate(number=Count("books")):
        print(asked_by_default(author), asked_in_a_try(author), asked_in_dict(author), asked_in_vars(author))


def flat_set_number_asked_for():
    authors = list(Author.objects.all())
    for author in authors:
        author.number = 0
    for author in authors:
        print(asked_by_default(author), asked_in_a_try(author), asked_in_dict(author), asked_in_vars(author))


def grows_by_default():
    return [asked_by_default(author) for author in Author.objects.all()]


def grows_in_a_try():
    return [asked_in_a_try(author) for author in Author.objects.all()]


def grows_in_dict():
    return [asked_in_dict(author) for author in Author.objects.all()]


def grows_in_vars():
    return [asked_in_vars(author) for author in Author.objects.all()]


def grows_where_the_number_may_be_null():
    for author in Author.objects.annotate(number=Max("pupils__pk")):
        print(asked_by_default(author))


def flat_where_another_number_stands_for_null():
    for author in Author.objects.annotate(number=Coalesce(Max("pupils__pk"), 0)):
        print(asked_by_default(author))


def grows_where_the_number_is_null_for_another_column():
    for author in Author.objects.annotate(number=Coalesce(Max("pupils__pk"), "mentor")):
        print(asked_by_default(author))


def grows_where_a_number_of_nothing_is_false():
    for author in Author.objects.annotate(number=Count("pupils")):
        print(author.number or author.books.count())


def grows_where_the_attribute_was_emptied():
    for author in Author.objects.annotate(number=Count("books")):
        author.number = None
        print(asked_by_default(author))


def dear_of(author):
    found = getattr(author, "dear", None)
    if found is None:
        found = list(author.books.filter(price__gt=0))
    return found


def flat_prefetched_list_asked_for():
    dear = Prefetch("books", queryset=Book.objects.filter(price__gt=0), to_attr="dear")
    return [len(dear_of(author)) for author in Author.objects.prefetch_related(dear)]


def grows_without_the_prefetched_list():
    return [len(dear_of(author)) for author in Author.objects.all()]


def own_of(author):
    book = getattr(author, "chosen", None) or author.books.filter(price__gte=0)[0]
    return book.title


def flat_row_set_behind_a_key():
    for book in Book.objects.select_related("author"):
        book.author.chosen = book
        print(own_of(book.author))


def grows_where_an_error_was_suppressed():
    book = None
    with suppress(Book.DoesNotExist):
        book = Book.objects.get(title="none")
    for author in Author.objects.all():
        print(first_of(author, book))


def grows_by_what_the_turn_before_left():
    book = Book.objects.get(pk=1)
    for author in Author.objects.all():
        print(first_of(author, book))
        book = None
