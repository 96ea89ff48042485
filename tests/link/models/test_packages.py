"""What is told of the base classes of other packages, beside what the packages that are installed define."""

from __future__ import annotations

import json
import subprocess
import sys

from stackaudit.link.models.packages import PACKAGED

PROGRAM = """\
import importlib
import json
import sys
from importlib.util import find_spec

import django
from django.conf import settings

apps = {
    "wagtail": ("wagtail", "wagtail.admin", "wagtail.images", "wagtail.documents", "wagtail.search", "wagtail.users",
                "wagtail.contrib.settings"),
    "polymorphic": ("polymorphic",), "django_comments": ("django.contrib.sites", "django_comments"),
    "guardian": ("guardian",), "oauth2_provider": ("oauth2_provider",), "django_otp": ("django_otp",),
    "rest_framework": ("rest_framework",), "knox": ("knox",), "social_django": ("social_django",),
    "auditlog": ("auditlog",), "taggit": ("taggit",), "treebeard": ("treebeard",),
}
held = [name for package, names in apps.items() if find_spec(package) for name in names]
settings.configure(
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", *held], SITE_ID=1, STATIC_URL="/static/",
    SECRET_KEY="x", WAGTAIL_SITE_NAME="x", WAGTAILADMIN_BASE_URL="https://x.example",
)
django.setup()
found = {}
for name in json.loads(sys.stdin.read()):
    module, _, base = name.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), base)
    except ModuleNotFoundError:
        continue
    found[name] = {}
    for field in cls._meta.local_fields:
        related = field.related_model
        if related is not None:
            label = related if isinstance(related, str) else related._meta.label
            found[name][field.name] = (type(field).__name__, label, field.null)
print(json.dumps(found))
"""
KINDS = {"fk": ("ForeignKey", "ParentalKey"), "o2o": ("OneToOneField",)}


def test_the_relations_are_those_of_the_packages() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(list(PACKAGED)), capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert {name.partition(".")[0] for name in found} >= {"wagtail", "taggit"}
    for base, fields in found.items():
        for name, (kind, label, _, null) in PACKAGED[base].relations.items():
            is_kind, leads_to, is_null = fields[name]
            assert is_kind in KINDS[kind], (base, name)
            wanted = "auth.User" if label == "AUTH_USER_MODEL" else label
            assert not wanted or leads_to == wanted, (base, name)
            assert is_null == null, (base, name)
