"""Loops of which a turn runs one query or another: what is told, and what real Django asks and answers then."""

from __future__ import annotations

from tests.checks.applied import applied, findings, function
from tests.link.queries import oracle

NAMED = """from django.db.models import F, Value
from django.db.models.functions import Lower


def named():
    pairs = Author.objects.order_by("pk").values_list("country__name", "name")
    return [key for country, name in pairs for key in (name, f"{country}.{name}")]
"""
HELPER = """

def find(key):
    if "." in key:
        country, name = key.split(".", maxsplit=1)
        found = Author.objects.get(country__name=country, name=name)
    else:
        found = Author.objects.get(name=key)
    return found.pk


def finds():
    return [find(key) for key in named()]
"""
HANDED = """

def finds():
    keys = named()
    pairs = [key.split(".", maxsplit=1) for key in keys if "." in key]
    behind = Author.objects.filter(country__name__in=[pair[0] for pair in pairs], name__in=[pair[1] for pair in pairs])
    both = {(row.key, row.name): row for row in behind.annotate(key=F("country__name"))}
    plain = {row.name: row for row in Author.objects.filter(name__in=keys)}
    return [(both[tuple(key.split(".", maxsplit=1))] if "." in key else plain[key]).pk for key in keys]
"""
OWN = """

def finds():
    found = []
    for key in named():
        if "." in key:
            found.append(Country.objects.get(name__iexact=key.partition(".")[0]).pk)
        else:
            found.append(Country.objects.get(author__name=key).pk)
    return found
"""
LOOKED_UP = """

def finds():
    keys = named()
    lower = [Lower(Value(key.partition(".")[0])) for key in keys]
    own = {row.name.lower(): row for row in Country.objects.annotate(lower=Lower("name")).filter(lower__in=lower)}
    theirs = {row.key: row for row in Country.objects.filter(author__name__in=keys).annotate(key=F("author__name"))}
    return [(own[key.partition(".")[0].lower()] if "." in key else theirs[key]).pk for key in keys]
"""
RAISED = " Neither is unique: keys with no row or with several have to raise as `get()` did."
CASES = {
    HELPER: (
        "A turn asks on line 17 or line 19. Ask each of them once before the loop for all turns: with "
        '`country__name__in=…, name__in=…` and `annotate(key=F("country__name"))` on line 17, with `name__in=…` on '
        "line 19. Keep their answers apart, that of line 17 by `(row.key, row.name)`, and hand those of each turn to "
        f"`find()`.{RAISED}",
        "`find(key)` asks for Author (`get`) on each turn of `for key in named()`.",
        HANDED,
    ),
    OWN: (
        "A turn asks on line 18 or line 20. Ask each of them once before the loop for all turns: with "
        '`annotate(lower=Lower("name"))` and `lower__in=[Lower(Value(value)) for value in …]` on line 18, with '
        '`author__name__in=…` and `annotate(key=F("author__name"))` on line 20. Keep their answers apart, that of line '
        "18 by `row.name.lower()`, that of line 20 by `row.key`, and look them up in the loop. On line 18 `name` in "
        "any case is not unique: keys with no row or with several have to raise as `get()` did. On line 18 look up "
        '`key.partition(".")[0].lower()`: the database may fold other letters than Python.',
        '`Country.objects.get(name__iexact=key.partition(".")[0])` or `Country.objects.get(author__name=key)` runs a '
        "query on each turn of `for key in named()`.",
        LOOKED_UP,
    ),
}


def test_each_of_both() -> None:
    for before, (fix, message, after) in CASES.items():
        program = oracle.HEAD + NAMED + before
        assert applied(program).fixes["finds"] == [fix]
        (told,) = [item for item in findings(program) if function(item) == "finds"]
        words = f"`{told.values['access']}` {told.values['asks']} on {told.values['turns']} of `{told.values['loop']}`."
        assert words == message
        changed = oracle.HEAD + NAMED + after
        size = oracle.SIZES[1]
        one, other = (oracle.ask(text, "finds", size) for text in (program, changed))
        assert one["value"] == other["value"]
        assert not oracle.grows(changed, "finds")
        assert one["count"] == 2 * size + 1


def test_one_of_two_on_some_turns() -> None:
    some = OWN.replace("        else:\n", '        elif key != "x":\n')
    (told,) = [item for item in findings(oracle.HEAD + NAMED + some) if function(item) == "finds"]
    assert told.values["turns"] == "some turns"
    assert told.fix.startswith("A turn asks on line 18 or line 20.")


def test_what_takes_the_way_of_an_exception() -> None:
    caught = """

def finds():
    found = []
    for key in named():
        if "." in key:
            try:
                found.append(Country.objects.get(name=key[1:]).pk)
            except Country.MultipleObjectsReturned:
                found.append(1)
            except Country.DoesNotExist:
                found.append(0)
        else:
            found.append(Country.objects.get(author__name=key).pk)
    return found
"""
    (fix,) = applied(oracle.HEAD + NAMED + caught).fixes["finds"]
    assert "On line 19, keys without a row or with several take the way of `except Country.MultipleObjects" in fix
    assert "On line 25" not in fix


def test_queries_of_one_text_or_of_several_models_stand_alone() -> None:
    same = HELPER.replace("country__name=country, name=name", "name=key")
    (fix,) = applied(oracle.HEAD + NAMED + same).fixes["finds"]
    assert fix.startswith("Ask once before the loop with `Author.objects.filter(name__in=…)`.")
    apart = OWN.replace("Country.objects.get(author__name=key)", "Author.objects.get(name=key)")
    told = applied(oracle.HEAD + NAMED + apart).fixes["finds"]
    assert not any("A turn asks" in fix for fix in told)


def test_what_each_turn_asks_beside_is_named() -> None:
    program = """

def find(shelf, key):
    if "." in key:
        found = Author.objects.get(country__name=key)
    else:
        found = Author.objects.get(name=key)
    kept = shelf.books.filter(author=found)
    if kept.exists() or shelf.tags.filter(name=key).exists():
        return found
    return Book.objects.filter(tags__in=shelf.tags.filter(name=key))


def finds(shelf):
    return [find(shelf, key) for key in named()]
"""
    (told,) = [item for item in findings(oracle.HEAD + NAMED + program) if function(item) == "finds"]
    assert [step.text for step in told.related] == [
        "for key in named()",
        "`Author.objects.get(name=key)`",
        "`shelf.tags.filter(name=key).exists()`",
    ]
