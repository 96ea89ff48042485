"""Rules of one's own, TOML alone, through the whole pipeline."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stackaudit import catalog
from stackaudit.catalog import CatalogError
from stackaudit.checks import declared
from stackaudit.config import Config
from stackaudit.scan import scan

WORDS = """
title = "A rule of the house"
severity = "medium"
precision = "high"
scoring = "gate"
message = "It is {value}."
why = "We agreed on it."
fix = "Do as agreed."
[check]
"""
STACK = {
    "manage.py": "import os\nimport django\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site_settings')\n",
    "site_settings.py": (
        "import os\nSECRET_KEY = 'x'\nSESSION_COOKIE_SECURE = False\nSESSION_COOKIE_AGE = 600\n"
        "CSRF_COOKIE_SECURE = bool(os.environ['SECURE'])\nCACHES = {'default': {'BACKEND': 'a.B', 'TIMEOUT': 60}}\n"
    ),
    "requirements.txt": "django==5.2.1\nrequests>=2\nujson==5.10.0\n",
    "nginx.conf": (
        "http {\n  server_tokens off;\n  server { listen 80; }\n  server { listen 81; server_tokens on; }\n}\n"
    ),
}


def verdicts(tmp_path: Path, check: str) -> list[tuple[str, str, int]]:
    root, house = tmp_path / "stack", tmp_path / "stack" / "house-rules" / "house"
    house.mkdir(parents=True)
    (house / "ours.toml").write_text(WORDS + check)
    for path, text in STACK.items():
        (root / path).write_text(text)
    result = scan(root, Config(rules="house-rules", select=("house",), no_cache=True, jobs=1))
    assert result.notifications == ()
    rows = [("fail", item.location) for item in result.findings]
    rows += [("pass", item.location) for item in result.passed]
    rows += [("unknown", item.location) for item in result.unknowns]
    return [(verdict, place.path, place.line) for verdict, place in rows]


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ('setting = "SESSION_COOKIE_SECURE", equals = true', [("fail", "site_settings.py", 3)]),
        ('setting = "SESSION_COOKIE_AGE", at-most = 3600, at-least = 60', [("pass", "site_settings.py", 4)]),
        ('setting = "SESSION_COOKIE_AGE", at-most = 60', [("fail", "site_settings.py", 4)]),
        ('setting = "CSRF_COOKIE_SECURE", equals = true', [("unknown", "site_settings.py", 5)]),
        ('setting = ["CACHES", "default", "TIMEOUT"], one-of = [60, 300]', [("pass", "site_settings.py", 6)]),
        ('setting = ["CACHES", "default", "BACKEND"], none-of = ["a.B"]', [("fail", "site_settings.py", 6)]),
        ('setting = "X_FRAME_OPTIONS", equals = "DENY"', [("pass", "site_settings.py", 1)]),
    ],
)
def test_setting_is(tmp_path: Path, args: str, expected: list[tuple[str, str, int]]) -> None:
    assert verdicts(tmp_path, f'kind = "setting_is"\nargs = {{ {args} }}\n') == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ('package = "django", version = ">=5.2"', [("pass", "requirements.txt", 1)]),
        ('package = "Django", version = "<5"', [("fail", "requirements.txt", 1)]),
        ('package = "requests", version = ">=2.1"', [("unknown", "requirements.txt", 2)]),
        ('package = "ujson", absent = true', [("fail", "requirements.txt", 3)]),
        ('package = "orjson", absent = true', []),
    ],
)
def test_package_is(tmp_path: Path, args: str, expected: list[tuple[str, str, int]]) -> None:
    assert verdicts(tmp_path, f'kind = "package_is"\nargs = {{ {args} }}\n') == expected


def test_directive_is(tmp_path: Path) -> None:
    check = 'kind = "directive_is"\nargs = { directive = "server_tokens", equals = "off" }\n'
    assert verdicts(tmp_path, check) == [("fail", "nginx.conf", 4), ("pass", "nginx.conf", 2)]


@pytest.mark.parametrize(
    ("kind", "args", "message"),
    [
        ("setting", {}, "there is no check `setting`; there are directive_is, package_is, setting_is"),
        ("setting_is", {"setting": "A"}, "give one of equals, differs-from, one-of, none-of, at-least, at-most"),
        ("setting_is", {"equals": 1}, "setting_is: Object missing required field `setting`"),
        ("setting_is", {"setting": "A", "equal": 1}, "setting_is: Object contains unknown field `equal`"),
        ("package_is", {"package": "a"}, "package_is: give either version or absent = true"),
        ("package_is", {"package": "a", "version": "five"}, "package_is: Invalid specifier: 'five'"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(kind: str, args: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message) + "$"):
        declared.of(kind, args)


def test_a_wrong_check_is_told_with_its_rule(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="house/ours: \\[check\\] there is no check `settings_is`"):
        verdicts(tmp_path, 'kind = "settings_is"\n')
    assert "house" not in catalog.AREAS
