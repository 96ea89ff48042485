"""Reads what pyproject.toml says about packages: PEP 621, PEP 735, Poetry, PDM, uv, setuptools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from stackaudit.facts.files import Note
from stackaudit.facts.packages import GroupInclude, PackageFile, Python, Requirement
from stackaudit.lower.requirements import parse_requirement
from stackaudit.lower.toml_spans import Document
from stackaudit.model.source import Region

_CLAUSE = re.compile(r"\s*(\^|~=|~|===|==|!=|<=|>=|<|>|=)?\s*([^\s,^~=!<>]+)\s*")


def lower(data: bytes, path: str) -> PackageFile:
    """The facts of a pyproject.toml; what is not understood becomes a note."""
    return _Reader(Document.read(data)).facts()


def poetry_specifier(written: str) -> str | None:
    """Poetry's constraint as a PEP 440 specifier ("^4.2" is ">=4.2,<5"); None where none says the same ("||")."""
    if written.strip() in ("*", ""):
        return ""
    clauses: list[str] = []
    for part in filter(str.strip, written.split(",")):
        position = 0
        while position < len(part):
            match = _CLAUSE.match(part, position)
            if match is None or (clause := _clause(match[1] or "", match[2])) is None:
                return None
            clauses.extend(clause)
            position = match.end()
    try:
        SpecifierSet(",".join(clauses))
    except InvalidSpecifier:
        return None
    return ",".join(clauses)


def _clause(operator: str, version: str) -> list[str] | None:
    if version == "*":
        return []
    if operator in ("", "=", "=="):
        return [f"=={version}"]
    if operator not in ("^", "~"):
        return [operator + version]
    try:
        release = Version(version).release
    except InvalidVersion:
        return None
    if operator == "~":
        place = 0 if len(release) == 1 else 1
    else:
        place = next((index for index, part in enumerate(release) if part), len(release) - 1)
    upper = [*release[:place], release[place] + 1]
    return [f">={version}", f"<{'.'.join(map(str, upper))}"]


class _Reader:
    def __init__(self, document: Document) -> None:
        self.document = document
        self.notes: list[Note] = []

    def facts(self) -> PackageFile:
        document = self.document
        groups = document.get("tool", "uv", "default-groups")
        name = document.get("project", "name") or document.get("tool", "poetry", "name")
        return PackageFile(
            requirements=(
                *self._project(),
                *self._groups(),
                *self._poetry(),
                *self._pdm(),
                *self._uv(),
                *self._flit(),
            ),
            group_includes=tuple(self._included()),
            python=self._python(),
            project=name if isinstance(name, str) else "",
            dynamic=tuple(self._dynamic()),
            default_groups=tuple(group for group in _list(groups) if isinstance(group, str)),
            notes=tuple(self.notes),
        )

    def _project(self) -> Iterator[Requirement]:
        yield from self._strings(("project", "dependencies"), "")
        for extra in _dict(self.document.get("project", "optional-dependencies")):
            yield from self._strings(("project", "optional-dependencies", extra), extra)

    def _groups(self) -> Iterator[Requirement]:
        for group in _dict(self.document.get("dependency-groups")):
            yield from self._strings(("dependency-groups", group), group)

    def _uv(self) -> Iterator[Requirement]:
        yield from self._strings(("tool", "uv", "dev-dependencies"), "dev")

    def _pdm(self) -> Iterator[Requirement]:
        for group in _dict(self.document.get("tool", "pdm", "dev-dependencies")):
            yield from self._strings(("tool", "pdm", "dev-dependencies", group), group)

    def _flit(self) -> Iterator[Requirement]:
        yield from self._strings(("tool", "flit", "metadata", "requires"), "")

    def _strings(self, path: tuple[str, ...], group: str) -> Iterator[Requirement]:
        """The requirements of an array of PEP 508 strings."""
        for index, item in enumerate(_list(self.document.get(*path))):
            region = self.document.region(*path, index)
            if not isinstance(item, str):
                continue  # a group that is taken in, or a table of a tool's own
            requirement = parse_requirement(item, region, group)
            if requirement is None:
                self.notes.append(Note(f"this is not a requirement: {item[:120]}", region.line))
            else:
                yield requirement

    def _poetry(self) -> Iterator[Requirement]:
        poetry = ("tool", "poetry")
        optional = self._poetry_extras()
        yield from self._poetry_table((*poetry, "dependencies"), "", optional)
        yield from self._poetry_table((*poetry, "dev-dependencies"), "dev", {})
        for group in _dict(self.document.get(*poetry, "group")):
            yield from self._poetry_table((*poetry, "group", group, "dependencies"), group, {})

    def _poetry_extras(self) -> dict[str, str]:
        """The extra that brings each optional dependency."""
        extras = _dict(self.document.get("tool", "poetry", "extras"))
        return {
            canonicalize_name(name): extra
            for extra, names in extras.items()
            for name in _list(names)
            if isinstance(name, str)
        }

    def _poetry_table(self, path: tuple[str, ...], group: str, optional: dict[str, str]) -> Iterator[Requirement]:
        for name, value in _dict(self.document.get(*path)).items():
            if name.lower() == "python":
                continue
            for index, item in enumerate(value if isinstance(value, list) else [value]):
                region = self.document.assignment(*path, name, *([index] if isinstance(value, list) else []))
                yield self._poetry_requirement(name, item, region, group, optional)

    def _poetry_requirement(
        self, name: str, item: Any, region: Region, group: str, optional: dict[str, str]
    ) -> Requirement:
        table = item if isinstance(item, dict) else {"version": item}
        written = table.get("version", "")
        specifier = poetry_specifier(written) if isinstance(written, str) else None
        if specifier is None:
            self.notes.append(Note(f"the version of {name} is not one that can be read: {written!s:.80}", region.line))
        location = next((str(table[key]) for key in ("git", "url", "path", "file") if key in table), "")
        if table.get("optional") is True and not group:
            group = optional.get(canonicalize_name(name), "optional")
        return Requirement(
            name=name,
            key=canonicalize_name(name),
            region=region,
            specifier=specifier or "",
            extras=tuple(sorted(str(extra) for extra in _list(table.get("extras")))),
            marker=str(table.get("markers", "")),
            group=group,
            url=location,
            editable=table.get("develop") is True,
        )

    def _included(self) -> Iterator[GroupInclude]:
        for group, items in _dict(self.document.get("dependency-groups")).items():
            for item in _list(items):
                if isinstance(item, dict) and isinstance(item.get("include-group"), str):
                    yield GroupInclude(group, item["include-group"])

    def _python(self) -> Python | None:
        for path in (("project", "requires-python"), ("tool", "poetry", "dependencies", "python")):
            wanted = self.document.get(*path)
            if isinstance(wanted, str):
                return Python(wanted, self.document.region(*path))
        return None

    def _dynamic(self) -> Iterator[str]:
        """Files that setuptools takes the requirements from."""
        table = self.document.get("tool", "setuptools", "dynamic", "dependencies")
        named = _dict(table).get("file", [])
        yield from (name for name in ([named] if isinstance(named, str) else _list(named)) if isinstance(name, str))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
