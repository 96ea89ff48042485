"""Reads lock files: poetry.lock, uv.lock, pdm.lock, pylock.toml and Pipfile.lock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from packaging.requirements import InvalidRequirement
from packaging.requirements import Requirement as Parsed
from packaging.utils import canonicalize_name

from stackaudit.facts.files import Note, UnreadableError
from stackaudit.facts.packages import Locked, PackageFile, Python
from stackaudit.lower.requirements import decode
from stackaudit.lower.toml_spans import Document
from stackaudit.model.source import Region

_HEADER = re.compile(r"^\[\[packages?\]\][^\n]*\n(?:(?!\[)[^\n]*\n)*?(name[ \t]*=[^\n]*)", re.MULTILINE)
_PYTHON = re.compile(r"^(?:requires-python|python-versions)[ \t]*=[ \t]*(?:\"|')([^\"'\n]*)(?:\"|')", re.MULTILINE)


def lower(data: bytes, path: str) -> PackageFile:
    """The facts of a lock file, by its name."""
    if path.rpartition("/")[2] == "Pipfile.lock":
        return _pipfile_lock(decode(data))
    return _toml_lock(data)


def _toml_lock(data: bytes) -> PackageFile:
    document = Document.read(data)
    packages = document.values.get("package", document.values.get("packages", []))
    packages = [item for item in packages if isinstance(item, dict)] if isinstance(packages, list) else []
    text = decode(data).replace("\r\n", " \n")
    headers = [document.span(*match.span(1)) for match in _HEADER.finditer(text)]
    start = Region(1, 1, 1, 1)
    if len(headers) != len(packages):
        headers = [start] * len(packages)
    notes: list[Note] = []
    locked: list[Locked] = []
    project = ""
    for item, region in zip(packages, headers, strict=True):
        name, version = item.get("name"), item.get("version", "")
        if not isinstance(name, str) or not isinstance(version, str):
            notes.append(Note("a package without a name or a version", region.line))
            continue
        source = item.get("source")
        own = isinstance(source, dict) and ({"virtual", "editable"} & source.keys()) and "." in source.values()
        project = name if own else project
        locked.append(
            Locked(
                name=name,
                key=canonicalize_name(name),
                region=region,
                version=version,
                dependencies=tuple(dict.fromkeys(_dependencies(item.get("dependencies")))),
                groups=tuple(str(group) for group in _groups(item)),
                registry=_from_index(item),
            )
        )
    python = _PYTHON.search(text)
    return PackageFile(
        locked=tuple(locked),
        project=project,
        python=Python(python[1], document.span(*python.span(1))) if python else None,
        notes=tuple(notes),
    )


def _groups(item: dict[str, Any]) -> list[Any]:
    """The groups that a lock tells: `groups` of Poetry 2 and PDM, `category` of Poetry before 1.5."""
    groups = item.get("groups", [item["category"]] if "category" in item else [])
    return groups if isinstance(groups, list) else []


def _from_index(item: dict[str, Any]) -> bool:
    source = item.get("source")
    if isinstance(source, dict):
        return "registry" in source or source.get("type") in ("legacy", "pypi")
    return not {"git", "path", "url", "vcs", "directory", "archive"} & item.keys()


def _dependencies(written: Any) -> Iterator[str]:
    """Keys of packages: Poetry writes a table, uv and pylock tables with a name, PDM PEP 508 strings."""
    for item in written if isinstance(written, (list, dict)) else ():
        name = item.get("name") if isinstance(item, dict) else item
        if not isinstance(name, str):
            continue
        try:
            yield canonicalize_name(Parsed(name).name)
        except InvalidRequirement:
            yield canonicalize_name(name)


def _pipfile_lock(text: str) -> PackageFile:
    try:
        document = json.loads(text)
    except ValueError as error:
        line = getattr(error, "lineno", 0)
        raise UnreadableError(f"it is not JSON: {error}", line) from None
    except RecursionError:
        raise UnreadableError("it is nested too deeply") from None
    if not isinstance(document, dict):
        raise UnreadableError("it is not a lock file of Pipenv")
    locked: list[Locked] = []
    lines = text.splitlines()
    for section, group in (("default", "main"), ("develop", "dev")):
        packages = document.get(section)
        first = next((number for number, line in enumerate(lines) if line.strip().startswith(f'"{section}"')), 0)
        for name, item in packages.items() if isinstance(packages, dict) else ():
            version = item.get("version", "") if isinstance(item, dict) else ""
            locked.append(
                Locked(
                    name=name,
                    key=canonicalize_name(name),
                    region=_json_key(lines, name, first),
                    version=str(version).removeprefix("=="),
                    groups=(group,),
                    registry=isinstance(item, dict) and _from_index(item) and "file" not in item,
                )
            )
    return PackageFile(locked=tuple(locked))


def _json_key(lines: list[str], name: str, first: int) -> Region:
    for number in range(first, len(lines)):
        column = lines[number].find(f'"{name}"')
        if column >= 0 and lines[number].rstrip().endswith("{"):
            return Region(number + 1, column + 1, number + 1, column + len(name) + 3)
    return Region(1, 1, 1, 1)
