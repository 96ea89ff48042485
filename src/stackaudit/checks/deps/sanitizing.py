"""From bleach to nh3: what a project asks of the one and has to ask of the other in other words.

Measured with nh3 0.3.8 and bleach 4.1 to 6.4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place

_ALWAYS = (
    "Its `tags` are a set and its `attributes` a dict of sets, where bleach takes lists (a list is a TypeError), `rel` "
    'among the attributes needs `link_rel=None` (else nh3 gives every link `rel="noopener noreferrer"`), callables go '
    "into `attribute_filter`, which is asked for what `attributes` lists and for nothing else, and tags that are not "
    "allowed are dropped instead of escaped."
)
_LINKS = frozenset({"linkify", "linkifier", "Linker", "LinkifyFilter"})
_CLEANS = frozenset({"bleach.clean", "bleach.Cleaner", "bleach.sanitizer.Cleaner"})
Cleaning: TypeAlias = tuple[SourceModule, py.Call, Mapping[str, py.Node]]
"""A call that cleans, where it stands and what it is given under which name."""
_TAGS = 2
"""The text, and the tags that are allowed in it."""
_ARGUMENTS = ("tags", "attributes", "protocols")
"""What a Cleaner takes by place, and `clean()` after its text."""
_DEFAULT_TAGS = '`tags={"a", "abbr", "acronym", "b", "blockquote", "code", "em", "i", "li", "ol", "strong", "ul"}`'
_DEFAULT_ATTRIBUTES = '`attributes={"a": {"href", "title"}, "abbr": {"title"}, "acronym": {"title"}}`'


def sanitizing(stack: Stack) -> str:
    """How a project that uses bleach goes over to nh3: what nh3 lacks, and what else it wants to be told."""
    used = _linkifying(stack)
    start = (
        "Use nh3 instead of bleach."
        if used is None
        else f"nh3 takes the place of `bleach.clean` alone: it has nothing for links in plain text ({_at(used)}). Make "
        "these with another package (linkify-it-py) or with `django.utils.html.urlize`, and clean what comes out with "
        "nh3."
    )
    return " ".join((start, _ALWAYS, *_particulars(stack)))


def _particulars(stack: Stack) -> Iterator[str]:
    """What only some projects ask of bleach: `style` and `script`, protocols, changes in bleach itself."""
    users = list(dict.fromkeys(each.module for each in stack.mentions.imports if _is_bleach(each.node)))
    written = _first((module, node) for module in users for node in nodes(module.facts.body) if _is_style(node))
    if written is not None:
        yield (
            f"`style` or `script` ({_at(written)}): a tag of that name wants `clean_content_tags=set()`, or nh3 "
            "panics, which `except Exception` does not catch; an attribute `style` wants "
            "`filter_style_properties={...}`, or every property gets through."
        )
    calls = list(_calls(stack, users))
    protocols = _first((module, given["protocols"]) for module, _, given in calls if "protocols" in given)
    if protocols is not None:
        yield f"`protocols` ({_at(protocols)}) are its `url_schemes`, a set."
    by_place = _first((module, node) for module in users for node in nodes(module.facts.body) if _is_by_place(node))
    if by_place is not None:
        yield (
            f"The attributes go by keyword, `attributes=…`: the third argument ({_at(by_place)}) is "
            "`clean_content_tags` in nh3, and a TypeError."
        )
    changes = [(module, node) for module in users for node in nodes(module.facts.body) if _changes(node)]
    own = {name for _, change in changes for name in _ARGUMENTS if f"ALLOWED_{name.upper()}" in _named(change)}
    yield from _defaults([item for item in calls if "*" not in item[2]], own)
    changed = _first(iter(changes))
    if changed is not None:
        yield f"What bleach allows is changed in place ({_at(changed)}), which nh3 cannot: hand it over as arguments."


def _defaults(calls: list[Cleaning], own: set[str]) -> Iterator[str]:
    """What to hand over where a call lives by what bleach allows; `own` are the arguments whose default is changed."""
    lacking = {name: [item for item in calls if name not in item[2]] for name in _ARGUMENTS if name not in own}
    bare = lacking.get("tags", [])
    if bare:
        both = any("attributes" not in given for _, _, given in bare) and "attributes" in lacking
        yield (
            f"A call without `tags` ({_at_first(bare)}) lets 75 tags through in nh3, `img` and `table` among them, "
            f"where bleach let 12: hand over {_DEFAULT_TAGS}{f' and {_DEFAULT_ATTRIBUTES}' if both else ''}."
        )
    elif loose := lacking.get("attributes", []):
        yield (
            f"A call without `attributes` ({_at_first(loose)}) lets more of them through in nh3, `src` of `img` among "
            f"them: hand over {_DEFAULT_ATTRIBUTES}."
        )
    if open_ := lacking.get("protocols", []):
        yield (
            f"Without `protocols` ({_at_first(open_)}) links of 25 schemes pass in nh3, `ftp:` and `tel:` among them: "
            '`url_schemes={"http", "https", "mailto"}` is what bleach allowed.'
        )


def _calls(stack: Stack, users: list[SourceModule]) -> Iterator[Cleaning]:
    """The calls that clean or make a Cleaner, with what they are given; "*" where that is not written out."""
    for module in users:
        for call in nodes(module.facts.body):
            symbol = stack.modules.resolve(module, dotted(call.func) or "?") if isinstance(call, py.Call) else None
            if symbol is None or not isinstance(call, py.Call) or symbol.name not in _CLEANS:
                continue
            by_place = call.args if symbol.name.endswith("Cleaner") else call.args[1:]
            given: dict[str, py.Node] = dict(zip(_ARGUMENTS, by_place, strict=False))
            given |= {keyword.name or "*": keyword.value for keyword in call.keywords}
            starred = next((arg for arg in call.args if isinstance(arg, py.Starred)), None)
            yield module, call, given if starred is None else {**given, "*": starred}


def _is_bleach(node: py.Import | py.ImportFrom) -> bool:
    if isinstance(node, py.ImportFrom):
        return not node.level and node.module.partition(".")[0] == "bleach"
    return any(alias.name.partition(".")[0] == "bleach" for alias in node.names)


def _is_style(node: py.Node) -> bool:
    return isinstance(node, py.Constant) and node.value in ("style", "script")


def _is_by_place(node: py.Node) -> bool:
    """Whether a call hands the allowed attributes over by their place."""
    return isinstance(node, py.Call) and dotted(node.func).rpartition(".")[2] == "clean" and len(node.args) > _TAGS


def _changes(node: py.Node) -> bool:
    """Whether a statement assigns to what bleach allows, adds to it or puts something into it."""
    if isinstance(node, py.Assign):
        return any(_of_bleach(target) for target in node.targets)
    if isinstance(node, py.AugAssign):
        return _of_bleach(node.target)
    call = node.value if isinstance(node, py.ExprStmt) else None
    return (
        isinstance(call, py.Call)
        and isinstance(call.func, py.Attribute)
        and call.func.attr in ("append", "extend", "update", "add", "insert")
        and _of_bleach(call.func.value)
    )


def _of_bleach(expr: py.Expr) -> bool:
    held = expr.value if isinstance(expr, py.Subscript) else expr
    return dotted(held).startswith("bleach.ALLOWED_")


def _linkifying(stack: Stack) -> Place | None:
    """Where the project lets bleach turn addresses into links."""
    if not stack.modules.imports("bleach"):
        return None
    for each in stack.mentions.imports:
        names = {alias.name for alias in each.node.names}
        home = each.node.module if isinstance(each.node, py.ImportFrom) else ""
        if home == "bleach.linkifier" or "bleach.linkifier" in names or (home == "bleach" and names & _LINKS):
            return each.module.place(each.node)
    for found in stack.mentions.named("linkify"):
        if isinstance(found.node, py.Call) and dotted(found.node.func) == "bleach.linkify":
            return found.module.place(found.node)
    return None


def _named(change: py.Node) -> str:
    """The names that a statement holds, joined."""
    return " ".join(node.attr for node in nodes((change,)) if isinstance(node, py.Attribute))


def _at_first(calls: list[Cleaning]) -> str:
    return _at(calls[0][0].place(calls[0][1]))


def _first(found: Iterator[tuple[SourceModule, py.Node]]) -> Place | None:
    """The place of the first of some nodes, None where there is none."""
    for module, node in found:
        return module.place(node)
    return None


def _at(place: Place) -> str:
    return f"{place.path}, line {place.region.line}"
