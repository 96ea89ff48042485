"""Who makes the rows of a table decides how much a list without pages matters."""

from __future__ import annotations

from pathlib import Path

from stackaudit.checks import drf
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

NAMES = ("Release", "ReadOnly", "OfAnybody", "OfCode", "OfForms", "OfCommands")
MODELS = "from django.db import models\n" + "".join(
    f"\nclass {name}(models.Model):\n    name = models.CharField(max_length=80)\n    text = models.TextField()\n"
    for name in NAMES
)
API = """
from rest_framework import permissions, serializers, viewsets
from . import models

class IsStaffOrReadOnly(permissions.BasePermission):
    def has_permission(self, request, view):
        return request.method in permissions.SAFE_METHODS or request.user.is_staff

class IsMember(permissions.BasePermission):
    def has_permission(self, request, view):
        return request.user.is_authenticated
"""
VIEWSET = """
class {name}Serializer(serializers.ModelSerializer):
    class Meta:
        model = models.{name}
        fields = ["name", "text"]

class {name}ViewSet(viewsets.{base}):
    queryset = models.{name}.objects.all()
    serializer_class = {name}Serializer
    permission_classes = [{permission}]
"""
FILES = {
    "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")\n',
    "settings.py": 'INSTALLED_APPS = ["shop", "rest_framework"]\n',
    "shop/__init__.py": "",
    "shop/models.py": MODELS,
    "shop/api.py": API
    + VIEWSET.format(name="Release", base="ModelViewSet", permission="IsStaffOrReadOnly")
    + VIEWSET.format(name="OfAnybody", base="ModelViewSet", permission="IsMember")
    + "".join(
        VIEWSET.format(name=name, base="ReadOnlyModelViewSet", permission="permissions.AllowAny")
        for name in NAMES
        if name not in ("Release", "OfAnybody")
    ),
    "shop/views.py": "from .models import OfCode\n\ndef note(_):\n    OfCode.objects.create(name='a', text='b')\n",
    "shop/forms.py": "from django import forms\nfrom .models import OfForms\n\nclass F(forms.ModelForm):\n"
    "    class Meta:\n        model = OfForms\n        fields = ['name']\n",
    "shop/management/commands/load.py": "from shop.models import OfCommands\n\ndef load():\n"
    "    OfCommands.objects.create(name='a', text='b')\n",
}


def test_who_makes_the_rows(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, FILES)
    found = {item.values["view"]: item.cause for item in drf.no_pagination(stack) if isinstance(item, Fail)}
    assert found == {
        "ReleaseViewSet": "kept",
        "ReadOnlyViewSet": "kept",
        "OfAnybodyViewSet": "",
        "OfCodeViewSet": "",
        "OfFormsViewSet": "",
        "OfCommandsViewSet": "kept",
    }


def test_a_decision_goes_before_whose_rows_they_are(tmp_path: Path) -> None:
    models = "\nclass Order(models.Model):\n    customer = models.ForeignKey('auth.User', on_delete=models.CASCADE)\n"
    view = """
class {name}(viewsets.ReadOnlyModelViewSet):
    queryset = models.Order.objects.all()
    {decision}

    def get_queryset(self):
        return self.queryset.filter(customer=self.request.user)
"""
    views = [
        view.format(name="Open", decision="permission_classes = [IsMember]"),
        view.format(name="Off", decision="pagination_class = None"),
        view.format(name="Disabled", decision="pagination_disabled = True"),
    ]
    files = {**FILES, "shop/models.py": MODELS + models, "shop/api.py": API + "".join(views)}
    stack = stack_of(tmp_path, files)
    found = {item.values["view"]: item.cause for item in drf.no_pagination(stack) if isinstance(item, Fail)}
    assert found == {"Open": "own", "Off": "chosen", "Disabled": "chosen"}
