"""Lists, tuples, sets and dictionaries that are written out, and comprehensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stackaudit.facts import python as py
from stackaudit.link.queries import builtin, expressions, loops, spelled
from stackaudit.link.queries.joining import join, matters, mixed
from stackaudit.link.queries.origins import NO_LOOPS, Loop
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.values import ELEMENT, UNKNOWN, ClassRef, Const, Mapping, Other, Seq, Value, key_of
from stackaudit.link.queries.walk import Walk


def sequence(walk: Walk, node: py.Tuple | py.List | py.Set) -> Value:
    """`[a, *b]`, `(a, b)`, `{a, b}`."""
    items: list[Value] = []
    spread = False
    for part in node.elts:
        if isinstance(part, py.Starred):
            held = builtin.loaded(walk, expressions.evaluate(walk, part.value), walk.at(part))
            if isinstance(held, Seq) and held.items is not None:
                items.extend(held.items)
                continue
            spread = True
            items.extend(loops.elements_of(held))
        else:
            items.append(expressions.evaluate(walk, part))
    taint = frozenset().union(*(item.loops for item in items)) if items else frozenset()
    if spread:
        element, others = mixed(*items)
        return Seq(element, None, taint, others=others)
    return Seq(UNKNOWN, tuple(items), taint)


def dictionary(walk: Walk, node: py.Dict) -> Value:
    """`{key: value, **more}`."""
    items: list[tuple[Any, Value]] = []
    element: Value = UNKNOWN
    names: Value = UNKNOWN
    frame = walk.frame
    whole = frame.node is None and frame.module is not None and bool(node.keys)
    for key, item in zip(node.keys, node.values, strict=True):
        value = expressions.evaluate(walk, item)
        if key is None:
            whole = whole and isinstance(value, Mapping) and value.whole
            if isinstance(value, Mapping):
                items.extend(value.items)
                element = join(element, value.element)
            continue
        name = expressions.evaluate(walk, key)
        if isinstance(name, (Const, ClassRef)):
            items.append((key_of(name), value))
            names = join(names, name) if isinstance(name, ClassRef) else names
        else:
            element, names, whole = join(element, value), join(names, name), False
    return Mapping(element, tuple(items), names, whole=whole)


def comprehension(walk: Walk, node: py.Comp) -> Value:
    """A comprehension or generator: its loops run in the order in which they are written."""
    frame = walk.frame
    going = _Going(walk, node, dict(frame.env))
    element, value = going.through(0)
    frame.env = going.saved
    named = tuple((key.value, held) for key, held in going.each if isinstance(key, Const))
    if node.kind == "dict" and named and len(named) == len(going.each):
        return Mapping(UNKNOWN, named)
    if node.kind == "dict":
        return Mapping(value, (), element, frozenset(walk.loops) & (element.loops | value.loops))
    if going.each:
        return Seq(UNKNOWN, tuple(held for held, _ in going.each), frozenset(walk.loops) & element.loops)
    outer = frozenset(walk.loops) & element.loops - going.batch  # what goes through a batch is made once for all of it
    chosen = any(generator.ifs for generator in node.generators)
    bounded = going.bounded if not matters(element) or going.bounded else ""
    return Seq(element, None, outer, bounded, chosen=chosen)


@dataclass
class _Going:
    """A comprehension that is gone through; `saved` are the names around it.

    `each` is what it makes of each element of a list that is written out, where those are told apart.
    """

    walk: Walk
    node: py.Comp
    saved: dict[str, Value]
    bounded: str = ""
    batch: frozenset[Loop] = NO_LOOPS
    each: tuple[tuple[Value, Value], ...] = ()

    def through(self, index: int) -> tuple[Value, Value]:
        """The elements (and the values of a dictionary) that the loops from `index` on make."""
        walk, node = self.walk, self.node
        if index == len(node.generators):
            until = int(walk.brief is node and node.kind == "generator")
            walk.guard += until
            element = expressions.evaluate(walk, node.element)
            value = expressions.evaluate(walk, node.value) if node.kind == "dict" else UNKNOWN
            walk.guard -= until
            return element, value
        generator = node.generators[index]
        source = expressions.iterable(walk, generator.iter)
        if index == 0:
            if isinstance(source, Other) and source.name == ELEMENT:
                self.batch = source.loops
            self.saved.update({k: v for k, v in walk.frame.env.items() if k in self.saved})
        text = f"for {text_of(generator.target, 30)} in {text_of(generator.iter, 50)}"
        given, loop = loops.enter(walk, source, walk.at(generator.iter), text)
        self.bounded = loop.bounded if index == 0 or not loop.bounded else self.bounded
        made: list[tuple[Value, Value]] = []
        later = [part for inner in node.generators[index + 1 :] for part in (inner.iter, *inner.ifs)]
        body = [part for part in (*generator.ifs, *later, node.element, node.value) if part is not None]
        several = spelled.elements(generator.target, source, body)
        beside = loops.beside(walk, source, loop)
        for item in (*(several or (given,)), *beside):
            before = walk.guard
            walk.guard += item in beside
            loops.assign(walk, generator.target, item)
            for test in generator.ifs:
                expressions.truth(walk, test)
                walk.guard += 1
            made.append(self.through(index + 1))
            walk.guard = before
        loops.leave(walk)
        if several and len(node.generators) == 1 and not generator.ifs:
            self.each = tuple(made)
        element, value = made[0]
        for other in made[1:]:
            element, value = join(element, other[0]), join(value, other[1])
        return element, value
