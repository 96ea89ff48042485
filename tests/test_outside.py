"""What stands around the product: the README's commands, the sample stack, the hooks, the workflow."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stackaudit import catalog, config
from stackaudit.scan import scan

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "tests" / "fixtures" / "sample"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found() -> dict[str, list[str]]:
    """The paths of the sample's findings, by rule."""
    wishes, _ = config.load(SAMPLE)
    document = {**config.as_document(wishes), "no-cache": True, "jobs": 1}
    result = scan(SAMPLE, config.convert(document, config.Config, ""))
    assert [item.text for item in result.notifications] == []
    by_rule: dict[str, list[str]] = {}
    for item in result.findings:
        by_rule.setdefault(item.rule, []).append(item.location.path)
    return by_rule


EXPECTED = {
    "capacity/memory-overcommit": ["deploy/gunicorn.conf.py"],
    "deps/unused": ["requirements/base.txt"],
    "deps/vulnerability": ["requirements/base.txt"],
    "nginx/alias-traversal": ["deploy/nginx/sites-enabled/bookshop.conf"],
    "nginx/compression-gaps": ["deploy/nginx/nginx.conf"],
    "nginx/static-path-mismatch": ["deploy/nginx/sites-enabled/bookshop.conf"],
    "nginx/tls-protocols": ["deploy/nginx/sites-enabled/bookshop.conf"],
    "orm/count-as-existence": ["orders/views.py"],
    "orm/n-plus-one-forward": ["catalog/views.py"],
    "orm/n-plus-one-reverse": ["catalog/views.py"],
    "orm/query-in-loop": ["orders/views.py"],
    "orm/write-in-loop": ["orders/views.py"],
    "server/unknown-setting": ["deploy/gunicorn.conf.py"],
    "settings/no-connection-reuse": ["bookshop/settings/base.py"],
}
"""The faults that were put into the sample; more rules may find more."""


@pytest.mark.parametrize("rule", sorted(EXPECTED))
def test_the_sample_shows_the_faults_that_were_put_into_it(rule: str, found: dict[str, list[str]]) -> None:
    assert found.get(rule) == EXPECTED[rule]


def test_what_is_right_in_the_sample_is_not_reported(found: dict[str, list[str]]) -> None:
    right = {"settings/debug-true", "server/development-server", "admin/list-display-n-plus-one", "deps/eol-runtime"}
    assert right & found.keys() == set()


def test_the_readme_has_the_two_commands() -> None:
    commands = re.findall(r"^(python3 -m venv .*)$", README, re.MULTILINE)
    assert [command.rpartition("&& ")[2] for command in commands] == [
        ".venv/bin/stackaudit scan tests/fixtures/sample",
        ".venv/bin/pytest",
    ]


def test_the_readme_shows_findings_that_the_sample_has(found: dict[str, list[str]]) -> None:
    shown = re.findall(r"^ [A-Z]+ {3}.* ([a-z]+/[a-z0-9-]+)$", README, re.MULTILINE)
    assert shown
    assert set(shown) <= found.keys()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/adding-a-rule.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()] == []


def test_rules_that_the_readme_names_exist() -> None:
    names = {rule.id for rule in catalog.load()}
    areas = {name.partition("/")[0] for name in names}
    mentioned = {match for match in re.findall(r"\b([a-z]+/[a-z0-9-]+)\b", README) if match.partition("/")[0] in areas}
    assert mentioned <= names


def test_the_hooks() -> None:
    hooks = load(".pre-commit-hooks.yaml")
    assert [(hook["id"], hook["language"], hook["pass_filenames"]) for hook in hooks] == [
        ("stackaudit", "python", False),
        ("stackaudit-project", "system", False),
    ]
    assert ["--no-tools" in hook["entry"].split() for hook in hooks] == [True, False]


def test_the_workflow_covers_every_python_that_is_promised() -> None:
    classifiers = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert load(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == classifiers


def test_the_action_names_inputs_that_it_uses() -> None:
    action = load("action.yml")
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert [name for name in action["inputs"] if f"inputs.{name} }}}}" not in text] == []


def test_the_script_of_the_build_server_is_sound_bash() -> None:
    checked = subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
