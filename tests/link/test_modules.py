"""Imports are followed as Python would follow them, without importing anything."""

from __future__ import annotations

import pytest

from stackaudit.facts import python as py
from stackaudit.facts.files import FileFacts
from stackaudit.link.classes import Classes, SourceClass
from stackaudit.link.modules import Modules, dotted
from stackaudit.lower.python import lower


def modules(files: dict[str, str]) -> Modules:
    return Modules([FileFacts(path, "python", facts=lower(text.encode(), path)) for path, text in files.items()])


def meant(files: dict[str, str], path: str, name: str) -> tuple[str, str, str] | None:
    built = modules(files)
    symbol = built.resolve(built.by_path[path], name)
    if symbol is None:
        return None
    return symbol.kind, symbol.name, symbol.module.path if symbol.module else ""


SHOP = {
    "shop/__init__.py": "",
    "shop/models/__init__.py": "from .book import *\nfrom .author import Author as Writer\n",
    "shop/models/book.py": "class Book: ...\n_hidden = 1\n",
    "shop/models/author.py": "from django.db import models\nclass Author(models.Model): ...\n",
}


@pytest.mark.parametrize(
    ("line", "name", "expected"),
    [
        ("from shop.models import Book", "Book", ("class", "shop.models.book.Book", "shop/models/book.py")),
        ("from shop.models import Writer", "Writer", ("class", "shop.models.author.Author", "shop/models/author.py")),
        ("from shop import models", "models", ("module", "shop.models", "shop/models/__init__.py")),
        ("from shop import models as m", "m.Book", ("class", "shop.models.book.Book", "shop/models/book.py")),
        ("import shop.models", "shop.models.Book", ("class", "shop.models.book.Book", "shop/models/book.py")),
        ("import shop.models.book as b", "b.Book", ("class", "shop.models.book.Book", "shop/models/book.py")),
        ("from .models import Book", "Book", ("class", "shop.models.book.Book", "shop/models/book.py")),
        ("from . import models", "models.Book", ("class", "shop.models.book.Book", "shop/models/book.py")),
        ("from .models.book import _hidden", "_hidden", ("value", "shop.models.book._hidden", "shop/models/book.py")),
        ("from .models import *", "Book", ("class", "shop.models.book.Book", "shop/models/book.py")),
        ("from django.db import models", "models.Model", ("external", "django.db.models.Model", "")),
        ("import django.db", "django.db.models", ("external", "django.db.models", "")),
        ("", "len", ("external", "builtins.len", "")),
        ("", "nowhere", None),
        ("Alias = len", "Alias", ("external", "builtins.len", "")),
        ("x = y = 3", "y", ("value", "shop.views.y", "shop/views.py")),
        ("a, (b, *c) = f()", "c", ("value", "shop.views.c", "shop/views.py")),
        ("def f(): ...", "f", ("function", "shop.views.f", "shop/views.py")),
        ("from .models import Book\nBook = None", "Book", ("value", "shop.views.Book", "shop/views.py")),
        ("from outside import *", "thing", ("external", "outside.thing", "")),
    ],
)
def test_names(line: str, name: str, expected: tuple[str, str, str] | None) -> None:
    assert meant({**SHOP, "shop/views.py": line + "\n"}, "shop/views.py", name) == expected


def test_conditional_imports_take_what_resolves_in_the_repository() -> None:
    source = "try:\n    from orjson import dumps\nexcept ImportError:\n    from .models import Book as dumps\n"
    assert meant({**SHOP, "shop/views.py": source}, "shop/views.py", "dumps") == (
        "class",
        "shop.models.book.Book",
        "shop/models/book.py",
    )
    source = "try:\n    import ujson as json\nexcept ImportError:\n    json = None\n"
    assert meant({**SHOP, "shop/views.py": source}, "shop/views.py", "json") == ("external", "ujson", "")


def test_source_roots_below_the_root() -> None:
    files = {
        "backend/shop/__init__.py": "",
        "backend/shop/models.py": "class Book: ...",
        "other/shop/__init__.py": "",
        "other/shop/models.py": "class Book: ...",
        "backend/api/views.py": "from shop.models import Book",
        "other/api/views.py": "from shop.models import Book",
    }
    for side in ("backend", "other"):
        assert meant(files, f"{side}/api/views.py", "Book") == ("class", "shop.models.Book", f"{side}/shop/models.py")
    assert modules(files).by_path["backend/shop/models.py"].name == "shop.models"


def test_a_loose_module_elsewhere_shadows_nothing() -> None:
    files = {"tools/redis.py": "x = 1", "tools/logging.py": "x = 1", "shop/views.py": "import redis, logging"}
    assert meant(files, "shop/views.py", "redis.x") == ("external", "redis.x", "")
    assert meant(files, "shop/views.py", "logging.x") == ("external", "logging.x", "")


def test_folders_without_an_init_file() -> None:
    files = {
        "apps/shop/models.py": "class Book: ...",
        "apps/views.py": "import apps.shop\nfrom apps.shop import models",
    }
    assert meant(files, "apps/views.py", "models.Book") == ("class", "apps.shop.models.Book", "apps/shop/models.py")
    assert meant(files, "apps/views.py", "apps.shop.models.Book") == (
        "class",
        "apps.shop.models.Book",
        "apps/shop/models.py",
    )


def test_imports_in_a_circle_end() -> None:
    files = {"a.py": "from b import x\nfrom b import *", "b.py": "from a import x\nfrom a import *"}
    assert meant(files, "a.py", "x") is None
    assert meant(files, "a.py", "y") is None


def order(source: str, name: str) -> list[str | None]:
    built = modules({"m.py": source})
    cls = Classes(built).resolve(built.by_path["m.py"], lower(name.encode(), "x").body[0].value)  # type: ignore[union-attr]
    assert isinstance(cls, SourceClass)
    return [base.label if isinstance(base, SourceClass) else base for base in cls.mro]


def test_look_up_order() -> None:
    source = (
        "from django.db import models\nclass A(models.Model): ...\nclass B(A): ...\nclass C(A): ...\n"
        "class D(B, C): ...\nclass E(D, make()): ...\nclass F(F): ...\n"
    )
    assert order(source, "D") == ["D", "B", "C", "A", "django.db.models.Model"]
    assert order(source, "E") == ["E", "D", "B", "C", "A", "django.db.models.Model", None]
    assert order(source, "F") == ["F"]


def test_attributes_through_the_order_and_super() -> None:
    source = "class M:\n    def f(self): ...\nclass B:\n    def f(self): ...\nclass D(M, B):\n    def g(self): ...\n"
    built = modules({"m.py": source})
    classes = Classes(built)
    cls = classes.of(built.resolve(built.by_path["m.py"], "D"))
    assert isinstance(cls, SourceClass)
    first = cls.find("f")
    assert first is not None
    second = cls.find("f", after=first.owner)
    assert second is not None
    assert (first.owner.label, second.owner.label, cls.find("h")) == ("M", "B", None)


def test_the_getter_of_a_property_is_what_is_read() -> None:
    source = (
        "class A:\n    @property\n    def x(self): return 1\n    @x.setter\n    def x(self, value): ...\n"
        "    @x.deleter\n    def x(self): ...\nclass B(A):\n    @A.x.setter\n    def x(self, value): ...\n"
        "class C:\n    @property\n    def x(self): return 1\n    @x.setter\n    def y(self, value): ...\n"
    )
    built = modules({"m.py": source})
    classes = Classes(built)
    found = {}
    for name in "ABC":
        cls = classes.of(built.resolve(built.by_path["m.py"], name))
        assert isinstance(cls, SourceClass)
        getter = cls.find("x")
        assert getter is not None and isinstance(getter.node, py.FunctionDef)
        found[name] = (getter.owner.label, [dotted(item) for item in getter.node.decorators], cls.find("y") is not None)
    assert found == {
        "A": ("A", ["property"], False),
        "B": ("A", ["property"], False),
        "C": ("C", ["property"], True),
    }
