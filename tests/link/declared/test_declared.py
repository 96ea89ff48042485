"""What no library shows by itself: where declared lists get their rows from, and when nothing is said."""

from __future__ import annotations

from stackaudit.config import Config
from stackaudit.facts.files import FileFacts
from stackaudit.link.stack import Stack
from stackaudit.lower.python import lower
from stackaudit.lower.requirements import lower as lower_requirements

MODELS = """
from django.db import models


class Site(models.Model):
    name = models.CharField(max_length=9)


class Device(models.Model):
    name = models.CharField(max_length=9)
    site = models.ForeignKey(Site, on_delete=models.CASCADE)
    rack = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="+")


class Port(models.Model):
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="ports")
"""


def found(requirements: str = "", **files: str) -> set[tuple[str, str, str]]:
    """(line's class, path, outcome) of each event that is no pass."""
    texts = {"shop/__init__.py": "", "shop/models.py": MODELS}
    texts |= {f"shop/{name}.py": text for name, text in files.items()}
    facts = [FileFacts(path, "python", facts=lower(text.encode(), path)) for path, text in texts.items()]
    if requirements:
        facts.append(
            FileFacts(
                "requirements.txt", "requirements", facts=lower_requirements(requirements.encode(), "requirements.txt")
            )
        )
    events = Stack(facts, Config()).declared.events
    return {
        (event.where.rpartition(".")[2], ".".join(event.path), event.outcome)
        for event in events
        if event.outcome != "pass"
    }


TABLES = """
import django_tables2 as tables
from .models import Device, Port


class StockTable(tables.Table):
    def __init__(self, *args, columns=None, **kwargs):
        super().__init__(*args, **kwargs)
        paths = [column.accessor for column in self.columns]
        self.data.data = self.data.data.prefetch_related(*paths)


class DeviceTable(StockTable):
    site = tables.Column()
    where = tables.Column(accessor="pk")

    def render_where(self, record):
        return record.rack.name

    class Meta:
        model = Device
        fields = ("name",)


class PortTable(tables.Table):
    device = tables.Column()

    class Meta:
        model = Port
        fields = ()
"""


VIEWS = """
from generic.views import ObjectListView
from .models import Device
from .tables import DeviceTable


class DeviceListView(ObjectListView):
    queryset = Device.objects.all()
    table = DeviceTable
"""


def test_a_table_that_prefetches_for_its_columns_is_asked_for_the_rest() -> None:
    assert found(tables=TABLES, views=VIEWS) == {
        ("DeviceListView", "rack", "fail"),
        ("PortTable", "device", "unknown"),
    }


def test_the_queryset_of_the_page_is_not_that_of_its_table() -> None:
    views = """
from generic.views import ObjectChildrenView
from .models import Device
from .tables import PortTable


class DevicePortsView(ObjectChildrenView):
    queryset = Device.objects.all()
    table = PortTable
"""
    assert {item for item in found(tables=TABLES, views=views) if item[1] == "device"} == {
        ("PortTable", "device", "unknown")
    }


RESOURCES = """
from import_export import resources
from .models import Device


class DeviceResource(resources.ModelResource):
    class Meta:
        model = Device


def export():
    return DeviceResource().export()
"""


def test_foreign_keys_are_read_as_rows_before_4_0() -> None:
    rows = {("export", "site", "fail"), ("export", "rack", "fail")}
    assert found("django-import-export==3.3.9", resources=RESOURCES) == rows
    assert found("django-import-export>=2.9,<3.4", resources=RESOURCES) == rows
    assert found("django-import-export==4.4.3", resources=RESOURCES) == set()
    assert found("django-import-export", resources=RESOURCES) == set()


ADMIN = """
from django.contrib import admin
from import_export import fields, resources
from import_export.admin import ImportExportModelAdmin, ImportMixin
from .models import Device, Port


class DeviceResource(resources.ModelResource):
    where = fields.Field(attribute="rack__name")

    class Meta:
        model = Device
        fields = ("where",)


class PortResource(resources.ModelResource):
    where = fields.Field(attribute="device__name")

    class Meta:
        model = Port
        fields = ("where",)


@admin.register(Device)
class DeviceAdmin(ImportExportModelAdmin):
    resource_classes = [DeviceResource]
    {options}


@admin.register(Port)
class PortAdmin(ImportMixin, admin.ModelAdmin):
    resource_classes = [PortResource]
"""


def test_an_admin_exports_its_changelist_and_an_import_exports_nothing() -> None:
    assert found(admin=ADMIN.format(options="pass")) == {("DeviceAdmin", "rack", "fail")}
    assert found(admin=ADMIN.format(options='list_select_related = ["rack"]')) == set()
    queryset = "def get_queryset(self, request):\n        return super().get_queryset(request).select_related('rack')"
    assert found(admin=ADMIN.format(options=queryset)) == set()


FORMS = """
from django import forms
from .models import Device, Port


class PortForm(forms.ModelForm):
    class Meta:
        model = Port
        fields = ["device"]
"""


FORM_VIEW = """
from django.shortcuts import render
from .forms import PortForm


def edit(request):
    return render(request, "edit.html", {"form": PortForm(request.POST or None)})
"""

FORM_ADMIN = """
from django.contrib import admin
from .forms import PortForm
from .models import Port


@admin.register(Port)
class PortAdmin(admin.ModelAdmin):
    form = PortForm
"""


def test_forms_of_the_admin_are_left_to_its_rules() -> None:
    text = "    def __str__(self):\n        return self.site.name\n\n\nclass Port("
    models = MODELS.replace("\nclass Port(", text)
    assert found(models=models, forms=FORMS, views=FORM_VIEW) == {("PortForm", "site", "fail")}
    assert found(models=models, forms=FORMS, views=FORM_VIEW, admin=FORM_ADMIN) == set()


def test_a_form_that_is_only_validated_asks_nothing() -> None:
    text = "    def __str__(self):\n        return self.site.name\n\n\nclass Port("
    models = MODELS.replace("\nclass Port(", text)
    view = "from .forms import PortForm\n\n\ndef check(request):\n    return PortForm(request.POST).is_valid()\n"
    assert found(models=models, forms=FORMS, views=view) == set()


def test_nothing_is_walked_where_no_library_is_imported() -> None:
    facts = [FileFacts("shop/models.py", "python", facts=lower(MODELS.encode(), "shop/models.py"))]
    declared = Stack(facts, Config()).declared
    assert (declared.lists, declared.events) == (None, [])
