"""The model graph: relations from both sides, inheritance, managers, ordering, other packages."""

from __future__ import annotations

from stackaudit.facts.files import FileFacts
from stackaudit.link.models import Model, Models
from stackaudit.link.modules import Modules
from stackaudit.lower.python import lower


def models(files: dict[str, str], user: str = "") -> Models:
    facts = [FileFacts(path, "python", facts=lower(text.encode(), path)) for path, text in files.items()]
    return Models(Modules(facts), user)


def graph(model: Model) -> dict[str, tuple[str, str, str]]:
    return {
        name: (item.relation, item.target.label if item.target else "", item.remote)
        for name, item in model.relations.items()
    }


CONFIG = """
from django.apps import AppConfig
class C(AppConfig):
    name = 'project.shop'
    label = 'store'
"""
BASE = "from django.db import models\nfrom django.conf import settings\n"


def test_relations_from_both_sides() -> None:
    built = models(
        {
            "shop/__init__.py": "",
            "shop/models.py": BASE
            + """
class Author(models.Model):
    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE)
    mentor = models.ForeignKey("self", models.CASCADE, null=True)
class Book(models.Model):
    author = models.ForeignKey("Author", models.CASCADE, related_name="books", related_query_name="book")
    editor = models.ForeignKey("shop.Author", models.CASCADE, related_name="+")
    similar = models.ManyToManyField("self")
    tags = models.ManyToManyField(to="tags.Tag")
""",
            "tags/__init__.py": "",
            "tags/models.py": BASE + "class Tag(models.Model):\n    name = models.CharField()\n",
        }
    )
    assert graph(built.by_label["shop.Author"]) == {
        "user": ("o2o", "auth.User", "author"),
        "mentor": ("fk", "shop.Author", "author_set"),
        "author_set": ("reverse_fk", "shop.Author", "mentor"),
        "books": ("reverse_fk", "shop.Book", "author"),
    }
    assert graph(built.by_label["shop.Book"]) == {
        "author": ("fk", "shop.Author", "books"),
        "editor": ("fk", "shop.Author", ""),
        "similar": ("m2m", "shop.Book", ""),
        "tags": ("m2m", "tags.Tag", "book_set"),
    }
    assert graph(built.by_label["tags.Tag"]) == {"book_set": ("reverse_m2m", "shop.Book", "tags")}
    assert graph(built.by_label["auth.User"])["author"] == ("reverse_o2o", "shop.Author", "user")
    author = built.by_label["shop.Author"].by_query_name("book")
    assert author is not None
    assert author.name == "books"


def test_abstract_and_concrete_parents() -> None:
    built = models(
        {
            "shop/models.py": BASE
            + """
class Owned(models.Model):
    owner = models.ForeignKey("auth.User", models.CASCADE, related_name="%(app_label)s_%(class)ss")
    class Meta:
        abstract = True
        ordering = ["pk"]
class Thing(Owned):
    pass
class Car(Thing):
    wheels = models.IntegerField()
class Alias(Car):
    class Meta:
        proxy = True
class Plain(Owned):
    class Meta:
        abstract = False
"""
        }
    )
    thing, car = built.by_label["shop.Thing"], built.by_label["shop.Car"]
    assert graph(thing) == {
        "owner": ("fk", "auth.User", "shop_things"),
        "car": ("reverse_o2o", "shop.Car", "thing_ptr"),
    }
    assert graph(car) == {"thing_ptr": ("o2o", "shop.Thing", "car")}
    assert (car.relation("owner"), list(car.columns)) == (thing.relations["owner"], ["wheels"])
    assert [(model.name, model.ordered) for model in built if model.app == "shop"] == [
        ("Thing", True), ("Car", True), ("Alias", True), ("Plain", False)
    ]  # fmt: skip


def test_the_name_that_a_meta_gives_to_the_other_side_of_all_its_relations() -> None:
    built = models(
        {
            "shop/models.py": BASE
            + """
class Author(models.Model):
    pass
class Owned(models.Model):
    owner = models.ForeignKey(Author, models.CASCADE)
    class Meta:
        abstract = True
        default_related_name = "own_%(model_name)s"
class Book(Owned):
    editor = models.ForeignKey(Author, models.CASCADE, related_name="edited")
class Note(Owned):
    writers = models.ManyToManyField(Author)
    class Meta:
        default_related_name = "notes"
"""
        }
    )
    assert {name: target[1] for name, target in graph(built.by_label["shop.Author"]).items()} == {
        "edited": "shop.Book", "own_book": "shop.Book", "notes": "shop.Note",
    }  # fmt: skip
    found = built.by_label["shop.Author"].by_query_name("own_book")
    assert found is not None
    assert found.remote == "owner"


def test_rows_behind_a_generic_relation_cannot_be_asked_for_by_its_row_unless_it_says_so() -> None:
    built = models(
        {
            "shop/models.py": BASE
            + """
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
class Note(models.Model):
    about = GenericForeignKey()
class Book(models.Model):
    notes = GenericRelation(Note)
class Author(models.Model):
    notes = GenericRelation(Note, related_query_name="author")
"""
        }
    )
    names = [built.by_label[f"shop.{name}"].relations["notes"].remote_query_name for name in ("Book", "Author")]
    assert names == ["", "author"]


def test_managers() -> None:
    built = models(
        {
            "shop/models.py": BASE
            + """
class Query(models.QuerySet):
    pass
class Shown(models.Manager):
    pass
Made = models.Manager.from_queryset(Query)
class Book(models.Model):
    shown = Shown()
    made = Made()
    objects = Query.as_manager()
class Plain(models.Model):
    pass
"""
        }
    )
    book = built.by_label["shop.Book"]
    assert (list(book.managers), book.default_manager) == (["shown", "made", "objects"], "shown")
    assert (built.by_label["shop.Plain"].managers, built.by_label["shop.Plain"].default_manager) == ({}, "objects")


def test_other_packages() -> None:
    built = models(
        {
            "shop/models.py": BASE
            + """
from mptt.models import MPTTModel, TreeForeignKey
from model_utils.models import TimeStampedModel
from somewhere import Base
from django.contrib.auth.models import AbstractUser
class Category(MPTTModel):
    parent = TreeForeignKey("self", models.CASCADE, related_name="children")
class Stamped(TimeStampedModel):
    pass
class Known(Base):
    name = models.CharField()
class Form(Base):
    name = 3
class User(AbstractUser):
    pass
"""
        },
        "shop.User",
    )
    assert [(model.label, model.is_open) for model in built if model.app == "shop"] == [
        ("shop.Category", True), ("shop.Stamped", True), ("shop.Known", True), ("shop.User", False)
    ]  # fmt: skip
    assert graph(built.by_label["shop.Category"]) == {
        "parent": ("fk", "shop.Category", "children"),
        "children": ("reverse_fk", "shop.Category", "parent"),
    }
    user = built.user
    assert user is not None
    assert graph(user)["groups"] == ("m2m", "auth.Group", "user_set")


def test_labels_of_applications() -> None:
    built = models(
        {
            "project/shop/__init__.py": "",
            "project/shop/apps.py": CONFIG,
            "project/shop/models/__init__.py": "from .book import Book\n",
            "project/shop/models/book.py": BASE
            + "class Book(models.Model):\n    tag = models.ForeignKey('Tag', models.CASCADE)\n",
            "project/shop/models/tag.py": BASE + "class Tag(models.Model):\n    pass\n",
        }
    )
    assert graph(built.by_label["store.Book"]) == {"tag": ("fk", "store.Tag", "book_set")}


def test_an_application_within_another_one() -> None:
    files = {
        "shop/__init__.py": "",
        "shop/apps.py": CONFIG.replace("project.shop", "shop"),
        "shop/orders/__init__.py": "",
        "shop/orders/models.py": BASE + "class Order(models.Model):\n    pass\n",
        "shop/parts/__init__.py": "",
        "shop/parts/models.py": BASE + "class Part(models.Model):\n    pass\n",
    }
    facts = [FileFacts(path, "python", facts=lower(text.encode(), path)) for path, text in files.items()]
    built = Models(Modules(facts), installed=["shop", "shop.orders"])
    assert [model.label for model in built if model.cls is not None] == ["orders.Order", "store.Part"]


def test_fields_of_tags_are_no_managers() -> None:
    built = models(
        {
            "shop/__init__.py": "",
            "shop/models.py": BASE
            + """
from taggit.managers import TaggableManager
class Labels(TaggableManager):
    pass
class Book(models.Model):
    tags = TaggableManager("Tags")
    labels = Labels(blank=True)
    kept = models.Manager()
""",
        }
    )
    book = built.by_label["shop.Book"]
    assert graph(book) == {"tags": ("m2m", "taggit.Tag", ""), "labels": ("m2m", "taggit.Tag", "")}
    assert (list(book.managers), book.default_manager) == (["kept"], "kept")


def test_relations_by_the_names_of_their_classes() -> None:
    built = models(
        {
            "shop/__init__.py": "",
            "shop/models.py": BASE
            + """
import functools
from chained.fields import ChainedForeignKey, SpecialManyToManyField
from other.fields import CachedGenericForeignKey
Required = functools.partial(models.ForeignKey, on_delete=models.CASCADE)
class Author(models.Model):
    name = models.CharField()
class Book(models.Model):
    author = Required(Author, related_name="books")
    editor = ChainedForeignKey("shop.Author", related_name="+")
    about = CachedGenericForeignKey("kind", "key")
    readers = SpecialManyToManyField(Author, related_name="+")
""",
        }
    )
    assert graph(built.by_label["shop.Book"]) == {
        "author": ("fk", "shop.Author", "books"),
        "editor": ("fk", "shop.Author", ""),
        "about": ("generic_fk", "", ""),
        "readers": ("m2m", "shop.Author", ""),
    }


def test_what_the_init_of_a_key_gives_to_djangos_own() -> None:
    built = models(
        {
            "shop/__init__.py": "",
            "shop/keys.py": BASE
            + """
class UserKey(models.ForeignKey):
    def __init__(self, **kwargs):
        kwargs["to"] = settings.AUTH_USER_MODEL
        kwargs.setdefault("related_name", "+")
        super().__init__(**kwargs)
class OwnKey(UserKey):
    def __init__(self, null=True, **kwargs):
        super().__init__(null=null, related_name="%(class)ss", **kwargs)
class AnyKey(models.ForeignKey):
    def __init__(self, to="shop.Book", *args, label=""):
        self.label = label
        super().__init__(to, models.CASCADE, *args)
class ShortKey(models.ForeignKey):
    def __init__(self, label, *args, **kwargs):
        super().__init__(*args, **kwargs)
class UnknownKey(models.ForeignKey):
    def __init__(self, **kwargs):
        if "to" not in kwargs:
            kwargs["to"] = settings.AUTH_USER_MODEL
        super().__init__(**kwargs)
""",
            "shop/models.py": """
from django.db import models
from .keys import AnyKey, OwnKey, ShortKey, UnknownKey, UserKey
class Book(models.Model):
    owner = UserKey()
    seller = UserKey(related_name="sold")
    writer = OwnKey()
    buyer = OwnKey(null=False)
    first = AnyKey(label="the first")
    next = AnyKey("self", label="the next")
    part = ShortKey("a part", "Part", models.CASCADE)
    what = UnknownKey()
class Part(models.Model):
    name = models.CharField()
""",
        }
    )
    book = built.by_label["shop.Book"]
    assert {name: (*graph(book)[name], item.null) for name, item in book.relations.items() if item.forward} == {
        "owner": ("fk", "auth.User", "", False),
        "seller": ("fk", "auth.User", "sold", False),
        "writer": ("fk", "auth.User", "books", True),
        "buyer": ("fk", "auth.User", "books", False),
        "first": ("fk", "shop.Book", "book_set", False),
        "next": ("fk", "shop.Book", "book_set", False),
        "part": ("fk", "shop.Part", "book_set", False),
        "what": ("fk", "", "book_set", False),
    }
