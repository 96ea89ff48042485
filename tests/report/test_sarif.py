from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackaudit.model.result import Location, Notification, Result
from stackaudit.report import Look, render
from stackaudit.report.sarif import region, uri
from tests.report.conftest import place

SCHEMA = Path(__file__).parent.parent / "fixtures" / "sarif-schema-2.1.0.json"


@cache
def validator() -> Any:
    return jsonschema.Draft4Validator(json.loads(SCHEMA.read_bytes()))


def check(text: str) -> dict[str, Any]:
    """The run of a log, after everything the schema and code scanning ask for was checked."""
    log = json.loads(text)
    assert [error.message for error in validator().iter_errors(log)] == []
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["automationDetails"]["id"].endswith("/")
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["markdown"]
        properties = rule["properties"]
        assert len(properties["tags"]) <= 10
        assert ("problem.severity" in properties) != ("security-severity" in properties)
        assert ("security-severity" in properties) == ("security" in properties["tags"])
        assert properties["precision"] in ("very-high", "high", "medium", "low")
    assert len(run["results"]) <= 25_000
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        if result["kind"] != "fail":
            assert result["level"] == "none"
        else:
            assert result["partialFingerprints"]["stackaudit/v1"]
    for physical in physical_locations(run):
        located = physical["artifactLocation"]
        assert located["uriBaseId"] == "%SRCROOT%"
        parts = urlsplit(located["uri"])
        assert (parts.scheme, parts.netloc) == ("", "") and not parts.path.startswith("/")
        assert located["uri"].isascii() and " " not in located["uri"]
        if "region" in physical:
            here = physical["region"]
            assert here["startLine"] >= 1  # errata 01 demands a start
            assert (here["startLine"], here.get("startColumn", 1)) <= (
                here.get("endLine", here["startLine"]),
                here.get("endColumn", 1 << 30),
            )
    return dict(run)


def physical_locations(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        own = [value["physicalLocation"]] if "physicalLocation" in value else []
        return own + [each for item in value.values() for each in physical_locations(item)]
    if isinstance(value, list):
        return [each for item in value for each in physical_locations(item)]
    return []


@pytest.mark.parametrize("name", ["sarif", "sarif-full"])
def test_it_obeys_the_schema_and_code_scanning(name: str, shop: Result, empty: Result, hostile: Result) -> None:
    for result in (shop, empty, hostile):
        check(render(name, result))


def test_sarif_holds_what_is_not_waived_the_worst_first(shop: Result) -> None:
    results = check(render("sarif", shop))["results"]
    assert {result["kind"] for result in results} == {"fail"}
    assert len(results) == len(shop.findings)
    assert [result["level"] for result in results] == ["error"] * 8 + ["warning", "note"]
    assert not any("suppressions" in result for result in results)
    assert {result["baselineState"] for result in results} == {"new", "unchanged"}


def test_sarif_full_holds_everything(shop: Result) -> None:
    results = check(render("sarif-full", shop))["results"]
    kinds = [result["kind"] for result in results]
    assert kinds == ["fail"] * 11 + ["open"] * len(shop.unknowns) + ["pass"] * len(shop.passed)
    assert [result["suppressions"] for result in results if "suppressions" in result] == [
        [{"kind": "inSource", "status": "accepted", "justification": "internal traffic only, plain HTTP by design"}]
    ]


def test_one_finding_whole(shop: Result) -> None:
    only = msgspec.structs.replace(shop, findings=shop.findings[1:2])
    (result,) = check(render("sarif", only))["results"]
    view = {"artifactLocation": {"uri": "shop/views.py", "uriBaseId": "%SRCROOT%"}} | {
        "region": {"startLine": 33, "startColumn": 9, "endLine": 33, "endColumn": 40}
    }
    page = {"artifactLocation": {"uri": "shop/templates/shop/order_list.html", "uriBaseId": "%SRCROOT%"}}
    access = page | {"region": {"startLine": 14, "startColumn": 16, "endLine": 14, "endColumn": 35}}
    loop = page | {"region": {"startLine": 12, "startColumn": 5, "endLine": 12, "endColumn": 30}}
    assert result == {
        "ruleId": "orm/n-plus-one-forward",
        "ruleIndex": 0,
        "message": {"text": "`order.customer` is fetched by one query for each row; the queryset does not load it."},
        "locations": [
            {
                "physicalLocation": access,
                "logicalLocations": [{"fullyQualifiedName": "shop/templates/shop/order_list.html: order.customer"}],
            }
        ],
        "kind": "fail",
        "level": "error",
        "partialFingerprints": {"stackaudit/v1": "01" * 16},
        "relatedLocations": [
            {"id": 1, "physicalLocation": view, "message": {"text": "the queryset that should load it"}}
        ],
        "codeFlows": [
            {
                "threadFlows": [
                    {
                        "locations": [
                            {"location": {"physicalLocation": each, "message": {"text": text}}}
                            for each, text in [
                                (view, "the view gives the queryset to the template as `orders`"),
                                (loop, "the loop runs over it"),
                                (access, "`order.customer` asks the database"),
                            ]
                        ]
                    }
                ]
            }
        ],
        "properties": {"queries": 101, "rows": 100},
    }


def test_notifications_travel_with_the_invocation(shop: Result) -> None:
    (invocation,) = check(render("sarif", shop))["invocations"]
    assert invocation["executionSuccessful"] is True
    levels = [note["level"] for note in invocation["toolExecutionNotifications"]]
    assert levels == ["warning", "note", "error"]


def test_rules_are_cut_to_the_limits(shop: Result) -> None:
    words = "A sentence of some words. " * 100
    long = msgspec.structs.replace(
        shop.rules[0], harm=words, title="word " * 400, tags=(*(f"t{n}" for n in range(30)), "security")
    )
    run = check(render("sarif", msgspec.structs.replace(shop, rules=(long, *shop.rules[1:]))))
    rule = run["tool"]["driver"]["rules"][0]
    assert rule["fullDescription"]["text"].endswith("words.")
    assert rule["shortDescription"]["text"].endswith("word…")
    assert rule["properties"]["tags"][0] == "security"


def test_more_results_than_code_scanning_takes_are_left_out_and_told(shop: Result) -> None:
    many = msgspec.structs.replace(shop, findings=shop.findings[-1:] * 25_001 + shop.findings[:1], notifications=())
    run = json.loads(render("sarif", many))["runs"][0]
    assert len(run["results"]) == 25_000
    assert run["results"][0]["level"] == "error"
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["message"]["text"] == "2 results are left out: code scanning accepts no more than 25,000"


def test_messages_escape_what_reads_as_a_placeholder_or_a_link(empty: Result) -> None:
    notes = tuple(
        Notification(level="note", text=text) for text in ("args[0](x) and {0} of ${VAR}", "[see](http://x)", "")
    )
    run = check(render("sarif", msgspec.structs.replace(empty, notifications=notes)))
    texts = [note["message"]["text"] for note in run["invocations"][0]["toolExecutionNotifications"]]
    assert texts == ["args\\[0\\](x) and {{0}} of ${VAR}", "\\[see\\](http://x)", "(no text)"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("shop/views.py", "shop/views.py"),
        ("a b/ü#?.py", "a%20b/%C3%BC%23%3F.py"),
        ("c:/x.py", "c%3A/x.py"),
        ("100%.html", "100%25.html"),
        ("//evil.example/x", "evil.example/x"),
        ("bad\udcff.py", "bad%FF.py"),
    ],
)
def test_paths_become_relative_uris(path: str, expected: str) -> None:
    assert uri(path) == expected


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="/"), min_size=1))
def test_any_file_name_survives_the_round_trip(name: str) -> None:
    parts = urlsplit(uri(f"folder/{name}"))
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("", "", "", "")
    assert unquote(parts.path) == f"folder/{name}"


@given(*[st.integers(-2, 9)] * 4)
def test_regions_never_end_before_they_start(line: int, column: int, end_line: int, end_column: int) -> None:
    here = region(Location(path="a", line=line, column=column, end_line=end_line, end_column=end_column))
    assert min(here.values()) >= 1
    assert (here["startLine"], here["startColumn"]) <= (here["endLine"], here["endColumn"])
    straight = place(line=2, column=3, end_line=4, end_column=1)
    assert region(straight) == {"startLine": 2, "startColumn": 3, "endLine": 4, "endColumn": 1}


@pytest.mark.parametrize(
    ("category", "run_id"), [("", "stackaudit/"), ("api", "stackaudit/api/"), ("/shop/web/", "stackaudit/shop/web/")]
)
def test_a_category_keeps_the_runs_of_one_repository_apart(shop: Result, category: str, run_id: str) -> None:
    for name in ("sarif", "sarif-full"):
        assert check(render(name, shop, Look(category=category)))["automationDetails"] == {"id": run_id}
