"""What calls gave: a call of the same function with the same arguments is not walked again.

A method that asks for nothing is the same for two objects of a class that are in the same state.
"""

from __future__ import annotations

from msgspec import Struct

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.queries import attached, branches, effects
from stackaudit.link.queries.events import Reached
from stackaudit.link.queries.origins import Loop
from stackaudit.link.queries.values import Const, Instance, Manager, Mapping, Other, Related, Row, Rows, Seq, Value
from stackaudit.link.queries.walk import Frame, Walk


class Key(Struct, frozen=True, cache_hash=True):
    """A call: of a function, on what it is bound to, with its arguments by name.

    Where the function stands in another one, `closure` is the frame of that; `running` are the loops, where an argument
    changes with one, `shielded` says that nothing counts which it asks for, and `later` that the caller does not wait.
    """

    node: py.FunctionDef | py.Lambda
    bound: Value | Standing | None
    env: tuple[tuple[str, Value | None], ...]
    closure: Frame | None
    running: tuple[Loop, ...]
    shielded: bool
    later: bool


class Standing(Struct, frozen=True, cache_hash=True):
    """An object by its class and state, whichever it is."""

    cls: SourceClass
    loops: frozenset[Loop]
    made: bool
    attributes: tuple[tuple[str, Value], ...]


_FREE = frozenset({Other, Const, Row, Rows, Manager, Related})
"""Values that hold no object of a class of the repository."""


class Answer(Struct):
    """What a call gave, and what it did on the way: what it asked for, and what it attached to rows.

    `quiet` says that it asked for nothing at all, in a loop or outside.
    """

    value: Value
    quiet: bool = True
    reached: tuple[Reached, ...] = ()
    attached: tuple[attached.Attached, ...] = ()


class State(Struct):
    """What a method left on its object: the attributes that it set, and whether the object was prepared."""

    answer: Answer
    attributes: dict[str, Value]
    made: bool


def recalled(walk: Walk, key: Key) -> Answer | None:
    """What a call gave before, for the same object or for one in the same state, which then is left as that one was."""
    found = walk.answers.get(key)
    if found is None and (alike := _alike(key)) is not None and (state := walk.states.get(alike)):
        own = key.bound
        assert isinstance(own, Instance)
        own.attributes.update(state.attributes)
        own.made = state.made
        found = walk.answers[key] = state.answer
    return found


def again(walk: Walk, node: object, answer: Answer) -> Value:
    """The value of a call that is not walked again, with all that it did."""
    walk.asked += not answer.quiet
    effects.again(walk, node)
    branches.again(walk, answer.reached)
    for what in answer.attached:
        attached.attach(walk, what)
    return answer.value


class Asked:
    """A call that is being walked: until it has ended, nothing is known of what it gives."""

    def __init__(self, walk: Walk, key: Key, loops: frozenset[Loop]) -> None:
        self.key, self.alike = key, _alike(key)
        self.start, self.asked = len(walk.reached), walk.asked
        self.before = dict(key.bound.attributes) if isinstance(key.bound, Instance) else {}
        walk.answers[key] = Answer(Other(loops))

    def answered(self, walk: Walk, frame: Frame, value: Value) -> Value:
        """Remember what it gave."""
        reached = branches.remembered(walk, self.start) if len(walk.reached) > self.start else ()
        quiet = walk.asked == self.asked
        answer = walk.answers[self.key] = Answer(value, quiet, reached, tuple(frame.attached))
        for what in frame.attached:
            attached.attach(walk, what)
        own = self.key.bound
        if quiet and isinstance(own, Instance) and self.alike is not None and _is_free(value):
            changed = {name: held for name, held in own.attributes.items() if self.before.get(name) is not held}
            if all(_is_free(held) for held in changed.values()):
                walk.states[self.alike] = State(answer, changed, own.made)
        return value


def _alike(key: Key) -> Key | None:
    """The key with the state of the object in place of the object; None where it is no object's method."""
    own = key.bound
    if not isinstance(own, Instance):
        return None
    state = Standing(own.cls, own.loops, own.made, tuple(own.attributes.items()))
    env = tuple([(name, None if value is own else value) for name, value in key.env])
    return Key(key.node, state, env, key.closure, key.running, key.shielded, key.later)


def _is_free(value: Value) -> bool:
    """Whether a value is the same for all objects of a class: it holds none of them."""
    kind = type(value)
    if kind in _FREE:
        return True
    if isinstance(value, Seq):
        return _is_free(value.element) and all(_is_free(item) for item in value.items or ())
    if isinstance(value, Mapping):
        return _is_free(value.element) and all(_is_free(item) for _, item in value.items)
    return False
