"""Rows of one row are few, wherever they are gone through, and what a finding is worth agrees with what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from stackaudit.catalog import load
from stackaudit.checks import admin, drf, orm, template
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Verdict
from tests.stacks import stack_of

SEVERITIES = {
    (rule.name, name): severity or rule.severity
    for rule in load(None)
    for name, severity in {"": None, **{name: cause.severity for name, cause in rule.cause.items()}}.items()
}
MODELS = """\
from django.contrib.auth.models import AbstractUser
from django.db import models

class Author(models.Model):
    name = models.CharField(max_length=80)

class User(AbstractUser):
    pass

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    shared = models.ManyToManyField(User, related_name="+")

class Loan(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    clerk = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="loans")
    former = models.ForeignKey(Author, null=True, on_delete=models.CASCADE, related_name="+")
    later = models.ForeignKey(Author, null=True, on_delete=models.CASCADE, related_name="+")
    last = models.ForeignKey(Author, null=True, on_delete=models.CASCADE, related_name="+")

    def __str__(self):
        return self.clerk.name
"""
VIEWS = """\
from django.core.paginator import Paginator
from django.db.models import Q
from django.shortcuts import get_object_or_404, render
from shop.models import Author, Book, Loan

def mine(request):
    for loan in request.user.loan_set.all():
        print(loan.clerk)

def mine_asked_twice(request):
    for loan in request.user.loan_set.all():
        print(loan.clerk, loan.book)

def behind_mine(request):
    for loan in request.user.loan_set.all():
        for other in loan.clerk.loans.all():
            print(other.book)

def behind_those_of_an_author(request, pk):
    author = get_object_or_404(Author, pk=pk)
    for book in author.book_set.all():
        for loan in book.loan_set.all():
            print(loan.clerk)

def by_keys_of_mine(request):
    for book in Book.objects.filter(pk__in=Loan.objects.filter(user=request.user).values("book")):
        print(book.author)

def in_any_case(request):
    for book in Book.objects.filter(Q(owner=request.user) | Q(shared=request.user)):
        print(book.author)

def in_some_cases(request):
    for book in Book.objects.filter(Q(owner=request.user) | Q(shared=None)):
        print(book.author)

def by_keys_of_all(request):
    for book in Book.objects.filter(pk__in=Loan.objects.values("book")):
        print(book.author)

def looked_up(request):
    for loan in request.user.loan_set.all():
        print(Book.objects.get(author_id=loan.clerk_id))

def gathered(book):
    loans = book.loan_set.order_by("clerk")
    found = []
    for loan in loans.all():
        loan.color = "red"
        found.append(loan)
    return found

def of_a_book(request, pk):
    return render(request, "of_a_book.html", {"loans": gathered(get_object_or_404(Book, pk=pk))})

def of_mine(request):
    return render(request, "of_mine.html", {"loans": Loan.objects.filter(user=request.user)})

def of_mine_paged(request):
    page = Paginator(Loan.objects.filter(user=request.user).order_by("pk"), 20).get_page(1)
    return render(request, "of_mine_paged.html", {"loans": page})

def of_all(request):
    return render(request, "of_all.html", {"loans": Loan.objects.all()})
"""
API = """\
from rest_framework import serializers, viewsets
from shop.models import Author, Book, Loan

class AuthorSerializer(serializers.ModelSerializer):
    class Meta:
        model = Author
        fields = ["name"]

class LoanSerializer(serializers.ModelSerializer):
    clerk = AuthorSerializer()

    class Meta:
        model = Loan
        fields = ["clerk"]

class WideSerializer(LoanSerializer):
    former = AuthorSerializer()
    later = AuthorSerializer()

    class Meta:
        model = Loan
        fields = ["clerk", "former", "later"]

class WidestSerializer(WideSerializer):
    last = AuthorSerializer()

    class Meta:
        model = Loan
        fields = ["clerk", "former", "later", "last"]

class Mine(viewsets.ReadOnlyModelViewSet):
    serializer_class = LoanSerializer

    def get_queryset(self):
        if self.request.user.is_anonymous:
            return Loan.objects.none()
        return Loan.objects.filter(user=self.request.user)

class MineAndWide(viewsets.ReadOnlyModelViewSet):
    serializer_class = WidestSerializer

    def get_queryset(self):
        return Loan.objects.filter(user=self.request.user)

class All(viewsets.ReadOnlyModelViewSet):
    queryset = Loan.objects.all()
    serializer_class = WideSerializer
"""
ADMIN = """\
from django.contrib import admin
from shop.models import Author, Book, Loan, User

class Loans(admin.TabularInline):
    model = Loan
    fk_name = "user"

class LoansOfBook(admin.TabularInline):
    model = Loan

@admin.register(User)
class UserAdmin(admin.ModelAdmin):
    inlines = [Loans]

@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    inlines = [LoansOfBook]
"""
LOOP = "{% for loan in loans %}{{ loan.clerk.name }}{% endfor %}"
FILES = {
    "requirements.txt": "django==5.2\ndjangorestframework==3.16\n",
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")\n',
    "settings.py": 'INSTALLED_APPS = ["shop", "rest_framework"]\nAUTH_USER_MODEL = "shop.User"\n'
    'TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]\n',
    "shop/__init__.py": "",
    "shop/models.py": MODELS,
    "shop/views.py": VIEWS,
    "shop/api.py": API,
    "shop/admin.py": ADMIN,
    **{f"shop/templates/{name}.html": LOOP for name in ("of_a_book", "of_mine", "of_mine_paged", "of_all")},
}


def told(stack: Stack, rule: str, check: Callable[[Stack], Iterator[Verdict]]) -> dict[str, tuple[str, int, str]]:
    """What is said of each site: how much it matters, how many queries it costs, and for how many rows."""
    found: dict[str, tuple[str, int, str]] = {}
    for verdict in check(stack):
        if isinstance(verdict, Fail):
            assert verdict.cost is not None
            name = verdict.site.name.partition(":")[0].partition(" > ")[0]
            found[name] = (SEVERITIES[rule, verdict.cause], verdict.cost.queries, verdict.cost.assumed)
    return found


def test_rows_of_one_row_are_few_wherever_they_are_gone_through(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, FILES)
    mine, one_book = "10 rows of one User, assumed", "10 rows of one Book, assumed"
    assert told(stack, "n-plus-one-forward", orm.n_plus_one_forward) == {
        "shop.views.mine": ("low", 11, mine),
        "shop.views.mine_asked_twice": ("medium", 21, mine),
        "shop.views.by_keys_of_mine": ("low", 11, mine),
        "shop.views.in_any_case": ("low", 11, mine),
        "shop.views.in_some_cases": ("high", 101, "100 rows in the loop, assumed"),
        "shop.views.by_keys_of_all": ("high", 101, "100 rows in the loop, assumed"),
    }
    assert told(stack, "n-plus-one-reverse", orm.n_plus_one_reverse) == {
        "shop.views.behind_mine": ("medium", 21, mine),
        "shop.views.behind_those_of_an_author": ("high", 111, "10 rows of one Author and 10 behind each, assumed"),
    }
    looked_up = [verdict for verdict in orm.query_in_loop(stack) if isinstance(verdict, Fail)]
    assert [SEVERITIES["query-in-loop", verdict.cause] for verdict in looked_up] == ["low"]
    assert told(stack, "n-plus-one", template.n_plus_one) == {
        "shop.views.gathered": ("medium", 10, one_book),
        "shop.views.of_mine": ("low", 10, mine),
        "shop.views.of_mine_paged": ("medium", 20, "20 rows on a page"),
        "shop.views.of_all": ("high", 25, "25 rows on a page, assumed"),
    }
    assert told(stack, "list-display-n-plus-one", admin.list_display_n_plus_one) == {
        "shop.admin.Loans.__str__": ("low", 10, mine),
        "shop.admin.LoansOfBook.__str__": ("medium", 10, one_book),
    }


def test_keys_that_may_be_null_are_not_all_set(tmp_path: Path) -> None:
    assert told(stack_of(tmp_path, FILES), "n-plus-one", drf.n_plus_one) == {
        "shop.api.Mine.get_queryset": ("low", 10, "10 rows of one User, assumed"),
        "shop.api.MineAndWide.get_queryset": (
            "medium",
            30,
            "10 rows of one User, every other one of 3 nullable keys set, assumed",
        ),
        "shop.api.All": ("high", 75, "25 rows in a page, assumed"),
    }


BRANCHES = """\
from shop.models import Loan

def either(request):
    for loan in Loan.objects.all():
        if loan.pk > 3:
            print(loan.clerk.name)
        else:
            print(loan.book.pk, loan.user.pk)

def chosen(request):
    for loan in Loan.objects.all():
        print(loan.clerk.name if loan.pk > 3 else loan.user.username)

def each_of_two(request):
    for loan in Loan.objects.all():
        if loan.pk > 3:
            print(loan.clerk.name)
        if loan.pk > 5:
            print(loan.user.username)

def one_below_the_other(request):
    for loan in Loan.objects.all():
        if loan.pk > 3:
            print(loan.clerk.name)
            if loan.pk > 5:
                print(loan.user.username)
        else:
            print(loan.former)

def in_a_function(request):
    for loan in Loan.objects.all():
        if loan.pk > 3:
            print(name(loan))
        else:
            print(loan.user.username)
        print(name(loan))

def keys_that_may_be_null(request):
    for loan in Loan.objects.all():
        if loan.pk > 3:
            print(loan.former, loan.later)
        else:
            print(loan.last)

def name(loan):
    return loan.clerk.name
"""


def test_of_the_branches_of_a_condition_one_is_taken(tmp_path: Path) -> None:
    html = {
        "shop/templates/of_all.html": "{% for loan in loans %}"
        "{% if loan.pk > 3 %}{{ loan.clerk.name }}{% elif loan.pk > 5 %}{{ loan.user.username }}"
        "{% else %}{{ loan.book.owner }}{% endif %}{% endfor %}"
    }
    views = BRANCHES + "\nfrom django.shortcuts import render\n" + VIEWS[VIEWS.index("def of_all") :]
    stack = stack_of(tmp_path, {**FILES, "shop/views.py": views, "shop/api.py": "", "shop/admin.py": "", **html})
    found = told(stack, "n-plus-one-forward", orm.n_plus_one_forward)
    assert {name.removeprefix("shop.views."): queries - 1 for name, (_, queries, _) in found.items()} == {
        "either": 200,
        "chosen": 100,
        "each_of_two": 200,
        "one_below_the_other": 200,
        "in_a_function": 200,
        "keys_that_may_be_null": 200,
    }
    assert told(stack, "n-plus-one", template.n_plus_one)["shop.views.of_all"][1] == 50


OVER_ONE = """\
from django.contrib.auth.models import AbstractUser
from django.db import models

class Shop(models.Model):
    name = models.CharField(max_length=80)

class User(AbstractUser):
    pass

class Author(models.Model):
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)

class Book(models.Model):
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)

class Lender(models.Model):
    user = models.OneToOneField(User, on_delete=models.CASCADE)

class CopyQuerySet(models.QuerySet):
    def of_author(self, author):
        return self.filter(book__author=author)

class Copy(models.Model):
    book = models.ForeignKey(Book, on_delete=models.CASCADE)
    lender = models.ForeignKey(Lender, on_delete=models.CASCADE, related_name="lent")
    keeper = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    objects = CopyQuerySet.as_manager()

class Line(models.Model):
    copy = models.ForeignKey(Copy, on_delete=models.CASCADE)
    shop = models.ForeignKey(Shop, on_delete=models.CASCADE)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)
"""
OVER_ONE_VIEWS = """\
from django.shortcuts import get_object_or_404
from django.views.generic import DetailView
from shop.models import Author, Copy, Line, Shop

def of_an_author(request, pk):
    for copy in Copy.objects.filter(book__author=get_object_or_404(Author, pk=pk)):
        print(copy.keeper)

class AuthorView(DetailView):
    model = Author

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        return {**context, "keepers": [copy.keeper for copy in Copy.objects.of_author(context["object"])]}

    def of_self_object(self):
        return [copy.keeper for copy in Copy.objects.filter(book__author=self.object)]

def of_each_author(request):
    for author in Author.objects.select_related("user"):
        for copy in Copy.objects.filter(book__author=author):
            print(copy.keeper)

def over_one_row_for_each(request):
    for copy in Copy.objects.filter(lender__user=request.user):
        print(copy.keeper)

def of_a_user(request):
    for copy in Copy.objects.filter(book__author__user=request.user):
        print(copy.keeper)

def of_what_divides_all(request, pk):
    for copy in Copy.objects.filter(book__shop=get_object_or_404(Shop, pk=pk)):
        print(copy.keeper)

def over_two_between(request, pk):
    for line in Line.objects.filter(copy__book__author=get_object_or_404(Author, pk=pk)):
        print(line.author)
"""


def test_a_filter_leaves_few_rows_to_one_row_over_one_between(tmp_path: Path) -> None:
    others = "".join(f"class Page{number}(models.Model):\n    pass\n\n" for number in range(2))
    files = {**FILES, "shop/models.py": OVER_ONE + others, "shop/views.py": OVER_ONE_VIEWS}
    files = {name: text for name, text in files.items() if name not in ("shop/api.py", "shop/admin.py")}
    one_author, many = ("medium", 11, "10 rows of one Author, assumed"), ("high", 101, "100 rows in the loop, assumed")
    assert told(stack_of(tmp_path, files), "n-plus-one-forward", orm.n_plus_one_forward) == {
        "shop.views.of_an_author": one_author,
        "shop.views.AuthorView.get_context_data": one_author,
        "shop.views.AuthorView.of_self_object": one_author,
        "shop.views.of_each_author": many,
        "shop.views.over_one_row_for_each": ("low", 11, "10 rows of one User, assumed"),
        "shop.views.of_a_user": many,
        "shop.views.of_what_divides_all": many,
        "shop.views.over_two_between": many,
    }
