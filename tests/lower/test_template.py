"""Templates as trees."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stackaudit.facts import template as t
from stackaudit.facts.files import Note, UnreadableError
from stackaudit.lower.template import lower
from stackaudit.model.source import Region


def read(text: str, path: str = "app/templates/x.html") -> t.Template:
    return lower(text.encode(), path)


def show(part: object) -> object:
    """A part without its region, as nested tuples that begin with the kind."""
    if isinstance(part, t.Path):
        return ".".join((part.name, *part.parts))
    if isinstance(part, t.Part):
        fields = [show(getattr(part, name)) for name in part.__struct_fields__ if name not in ("region", "words")]
        return (type(part).__name__, *fields)
    if isinstance(part, tuple):
        return [show(item) for item in part]
    return part


def shown(text: str, path: str = "app/templates/x.html") -> object:
    return show(read(text, path).nodes)


def test_variables_with_filters() -> None:
    assert shown("{{ a.b.0 }}{{ a|f|g:b.c }}{{ 'x'|h:\"y z\" }}") == [
        ("Output", "a.b.0"),
        ("Output", ("Filtered", "a", [("Filter", "f", [], []), ("Filter", "g", ["b.c"], [])])),
        ("Output", ("Filtered", ("Literal", "x"), [("Filter", "h", [("Literal", "y z")], [])])),
    ]


def test_regions_are_exact() -> None:
    nodes = read("<p>\n  é {{ book.author|upper }} {% for a, b in x.all|slice:':3' %}{% endfor %}").nodes
    output, loop = nodes
    assert isinstance(output, t.Output) and isinstance(output.value, t.Filtered)
    assert output.value.value.region == Region(2, 8, 2, 19)
    assert output.value.filters[0].region == Region(2, 20, 2, 25)
    assert isinstance(loop, t.For)
    assert loop.iter.region == Region(2, 44, 2, 60)
    assert loop.targets == ("a", "b")


def test_components_of_django_cotton() -> None:
    assert shown("<c-a.b-c :rows='x.y' title=\"A > {{ b }}\" on :f='x|g' ::t='z' @click='w' n=3 />") == [
        ("Component", "a.b-c", [
            ("Binding", "rows", "x.y"), ("Binding", "title", ("Unread", "")), ("Binding", "on", ("Literal", True)),
            ("Binding", "f", ("Unread", "")), ("Binding", "t", ("Literal", "z")), ("Binding", "n", ("Literal", 3)),
        ], False),
        ("Output", "b"),
    ]  # fmt: skip
    assert shown("{% if a %}<c-a only>{% else %}<c-b\n>{% endif %}</c-a>") == [
        ("If", [("Branch", "a", [("Component", "a", [("Binding", "only", ("Literal", True))], True)]),
                ("Branch", None, [("Component", "b", [], False)])])
    ]  # fmt: skip
    assert shown("{% cotton a :b=\"c\" / %}{% cotton:vars d='e' %}{% endcotton %}") == [
        ("Component", "a", [("Binding", "b", "c")], False),
        ("Component", "vars", [("Binding", "d", ("Literal", "e"))], False),
    ]


@pytest.mark.parametrize(
    "text", ["{# <c-a /> #}", "{% comment %}<c-a>{% endcomment %}", "<c-a", "<c-a b='", "</c-a>", "<c-a <c-", "<c- a>"]
)
def test_what_is_no_component(text: str) -> None:
    assert not any(isinstance(node, t.Component) for node in read(text).nodes)


def test_regions_of_components() -> None:
    component = read("<p>\n  <c-a :b='c.d'/>").nodes[0]
    assert isinstance(component, t.Component)
    assert component.region == Region(2, 3, 2, 18)
    assert component.bindings[0].value.region == Region(2, 12, 2, 15)


def test_a_page_of_openings_takes_no_time() -> None:
    openings = "<c-a b='" * 50_000 + "<c-a " * 50_000 + "<c-a x=" * 50_000 + "<c-a" + " " * 200_000
    assert shown(openings) == []
    assert shown(openings + "{{ book }}<c-b>") == [("Output", "book"), ("Component", "b", [], False)]


def test_for_with_empty_and_reversed() -> None:
    assert shown("{% for x in y reversed %}{{ x }}{% empty %}{{ z }}{% endfor %}") == [
        ("For", ["x"], "y", [("Output", "x")], [("Output", "z")], True, None)
    ]


def test_conditions() -> None:
    assert shown("{% if a.b and not c or d == 1 %}1{% elif e not in f %}{{ g }}{% else %}{{ h }}{% endif %}") == [
        (
            "If",
            [
                (
                    "Branch",
                    (
                        "Operation",
                        "or",
                        [
                            ("Operation", "and", ["a.b", ("Operation", "not", ["c"])]),
                            ("Operation", "==", ["d", ("Literal", 1)]),
                        ],
                    ),
                    [],
                ),
                ("Branch", ("Operation", "not in", ["e", "f"]), [("Output", "g")]),
                ("Branch", None, [("Output", "h")]),
            ],
        )
    ]


def test_with_include_extends_block() -> None:
    assert shown(
        "{% extends 'base.html' %}{% block main %}{% with a=b.c d as e %}{% include 'y.html' with f=a only %}"
        "{{ block.super }}{% endwith %}{% endblock main %}"
    ) == [
        ("Extends", ("Literal", "base.html")),
        (
            "Block",
            "main",
            [
                (
                    "With",
                    [("Binding", "a", "b.c"), ("Binding", "e", "d")],
                    [
                        ("Include", ("Literal", "y.html"), [("Binding", "f", "a")], True),
                        ("Output", "block.super"),
                    ],
                )
            ],
        ),
    ]


def test_custom_tags_have_a_body_where_the_file_closes_them() -> None:
    assert shown("{% load books %}{% hot book.author n=3 as authors %}{% box x %}{{ y }}{% endbox %}{{ z }}") == [
        ("Tag", "hot", ["book.author"], [("Binding", "n", ("Literal", 3))], "authors", []),
        ("Tag", "box", ["x"], [], "", [("Output", "y")]),
        ("Output", "z"),
    ]
    assert read("{% load books x %}{% load tag from other %}").libraries == ("books", "x", "other")


def test_regroup_cache_translations_url() -> None:
    assert shown(
        "{% regroup checks by project.owner as groups %}{% cache 60 name user.id %}{{ a }}{% endcache %}"
        "{% blocktranslate with a=b.c trimmed %}{{ a }}{% plural %}{{ d }}{% endblocktranslate %}"
        '{% url "show" book.pk as link %}{% translate "two words" %}{{ _("a b") }}'
    ) == [
        ("Regroup", "checks", "project.owner", "groups"),
        ("Cache", [("Literal", 60), "user.id"], [("Output", "a")]),
        ("With", [("Binding", "a", "b.c")], [("Output", "a"), ("Output", "d")]),
        ("Tag", "url", [("Literal", "show"), "book.pk"], [], "link", []),
        ("Tag", "translate", [("Literal", "two words")], [], "", []),
        ("Output", ("Literal", "a b")),
    ]


def test_comments_and_verbatim_hold_nothing() -> None:
    assert shown(
        "{# {{ a }} #}{% comment %}{{ b }}{% if %}{% endcomment %}{% verbatim %}{{ c }}{% endverbatim %}{{ d }}"
    ) == [
        ("Tag", "verbatim", [], [], "", []),
        ("Output", "d"),
    ]


def test_broken_templates_are_read_as_far_as_they_go() -> None:
    found = read("{% for x in y %}\n{{ x.a }}{% endif %}\n{% else %}{{ }}{% if %}")
    assert show(found.nodes) == [
        ("For", ["x"], "y", [("Output", "x.a"), ("If", [("Branch", ("Unread", ""), [])])], [], False, None)
    ]
    assert found.notes == (
        Note("{% endif %} closes nothing", 2),
        Note("{% else %} stands where nothing takes it", 3),
        Note("{% if %} is never closed", 3),
        Note("{% for %} is never closed", 1),
    )


def test_an_unreadable_expression_is_kept_apart() -> None:
    assert shown("{{ a b }}{{ a..b }}{{ 1.2.3 }}") == [
        ("Output", ("Unread", "a b")),
        ("Output", ("Unread", "a..b")),
        ("Output", ("Unread", "1.2.3")),
    ]


def test_jinja_by_folder_and_by_syntax() -> None:
    text = (
        "{% extends 'b.html' %}{% set n = a.b %}{% for x in qs.filter(y=1)[:3] if x.ok -%}{{ x.author.name|e }}"
        "{{ x['k'].z }}{% else %}{{ f(x, k=n) }}{% endfor %}{% macro m(p, q=1) %}{{ p.r }}{% endmacro %}"
        "{% from 'f.html' import g as h %}"
    )
    expected: list[object] = [
        ("Extends", ("Literal", "b.html")),
        ("Bind", ["n"], "a.b"),
        (
            "For",
            ["x"],
            (
                "Operation",
                "slice",
                [
                    ("Call", "qs.filter", [], [("Binding", "y", ("Literal", 1))]),
                    ("Literal", None),
                    ("Literal", 3),
                    ("Literal", None),
                ],
            ),
            [("Output", ("Filtered", "x.author.name", [("Filter", "e", [], [])])), ("Output", "x.k.z")],
            [("Output", ("Call", "f", ["x"], [("Binding", "k", "n")]))],
            False,
            "x.ok",
        ),
        ("Macro", "m", ["p", "q"], [("Output", "p.r")]),
        ("Import", ("Literal", "f.html"), "", [["g", "h"]]),
    ]
    assert shown(text) == expected
    assert shown(text, "app/jinja2/x.html") == expected
    assert read(text).language == "jinja2"


def test_jinja_that_cannot_be_parsed() -> None:
    with pytest.raises(UnreadableError, match="Jinja2 cannot parse it"):
        read("{% for %}", "app/jinja2/x.html")


def test_nesting_has_a_limit() -> None:
    with pytest.raises(UnreadableError, match="nested more than 100 deep"):
        read("{% if a %}" * 5000)
    with pytest.raises(UnreadableError):
        read("{% if a %}" * 5000 + "{% endif %}" * 5000, "x.jinja")


def test_not_utf8_and_windows_line_ends() -> None:
    found = lower(b"\xe9\r\n{{ a }}", "x.html")
    assert found.notes == (Note("is not UTF-8: read as Latin-1", 1),)
    assert found.nodes[0].region == Region(2, 1, 2, 8)


def test_a_long_line_of_open_braces() -> None:
    assert shown("{{ a }}" + "{% {{ {#" * 200_000) == [("Output", "a")]


PIECES = [
    "{% if a.b %}", "{% endif %}", "{% for x in y|f:z %}", "{% endfor %}", "{{ a|b:'c' }}", "{% t a=b as c %}",
    "{% endt %}", "{% else %}", "{%", "}}", "{{ ", "'", '_("a', "{% comment %}", "\n", "é", "\0", "|", "{% with %}",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_anything_is_read_and_survives_the_cache(text: str) -> None:
    found = lower(text.encode(), "x.html")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=t.Template) == found
