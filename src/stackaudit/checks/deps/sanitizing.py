"""From bleach to nh3: what a project asks of the one and has to ask of the other in other words.

Measured with nh3 0.3.8 and bleach 4.1 to 6.4.
"""

from __future__ import annotations

from collections.abc import Iterator

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
_TAGS = 2
"""The text, and the tags that are allowed in it."""
_CLEANS = frozenset({"clean", "Cleaner"})


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
    protocols = _first(
        (module, keyword.value)
        for module in users
        for call in nodes(module.facts.body)
        if isinstance(call, py.Call) and dotted(call.func).rpartition(".")[2] in _CLEANS
        for keyword in call.keywords
        if keyword.name == "protocols"
    )
    if protocols is not None:
        yield f"`protocols` ({_at(protocols)}) are its `url_schemes`, a set."
    by_place = _first((module, node) for module in users for node in nodes(module.facts.body) if _is_by_place(node))
    if by_place is not None:
        yield (
            f"The attributes go by keyword, `attributes=…`: the third argument ({_at(by_place)}) is "
            "`clean_content_tags` in nh3, and a TypeError."
        )
    changed = _first((module, node) for module in users for node in nodes(module.facts.body) if _changes(node))
    if changed is not None:
        yield f"What bleach allows is changed in place ({_at(changed)}), which nh3 cannot: hand it over as arguments."


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


def _first(found: Iterator[tuple[SourceModule, py.Node]]) -> Place | None:
    """The place of the first of some nodes, None where there is none."""
    for module, node in found:
        return module.place(node)
    return None


def _at(place: Place) -> str:
    return f"{place.path}, line {place.region.line}"
