"""nginx configurations: what the tree holds, where it stands, and what broken or templated files still give."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import crossplane
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stackaudit.facts.files import UnreadableError
from stackaudit.facts.nginx import Directive, Nginx
from stackaudit.lower.nginx import lower

Tree = list[Any]


def tree(text: str | bytes) -> Tree:
    data = text.encode() if isinstance(text, str) else text
    return shape(lower(data, "nginx.conf").directives)


def shape(directives: tuple[Directive, ...]) -> Tree:
    """[name, arguments..., body] of each directive; the body only where there is one."""
    result: Tree = []
    for directive in directives:
        item = [directive.name or directive.hole, *(word.text for word in directive.args)]
        result.append(item if directive.block is None else [*item, shape(directive.block)])
    return result


def notes(text: str | bytes) -> list[tuple[str, int]]:
    data = text.encode() if isinstance(text, str) else text
    return [(note.text, note.line) for note in lower(data, "nginx.conf").notes]


def test_blocks_quotes_comments_and_escapes() -> None:
    text = """
    http { # a comment with a { and an apostrophe's
        log_format main '$remote_addr "$request"'
                        "it\\"s \\\\ \\t.";   # behind
        if ( $host = "a b" ) { return 301 https://x#y; }
        location ~ "^/b{2}/\\d+" { }
    }
    """
    assert tree(text) == [
        [
            "http",
            [
                ["log_format", "main", '$remote_addr "$request"', 'it"s \\ \t.'],
                ["if", "$host", "=", "a b", [["return", "301", "https://x#y"]]],
                ["location", "~", "^/b{2}/\\d+", []],
            ],
        ]
    ]


def test_every_word_has_its_lines_and_columns() -> None:
    facts = lower("é é;\ngzip_types\n\ttext/css\r\n  'a b';\n".encode(), "x")
    spots = [(word.text, tuple(msgspec.structs.astuple(word.region))) for word in facts.directives[1].args]
    assert spots == [("text/css", (3, 2, 3, 10)), ("a b", (4, 3, 4, 8))]
    assert tuple(msgspec.structs.astuple(facts.directives[1].region)) == (2, 1, 4, 8)


def test_a_variable_in_braces_ends_its_word() -> None:
    assert tree("listen ${PORT} ssl;\nset $a ${host}x;") == [["listen", "${PORT}", "ssl"], ["set", "$a", "${host}x"]]


def test_placeholders_are_holes_and_variables_are_not() -> None:
    text = "a ${DOMAIN} $HOST {{ x }} <%= y %> %%Z%% @V@ __W__ %(u)s <your name> ${host} $uri (?<n>x) @named;"
    facts = lower(text.encode(), "x")
    holes = [bool(word.hole) for word in facts.directives[0].args]
    assert holes == [True] * 9 + [False] * 4


def test_template_statements_leave_conditions_behind() -> None:
    text = "{% if tls %}\nlisten 443 ssl;\n{% else %}\nlisten 80;\n{% endif %}\nroot /x;\n"
    facts = lower(text.encode(), "x")
    assert [(item.name, item.args[0].text, item.maybe) for item in facts.directives] == [
        ("listen", "443", "{% if tls %}"),
        ("listen", "80", "{% if tls %}"),
        ("root", "/x", ""),
    ]


def test_a_placeholder_alone_on_its_line_swallows_nothing() -> None:
    text = "server {\n  {{ extra }}\n  ${MORE}\n  gzip_types\n    {{ types }}\n    text/css;\n}"
    assert tree(text) == [["server", [["{{ extra }}"], ["${MORE}"], ["gzip_types", "{{ types }}", "text/css"]]]]


def test_branches_that_open_the_same_block_are_read_once() -> None:
    text = "{% if a %}\ngeo $x $y {\n{% else %}\ngeo $z $y {\n{% endif %}\n default 0;\n}\nroot /x;"
    assert tree(text) == [["geo", "$x", "$y", [["default", "0"]]], ["root", "/x"]]


def test_template_comments() -> None:
    assert tree("{# one { #}\n{# two\n lines { #}\nroot {{ x }};") == [["root", "{{ x }}"]]
    assert tree("server {# no template\n root /x;\n}") == [["server", [["root", "/x"]]]]


@pytest.mark.parametrize(
    ("text", "expected", "note"),
    [
        ("gzip on", [["gzip", "on"]], ("the last directive has no ;", 1)),
        ("server {\n gzip on;\n", [["server", [["gzip", "on"]]]], ("a block is never closed", 1)),
        ("gzip on;\n}\nroot /x;", [["gzip", "on"], ["root", "/x"]], ("a } closes nothing", 2)),
        ("gzip on;;\nroot /x;", [["gzip", "on"], ["root", "/x"]], ("a ; stands alone: nginx refuses the file", 1)),
        (
            "gzip on\nlocation / {\n root /x;\n}",
            [["gzip", "on"], ["location", "/", [["root", "/x"]]]],
            ("a directive has no ; at its end", 1),
        ),
        ("server { gzip on }", [["server", [["gzip", "on"]]]], ("a directive has no ; before the }", 1)),
        ("\ufeffgzip on;", [["gzip", "on"]], ("begins with a byte order mark: nginx refuses the file", 1)),
    ],
)
def test_slips_are_mended_and_told(text: str, expected: Tree, note: tuple[str, int]) -> None:
    assert (tree(text), notes(text)) == (expected, [note])


def test_an_unclosed_quote_costs_its_directive_and_no_more() -> None:
    facts = tree('root /a;\nadd_header X "y;\nroot /b;\n')
    assert facts[0] == ["root", "/a"] and facts[-1] == ["root", "/b"]


def test_lua_is_passed_over() -> None:
    text = """location / {
        content_by_lua_block {
            -- it's a comment with a }
            local x = { a = "}" } --[[ } ]]
        }
        root /x;
    }"""
    assert tree(text) == [["location", "/", [["content_by_lua_block", []], ["root", "/x"]]]]


def test_what_is_no_text_is_unreadable() -> None:
    with pytest.raises(UnreadableError):
        lower("server {}".encode("utf-16"), "x")
    with pytest.raises(UnreadableError):
        lower(b"a {" * 5000, "x")


def test_includes_are_never_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert tree(f"include {pipe};\ninclude /dev/zero;") == [["include", str(pipe)], ["include", "/dev/zero"]]


def test_facts_survive_the_cache() -> None:
    facts = lower(b"http { server { listen ${PORT}; {% if a %} gzip on; {% endif %} } }", "x")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facts), type=Nginx) == facts


words = st.text("abz/.*$~^=_-0", min_size=1, max_size=8).filter(lambda text: text[0] not in "#" and "${" not in text)
quoted = st.text("ab {};#'", max_size=8).map(lambda text: f'"{text}"')
simple = st.tuples(words, st.lists(st.one_of(words, quoted), max_size=3)).map(lambda p: " ".join([p[0], *p[1]]) + ";")
blocks = st.recursive(
    st.lists(simple, max_size=4).map("\n".join),
    lambda inner: st.tuples(words, inner, inner).map(lambda parts: f"{parts[0]} {{\n{parts[1]}\n}} # x\n{parts[2]}"),
    max_leaves=6,
)


@given(blocks.filter(lambda text: "{#" not in text and "{{" not in text))
@settings(max_examples=50, deadline=None)
def test_the_tree_is_that_of_crossplane(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "nginx.conf"
        path.write_text(text + "\n")
        payload = crossplane.parse(str(path), single=True, check_ctx=False, check_args=False)  # type: ignore[no-untyped-call]
    assert tree(text) == from_crossplane(payload["config"][0]["parsed"])


def from_crossplane(statements: list[dict[str, Any]]) -> Tree:
    result: Tree = []
    for statement in statements:
        item = [statement["directive"], *statement["args"]]
        result.append([*item, from_crossplane(statement["block"])] if "block" in statement else item)
    return result


@given(st.text("ab{}();\"'#\\$%@_<>=\n\t é\ufeff\r", max_size=60))
@example("\"'{'")
def test_nothing_crashes_and_every_region_lies_inside(text: str) -> None:
    facts = lower(text.encode(), "x")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    pending = list(facts.directives)
    while pending:
        directive = pending.pop()
        pending += directive.block or ()
        for region in (directive.region, *(word.region for word in directive.args)):
            assert (1, 1) <= (region.line, region.column) <= (region.end_line, region.end_column)
            assert region.end_line <= len(lines)
            assert region.end_column <= len(lines[region.end_line - 1]) + 2


def test_what_a_template_includes_is_a_riddle_of_its_place() -> None:
    text = 'server {\n  {% include "tls.j2" %}\n  root /x;\n}'
    assert tree(text) == [["server", [['{% include "tls.j2" %}'], ["root", "/x"]]]]
