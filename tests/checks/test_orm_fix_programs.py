"""Small programs made at random: what their findings propose is taken by real Django, changes no answer, and helps.

`STACKAUDIT_PROGRAMS` says how many programs are tried (150 by default).
"""

from __future__ import annotations

import os
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.checks.applied import applied, findings, is_plain
from tests.link.queries import oracle
from tests.link.queries.test_programs import HELPERS, MODELS, REFUSED, accesses, querysets

COLUMNS = {
    "Author": ["name", "country", "mentor"],
    "Book": ["title", "price", "author", "publisher", "editor"],
    "Chapter": ["title", "book"],
    "Note": ["text", "content_type", "object_id"],
    "Publisher": ["name"],
    "Tag": ["name", "made"],
}
LOOPS = [
    "return [{access} for row in {rows}]",
    "return {{row.pk: {access} for row in {rows}}}",
    "found = list({rows})\n    return [{access} for row in found]",
    "found = {rows}\n    if not found:\n        return []\n    return [{access} for row in found]",
    "found = {rows}\n    found = found.filter(pk__gt=0)\n    return [{access} for row in found.exclude(pk=0)]",
    "found = {rows}\n    if len(found) > 1:\n        found = found.order_by('-pk')\n"
    "    return [{access} for row in found]",
    "return [{access} for row in rows_of({rows})]",
    "return loop({rows}, lambda row: {access})",
    "return [{access} for row in made()]",
    "return [{access} for row in Holder({rows}).rows]",
    "return [{access} for row in {rows}.iterator(chunk_size=1000)]",
    "return [{access} for row in {rows}.iterator()]",
    "return [{access} for row in Paginator({rows}, 1000).get_page(1)]",
    "return [{access} for row in {rows} if row.pk > 1]",
    "out = []\n    for row in {rows}:\n        if row.pk % 2:\n            out.append({access})\n    return out",
    "out = []\n    for row in {rows}:\n        out += [{access}]\n        out.append(row.pk)\n    return out",
    "row = {rows}.first()\n    return [{access}]",
]
OF_SEVERAL = [
    "known = {rows}.in_bulk()\n    return [{access} for key, row in known.items()]",
    "out = []\n    out.extend({rows})\n    return [{access} for row in out]",
    "return [{access} for row in [*{rows}, *{rows}.filter(pk__gt=0)]]",
    "return [{access} for row in ({rows} if Tag.objects.exists() else {rows}.filter(pk__gt=0))]",
    "out = []\n    out.extend({rows})\n    out.extend({rows}.filter(pk__gt=0))\n    return [{access} for row in out]",
]
"""Loops over what is put together; their querysets are short, and bring all columns."""
LONG = 70
"""Fixes show querysets of this length in full."""


RENEWED = """

def rows_of(rows):
    return rows.order_by("pk")


"""


@st.composite
def chains(draw: st.DrawFn, model: str) -> str:
    """A queryset, perhaps without some of its columns."""
    text = draw(querysets(model)).replace(".select_related()", "")  # what that joins behind its first step is not named
    if draw(st.integers(0, 2)) == 0:
        names = draw(st.lists(st.sampled_from(COLUMNS[model]), min_size=1, max_size=3, unique=True))
        method = draw(st.sampled_from(["only", "defer"]))
        text += f".{method}({', '.join(map(repr, names))})"
    return text.replace("'", '"')


@st.composite
def reads(draw: st.DrawFn, model: str) -> str:
    """What is read of a row, and perhaps of those that it leads to."""
    kind = draw(st.sampled_from(["column", "access", "access", "access", "deep"]))
    if kind == "column":
        return "row." + draw(st.sampled_from(COLUMNS[model]))
    return draw(accesses(model))


@st.composite
def programs(draw: st.DrawFn) -> str:
    model = draw(st.sampled_from(sorted(COLUMNS)))
    rows = draw(chains(model))
    access = draw(reads(model))
    if draw(st.booleans()):
        access = f"({access}, {draw(reads(model))})"
    if MODELS[model]["many"] and draw(st.integers(0, 5)) == 0:
        name, target = draw(st.sampled_from(sorted(MODELS[model]["many"].items())))
        rows += f'.prefetch_related(Prefetch("{name}", queryset={draw(chains(target))}))'
    is_short = len(rows) < LONG and not re.search(r"\.(?:only|defer)\(", rows)
    text = draw(st.sampled_from(LOOPS + OF_SEVERAL if is_short else LOOPS))
    # without an order, a slice of what was prefetched is another one
    access = access.replace(".all()[:2]", ".all()").replace("islice", "list").replace(".all(), 2)", ".all())")
    loop = text.format(rows=rows, access=access).replace("'", '"')
    made = f"def made():\n    return {rows}\n\n\n" if "made()" in loop else ""
    return f"{HELPERS}{RENEWED}{made}def program():\n    {loop}\n"


def measured(program: str) -> dict[int, dict[str, Any]]:
    return {size: oracle.ask(program, "program", size) for size in oracle.SIZES}


def values(answers: dict[int, dict[str, Any]]) -> list[str]:
    """What a program returns; a slice of prefetched rows is a list."""
    return [answer["value"].replace("<QuerySet [", "[").replace("]>", "]") for answer in answers.values()]


def check(program: str) -> str:
    before = measured(program)
    errors = [answer["error"] for answer in before.values() if "error" in answer]
    if errors:
        assert errors[0].partition(":")[0] in REFUSED, (errors, program)
        return "refused"
    found = findings(program)
    plain = [verdict for verdict in found if is_plain(verdict.fix)]
    if not plain:
        return "none"
    after = applied(program)
    now = measured(after.program)
    said = (program, after.fixes, after.program)
    assert not [answer for answer in now.values() if "error" in answer], (now, *said)
    assert values(now) == values(before), said
    again = [verdict.fix for verdict in findings(after.program) if is_plain(verdict.fix)]
    assert again == [], (again, *said)
    few, many = (now[size]["count"] for size in oracle.SIZES)
    if len(plain) == len(found):
        assert many <= few, (few, many, *said)
        return "gone"
    assert many - few < before[oracle.SIZES[1]]["count"] - before[oracle.SIZES[0]]["count"], (few, many, *said)
    return "less"


@given(programs())
@settings(
    max_examples=int(os.environ.get("STACKAUDIT_PROGRAMS", "150")),
    deadline=None,
    derandomize="STACKAUDIT_PROGRAMS" not in os.environ,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)
def test_programs(program: str) -> None:
    check(program)
