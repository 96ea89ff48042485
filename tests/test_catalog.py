"""The catalogue is whole: each rule has its file, its function, its prose and its examples."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from stackaudit import catalog, judge
from stackaudit.catalog import CatalogError
from stackaudit.model.rule import Rule
from tests.test_examples import promised

RULES = catalog.load()
IDS = [rule.id for rule in RULES]
OWN = """
title = "Cookies travel over plain HTTP"
severity = "high"
precision = "high"
scoring = "gate"
needs = ["settings"]
message = "SESSION_COOKIE_SECURE is {value}."
why = "A session that travels in the clear can be taken."
fix = "Set SESSION_COOKIE_SECURE = True."
[check]
kind = "setting_is"
args = { setting = "SESSION_COOKIE_SECURE", equals = true }
"""


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_rule_has_exactly_one_judge(rule: Rule) -> None:
    assert callable(judge.check_of(rule))


def test_every_function_has_its_rule() -> None:
    declared = {rule.id for rule in RULES if rule.check is not None}
    functions = set()
    for area in {rule.area for rule in RULES}:
        module = importlib.import_module(f"stackaudit.checks.{area if area != 'async' else 'async_'}")
        for name, member in inspect.getmembers(module, inspect.isfunction):
            inside = member.__module__ == module.__name__ or member.__module__.startswith(module.__name__ + ".")
            if inside and not name.startswith("_") and list(inspect.signature(member).parameters) == ["stack"]:
                functions.add((area, name))
    assert functions == {(rule.area, rule.function) for rule in RULES if rule.id not in declared}


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_prose_is_complete(rule: Rule) -> None:
    assert rule.area in catalog.AREAS
    assert re.fullmatch(r"[a-z][a-z0-9.-]*", rule.name)
    assert 10 <= len(rule.title) <= 90
    assert not rule.title.endswith(".")
    assert len(rule.why.split()) >= 20, "why: tell the harm"
    assert len(rule.fix.split()) >= 5, "fix: tell what to do"
    assert rule.message.strip().endswith((".", ")", "}", "?"))
    assert rule.references
    assert all(link.startswith("https://") for link in rule.references)
    assert len(rule.tags) <= 9


@pytest.mark.parametrize("rule", RULES, ids=IDS)
def test_three_verdicts_are_shown(rule: Rule) -> None:
    shown = {verdict for example in rule.example for _, _, verdict in promised(example.files)}
    assert shown | set(rule.not_shown) == {"fail", "pass", "unknown"}
    assert not shown & set(rule.not_shown)
    assert len({example.title for example in rule.example}) == len(rule.example)


def test_choose_by_id_area_and_tag() -> None:
    assert catalog.choose(RULES, (), ()) == RULES
    assert [rule.id for rule in catalog.choose(RULES, ("settings/debug-true",), ())] == ["settings/debug-true"]
    orm = catalog.choose(RULES, ("orm",), ("orm/write-in-loop",))
    assert {rule.id for rule in orm} == {i for i in IDS if i.startswith("orm/")} - {"orm/write-in-loop"}


def test_a_word_that_names_nothing_gets_a_suggestion() -> None:
    with pytest.raises(CatalogError) as error:
        catalog.choose(RULES, ("settings/debug-tru",), ())
    assert str(error.value) == "`settings/debug-tru` is no rule, area or tag; did you mean `settings/debug-true`?"


def test_a_rule_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "secure-cookies.toml").write_text(OWN)
    own = [rule for rule in catalog.load(tmp_path) if rule.area == "house"]
    assert [(rule.id, rule.check.kind if rule.check else "") for rule in own] == [
        ("house/secure-cookies", "setting_is")
    ]


def test_a_rule_of_ones_own_needs_a_check(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    path = tmp_path / "house" / "secure-cookies.toml"
    path.write_text(OWN.partition("[check]")[0])
    with pytest.raises(CatalogError, match=re.escape(f"{path}: a rule of your own needs a [check] table")):
        catalog.load(tmp_path)


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    (tmp_path / "settings").mkdir()
    (tmp_path / "settings" / "debug-true.toml").write_text(OWN)
    with pytest.raises(CatalogError, match="settings/debug-true ships with stackaudit"):
        catalog.load(tmp_path)


def test_a_rule_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "broken.toml").write_text(OWN.replace("severity", "severty", 1))
    with pytest.raises(CatalogError, match="severty"):
        catalog.load(tmp_path)
