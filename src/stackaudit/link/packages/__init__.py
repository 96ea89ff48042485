"""What the project depends on in production: what it declares, what it pins and what its locks say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from stackaudit.facts.packages import Locked, Python, Requirement
from stackaudit.facts.tools import Pin
from stackaudit.link.packages.files import Chosen, choose
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.packages.installs import Install
    from stackaudit.link.stack import Stack


@dataclass(frozen=True, slots=True)
class Declared:
    """A requirement and the file it stands in. `direct` is False for what a compiler of requirements pulled in."""

    fact: Requirement
    path: str
    direct: bool = True

    @property
    def place(self) -> Place:
        """Where it is declared."""
        return Place(self.path, self.fact.region)

    @property
    def pinned(self) -> Version | None:
        """The exact version that it demands, if it does."""
        if self.fact.url:
            return None
        try:
            specifiers = list(SpecifierSet(self.fact.specifier))
            exact = [item for item in specifiers if item.operator in ("==", "===") and not item.version.endswith("*")]
            return Version(exact[0].version) if exact else None
        except (InvalidSpecifier, InvalidVersion):
            return None


@dataclass(frozen=True, slots=True)
class LockedAt:
    """A package of a lock file and that file."""

    fact: Locked
    path: str

    @property
    def place(self) -> Place:
        """Where the lock names it."""
        return Place(self.path, self.fact.region)

    @property
    def version(self) -> Version | None:
        """The locked version, where it is one."""
        try:
            return Version(self.fact.version)
        except InvalidVersion:
            return None


@dataclass
class Packages:
    """The packages of production. Names may be given in any spelling.

    `files` are all files about packages, `production` those that production installs, with `why`; `declared` holds
    their requirements by name, `development` the rest. `locked` is what the locks install with them. `installs` are the
    commands of the images.
    """

    files: tuple[str, ...] = ()
    production: tuple[str, ...] = ()
    why: str = ""
    declared: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    development: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    locked: Mapping[str, tuple[LockedAt, ...]] = field(default_factory=dict)
    constraints: Mapping[str, tuple[Declared, ...]] = field(default_factory=dict)
    installs: tuple[Install, ...] = ()
    runtimes: tuple[tuple[str, Python], ...] = ()

    def has(self, name: str) -> bool:
        """Whether production installs it, as far as the repository shows."""
        key = canonicalize_name(name)
        return key in self.declared or key in self.locked

    def requirement(self, name: str) -> Declared | None:
        """The requirement that decides about a package: a pin first, then one that somebody asked for."""
        found = self.declared.get(canonicalize_name(name), ())
        return min(found, key=lambda item: (item.pinned is None, not item.direct), default=None)

    def version(self, name: str) -> Value[Version]:
        """The version that production runs: the pin, or what the lock says."""
        key = canonicalize_name(name)
        pins = {item.pinned: item.place for item in self.declared.get(key, ()) if item.pinned is not None}
        if not pins:
            locked = {item.version: item.place for item in self.locked.get(key, ()) if item.version is not None}
            limits = {item.pinned: item.place for item in self.constraints.get(key, ()) if item.pinned is not None}
            pins = locked or (limits if self.has(key) else {})
        if len(pins) == 1:
            ((version, place),) = pins.items()
            return Known(version, (place,))
        if pins:
            versions = ", ".join(sorted(map(str, pins)))
            return Unknown(f"{key} is pinned to several versions ({versions})", tuple(pins.values()))
        declared = self.requirement(key)
        if declared is None:
            return Unknown(f"{key} is not among the requirements" if self.files else "there are no requirements")
        return Unknown(unpinned(declared), (declared.place,))

    @cached_property
    def django_version(self) -> Value[Version]:
        """Django's version; where only its release series is certain ("~=5.2.1"), the first version of that series."""
        exact = self.version("django")
        if isinstance(exact, Known):
            return exact
        declared = self.requirement("django")
        series = _series(declared.fact.specifier) if declared is not None else None
        if declared is None or series is None:
            return exact
        return Known(series, (declared.place,), f"the release series of Django{declared.fact.specifier}")

    @cached_property
    def pins(self) -> tuple[Pin, ...]:
        """Every exact version from a package index that production installs, once, at the line that people edit."""
        pins: dict[tuple[str, str], Pin] = {}
        for key in sorted({*self.declared, *self.locked}):
            version = self.version(key)
            if not isinstance(version, Known) or any(item.fact.url for item in self.declared.get(key, ())):
                continue
            if any(not item.fact.registry for item in self.locked.get(key, ())):
                continue
            declared = self.requirement(key)
            place = declared.place if declared is not None else version.places[0]
            pins[key, str(version.value)] = Pin(key, str(version.value), place.path, place.region)
        return tuple(pins.values())

    @cached_property
    def direct(self) -> tuple[Declared, ...]:
        """What production asks for by itself, each package once, in the order of the files."""
        chosen = [self.requirement(key) for key in self.declared]
        found = [item for item in chosen if item is not None and self._is_direct(item.fact.key)]
        return tuple(sorted(found, key=lambda item: item.place))

    @cached_property
    def declared_names(self) -> tuple[str, ...]:
        """The names of `direct`."""
        return tuple(item.fact.key for item in self.direct)

    def _is_direct(self, key: str) -> bool:
        return any(item.direct for item in self.declared[key])


def resolve(stack: Stack) -> Packages:
    """The packages of a stack."""
    chosen = choose(stack)
    declared = _by_name(_declared(chosen, chosen.production))
    development = _by_name(_declared(chosen, chosen.development))
    locks = [LockedAt(item, path) for path in chosen.locks for item in chosen.facts[path].locked]
    return Packages(
        files=tuple(path for path, facts in chosen.facts.items() if facts.requirements or facts.locked),
        production=tuple(dict.fromkeys(path for path, _ in chosen.production)),
        why=chosen.why,
        declared={**declared, **_inline(chosen, declared)},
        development={key: items for key, items in development.items() if key not in declared},
        locked=_reached(locks, declared),
        constraints=_by_name(
            Declared(item, path) for path in chosen.constraints for item in chosen.facts[path].requirements
        ),
        installs=chosen.installs,
        runtimes=tuple((path, facts.python) for path, facts in chosen.facts.items() if facts.python is not None),
    )


def unpinned(declared: Declared) -> str:
    """Why no version is known, for a sentence."""
    if declared.fact.url:
        return f"{declared.fact.name} is installed from {declared.fact.url[:80]}, which tells no version"
    asked = f"asks for {declared.fact.name}{declared.fact.specifier}" if declared.fact.specifier else "names no version"
    return f"{declared.path} {asked} and no lock file pins it"


def _declared(chosen: Chosen, parts: Iterable[tuple[str, str]]) -> Iterator[Declared]:
    """The requirements of (path, group) pairs, in order."""
    for path, group in parts:
        facts = chosen.facts[path]
        sources = chosen.sources.get(path, frozenset())
        for item in facts.requirements:
            if item.group != group:
                continue
            direct = not facts.compiled or _asked_for(item, facts.project or chosen.project, sources)
            yield Declared(item, path, direct)


def _asked_for(item: Requirement, project: str, sources: frozenset[str]) -> bool:
    """Whether a compiled file holds a package because somebody asked for it, not because another package did."""
    if sources:
        return item.key in sources
    if not item.via:
        return True
    own = canonicalize_name(project) if project else ""
    return any(name.startswith(("-r ", "-c ")) or canonicalize_name(name.split(" ")[0]) == own for name in item.via)


def _by_name(found: Iterable[Declared]) -> dict[str, tuple[Declared, ...]]:
    grouped: dict[str, list[Declared]] = {}
    for item in found:
        grouped.setdefault(item.fact.key, []).append(item)
    return {key: tuple(items) for key, items in grouped.items()}


def _inline(chosen: Chosen, declared: Mapping[str, object]) -> dict[str, tuple[Declared, ...]]:
    """What an image installs by name (`pip install gunicorn==23.0`)."""
    found: list[Declared] = []
    for install in chosen.installs:
        for written, place in install.packages:
            try:
                parsed = Parsed(written)
            except InvalidRequirement:
                continue
            key = canonicalize_name(parsed.name)
            if key in declared or key in ("pip", "setuptools", "wheel", "uv", "poetry", "pipenv", "pip-tools", "pdm"):
                continue
            fact = Requirement(
                name=parsed.name,
                key=key,
                region=place.region,
                specifier=str(parsed.specifier),
                extras=tuple(sorted(parsed.extras)),
            )
            found.append(Declared(fact, place.path))
    return _by_name(found)


def _reached(locks: Iterable[LockedAt], declared: Mapping[str, object]) -> dict[str, tuple[LockedAt, ...]]:
    """The locked packages that production's requirements lead to; all of them where a lock tells no dependencies."""
    by_name: dict[str, list[LockedAt]] = {}
    for item in locks:
        if not item.fact.groups or "main" in item.fact.groups or "default" in item.fact.groups:
            by_name.setdefault(item.fact.key, []).append(item)
    if not any(item.fact.dependencies for items in by_name.values() for item in items):
        return {key: tuple(items) for key, items in sorted(by_name.items())}
    reached: set[str] = set()
    queue = [key for key in declared if key in by_name]
    while queue:
        key = queue.pop()
        if key not in reached:
            reached.add(key)
            queue.extend(name for item in by_name[key] for name in item.fact.dependencies if name in by_name)
    return {key: tuple(by_name[key]) for key in sorted(reached)}


def _series(specifier: str) -> Version | None:
    """The release series "5.2" that a specifier confines to, as a version; None where it allows more than one."""
    try:
        parts = list(SpecifierSet(specifier))
    except InvalidSpecifier:
        return None
    lower: Version | None = None
    upper: Version | None = None
    for part in parts:
        if part.operator == "==" and part.version.endswith(".*"):
            release = Version(part.version.removesuffix(".*")).release
            return Version(".".join(map(str, release[:2]))) if len(release) > 1 else None
        if part.operator in ("~=", ">=", ">"):
            lower = max(filter(None, (lower, Version(part.version))))
            if part.operator == "~=" and len(lower.release) > 2:
                return Version(f"{lower.major}.{lower.minor}")
            if part.operator == "~=":
                upper = Version(str(lower.major + 1))
        if part.operator == "<":
            upper = min(filter(None, (upper, Version(part.version))))
    if lower is None or upper is None:
        return None
    last = (upper.major, upper.minor - 1) if upper.minor and not any(upper.release[2:]) else None
    within = (upper.major, upper.minor) if any(upper.release[2:]) else last
    return Version(f"{lower.major}.{lower.minor}") if within == (lower.major, lower.minor) else None
