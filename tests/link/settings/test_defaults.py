"""The table of Django's defaults, held to the Django that is installed."""

from __future__ import annotations

import django
import pytest
from django.conf import global_settings

from stackaudit.link.settings.defaults import DEFAULTS, SERIES, UNLISTED, default


def test_the_table_is_djangos() -> None:
    assert django.VERSION[:2] == SERIES
    actual = {name: getattr(global_settings, name) for name in dir(global_settings) if name.isupper()}
    assert {name: value for name, value in actual.items() if name not in UNLISTED} == DEFAULTS


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("USE_TZ", (4, 2), (True, False, "")),
        ("USE_TZ", (5, 2), (True, True, "")),
        ("DEFAULT_AUTO_FIELD", (5, 2), (True, "django.db.models.AutoField", "")),
        ("DEFAULT_AUTO_FIELD", (6, 0), (True, "django.db.models.BigAutoField", "")),
        ("TASKS", (5, 2), (False, None, "")),
        ("DEBUG", None, (True, False, "")),
        ("NO_SUCH_SETTING", None, (False, None, "")),
    ],
)
def test_defaults_of_other_releases(name: str, version: tuple[int, ...] | None, expected: object) -> None:
    assert default(name, version) == expected


def test_a_default_that_changed_is_unknown_without_a_version() -> None:
    assert default("USE_TZ", None)[2] == "Django 5.0 changed its default and Django's version is not known"
