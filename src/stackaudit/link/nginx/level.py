"""Levels of an nginx configuration and what is in force in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from stackaudit.facts.nginx import Directive, Word
from stackaudit.link.nginx.directives import HANDLERS, NOT_INHERITED, default
from stackaudit.link.nginx.version import Version
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value

INNER = frozenset({"if", "limit_except"})
"""Levels inside a location that keep its handler."""


@dataclass(frozen=True, slots=True)
class Line:
    """One simple directive: its words and where it stands. `maybe` is the template condition that it depends on."""

    name: str
    words: tuple[Word, ...]
    place: Place
    maybe: str = ""

    def text(self, index: int) -> Value[str]:
        """One argument; Unknown where a template fills it or it is missing."""
        if index >= len(self.words):
            return Unknown(f"{self.name} has no argument {index + 1}", (self.place,))
        word = self.words[index]
        if word.hole:
            return Unknown(f"the template fills in {word.hole}", (self.place,))
        return Known(word.text, (self.place,))

    def texts(self) -> Value[tuple[str, ...]]:
        """All arguments; Unknown where a template fills one of them."""
        for word in self.words:
            if word.hole:
                return Unknown(f"the template fills in {word.hole}", (self.place,))
        return Known(tuple(word.text for word in self.words), (self.place,))


@dataclass(frozen=True, slots=True)
class Gap:
    """Directives that a level has and the repository does not show. `prefixes`: they begin so; none: anything."""

    why: str
    place: Place
    prefixes: tuple[str, ...] = ()

    def may_hold(self, name: str) -> bool:
        """Whether `name` may be among them."""
        return not self.prefixes or name.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class InForce:
    """The lines of one directive in force at a level; none of them: its default holds.

    `level` is the one that says so. `gap`: that level may hold more lines of it.
    """

    lines: tuple[Line, ...]
    level: Level | None
    gap: Gap | None = None

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the lines stand, the last one first."""
        return tuple(line.place for line in reversed(self.lines))


@dataclass(eq=False)
class Level:
    """A block, with what its includes bring in; `path` is the file that the block stands in.

    An `http` level without a directive is implied: its file is included by one that the repository does not hold.
    """

    kind: str
    path: str
    place: Place
    parent: Level | None = None
    directive: Directive | None = None
    maybe: str = ""
    lines: dict[str, list[Line]] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    children: list[Level] = field(default_factory=list)

    def inside(self, kind: str) -> list[Level]:
        """The blocks of one kind directly inside."""
        return [child for child in self.children if child.kind == kind]

    def outward(self) -> Iterator[Level]:
        """This level and those around it."""
        level: Level | None = self
        while level is not None:
            yield level
            level = level.parent

    def gap_for(self, name: str) -> Gap | None:
        """A gap of this very level that may hold `name`."""
        return next((gap for gap in self.gaps if gap.may_hold(name)), None)

    def hangs_on_http(self, name: str) -> bool:
        """Whether nothing in the repository says or may say `name` here but an http block that is not in it."""
        for level in self._reach(name):
            if level.lines.get(name):
                return False
            if level.gap_for(name) is not None:
                return level.kind == "http" and level.directive is None
        return False

    def in_force(self, name: str) -> Value[InForce]:
        """What holds of `name` here. Unknown where a template or a file that is not there decides."""
        for level in self._reach(name):
            lines = level.lines.get(name, [])
            gap = level.gap_for(name)
            if lines:
                condition = next((line for line in lines if line.maybe), None)
                if condition is not None:
                    return Unknown(f"it depends on {condition.maybe} of the template", (condition.place,))
                return Known(InForce(tuple(lines), level, gap), tuple(line.place for line in reversed(lines)))
            if gap is not None:
                return Unknown(gap.why, (gap.place,))
        return Known(InForce((), None))

    def _reach(self, name: str) -> Iterator[Level]:
        if name in NOT_INHERITED:
            yield self
        elif name in HANDLERS:
            yield self
            if self.kind in INNER and self.parent is not None and self.parent.kind == "location":
                yield self.parent
        else:
            yield from self.outward()

    def words(self, name: str, version: Value[Version]) -> Value[tuple[str, ...]]:
        """The arguments of a directive that stands once, or its default. Unknown as `in_force`, and for templates."""
        found = self.in_force(name)
        if isinstance(found, Unknown):
            return found
        if not found.value.lines:
            return default(name, version)
        return found.value.lines[-1].texts()

    def word(self, name: str, version: Value[Version]) -> Value[str]:
        """The first argument of a directive that stands once, or its default."""
        words = self.words(name, version)
        return words if isinstance(words, Unknown) else Known(words.value[0] if words.value else "", words.places)

    def switched_on(self, name: str, version: Value[Version]) -> Value[bool]:
        """Whether a directive of "on" and "off" is on."""
        word = self.word(name, version)
        return word if isinstance(word, Unknown) else Known(word.value.lower() == "on", word.places)

    def all_words(self, name: str, version: Value[Version]) -> Value[tuple[str, ...]]:
        """The arguments of all lines in force of a directive whose lines of one level add up."""
        found = self.in_force(name)
        if isinstance(found, Unknown):
            return found
        if not found.value.lines:
            return default(name, version)
        together: list[str] = []
        for line in found.value.lines:
            texts = line.texts()
            if isinstance(texts, Unknown):
                return texts
            together.extend(texts.value)
        return Known(tuple(together), found.value.places)
