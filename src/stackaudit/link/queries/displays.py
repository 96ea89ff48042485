"""Lists, tuples, sets and dictionaries that are written out, and comprehensions."""

from __future__ import annotations

from typing import Any

from stackaudit.facts import python as py
from stackaudit.link.queries import builtin, expressions, loops, spelled
from stackaudit.link.queries.joining import join, matters
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
            items.append(loops.element_of(held))
        else:
            items.append(expressions.evaluate(walk, part))
    taint = frozenset().union(*(item.loops for item in items)) if items else frozenset()
    if spread:
        element = items[0]
        for item in items[1:]:
            element = join(element, item)
        return Seq(element, None, taint)
    return Seq(UNKNOWN, tuple(items), taint)


def dictionary(walk: Walk, node: py.Dict) -> Value:
    """`{key: value, **more}`."""
    items: list[tuple[Any, Value]] = []
    element: Value = UNKNOWN
    names: Value = UNKNOWN
    for key, item in zip(node.keys, node.values, strict=True):
        value = expressions.evaluate(walk, item)
        if key is None:
            if isinstance(value, Mapping):
                items.extend(value.items)
                element = join(element, value.element)
            continue
        name = expressions.evaluate(walk, key)
        if isinstance(name, (Const, ClassRef)):
            items.append((key_of(name), value))
            names = join(names, name) if isinstance(name, ClassRef) else names
        else:
            element, names = join(element, value), join(names, name)
    return Mapping(element, tuple(items), names)


def comprehension(walk: Walk, node: py.Comp) -> Value:
    """A comprehension or generator: its loops run in the order in which they are written."""
    frame = walk.frame
    saved = dict(frame.env)
    until = int(walk.brief is node and node.kind == "generator")
    opened = 0
    bounded = ""
    batch: frozenset[Loop] = NO_LOOPS
    several: tuple[Value, ...] = ()
    for index, generator in enumerate(node.generators):
        source = expressions.iterable(walk, generator.iter)
        if index == 0 and isinstance(source, Other) and source.name == ELEMENT:
            batch = source.loops
        if index == 0:
            saved.update({k: v for k, v in frame.env.items() if k in saved})
        text = f"for {text_of(generator.target, 30)} in {text_of(generator.iter, 50)}"
        element, loop = loops.enter(walk, source, walk.at(generator.iter), text)
        opened += 1
        bounded = bounded or loop.bounded
        if generator is node.generators[-1] and not generator.ifs:
            several = spelled.items(generator.target, [part for part in (node.element, node.value) if part], source)
        loops.assign(walk, generator.target, element)
        for test in generator.ifs:
            expressions.truth(walk, test)
            walk.guard += 1
    walk.guard += until
    made: list[tuple[Value, Value]] = []
    for item in several or (UNKNOWN,):
        if several:
            loops.assign(walk, node.generators[-1].target, item)
        element = expressions.evaluate(walk, node.element)
        made.append((element, expressions.evaluate(walk, node.value) if node.kind == "dict" else UNKNOWN))
    element, value = made[0]
    walk.guard -= until + sum(len(generator.ifs) for generator in node.generators)
    for _ in range(opened):
        loops.leave(walk)
    frame.env = saved
    named = tuple((key.value, held) for key, held in made if isinstance(key, Const))
    if several and opened == 1 and node.kind == "dict" and len(named) == len(made):
        return Mapping(UNKNOWN, named)
    if several and opened == 1 and node.kind != "dict":
        return Seq(UNKNOWN, tuple(held for held, _ in made), frozenset(walk.loops) & made[0][0].loops)
    for again, held in made[1:]:
        element, value = join(element, again), join(value, held)
    if node.kind == "dict":
        return Mapping(value, (), element, frozenset(walk.loops) & (element.loops | value.loops))
    outer = frozenset(walk.loops) & element.loops - batch  # what goes through a batch is made once for all of it
    return Seq(element, None, outer, bounded if not matters(element) or bounded else "")
