"""Wagtail's pages against real Wagtail: every page is served with 3 and with 6 rows on SQLite, in a child process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks.template import n_plus_one
from stackaudit.link.pages.wagtail import underscored
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

MODELS = """\
from django.db import models
from modelcluster.fields import ParentalKey
from wagtail.contrib.forms.models import AbstractForm
from wagtail.contrib.routable_page.models import RoutablePageMixin, path, route
from wagtail.models import Orderable, Page


class Author(models.Model):
    name = models.CharField(max_length=20)


class Book(models.Model):
    title = models.CharField(max_length=20)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)


class PostPage(Page):
    author = models.ForeignKey(Author, null=True, on_delete=models.CASCADE)


class ShelfPage(Page):
    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["books"] = Book.objects.filter(title="t")
        return context


class JoinedPage(Page):
    def get_context(self, request):
        return {**super().get_context(request), "books": Book.objects.select_related("author")}


class NamedPage(Page):
    template = "shop/list.html"
    context_object_name = "shelf"

    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context.update({"books": Book.objects.all()})
        return context


class DerivedPage(NamedPage):
    pass


class ListingPage(Page):
    class Meta:
        abstract = True

    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["books"] = Book.objects.all()
        return context


class FAQIndexPage(ListingPage):
    pass


class ChosenPage(ListingPage):
    def get_template(self, request, *args, **kwargs):
        return "shop/list.html"


class OwnPage(Page):
    def serve(self, request, *args, **kwargs):
        request.books = Book.objects.all()
        return super().serve(request, *args, **kwargs)

    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["books"] = Book.objects.all()
        return context


class LinksPage(Page):
    pass


class Link(Orderable):
    page = ParentalKey(LinksPage, related_name="links", on_delete=models.CASCADE)
    author = models.ForeignKey(Author, on_delete=models.CASCADE)


class BlogPage(Page):
    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["posts"] = PostPage.objects.live().descendant_of(self.get_root()).order_by("pk")
        return context


class BlogJoinedPage(Page):
    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["posts"] = PostPage.objects.live().public().select_related("author")
        return context


class RoutedPage(RoutablePageMixin, Page):
    @path("")
    def everything(self, request):
        return self.render(request, context_overrides={"books": Book.objects.select_related("author")})


class ArchivePage(RoutablePageMixin, Page):
    @route(r"^past/$")
    def past(self, request):
        return self.render(request, context_overrides={"books": Book.objects.all()}, template="shop/list.html")


class ContactPage(AbstractForm):
    def get_context(self, request, *args, **kwargs):
        context = super().get_context(request, *args, **kwargs)
        context["books"] = Book.objects.all()
        return context
"""

LIST = "{% for b in books %}{{ b.author.name }}{% endfor %}"
POSTS = "{% for p in posts %}{{ p.author.name }}{% endfor %}"
# page: (its templates, the route, whether the number of queries grows with the rows)
PAGES = {
    "ShelfPage": ({"shelf_page": LIST}, "", True),
    "JoinedPage": ({"joined_page": LIST}, "", False),
    "NamedPage": ({"named_page": "-"}, "", True),
    "DerivedPage": ({"derived_page": "{% for b in books %}{{ b.title }}{% endfor %}"}, "", False),
    "FAQIndexPage": ({"faq_index_page": LIST}, "", True),
    "ChosenPage": ({"chosen_page": "-"}, "", True),
    "OwnPage": ({"own_page": LIST}, "", True),
    "LinksPage": ({"links_page": "{% for l in page.links.all %}{{ l.author.name }}{% endfor %}"}, "", True),
    "BlogPage": ({"blog_page": POSTS}, "", True),
    "BlogJoinedPage": ({"blog_joined_page": POSTS}, "", False),
    "RoutedPage": ({"routed_page": LIST}, "everything", False),
    "ArchivePage": ({"archive_page": "-"}, "past", True),
    "ContactPage": ({"contact_page": "-", "contact_page_landing": LIST}, "render_landing_page", True),
}
NAMES = [*PAGES, "HTTPPage", "MyHTTPPage", "Page2Go", "OldPDF", "A", "page_two", "XMLHttpRequest"]

RUN = """
import json, sys
import django
from django.conf import settings
APPS = ["django.contrib.auth", "django.contrib.contenttypes", "taggit", "modelcluster", "wagtail", "wagtail.admin",
        "wagtail.contrib.forms", "wagtail.contrib.routable_page", "wagtail.documents", "wagtail.images",
        "wagtail.search", "wagtail.users", "shop"]
settings.configure(
    SECRET_KEY="x", USE_TZ=True, DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", WAGTAIL_SITE_NAME="x",
    WAGTAILADMIN_BASE_URL="http://x", STATIC_URL="/static/", INSTALLED_APPS=APPS,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    MIGRATION_MODULES=dict.fromkeys(["auth", "contenttypes", "taggit", *(
        "wagtail" + name for name in ("core", "admin", "forms", "docs", "images", "search", "users"))]),
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from wagtail.coreutils import camelcase_to_underscore
from wagtail.models import Locale, Page
from shop import models
call_command("migrate", run_syncdb=True, verbosity=0)
Locale.objects.get_or_create(language_code="en")
root = Page.add_root(title="root", slug="root")
names, routes = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for name in routes:
    root.add_child(instance=getattr(models, name)(title=name, slug=name.lower()))

def add(count, first):
    for number in range(first, first + count):
        author = models.Author.objects.create(name="a")
        models.Book.objects.create(title="t", author=author)
        models.Link.objects.create(page=models.LinksPage.objects.get(), author=author)
        Page.objects.get(pk=root.pk).add_child(
            instance=models.PostPage(title="p", slug=f"p{number}", author=author))

def counts():
    found = {}
    for name, route in routes.items():
        for _ in range(2):
            page = getattr(models, name).objects.get(slug=name.lower())
            request = RequestFactory().get("/")
            with CaptureQueriesContext(connection) as captured:
                (getattr(page, route)(request) if route else page.serve(request)).render()
        found[name] = len(captured)
    return found

add(3, 0)
before = counts()
add(3, 3)
after = counts()
json.dump({"grows": {name: after[name] > before[name] for name in before},
           "names": {name: camelcase_to_underscore(name) for name in names}}, sys.stdout)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wagtail")
    templates = root / "shop" / "templates" / "shop"
    templates.mkdir(parents=True)
    (root / "shop" / "__init__.py").write_text("")
    (root / "shop" / "models.py").write_text(MODELS)
    (templates / "list.html").write_text(LIST)
    for held, _, _ in PAGES.values():
        for name, text in held.items():
            (templates / f"{name}.html").write_text(text)
    (root / "run.py").write_text(RUN)
    return root


def judged(root: Path) -> set[str]:
    """The classes whose pages fail: where the rows come from, or the page whose template is rendered."""
    stack = stack_of(root)
    lines = (root / "shop" / "models.py").read_text().splitlines()
    found = set()
    for verdict in n_plus_one(stack):
        if isinstance(verdict, Fail):
            place = verdict.flow[0].place
            if place.path.endswith(".py"):
                head = next(line for line in reversed(lines[: place.region.line]) if line.startswith("class "))
                found.add(head.split()[1].partition("(")[0])
            else:
                found.add(place.path.rpartition("/")[2])
    return found


def test_pages_are_served_as_wagtail_serves_them(project: Path) -> None:
    routes = {name: route for name, (_, route, _) in PAGES.items()}
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "run.py", json.dumps(NAMES), json.dumps(routes)],
        cwd=project, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    measured = json.loads(run.stdout)
    grows = {name for name, (_, _, grows) in PAGES.items() if grows}
    assert {name for name, more in measured["grows"].items() if more} == grows
    # What ListingPage asks for serves FAQIndexPage and ChosenPage; no queryset in the code loads the links.
    shared = (grows - {"FAQIndexPage", "ChosenPage", "LinksPage"}) | {"ListingPage", "links_page.html"}
    assert judged(project) == shared
    assert measured["names"] == {name: underscored(name) for name in NAMES}
