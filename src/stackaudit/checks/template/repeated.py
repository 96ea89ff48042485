"""Queries that one template runs twice for the same rows."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.template.prefetched import Prefetches
from stackaudit.facts import python as py
from stackaudit.facts import template as t
from stackaudit.link.pages.files import TemplateFile
from stackaudit.link.pages.inheritance import binder_of, block_of
from stackaudit.link.pages.repeated import Asked, Path
from stackaudit.link.queries.values import Rows
from stackaudit.link.sources import Sources
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place, Region
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_NUMBERS = dict(enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine"), 2))
_ONCE = frozenset({"once", "answer-once", "asked-once", "context-once"})
"""The ways of failing of what a page asks once, and no loop for each of its rows."""


def repeated_related_query(stack: Stack) -> Iterator[Verdict]:
    """One site for each path to a queryset that a template evaluates more than once: its second evaluation."""
    found: dict[tuple[Place, str], Verdict] = {}
    prefetches = Prefetches(stack)
    turned = {place for asked in stack.pages.turned if asked.outcome == "fail" for place in asked.places}
    for path in stack.pages.repeated:
        late = path.again[0]
        if late.place in turned:
            continue  # each turn of a loop repeats it, which template/loop-invariant-query tells
        verdict = _verdict(stack.sources, stack.templates.by_path[late.place.path], path, prefetches)
        known = found.setdefault((late.place, path.text), verdict)
        if isinstance(verdict, Fail) and isinstance(known, Fail) and known.cause in _ONCE:
            found[late.place, path.text] = verdict  # another page asks it for each row of a list
    yield from found.values()


def _verdict(sources: Sources, file: TemplateFile, path: Path, prefetches: Prefetches) -> Verdict:
    late = path.again[0]
    early = path.before(late)
    site = Site(late.place, f"{late.place.path}: {path.text}")
    if path.cached and not {early.how, late.how} & ({"last"} if path.sorted else {"first", "last"}):
        return Pass(site)
    if path.unknown or path.cached:
        return Unsure(site, path.unknown or "whether the prefetched rows answer this depends on their ordering")
    if _is_kept(sources, path.head):
        return Unsure(site, "the view keeps the queryset, and whether it has gone through the rows before is not known")
    along = path.along(late)
    loaded = next((item.place for item in along if not item.how), None)
    if not _is_answered({early.how, late.how}, loaded is not None):
        return Pass(site)  # two questions that no single answer serves
    steps = [Step(early.place, f"`{early.text}` runs a query")]
    steps += [Step(item.place, f"`{item.text}` runs another") for item in path.again]
    name = path.text.split(".")[-1].removesuffix("_set")
    values = {"first": early.text, "again": late.text, "line": early.place.region.line}
    number = _most(path, along)
    values["number"] = _NUMBERS.get(number, str(number))
    holders = list(dict.fromkeys(_holder(file, path.text, item.place.region) for item in along))
    answering = prefetches.answering(path, along) if early.each else []
    if loaded is not None:
        fix = _of_rows(path, along, name, loaded, holders, bool(answering))
    else:
        fix = _of_answers(path, along, {early.how, late.how}, name, holders)
    return Fail(
        site,
        {**values, "rows": _rows(path, along), "name": name if loaded is not None else f"{name}_{late.how}"},
        cause=_cause(path, early, late, bool(answering)),
        related=tuple(steps[:1] + steps[2:]),
        flow=tuple(steps),
        fix=f"{_made(answering, late.place)} Without it, {fix[0].lower()}{fix[1:]}" if answering else fix,
    )


def _made(answering: list[Place], place: Place) -> str:
    """That nothing has to change where the prefetches are made which other findings ask for."""
    first = answering[0]
    where = f"line {first.region.line}" if first.path == place.path else f"line {first.region.line} of {first.path}"
    if len(answering) == 1:
        told = f"The prefetch that template/n-plus-one on {where} asks for answers these, too: make that one"
    else:
        told = "The prefetches that template/n-plus-one asks for here answer these, too: make those"
    return f"{told}, and nothing has to change here."


def _most(path: Path, along: list[Asked]) -> int:
    """How many queries run at most: branches that exclude each other count once, a name keeps its rows."""
    most = 0
    for last in along:
        way = [item for item in along if item.branch == last.branch[: len(item.branch)]]
        loaded = (number for number, item in enumerate(way, 1) if not item.how and item.text == path.text)
        most = max(most, next(loaded, len(way)))
    return most


def _is_answered(asked: set[str], loaded: bool) -> bool:
    """Whether one query answers both questions: loaded rows all but `last`, a number or a row whether there are any."""
    if loaded or len(asked) == 1:
        return "last" not in asked or len(asked) == 1
    return asked in ({"exists", "count"}, {"exists", "first"}) or all(how.isdigit() for how in asked)


def _is_kept(sources: Sources, head: object) -> bool:
    """Whether a view keeps the queryset of the context as an attribute: other methods may have gone through it."""
    node = sources.at(head.origin.place) if isinstance(head, Rows) and head.origin is not None else None
    if node is None or not isinstance(head, Rows) or head.origin is None:
        return False
    tree = sources.tree(head.origin.place.path)
    while node in tree and not isinstance(node, (py.Assign, py.FunctionDef)):
        node = tree[node]
    targets = node.targets if isinstance(node, py.Assign) else ()
    return any(isinstance(to, py.Attribute) and isinstance(to.value, py.Name) for to in targets)


def _rows(path: Path, along: list[Asked]) -> str:
    """The expression that gives all rows."""
    if "." not in path.text:
        return path.text
    return next((item.text for item in along if not item.how), f"{path.text}.all")


def _holder(file: TemplateFile, text: str, place: Region) -> str:
    """The tag in which a name has to be given to what `text` stands for at a place; "" for the whole template.

    That is the loop that hands out what it begins with, or the block: outside of it nothing is rendered.
    """
    binder = binder_of(file, text.partition(".")[0], place)
    if binder is not None:
        return f"the `{{% {'for' if isinstance(binder, t.For) else 'with'} %}}` of line {binder.region.line}"
    block = block_of(file, place)
    return f"`{{% block {block} %}}`" if block else ""


def _around(holders: list[str]) -> str:
    return f" within {holders[0]}" if holders[0] else ""


def _of_rows(path: Path, along: list[Asked], name: str, loaded: Place, holders: list[str], is_answered: bool) -> str:
    """What to write where the template loads all rows at `loaded`: they answer everything else.

    `holders` are the tags in which the places stand; with `is_answered` a prefetch is told of before.
    """
    instead = {"": name, "exists": name, "count": f"{name}|length", "first": f"{name}.0"}
    written = {item.text: instead.get(item.how, f"{name}.{item.how}") for item in along if item.how != "last"}
    changes = ", ".join(f"`{new}` for `{old}`" for old, new in written.items() if new != old)
    early = along[0].how == "first" or along[0].how.isdigit()
    where = f"around line {along[0].place.region.line}" if holders[0] else "before the rest"
    before = f" Test `{{% if {name} %}}` {where}, so that `{name}.0` finds the rows." if early else ""
    if "." not in path.text:
        told = f"Write {_changes(written, along)}: `{name}`" if changes else f"`{name}`"
        return f"{told} keeps its rows once they are loaded, which line {loaded.region.line} does anyway.{before}"
    single = {"first", "last"} & {item.how for item in along}
    more = " Or prefetch the relation in the view." if path.plain and not single and not is_answered else ""
    if len(holders) > 1:
        return _by_view(_rows(path, along))
    naming = f"{{% with {name}={_rows(path, along)} %}}…{{% endwith %}}"
    return f"Put `{naming}` around all of it{_around(holders)}, and in it write {changes}.{before}{more}"


def _changes(written: dict[str, str], along: list[Asked]) -> str:
    """What to write for what, and on which lines: "`books` for `books.exists` on lines 3 and 5"."""
    found = []
    for old, new in written.items():
        lines = [str(line) for line in dict.fromkeys(item.place.region.line for item in along if item.text == old)]
        if new != old:
            where = f"lines {', '.join(lines[:-1])} and {lines[-1]}" if len(lines) > 1 else f"line {lines[0]}"
            found.append(f"`{new}` for `{old}` on {where}")
    return ", ".join(found)


def _by_view(asked: str) -> str:
    """What to do where no tag of the template can hold all of its places."""
    return (
        f"Let the view hand over what `{asked}` gives under a name of its own, and read that: the places stand in "
        "several blocks, which no `{% with %}` spans."
    )


def _of_answers(path: Path, along: list[Asked], asked: set[str], name: str, holders: list[str]) -> str:
    """What to write where the template wants single rows or numbers."""
    places = [int(how) for how in asked if how.isdigit()]
    if places:
        most = f"list({name}[:{max(*places, path.uses.highest) + 1}])"
        page = path.text.removesuffix(".object_list")
        if isinstance(path.head, Rows) and path.head.paged and "." not in page:
            told = "a page makes a list of its rows, a queryset does not"
            return f"Write `{page}.0` for `{path.text}.0` and so on: {told}."
        if path.uses.is_read:
            own = f"Let the view hand over a list under a name of its own, `{most}`,"
            return f"{own} and read the rows by number from that: of a queryset each is a query."
        return f"Let the view hand over a list, `{most}`: of a queryset each row by number is a query."
    asking = [item for item in along if item.how in asked]
    one = next((item for item in asking if item.how != "exists"), asking[0])
    if len(holders) > 1:
        return _by_view(one.text)
    naming = f"{{% with {name}_{one.how}={one.text} %}}…{{% endwith %}}"
    told = f"Put `{naming}` around all of it{_around(holders)}, and in it write "
    return told + f"`{name}_{one.how}` for {' and '.join(dict.fromkeys(f'`{item.text}`' for item in asking))}."


def _cause(path: Path, early: Asked, late: Asked, is_answered: bool) -> str:
    """The way of failing; a page that asks twice waits for one answer more, a list for one more of each row.

    `is_answered` says that mending another finding removes all of it.
    """
    way = "asked"
    if "." not in path.text:
        way = "context"
    elif early.how == late.how:
        way = "answer" if late.how else ""
    amount = "" if early.each else "once"
    return "-".join(filter(None, (way, "prefetched" if is_answered else amount)))
