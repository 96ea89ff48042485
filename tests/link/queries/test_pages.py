"""How many rows a loop goes through, where the code says so."""

from __future__ import annotations

import pytest

from tests.link.queries import oracle


@pytest.mark.parametrize(
    ("rows", "size"),
    [
        ("Book.objects.all()", 0),
        ("Book.objects.all()[:50]", 50),
        ("Book.objects.all()[10:40]", 30),
        ("Book.objects.all()[10:]", 0),
        ("Book.objects.all()[:limit]", 0),
        ("Paginator(Book.objects.all(), 20).get_page(1)", 20),
        ("Paginator(Book.objects.all(), per_page=30).page(1).object_list", 30),
        ("Paginator(Book.objects.all(), limit).page(1)", 0),
    ],
)
def test_size_of_a_page(rows: str, size: int) -> None:
    program = f"from django.core.paginator import Paginator\n{oracle.HEAD}\n\ndef program(limit):\n"
    program += f"    for book in {rows}:\n        print(book.author)\n"
    found = {event.loop.page for event in oracle.walked(program).events if event.kind == "forward" and event.loop}
    assert found == {size}
