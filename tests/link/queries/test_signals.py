"""Who waits for writes: what real Django calls when a row of each model is saved is what the source is read as."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stackaudit.facts.files import FileFacts
from stackaudit.link.models import Models
from stackaudit.link.modules import Modules
from stackaudit.link.queries.signals import Signalled, signalled_models
from stackaudit.lower.python import lower
from tests.stacks import write

MODELS = """
from django.db import models

class Base(models.Model):
    note = models.CharField(max_length=9, default="")
    class Meta:
        abstract = True

class Alpha(Base):
    pass

class Beta(Base):
    pass

class Gamma(models.Model):
    pass

class Delta(models.Model):
    pass

class Epsilon(models.Model):
    def announced(self):
        return True

class Zeta(models.Model):
    pass

class Eta(models.Model):
    pass
"""
HANDLERS = """
from django.apps import apps
from django.db.models import signals
from django.db.models.signals import post_save, pre_save
from django.dispatch import receiver

from shop.models import Base, Gamma

heard = set()

def hear(sender, instance, **kwargs):
    heard.add(sender.__name__)

@receiver(post_save)
def of_base(sender, instance, **kwargs):
    if not issubclass(sender, Base):
        return
    heard.add(sender.__name__)

@receiver([pre_save, post_save])
def of_gamma(sender, instance, **kwargs):
    \"\"\"Only one model is meant.\"\"\"
    if sender is Gamma and instance:
        heard.add(sender.__name__)

@receiver(post_save)
def of_what_announces(sender, instance, raw, **kwargs):
    if raw or not hasattr(instance, "announced"):
        return
    heard.add(sender.__name__)

def connect_delta():
    signals.pre_save.connect(hear, sender=apps.get_model("shop", "Delta"))

def connect_zeta():
    for model in (apps.get_model("shop.Zeta"),):
        for signal in (post_save, signals.post_delete):
            signal.connect(hear, model)
"""
RUN = """
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["shop"], DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
)
django.setup()
from django.apps import apps
from django.db import connection
from shop import handlers
handlers.connect_delta()
handlers.connect_zeta()
with connection.schema_editor() as editor:
    for model in apps.get_app_config("shop").get_models():
        editor.create_model(model)
for model in apps.get_app_config("shop").get_models():
    model.objects.create()
print(*sorted(handlers.heard))
"""


def said(files: dict[str, str]) -> Signalled:
    """What is read of the handlers of some files."""
    return signalled_models(
        Models(Modules(FileFacts(path, "python", facts=lower(text.encode(), path)) for path, text in files.items()))
    )


def test_as_django_calls_them(tmp_path: Path) -> None:
    files = {"shop/__init__.py": "", "shop/models.py": MODELS, "shop/handlers.py": HANDLERS}
    write(tmp_path, files)
    done = subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=True)
    read = said(files)
    assert sorted(model.name for model in read.saved if model.cls is not None) == done.stdout.split()
    assert (read.every, read.unsure) == (False, "")


def test_every_model_and_models_that_are_not_known() -> None:
    handler = (
        "from django.db.models.signals import post_save, pre_save\n\n\ndef hear(sender, **kwargs): print(sender)\n\n\n"
    )
    every = said({"shop/models.py": MODELS, "shop/h.py": handler + "post_save.connect(hear)\n"})
    assert (every.every, every.unsure, every.saved) == (True, "", frozenset())
    some = said({"shop/models.py": MODELS, "shop/h.py": handler + "def on(m):\n    pre_save.connect(hear, sender=m)\n"})
    why = "a handler of pre_save is connected to a model that is not known here"
    assert (some.every, some.unsure, some.saved) == (False, why, frozenset())
    elsewhere = "from django.contrib.sessions.models import Session\npost_save.connect(hear, sender=Session)\n"
    none = said({"shop/models.py": MODELS, "shop/h.py": handler + elsewhere})
    assert none == Signalled(none.models, none.saved)
    assert not [model.name for model in none.saved if model.cls is not None]


def test_histories_connect_handlers_of_their_own() -> None:
    text = MODELS + "\nclass Kept(models.Model):\n    history = HistoricalRecords()\n"
    assert [model.name for model in said({"shop/models.py": text}).saved] == ["Kept"]


def test_what_tests_connect_does_not_count() -> None:
    text = "from django.db.models.signals import post_save\npost_save.connect(print)\n"
    assert said({"shop/models.py": MODELS, "shop/tests/test_handlers.py": text}) == Signalled()
