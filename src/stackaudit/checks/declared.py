"""Rules that only compare one setting, directive or package: TOML alone, judged by a generic check named here.

Each check is a struct whose fields are the arguments that a rule's `[check] args` may give.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from packaging.specifiers import SpecifierSet

from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, plain
from stackaudit.model.verdict import Fail, Site, Unsure, Verdict, holds


class Declared(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """A check with its arguments."""

    def judge(self, stack: Stack) -> Iterator[Verdict]:
        """The verdicts on `stack`."""
        raise TypeError(f"{type(self).__name__} judges nothing")


class Comparison(Declared, frozen=True, kw_only=True, rename="kebab"):
    """What a value is compared with; every one that is given must hold."""

    equals: Any = msgspec.UNSET
    differs_from: Any = msgspec.UNSET
    one_of: list[Any] | None = None
    none_of: list[Any] | None = None
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        if not any(given for given, _ in self._tests(None)):
            raise ValueError("give one of equals, differs-from, one-of, none-of, at-least, at-most")

    def accepts(self, value: Any) -> bool:
        """Whether `value` is as the rule wants it. A comparison of size is false of what is no number."""
        return all(outcome for given, outcome in self._tests(value) if given)

    def _tests(self, value: Any) -> Iterator[tuple[bool, bool]]:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        yield self.equals is not msgspec.UNSET, value == self.equals
        yield self.differs_from is not msgspec.UNSET, value != self.differs_from
        yield self.one_of is not None, value in (self.one_of or ())
        yield self.none_of is not None, value not in (self.none_of or ())
        yield self.at_least is not None, number and value >= (self.at_least or 0)
        yield self.at_most is not None, number and value <= (self.at_most or 0)


class SettingIs(Comparison, frozen=True, kw_only=True, rename="kebab"):
    """A Django setting as production sees it; a path of keys reaches inside: `["DATABASES", "default", "ENGINE"]`."""

    setting: str | list[str]

    def judge(self, stack: Stack) -> Iterator[Verdict]:
        """One site: where the setting is made, or the top of the settings module."""
        path = [self.setting] if isinstance(self.setting, str) else self.setting
        if stack.settings is None or not path:
            return
        value = stack.settings.at(*path)
        site = Site(stack.settings.place(path[0]), ".".join(path))
        if stack.settings.doubt:
            yield Unsure(site, stack.settings.doubt)
            return
        yield holds(site, self.accepts, value=value.map(plain) if isinstance(value, Known) else value)


class PackageIs(Declared, frozen=True, kw_only=True, rename="kebab"):
    """A package of the production set: `version` is what its pin must satisfy, `absent` that it must not be there."""

    package: str
    version: str = ""
    absent: bool = False

    def __post_init__(self) -> None:
        if bool(self.version) == self.absent:
            raise ValueError("give either version or absent = true")
        SpecifierSet(self.version)

    def judge(self, stack: Stack) -> Iterator[Verdict]:
        """One site: where the package is asked for; none where nobody asks for it."""
        requirement = stack.packages.requirement(self.package)
        if requirement is None:
            return
        site = Site(requirement.place, self.package)
        if self.absent:
            yield Fail(site, {"value": self.package})
            return
        found = stack.packages.version(self.package)
        if isinstance(found, Unknown):
            yield Unsure(site, found.why)
        else:
            yield holds(site, lambda value: SpecifierSet(self.version).contains(value, prereleases=True), value=found)


class DirectiveIs(Comparison, frozen=True, kw_only=True, rename="kebab"):
    """The first argument that an nginx directive has in effect for each server."""

    directive: str

    def judge(self, stack: Stack) -> Iterator[Verdict]:
        """One site for each server: the directive in effect, or the server where nothing sets it."""
        for server in stack.nginx.servers:
            value = server.value(self.directive)
            place = value.places[0] if value.places else server.place
            yield holds(Site(place, f"{server.name}: {self.directive}"), self.accepts, value=value)


KINDS: dict[str, type[Declared]] = {"setting_is": SettingIs, "package_is": PackageIs, "directive_is": DirectiveIs}


def of(kind: str, args: dict[str, Any]) -> Declared:
    """The check called `kind` with `args`. Raises ValueError with the reason where they do not fit."""
    if kind not in KINDS:
        raise ValueError(f"there is no check `{kind}`; there are {', '.join(sorted(KINDS))}")
    try:
        return msgspec.convert(args, KINDS[kind])
    except msgspec.ValidationError as error:
        raise ValueError(f"{kind}: {error}") from None
