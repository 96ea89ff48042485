"""What is told of selects in the admin, beside what Django's own forms and popups do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from stackaudit.checks.admin import related_select_unbounded
from tests.checks.test_small_fixes import told

MODELS = """\
from django.contrib.auth.models import User
from django.db import models

class Library(models.Model):
    code = models.CharField(max_length=9, choices=[("a", "A")])
    name = models.CharField(max_length=80)

class Genre(models.Model):
    made = models.DateTimeField(auto_now_add=True)
    owner = models.ForeignKey(User, on_delete=models.CASCADE)
    name = models.CharField(max_length=80)
    library = models.ForeignKey(Library, on_delete=models.CASCADE)
    number = models.ForeignKey("Number", null=True, on_delete=models.CASCADE)

class Number(models.Model):
    value = models.IntegerField()

class Book(models.Model):
    genre = models.ForeignKey(Genre, on_delete=models.CASCADE)
    readers = models.ManyToManyField(User, related_name="read")
    owner = models.ForeignKey(User, on_delete=models.CASCADE)

class Preference(models.Model):
    user = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True)
"""
GENRES = """\
from django.contrib import admin
from .models import Book, Genre, Library, Number, Preference

@admin.register(Genre)
class GenreAdmin(admin.ModelAdmin):
    search_fields = (%s)
    raw_id_fields = ["owner"]
"""
BOOKS = """
@admin.register(Book)
class BookAdmin(admin.ModelAdmin):
    fields = ["genre"]
"""
URLS = """\
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""
OWN = """\
from django import forms
from django.conf import settings
from django.db import models

class UserKey(models.ForeignKey):
    def __init__(self, **kwargs):
        kwargs["to"] = settings.AUTH_USER_MODEL
        kwargs.setdefault("on_delete", models.CASCADE)
        super().__init__(**kwargs)

class TypedKey(UserKey):
    def formfield(self, **kwargs):
        return forms.ModelChoiceField(self.related_model.objects.all(), widget=forms.NumberInput)

class Parent(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)

class Child(Parent):
    text = models.TextField()

class Proxy(Child):
    class Meta:
        proxy = True

class Bill(models.Model):
    payer = UserKey()

class Reminder(models.Model):
    payer = TypedKey()
"""
KEYS = """\
from django.contrib import admin
from .models import Bill, Child, Proxy, Reminder

"""
READONLY = "What nobody changes belongs into `readonly_fields`."
RUN = """
import json, sys
import django
from django.conf import settings

sys.path.insert(0, sys.argv[1])
apps = ["admin", "auth", "contenttypes", "sessions", "messages"]
settings.configure(
    INSTALLED_APPS=[*(f"django.contrib.{name}" for name in apps), "shop"], ROOT_URLCONF="shop.urls",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.core.management import call_command
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import FieldError
from django.test import RequestFactory
from shop import models

call_command("migrate", run_syncdb=True, verbosity=0)
for number in range(30):
    user = User.objects.create(username=f"a{number}", is_superuser=True, is_staff=True)
request = RequestFactory().get("/")
request.user = user
searches, widgets, options = {}, {}, {}
for model, held in admin.site._registry.items():
    try:
        searches[model.__name__] = len(held.get_search_results(request, model.objects.all(), "a")[0])
    except FieldError:
        searches[model.__name__] = "FieldError"
    for name, field in held.get_form(request).base_fields.items():
        inner = getattr(field.widget, "widget", field.widget)
        if hasattr(field, "queryset"):
            widgets[f"{model.__name__}.{name}"] = type(inner).__name__
            options[f"{model.__name__}.{name}"] = str(field.widget.render(name, None)).count("<option")
messages = [item.id for held in admin.site._registry.values() for item in held.check()]
print(json.dumps({"searches": searches, "widgets": widgets, "options": options, "messages": messages}))
"""


def measured(root: Path, admin: str, models: str = MODELS) -> dict[str, Any]:
    """What real Django makes of an admin: rows that a search finds, widgets with their options, messages of checks."""
    shop = root / "shop"
    shop.mkdir(parents=True)
    for name, text in (("__init__", ""), ("models", models), ("admin", admin), ("urls", URLS)):
        (shop / f"{name}.py").write_text(text)
    done = subprocess.run([sys.executable, "-c", RUN, str(root)], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert not found["messages"]
    return found


def fixes(root: Path, admin: str, models: str = MODELS) -> list[str]:
    return [fix for _, fix in told(root, related_select_unbounded, models=models, admin=admin)]


def test_what_cannot_be_searched_is_told_before_it_is_completed(tmp_path: Path) -> None:
    broken = {
        '"name", "library", "owner__username"': ("foreign key `library`", "`library__name`"),
        '"^library", "owner"': ("foreign keys `^library` and `owner`", "`^library__name` and `owner__username`"),
        '"library_id",': ("foreign key `library_id`", "`library__name`"),
        '"owner__read",': ("relation `owner__read`", ""),
        '"name", "number"': ("foreign key `number`", ""),
    }
    for index, (text, (named, instead)) in enumerate(broken.items()):
        program = GENRES % text + BOOKS
        popup = program + '    autocomplete_fields = ["genre"]\n'
        assert measured(tmp_path / f"{index}", popup)["searches"]["Genre"] == "FieldError"
        ((fix),) = fixes(tmp_path / f"{index}" / "told", program)
        if instead:
            assert fix == (
                f'Set `autocomplete_fields = ["genre"]` in BookAdmin. `search_fields` of GenreAdmin names the {named}, '
                f"which cannot be searched (FieldError): write {instead} there first. {READONLY}"
            )
            for old, new in zip(named.split("`")[1::2], instead.split("`")[1::2], strict=True):
                popup = popup.replace(f'"{old}"', f'"{new}"', 1)
            assert measured(tmp_path / f"{index}" / "mended", popup)["searches"]["Genre"] == 0
        else:
            assert fix == (
                f'Set `raw_id_fields = ["genre"]` in BookAdmin. For `autocomplete_fields` there `search_fields` of '
                f"GenreAdmin may not name the {named} (FieldError). {READONLY}"
            )


def test_what_can_be_searched_is_completed(tmp_path: Path) -> None:
    for index, text in enumerate(('"name", "library__name"', '"^name", "=owner__username"', '"name__iexact", "pk"')):
        program = GENRES % text + BOOKS
        assert fixes(tmp_path / f"{index}" / "told", program) == [
            f'Set `autocomplete_fields = ["genre"]` in BookAdmin. {READONLY}'
        ]
        mended = measured(tmp_path / f"{index}", program + '    autocomplete_fields = ["genre"]\n')
        assert mended["searches"]["Genre"] == 0
        assert mended["widgets"]["Book.genre"] == "AutocompleteSelect"


def test_a_one_to_one_is_a_select_too(tmp_path: Path) -> None:
    program = GENRES % '"name",' + "\n@admin.register(Preference)\nclass PreferenceAdmin(admin.ModelAdmin):\n    "
    assert measured(tmp_path / "plain", program + "pass\n")["options"]["Preference.user"] == 31
    assert fixes(tmp_path / "told", program + "pass\n") == [
        f'Set `autocomplete_fields = ["user"]` in PreferenceAdmin. {READONLY}'
    ]
    mended = measured(tmp_path / "mended", program + 'autocomplete_fields = ["user"]\n')
    assert mended["options"]["Preference.user"] == 0


def test_options_that_count_for_nothing_beside_the_lighter_one(tmp_path: Path) -> None:
    program = GENRES % '"name",' + BOOKS.replace('"genre"', '"readers", "owner"')
    more = '    filter_horizontal = ["readers"]\n    radio_fields = {"owner": admin.VERTICAL}\n'
    (fix,) = fixes(tmp_path / "told", program + more)
    assert fix == (
        'Set `autocomplete_fields = ["readers", "owner"]` in BookAdmin. Take `readers` out of `filter_horizontal`, '
        f"which counts for nothing then. Take `owner` out of `radio_fields`, which counts for nothing then. {READONLY}"
    )
    both = {
        option: measured(tmp_path / option, f'{program}{more}    {option} = ["readers", "owner"]\n')["widgets"]
        for option in ("autocomplete_fields", "raw_id_fields")
    }
    assert both == {
        "autocomplete_fields": {**both["autocomplete_fields"], "Book.readers": "AutocompleteSelectMultiple",
                                "Book.owner": "AutocompleteSelect"},
        "raw_id_fields": {**both["raw_id_fields"], "Book.readers": "ManyToManyRawIdWidget",
                          "Book.owner": "ForeignKeyRawIdWidget"},
    }  # fmt: skip


def test_keys_of_a_parent_model_and_of_a_class_of_ones_own_are_selects_too(tmp_path: Path) -> None:
    """`TypedKey` says itself how it is typed in, so nothing is told of it."""
    plain = KEYS + "admin.site.register([Child, Proxy, Bill, Reminder])\n"
    found = measured(tmp_path / "plain", plain, OWN)
    shown = {"Child.owner": 31, "Proxy.owner": 31, "Bill.payer": 31, "Reminder.payer": 0}
    assert {name: found["options"][name] for name in shown} == shown
    told = fixes(tmp_path / "told", plain, OWN)
    assert told == [
        f'Set `autocomplete_fields = ["{field}"]` in a ModelAdmin that {name} is registered with. {READONLY}'
        for name, field in (("Child", "owner"), ("Proxy", "owner"), ("Bill", "payer"))
    ]
    mended = "".join(
        f'\n@admin.register({name})\nclass {name}Admin(admin.ModelAdmin):\n    autocomplete_fields = ["{field}"]\n'
        for name, field in (("Child", "owner"), ("Proxy", "owner"), ("Bill", "payer"))
    )
    after = measured(tmp_path / "mended", KEYS + mended, OWN)["options"]
    assert [after[name] for name in ("Child.owner", "Proxy.owner", "Bill.payer")] == [0, 0, 0]
