"""Code that is written to exhaust the walk costs its own function alone."""

from __future__ import annotations

import pytest

from tests.link.queries import oracle

LOOP = "\n\ndef after():\n    return [book.author.name for book in Book.objects.all()]\n"


@pytest.mark.parametrize(
    "body",
    [
        "return " + "(" * 60 + "x" + ")" * 60,
        "return " + " + ".join(["x"] * 80),
        "text = 'x'\n    " + "\n    ".join(["text = text + text"] * 60),
        "return '%999999999d' % 1",
        "if x: pass\n    " + "\n    ".join(["elif x: pass"] * 80),
        "return deep()",
        "self = deep\n    self.x = self\n    return self.x.x.x",
        "for a in Book.objects.all():\n        deep()\n        deep()",
    ],
    ids=["brackets", "sum", "doubling", "width", "elif", "recursion", "cycle", "branching"],
)
def test_the_rest_is_judged(body: str) -> None:
    said = oracle.verdicts(f"{oracle.HEAD}\n\ndef deep():\n    {body}\n{LOOP}")
    assert said.get("after") == "fail"


def test_a_long_chain_of_conditions_at_the_top_level() -> None:
    chain = "if x: a = 1\n" + "elif x: a = 2\n" * 80
    assert oracle.verdicts(f"{oracle.HEAD}\n{chain}{LOOP}").get("after") == "fail"
