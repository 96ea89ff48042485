"""What is known of the models that Django brings, beside Django itself."""

from __future__ import annotations

import json
import subprocess
import sys

from stackaudit.link.models.contrib import CONTRIB

PROGRAM = """
import json
import django
from django.conf import settings

apps = ["admin", "auth", "contenttypes", "messages", "sessions", "sites"]
settings.configure(INSTALLED_APPS=[f"django.contrib.{app}" for app in apps])
django.setup()
from django.apps import apps

found = {}
for model in apps.get_models():
    options = model._meta
    unique = [(field.name,) for field in options.fields if field.unique and field.name != "id"]
    together = [*options.unique_together, *(item.fields for item in options.total_unique_constraints)]
    found[options.label] = [*unique, *together]
print(json.dumps(found))
"""


def test_what_is_unique() -> None:
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    found = {label: {tuple(names) for names in sets} for label, sets in json.loads(run.stdout).items()}
    known = {model.label: set(model.unique) for model in CONTRIB.values() if not model.abstract}
    assert known == {label: found[label] for label in known}
