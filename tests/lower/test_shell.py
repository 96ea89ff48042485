from __future__ import annotations

from typing import Any

import pytest

from stackaudit.facts.commands import Hole, Step, Text, Word
from stackaudit.facts.files import UnreadableError
from stackaudit.lower import shell
from stackaudit.model.source import Region


def short(steps: tuple[Step, ...]) -> list[Any]:
    """Each step as its words, with marks for what surrounds it."""
    found: list[Any] = []
    for step in steps:
        item: list[Any] = [word.text for word in step.words]
        item += [f"{variable.name}:={variable.value.text}" for variable in step.assigns if variable.value]
        marks = [("not " if condition.negated else "") + condition.text for condition in step.conditions]
        marks += [name for name in ("replaces", "background", "piped") if getattr(step, name)]
        marks += [f"in {step.function}"] if step.function else []
        found.append((" ".join(item), *marks))
        found += [("inner", *inner) for inner in short(step.inner)]
    return found


CASES = {
    "simple commands": ("a b 'c d' \"e\"f # no\ng", [("a b c d ef",), ("g",)]),
    "exec and export": ("export A=1 B='x y'\nexec gunicorn app", [("A:=1 B:=x y",), ("gunicorn app", "replaces")]),
    "lists": ("a && b || c; d & e | f", [
        ("a",), ("b",), ("c", "not b"), ("d", "background"), ("e", "piped"), ("f", "piped"),
    ]),
    "a test guards what follows": ("[ -n \"$X\" ] && run", [("[ -n $X ]",), ("run", "[ -n $X ]")]),
    "if": ("if [ $A = 1 ]; then b; elif c; then d; else e; fi; f", [
        ("[ $A = 1 ]",), ("b", "[ $A = 1 ]"), ("c", "not [ $A = 1 ]"), ("d", "not [ $A = 1 ]", "c"),
        ("e", "not [ $A = 1 ]", "not c"), ("f",),
    ]),
    "if over a list": ("if [ 1 ] && [ 2 ]; then b; else c; fi", [
        ("[ 1 ]",), ("[ 2 ]", "[ 1 ]"), ("b", "[ 1 ]", "[ 2 ]"), ("c", "not [ 1 ] && [ 2 ]"),
    ]),
    "case": ("case $1 in web|w) a ;; *) b ;; esac", [("a", "$1 is web or w"), ("b", "not $1 is web or w", "$1 is *")]),
    "loops": ("while ! nc -z db 5432; do sleep 1; done; go", [
        ("nc -z db 5432",), ("sleep 1", "while ! nc -z db 5432"), ("go",),
    ]),
    "for": ("for x in 1 2; do a $x; done", [("a $x", "for x in 1 2")]),
    "functions": ("f() {\n a\n}\nfunction g { b; }\nf", [("a", "in f"), ("b", "in g"), ("f",)]),
    "groups": ("{ a; b; } && (c; d)", [("a",), ("b",), ("c",), ("d",)]),
    "double brackets": ("[[ $A == 1 && -z $B ]] && c", [("[[ $A == 1 && -z $B ]]",), ("c", "[[ $A == 1 && -z $B ]]")]),
    "redirections are no words": ("a > /dev/null 2>&1 < in b", [("a b",)]),
    "here-documents are no commands": ("cat <<EOF > x\nif (\nEOF\nb", [("cat",), ("b",)]),
    "sh -c": ("exec sh -c 'cd /app && exec gunicorn a'", [
        ("sh -c cd /app && exec gunicorn a", "replaces"), ("inner", "cd /app"),
        ("inner", "gunicorn a", "replaces"),
    ]),
    "continued lines": ("a \\\n  b \\\n  c", [("a b c",)]),
    "templates": ("{% if x %}\na {{ name }}\n{% else %}\nb\n{% endif %}", [
        ("a {{      }}", "the template's x"), ("b", "the template's not (x)"),
    ]),
    "arithmetic": ("(( x = 1 )) && a\nb $((1 + 2))", [("a",), ("b $((1 + 2))",)]),
    "unclosed": ("if a; then b 'c", [("a",), ("b c", "a")]),
    "carriage returns": ("a b\r\nc\r\n", [("a b",), ("c",)]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_steps(text: str, expected: list[Any]) -> None:
    assert short(shell.lower(text.encode(), "x.sh").steps) == expected


def test_words_have_exact_places() -> None:
    (step,) = shell.lower(b"#!/bin/sh\n\texec 'a b' \\\n  --x=${Y:-\"2\"}\n", "x.sh").steps
    assert step.words == (
        Word("a b", (), Region(2, 7, 2, 12)),
        Word('--x=${Y:-"2"}', (Hole(4, 13, "Y", Text("2", ()), True),), Region(3, 3, 3, 16)),
    )


def test_words_of_an_inner_text_have_exact_places() -> None:
    (step,) = shell.lower(b"bash -lc 'a; gunicorn app'", "x.sh").steps
    assert [word.region for inner in step.inner for word in inner.words] == [
        Region(1, 11, 1, 12),
        Region(1, 14, 1, 22),
        Region(1, 23, 1, 26),
    ]


@pytest.mark.parametrize(
    ("text", "holes"),
    [
        ("$A", (Hole(0, 2, "A", None, True),)),
        ('"$A"', (Hole(0, 2, "A", None, False),)),
        ("'$A'", ()),
        ("\\$A", ()),
        ('"$@"', (Hole(0, 2, "@", None, True),)),
        ("$1", (Hole(0, 2, "1", None, True),)),
        ("$(date)", (Hole(0, 7, "", None, True),)),
        ("${A:-${B:-3}}", (Hole(0, 13, "A", Text("${B:-3}", (Hole(0, 7, "B", Text("3", ()), False),)), True),)),
        ("${A:+b}", (Hole(0, 7, "A", Text("b", ()), True, True),)),
        ("${A%%/*}", (Hole(0, 8, "", None, True),)),
        ("${A:?message}", (Hole(0, 13, "A", None, True),)),
    ],
)
def test_holes(text: str, holes: tuple[Hole, ...]) -> None:
    (step,) = shell.lower(f"x {text}".encode(), "x.sh").steps
    assert step.words[1].holes == holes


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff\xfe", "not UTF-8 text"),
        (b"a\0b", "holds NUL characters"),
        (b"a " * 600_000, "larger than 1 MB"),
        (b"if a; then " * 500, "nests too deeply"),
        (b"#!/usr/bin/env python3\nprint(1)", "a Python program, not a shell script"),
    ],
    ids=["encoding", "NUL", "size", "nesting", "python"],
)
def test_unreadable(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        shell.lower(data, "x.sh")
    assert caught.value.why == why
