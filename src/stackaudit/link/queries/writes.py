"""Writes that a loop repeats, and the reasons for which one write for each row is right."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.indexes import indexes_of
from stackaudit.link.models.model import Model
from stackaudit.link.nodes import is_true
from stackaudit.link.queries.loading import STORED
from stackaudit.link.queries.origins import Loop
from stackaudit.link.queries.values import Related, Row, Rows, Value
from stackaudit.link.queries.walk import At, Walk

_BULK = frozenset({"bulk_create", "bulk_update"})
_COLLECTED = frozenset({"create", "acreate", "get_or_create", "aget_or_create", "update_or_create", "add"})
_OF_ONE = frozenset({"add", "remove", "set", "clear"})
_OF_ROWS = frozenset({"update", "delete", "add", "remove", "set", "clear"})


def written(walk: Walk, receiver: Value, name: str, model: Model | None, at: At, loops: frozenset[object]) -> None:
    """Record a write; it fails where an unbounded loop runs it again on each turn."""
    if model is not None and not (isinstance(receiver, Related) and name in _OF_ONE):
        walk.record.change(walk.loops, model)
    via = receiver if isinstance(receiver, Related) else receiver.via if isinstance(receiver, Rows) else None
    if via is not None:
        walk.changed.add((via.row.loop, via.relation.name))
    loop = next((item for item in reversed(walk.loops) if not item.bounded), None)
    taint = receiver.loops | loops
    if loop is None or not walk.loops or (name in _BULK and not walk.repeating(taint)):  # type: ignore[arg-type]
        if name in _BULK or (name in _OF_ROWS and isinstance(receiver, (Rows, Related))):
            walk.add("write", "pass", at, None, model=model, method=name)
        elif walk.loops and loop is None:
            walk.add("write", "pass", at, walk.loops[-1], model=model, method=name, why=walk.loops[-1].bounded)
        return
    changing = walk.repeating(taint)  # type: ignore[arg-type]
    if changing is None and name not in ("create", "acreate"):
        return
    loop = changing or loop
    if isinstance(receiver, Related) and name in _OF_ONE and (loop in receiver.row.loops or name in ("set", "clear")):
        return  # each row has a set of its own: nothing puts them together
    below = sum(frame.called is not None for frame in walk.frames[loop.depth :])
    if below > 1 or (below and name not in _COLLECTED):
        return  # what a method does to its own row is not the loop's to gather; what it makes may be
    if name in _BULK:
        return
    if name in _OF_ONE and _hands_over_many(at):
        walk.add("write", "pass", at, loop, model=model, method=name, why="each turn hands over all it has at once")
        return
    if _is_made(walk, receiver, name, loop, at):
        walk.add("write", "pass", at, loop, model=model, method=name, why="the row is made on the same turn")
        return
    why = justified(walk, receiver, name, model, loop)
    why = _grouped(walk, receiver, name, model, at) if why == "" else why
    if why is None:
        walk.add("write", "unknown", at, loop, model=model, method=name, why=_unclear(walk, model, name))
    elif why:
        walk.add("write", "pass", at, loop, model=model, method=name, why=why)
    else:
        walk.add("write", "fail", at, loop, model=model, method=name)


def _hands_over_many(at: At) -> bool:
    """Whether a call hands over a whole list: `book.tags.add(*tags)`."""
    call = at[1] if isinstance(at, tuple) else None
    return isinstance(call, py.Call) and any(isinstance(arg, py.Starred) for arg in call.args)


def _is_made(walk: Walk, receiver: Value, name: str, loop: Loop, at: At) -> bool:
    """Whether a write changes a row that the same turn has written: `filter(pk=book.pk).update()` does, too."""
    if name not in ("save", "update"):
        return False
    made: Value | None = receiver
    if isinstance(receiver, Rows):
        asked = at[1].func if isinstance(at, tuple) and isinstance(at[1], py.Call) else None
        asked = asked.value if isinstance(asked, py.Attribute) else None
        key = next((item.value for item in asked.keywords if item.name in ("pk", "id")), None) if isinstance(
            asked, py.Call) else None  # fmt: skip
        held = key.value if isinstance(key, py.Attribute) and key.attr in ("pk", "id") else None
        made = walk.frame.env.get(held.id) if isinstance(held, py.Name) else None
    return isinstance(made, Row) and STORED in made.load.attributes and loop in made.loops | receiver.loops


def _grouped(walk: Walk, receiver: Value, name: str, model: Model | None, at: At) -> str:
    """Why no single statement could write what the loop writes; "" where nothing says so."""
    if isinstance(receiver, Rows) and any(key.endswith("__in") for key in receiver.narrowed):
        return "each statement writes a group of rows"
    if name != "update_or_create" or model is None or not isinstance(at, tuple) or not isinstance(at[1], py.Call):
        return ""
    given = {item.name or "**" for item in at[1].keywords} - {"defaults", "create_defaults"}
    if isinstance(receiver, Related) and receiver.relation.remote:
        given.add(receiver.relation.remote)
    found, unread = indexes_of(walk.models, model)
    unique = [set(index.plain) for index in found if index.asked == "unique"]
    if "**" in given or unread is not None or {"pk", "id", model.pk} & given or any(item <= given for item in unique):
        return ""
    return f"nothing makes {', '.join(sorted(given))} unique, so bulk_create() could not tell which rows are there"


def _unclear(walk: Walk, model: Model | None, name: str) -> str:
    if model is None:
        return f"the model whose {name}() is called is not known"
    if walk.signalled.unsure and not (model.is_open and (model.cls is not None or _is_foreign(walk, model))):
        return f"{walk.signalled.unsure}, and may wait for each {model.name}"
    if model.cls is None:
        return f"{model.name} is a model of another package, which may do more in {name}()"
    return f"{model.name} derives from a class of another package, which may do more in {name}()"


def _is_foreign(walk: Walk, model: Model) -> bool:
    """Whether a model is neither the repository's nor one of Django's own."""
    return walk.models.by_label.get(model.label) is not model


def justified(walk: Walk, receiver: Value, name: str, model: Model | None, loop: Loop) -> str | None:
    """Why one write for each row is right; "" where nothing speaks for it, None where that cannot be told."""
    if walk.isolated > 0:
        return "a try block isolates the failure of each row"
    if model is None:
        return None
    hook = {"save": "save", "create": "save", "delete": "delete", "get_or_create": "save", "update_or_create": "save"}
    called = hook.get(name, "")
    if name in ("get_or_create",) and "management/commands/" in loop.place.path:
        return "a command that seeds rows"
    if called and model.cls is not None and (member := model.cls.find(called)) is not None:
        return f"{member.owner.label}.{called}() does more than write"
    if name in ("add", "remove", "set", "clear"):
        return "" if isinstance(receiver, Related) and receiver.relation.relation in ("m2m", "reverse_m2m") else None
    if called == "save" and model in walk.signalled.saved:
        return f"a signal handler waits for each {model.name}"
    if called == "save" and walk.signalled.every:
        return "a signal handler waits for the rows of every model"
    if called and any(not parent.abstract for parent in model.parents) and not model.proxy:
        return "bulk_create() and bulk_update() do not work across the tables of inherited models"
    for field in model.columns.values():
        if field.kind in ("FileField", "ImageField") and called:
            return "a file is stored with each row"
        if name == "save" and is_true(field.keyword("auto_now")):
            return f"bulk_update() would not set {field.name}"
    if called and model.is_open and (model.cls is not None or _is_foreign(walk, model)):
        return None
    if called == "save" and walk.signalled.unsure:
        return None
    if isinstance(receiver, Row) and name == "save" and model.cls is None:
        return None
    return ""
