"""A short page asks little, and what a page asks once more than it needs is one query."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import drf, orm, template
from stackaudit.model.verdict import Fail
from tests.checks.test_amounts import FILES, LOOP, SEVERITIES, told
from tests.stacks import stack_of

SHORT_VIEWS = """\
from django.core.paginator import Paginator
from django.shortcuts import render
from shop.models import Author, Book, Loan

def first_eight(request):
    for loan in Loan.objects.order_by("pk")[:8]:
        print(loan.clerk)

def first_eight_asked_twice(request):
    for loan in Loan.objects.order_by("pk")[:8]:
        print(loan.clerk, loan.book)

def first_twenty(request):
    for loan in Loan.objects.order_by("pk")[:20]:
        print(loan.clerk)

def eight_of_each(request):
    for book in Book.objects.all():
        for loan in book.loan_set.order_by("pk")[:8]:
            print(loan.clerk)

def page_by_page(request):
    paginator = Paginator(Loan.objects.order_by("pk"), 8)
    for number in paginator.page_range:
        for loan in paginator.page(number):
            print(loan.clerk)

def all_pages(request):
    for page in Paginator(Loan.objects.order_by("pk"), 8):
        for loan in page:
            print(loan.clerk)

def looked_up(request):
    loans = Loan.objects.order_by("pk")[:8]
    for loan in loans:
        print(Book.objects.get(author_id=loan.clerk_id))

def one_page_filtered(request):
    page = Paginator(Book.objects.prefetch_related("loan_set").order_by("pk"), 8).get_page(1)
    return render(request, "one_page_filtered.html", {"books": page})

def one_page(request):
    page = Paginator(Loan.objects.order_by("pk"), 8).get_page(request.GET.get("page"))
    return render(request, "one_page.html", {"loans": page})
"""
SHORT_API = """\
from rest_framework import pagination, serializers, viewsets
from shop.models import Author, Loan

class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]

class LoanSerializer(serializers.ModelSerializer):
    clerk = AuthorSerializer()
    title = serializers.SerializerMethodField()

    class Meta:
        model = Loan
        fields = ["clerk", "title"]

    def get_title(self, loan):
        return loan.book.pk

class Eight(pagination.PageNumberPagination):
    page_size = 8

class Loans(viewsets.ReadOnlyModelViewSet):
    queryset = Loan.objects.all()
    serializer_class = LoanSerializer
    pagination_class = Eight
"""


def test_a_short_page_asks_little(tmp_path: Path) -> None:
    html = "shop/templates/one_page.html"
    filtered = "{% for book in books %}{% for loan in book.loan_set.distinct %}{{ loan.pk }}{% endfor %}{% endfor %}"
    files = {**FILES, "shop/views.py": SHORT_VIEWS, "shop/api.py": SHORT_API, "shop/admin.py": "", html: LOOP}
    files["shop/templates/one_page_filtered.html"] = filtered
    stack = stack_of(tmp_path, files)
    many = ("high", 101, "100 rows in the loop, assumed")
    assert told(stack, "n-plus-one-forward", orm.n_plus_one_forward) == {
        "shop.views.first_eight": ("low", 9, "8 rows on a page"),
        "shop.views.first_eight_asked_twice": ("medium", 17, "8 rows on a page"),
        "shop.views.first_twenty": ("high", 21, "20 rows on a page"),
        "shop.views.eight_of_each": many,
        "shop.views.page_by_page": many,
        "shop.views.all_pages": many,
    }
    assert told(stack, "n-plus-one-reverse", orm.n_plus_one_reverse)["shop.views.eight_of_each"][0] == "high"
    looked_up = [verdict for verdict in orm.query_in_loop(stack) if isinstance(verdict, Fail)]
    assert [SEVERITIES["query-in-loop", verdict.cause] for verdict in looked_up] == ["low"]
    assert told(stack, "n-plus-one", template.n_plus_one) == {
        "shop.views.one_page": ("low", 8, "8 rows on a page"),
        "shop.views.one_page_filtered": ("low", 8, "8 rows on a page"),
    }
    assert told(stack, "n-plus-one", drf.n_plus_one) == {"shop.api.Loans": ("low", 8, "8 rows on a page")}
    assert told(stack, "method-field-query", drf.method_field_query) == {
        "shop.api.Loans": ("low", 8, "8 rows on a page")
    }


ASKED_VIEWS = """\
from django.shortcuts import get_object_or_404, render
from shop.models import Book

def one_book(request, pk):
    return render(request, "one_book.html", {"book": get_object_or_404(Book, pk=pk)})

def all_books(request):
    return render(request, "all_books.html", {"books": Book.objects.all()})
"""
ASKED_TWICE = "{% for loan in book.loan_set.all %}{{ loan.pk }}{% endfor %}"
ASKED = f"{{% if book.loan_set.all %}}\n{ASKED_TWICE}\n{{% endif %}}"
OF_SOME = "{% if book.author_id > 3 %}\n{{ book.author.loans.count }}\n{{ book.author.loans.count }}\n{% endif %}"


def test_what_a_page_asks_twice_is_one_query_and_what_a_list_asks_twice_is_many(tmp_path: Path) -> None:
    pages = {
        "one_book": f"{ASKED}\n{{% include 'of_both.html' %}}",
        "all_books": f"{{% for book in books %}}\n{ASKED}\n{{% include 'of_both.html' %}}\n{OF_SOME}\n{{% endfor %}}",
        "of_both": "{{ book.shared.count }}\n{{ book.shared.count }}",
    }
    html = {f"shop/templates/{name}.html": text for name, text in pages.items()}
    files = {**FILES, "shop/views.py": ASKED_VIEWS, "shop/api.py": "", "shop/admin.py": "", **html}
    found = list(template.repeated_related_query(stack_of(tmp_path, files)))
    assert {
        (verdict.site.name.removeprefix("shop/templates/"), verdict.site.place.region.line): (
            SEVERITIES["repeated-related-query", verdict.cause]
        )
        for verdict in found
        if isinstance(verdict, Fail)
    } == {
        ("one_book.html: book.loan_set", 2): "low",
        ("all_books.html: book.loan_set", 3): "low",  # the prefetch that template/n-plus-one asks for answers both
        ("all_books.html: book.author.loans", 8): "low",
        ("of_both.html: book.shared", 2): "medium",
    }
