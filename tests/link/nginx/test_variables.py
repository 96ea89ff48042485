"""What groups can hold, beside what they do hold; and how a variable's value is followed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackaudit.facts.nginx import Directive
from stackaudit.link.nginx.expressions import BEYOND, EVERY, Expression, expression
from stackaudit.link.nginx.include import Includes
from stackaudit.link.nginx.level import Level
from stackaudit.link.nginx.tree import Builder
from stackaudit.link.nginx.variables import HEADER, RAW, parts, together
from stackaudit.lower.nginx import lower
from stackaudit.model.values import Known, Unknown

atom = st.sampled_from(
    [
        ".",
        "a",
        "/",
        r"\d",
        r"\w",
        r"\W",
        r"\s",
        r"\S",
        r"\.",
        "[^/]",
        "[a-z0-9_-]",
        "[^.]",
        r"[\w.]",
        "[]x]",
        r"[^\n]",
        r"\n",
    ]
)
counted = st.tuples(atom, st.sampled_from(["", "*", "+", "?", "*?", "+?", "{1,3}", "{2}"])).map("".join)
sequence = st.lists(counted, min_size=1, max_size=3).map("".join)
group = st.tuples(st.sampled_from(["(", "(?:", "(?P<name>"]), sequence, sequence).map(
    lambda drawn: f"{drawn[0]}{drawn[1]}|{drawn[2]})"
)
pattern = st.tuples(st.sampled_from(["", "^", "^/"]), sequence, group, sequence, st.sampled_from(["", "$"])).map(
    "".join
)
subject = st.text(st.sampled_from("ab/.-_0 x\n\r\té"), max_size=12)


@settings(max_examples=400, deadline=None)
@given(pattern, st.lists(subject, min_size=1, max_size=12))
def test_a_group_holds_nothing_that_was_not_foretold(pattern: str, subjects: list[str]) -> None:
    told = expression(pattern)
    assert isinstance(told, Known)
    compiled = re.compile(pattern, re.ASCII)
    for text in subjects:
        match = compiled.search(text)
        if match is None:
            continue
        for name, held in [*((str(n), found) for n, found in enumerate(match.groups(), 1)), *match.groupdict().items()]:
            chars = {char if ord(char) < 128 else BEYOND for char in held or ""}
            assert chars <= told.value.groups[name], (pattern, text, name)
        if told.value.whole is not None:
            chars = {char if ord(char) < 128 else BEYOND for char in text.removesuffix("\n")}
            assert chars <= told.value.whole, (pattern, text)
        assert text.startswith(told.value.literal), (pattern, text)
    if told.value.is_literal:
        assert compiled.search(told.value.literal) is not None


@pytest.mark.parametrize(
    ("pattern", "literal", "is_literal"),
    [
        ("^/api/", "/api/", True),
        ("^/api/.*$", "/api/", True),
        ("^/api/(.*)", "/api/", True),
        ("^/api/$", "/api/", False),
        ("^/a?b", "/", False),
        ("^/a+b", "/a", False),
        (r"^/\.well-known/", "/.well-known/", True),
        ("^/(static|media)/", "/", False),
        ("/api/", "", False),
        ("^/a|^/b", "", False),
    ],
)
def test_what_every_match_begins_with(pattern: str, literal: str, is_literal: bool) -> None:
    told = expression(pattern)
    assert isinstance(told, Known)
    assert (told.value.literal, told.value.is_literal) == (literal, is_literal)


@pytest.mark.parametrize("pattern", ["(", "a)", "[a", "(?(1)a|b)", r"(a)\1", "[[:odd:]]", "(?R)"])
def test_what_is_not_understood_is_unknown(pattern: str) -> None:
    assert isinstance(expression(pattern), Unknown)


def test_what_an_expression_is() -> None:
    lower_case = frozenset("abcdefghijklmnopqrstuvwxyz")
    assert expression("^/(?<page>[a-z]+)$") == Known(
        Expression({"1": lower_case, "page": lower_case}, lower_case | {"/"}, "/", False)
    )


CONFIGURATION = r"""
http {
    map $uri $moved { default ""; ~^/old/(.*)$ /new/$1; }
    map $http_x $named { default a; b c; }
    map $arg_x $loose { default $arg_x; }
    geo $near { default 0; 10.0.0.0/8 1; }
    server {
        server_name ~^(?<shop>[a-z]+)\.example\.org$;
        set $site example.org;
        set $both $scheme://$site;
        location ~ ^/user/(?<who>[^/]+)/(\d+)$ {
            set $copy $who;
            if ($arg_page ~ ^(\d+)$) { return 200; }
        }
        location = /exact { return 200; }
    }
}
"""


def level(kind: str, index: int = 0) -> Level:
    file = lower(CONFIGURATION.encode(), "nginx.conf")
    (http,) = Builder({"nginx.conf": file}, Includes(["nginx.conf"], {}), ()).build()
    server = http.inside("server")[0]
    found = {"server": [server], "location": server.inside("location")}
    return found[kind][index] if kind in found else server.inside("location")[0].inside("if")[0]


@pytest.mark.parametrize(
    ("text", "kind", "index", "alphabet", "values"),
    [
        ("$uri", "server", 0, EVERY, None),
        ("$request_uri", "server", 0, RAW, None),
        ("$http_referer", "server", 0, HEADER, None),
        ("$site", "server", 0, frozenset(), ("example.org",)),
        ("$both/", "server", 0, frozenset(), ("http://example.org/", "https://example.org/")),
        ("$named", "server", 0, frozenset(), ("a", "c")),
        ("$near", "server", 0, frozenset(), ("0", "1")),
        ("$loose", "server", 0, RAW, None),
        ("$moved", "server", 0, EVERY - {"\n"}, None),
        ("$shop", "server", 0, frozenset("abcdefghijklmnopqrstuvwxyz"), None),
        ("$who", "location", 0, EVERY - {"/"}, None),
        ("$1", "location", 0, EVERY - {"/"}, None),
        ("$2", "location", 0, frozenset("0123456789"), None),
        ("$copy", "location", 0, EVERY - {"/"}, None),
        ("$1", "if", 0, frozenset("0123456789"), None),
        ("$uri", "location", 1, frozenset(), ("/exact",)),
        ("${DOMAIN}", "server", 0, frozenset(), None),
        ("$upstream_http_x", "server", 0, frozenset(), None),
    ],
)
def test_what_a_word_may_hold(
    text: str, kind: str, index: int, alphabet: frozenset[str], values: tuple[str, ...] | None
) -> None:
    held = together(parts(text, level(kind, index)))
    assert isinstance(held, Known)
    assert (held.value.alphabet, held.value.values) == (alphabet, values)


def test_nobody_knows_what_a_script_sets() -> None:
    assert together(parts("$scripted", level("server"))) == Unknown("what $scripted holds is not in the repository")
    assert isinstance(level("server").directive, Directive)
