"""What nodes of real trees and Wagtail's pages ask the database, and what the proposed fixes ask instead."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.link.queries.packaged import GIVEN

MODELS = """\
from django.db import models
from mptt.models import MPTTModel, TreeForeignKey
from treebeard.al_tree import AL_Node
from treebeard.mp_tree import MP_Node
from treebeard.ns_tree import NS_Node
from wagtail.models import Page


class Linked(MPTTModel):
    name = models.CharField(max_length=9)
    parent = TreeForeignKey("self", null=True, related_name="children", on_delete=models.CASCADE)


class Path(MP_Node):
    name = models.CharField(max_length=9)


class Nested(NS_Node):
    name = models.CharField(max_length=9)


class Keyed(AL_Node):
    name = models.CharField(max_length=9)
    parent = models.ForeignKey("self", null=True, related_name="children_set", on_delete=models.CASCADE)
    sib_order = models.PositiveIntegerField()


class Post(Page):
    intro = models.CharField(max_length=9)
    editor = models.ForeignKey("auth.User", null=True, blank=True, on_delete=models.SET_NULL)
"""
PROGRAM = """\
import inspect
import json
import sys

import django
from django.conf import settings

settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "treebeard", "taggit", "wagtail",
                    "wagtail.admin", "wagtail.images", "wagtail.documents", "wagtail.search", "wagtail.users", "woods"],
    MIGRATION_MODULES=dict.fromkeys(["auth", "contenttypes", "taggit", *(
        "wagtail" + name for name in ("core", "admin", "docs", "images", "search", "users"))]),
    STATIC_URL="/static/",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    WAGTAIL_SITE_NAME="woods",
    WAGTAILADMIN_BASE_URL="https://woods.example",
    SECRET_KEY="x",
)
django.setup()
from django.core.management import call_command
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

call_command("migrate", run_syncdb=True, verbosity=0)
from mptt.utils import get_cached_trees
from django.contrib.auth.models import User
from wagtail.models import Locale, Page
from woods.models import Keyed, Linked, Nested, Path, Post

for number in range(2):
    root = Linked.objects.create(name=f"r{number}")
    for inner in range(2):
        middle = Linked.objects.create(name=f"m{inner}", parent=root)
        for last in range(2):
            Linked.objects.create(name=f"l{last}", parent=middle)
for kind in (Path, Nested, Keyed):
    for number in range(2):
        root = kind.add_root(name=f"r{number}")
        for inner in range(2):
            middle = kind.objects.get(pk=root.pk).add_child(name=f"m{inner}")
            for last in range(2):
                kind.objects.get(pk=middle.pk).add_child(name=f"l{last}")
Locale.objects.create(language_code="en")
home = Page.add_root(title="home", slug="home")
for number in range(3):
    post = home.add_child(instance=Post(title=f"p{number}", slug=f"p{number}", intro="x"))
    post.add_child(instance=Post(title="below", slug="below", intro="x"))
for post in Post.objects.all():
    Post.objects.filter(pk=post.pk).update(editor=User.objects.create(username=f"e{post.pk}"))


def asked(call):
    with CaptureQueriesContext(connection) as captured:
        try:
            given = call()
        except TypeError:
            return None
        if isinstance(given, models.QuerySet):
            list(given.all())
    return len(captured)


def methods(kind):
    own = set(dir(models.Model))
    for name in sorted(set(dir(kind)) - own):
        held = inspect.getattr_static(kind, name)
        if name.startswith(("get_", "is_")) and not name.startswith(("get_next_by", "get_previous_by")):
            if inspect.isfunction(held):
                yield name


kinds = {"mptt.models.MPTTModel": Linked, "treebeard.mp_tree.MP_Node": Path, "treebeard.ns_tree.NS_Node": Nested,
         "treebeard.al_tree.AL_Node": Keyed, "wagtail.models.Page": Page}
counts = {}
for base, kind in kinds.items():
    for name in methods(kind):
        found = [asked(lambda: getattr(node, name)()) for node in kind.objects.all()]
        if None not in found:
            counts.setdefault(base, {})[name] = sum(found)


def names(nodes):
    return [node.name for node in nodes]


def ancestors_at_once():
    wanted = list(Linked.objects.order_by("pk"))
    known = list(Linked.objects.get_queryset_ancestors(Linked.objects.all(), include_self=True))
    return [
        names(one for one in known if one.tree_id == node.tree_id and one.lft < node.lft and one.rght > node.rght)
        for node in wanted
    ]


def children_at_once():
    found = []
    nodes = list(get_cached_trees(Linked.objects.all()))
    while nodes:
        node = nodes.pop(0)
        found.append((node.pk, names(node.get_children())))
        nodes += node.get_children()
    return [below for _, below in sorted(found)]


def roots_at_once():
    roots = {node.tree_id: node for node in Linked.objects.filter(level=0)}
    return [roots[node.tree_id].name for node in Linked.objects.order_by("pk")]


def parents_by_path():
    known = {node.path: node for node in Path.objects.all()}
    above = [known.get(node.path[: -node.steplen]) for node in known.values()]
    return [node.name if node is not None else "" for node in above]


pairs = {
    "ancestors": (lambda: [names(node.get_ancestors()) for node in Linked.objects.order_by("pk")], ancestors_at_once),
    "children": (lambda: [names(node.get_children()) for node in Linked.objects.order_by("pk")], children_at_once),
    "roots": (lambda: [node.get_root().name for node in Linked.objects.order_by("pk")], roots_at_once),
    "parents": (lambda: [(node.get_parent() or Path(name="")).name for node in Path.objects.all()], parents_by_path),
    "specific": (
        lambda: [page.specific.intro for page in home.get_children()],
        lambda: [page.specific.intro for page in home.get_children().specific()],
    ),
    "editors": (
        lambda: [post.editor.username for post in Post.objects.select_related("editor").specific()],
        lambda: [post.editor.username for post in Post.objects.specific().prefetch_related("editor")],
    ),
    "earlier": (
        lambda: [post.editor.username for post in Post.objects.specific().select_related("editor")],
        lambda: [post.editor.username for post in Post.objects.prefetch_related("editor").specific()],
    ),
}
fixes = {}
for what, (slow, quick) in pairs.items():
    fixes[what] = [slow() == quick(), asked(slow), asked(quick)]
print(json.dumps({"counts": counts, "fixes": fixes}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    folder = tmp_path_factory.mktemp("woods")
    (folder / "woods").mkdir()
    (folder / "woods" / "__init__.py").write_text("")
    (folder / "woods" / "models.py").write_text(MODELS)
    (folder / "run.py").write_text(PROGRAM)
    ran = subprocess.run([sys.executable, "run.py"], cwd=Path(folder), capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize("base", ["mptt.models.MPTTModel", "treebeard.mp_tree.MP_Node", "treebeard.ns_tree.NS_Node",
                                  "treebeard.al_tree.AL_Node"])  # fmt: skip
def test_the_table_holds_what_asks(told: dict[str, dict[str, object]], base: str) -> None:
    counted = told["counts"][base]
    assert isinstance(counted, dict)
    asking = {name for name, queries in counted.items() if queries}
    assert asking == set(GIVEN[base])


def test_pages_ask_like_the_nodes_that_they_are(told: dict[str, dict[str, object]]) -> None:
    counted = told["counts"]["wagtail.models.Page"]
    assert isinstance(counted, dict)
    assert {name for name in GIVEN["wagtail.models.Page"] if not counted[name]} == set()


def test_the_fixes_give_the_same_with_fewer_queries(told: dict[str, dict[str, object]]) -> None:
    assert told["fixes"] == {
        "ancestors": [True, 13, 3],
        "children": [True, 7, 1],
        "roots": [True, 13, 2],
        "parents": [True, 13, 1],
        "specific": [True, 4, 2],
        "editors": [True, 8, 3],
        "earlier": [True, 8, 3],
    }
