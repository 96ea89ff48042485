"""Branches that may or may not run: what they change is undone, compared and joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from stackaudit.link.folding.objects import (
    Container,
    FoldedDict,
    FoldedList,
    FoldedSet,
    Maybe,
    Namespace,
    Raised,
    Unset,
    same,
)
from stackaudit.model.values import AnyValue, Known, Unknown

Exit: TypeAlias = "tuple[str, AnyValue | None]"
"""How statements end: ("", None) at their end, ("return", value), or one of "break", "continue", "raise" and None."""

FELL: Exit = ("", None)
Snapshot: TypeAlias = tuple[Any, str]


@dataclass(slots=True)
class Arm:
    """What one branch did: how it ended, and what it changed from what to what."""

    exit: Exit
    before: dict[int, tuple[Container, Snapshot]]
    after: dict[int, Snapshot]


class Journal:
    """Notes the first content of each container that a branch changes."""

    def __init__(self) -> None:
        self.layers: list[dict[int, tuple[Container, Snapshot]]] = []

    def touch(self, container: Container) -> None:
        """To be called before `container` is changed."""
        if self.layers:
            layer = self.layers[-1]
            if id(container) not in layer:
                layer[id(container)] = (container, snapshot(container))
        aliases, container.aliases = container.aliases, ()
        for alias in aliases:
            self.spoil(alias, "it may share an object that is changed elsewhere")

    def spoil(self, container: Container, why: str) -> None:
        """After this nothing is known of what `container` holds."""
        self.touch(container)
        if isinstance(container, FoldedList):
            container[:] = [Maybe(why)]
        else:
            for key in container:
                container[key] = Unknown(why)
            container.open = container.open or why

    def run(self, arm: Callable[[], Exit]) -> Arm:
        """Runs `arm` and undoes what it changed."""
        self.layers.append({})
        try:
            end = arm()
        except Raised:
            end = ("raise", None)
        finally:
            before = self.layers.pop()
        after = {key: snapshot(container) for key, (container, _) in before.items()}
        for container, content in before.values():
            restore(container, content)
        return Arm(end, before, after)

    def join(self, arms: Sequence[Arm], why: Unknown) -> None:
        """Leaves behind what holds whichever of `arms` ran."""
        touched = {key: container for arm in arms for key, (container, _) in arm.before.items()}
        for key, container in touched.items():
            now = snapshot(container)
            states = [arm.after.get(key, now) for arm in arms]
            self.touch(container)
            if len(states) == 1:
                restore(container, states[0])
                continue
            joined = states[0]
            for state in states[1:]:
                joined = _join_content(container, joined, state, why)
            restore(container, joined)

    def repeat(self, arm: Arm, why: Unknown) -> None:
        """Leaves behind what holds where `arm` ran any number of times."""
        for key, (container, _) in arm.before.items():
            before, after = snapshot(container), arm.after[key]
            self.touch(container)
            if isinstance(container, FoldedList):
                container[:] = _grown(before[0], after[0], why)
                continue
            for name in {**before[0], **after[0]}:
                if before[0].get(name) is not after[0].get(name):
                    container[name] = _repeated(before[0].get(name), after[0].get(name), why)
            if not isinstance(container, Namespace):
                container.open = container.open or why.why


def _grown(before: list[AnyValue], after: list[AnyValue], why: Unknown) -> list[AnyValue]:
    """What is left of a list that a loop makes longer: its beginning, and any number of items."""
    kept = 0
    while kept < min(len(before), len(after)) and before[kept] is after[kept]:
        kept += 1
    return [*before[:kept], Maybe(why.why, why.places)]


def _repeated(before: AnyValue | None, after: AnyValue | None, why: Unknown) -> AnyValue:
    """A name that a loop binds anew: to the same list as before, to a longer one, or to something else."""
    if isinstance(before, Known) and isinstance(after, Known):
        if isinstance(before.value, (FoldedList, FoldedDict, FoldedSet)) and before.value is after.value:
            return after
        if type(before.value) is FoldedList and type(after.value) is FoldedList:
            return Known(FoldedList(_grown(before.value, after.value, why)), after.places)
    return Unknown(why.why, why.places)


def snapshot(container: Container) -> Snapshot:
    """What `container` holds now."""
    if isinstance(container, FoldedList):
        return list(container), ""
    return dict(container), container.open


def restore(container: Container, content: Snapshot) -> None:
    """Makes `container` hold `content` again."""
    if isinstance(container, FoldedList):
        container[:] = content[0]
    else:
        container.clear()
        container.update(content[0])
        container.open = content[1]


def join_values(left: AnyValue | None, right: AnyValue | None, why: Unknown) -> AnyValue:
    """What is known of a value that is `left` or `right`, None where it is absent; `why` tells what decides."""
    if left is right and left is not None:
        return left
    if left is None or right is None:
        given = right if left is None else left
        places = given.places if given is not None and given.places else why.places
        return Maybe(why.why, places, given if isinstance(given, Known) else getattr(given, "item", None))
    if same(left, right):
        return left
    if isinstance(left, Maybe) or isinstance(right, Maybe):
        return Maybe(why.why, why.places)
    if isinstance(left, Known) and isinstance(right, Known):
        a, b = left.value, right.value
        joined: Container | None = None
        if type(a) is FoldedDict and type(b) is FoldedDict:
            joined = FoldedDict()
            joined.update(_join_dicts(a, b, why))
            joined.open = a.open or b.open
        elif type(a) is FoldedList and type(b) is FoldedList:
            joined = FoldedList(_join_lists(a, b, why))
        elif isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
            pairs = zip(a, b, strict=True)
            return Known(tuple(join_values(x, y, why) for x, y in pairs), (*left.places, *right.places)[:4])
        if joined is not None:
            joined.aliases = (a, b)
            return Known(joined, (*left.places, *right.places)[:4])
    if isinstance(left, Unset) and isinstance(right, Unset) and left == right:
        return left
    return Unknown(why.why, (*left.places, *right.places)[:4] or why.places)


def _join_content(container: Container, left: Snapshot, right: Snapshot, why: Unknown) -> Snapshot:
    if isinstance(container, FoldedList):
        return _join_lists(left[0], right[0], why), ""
    if isinstance(container, FoldedSet):
        return _join_dicts(left[0], right[0], why), left[1] or right[1]
    return _join_dicts(left[0], right[0], why), left[1] or right[1]


def _join_dicts(left: dict[Any, AnyValue], right: dict[Any, AnyValue], why: Unknown) -> dict[Any, AnyValue]:
    return {key: join_values(left.get(key), right.get(key), why) for key in {**left, **right}}


def _join_lists(left: list[AnyValue], right: list[AnyValue], why: Unknown) -> list[AnyValue]:
    if len(left) == len(right):
        return [
            x if isinstance(x, Maybe) and x == y else join_values(x, y, why) for x, y in zip(left, right, strict=True)
        ]
    start = 0
    shorter = min(len(left), len(right))
    while start < shorter and _alike(left[start], right[start]):
        start += 1
    end = 0
    while end < shorter - start and _alike(left[-1 - end], right[-1 - end]):
        end += 1
    between = [*left[start : len(left) - end], *right[start : len(right) - end]]
    middle = [
        item if isinstance(item, Maybe) else Maybe(why.why, why.places, item if isinstance(item, Known) else None)
        for item in between
    ]
    return [*left[:start], *middle, *left[len(left) - end :]]


def _alike(left: AnyValue, right: AnyValue) -> bool:
    return left is right or same(left, right)
