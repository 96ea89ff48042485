"""Reads Pipfile: requirements as Pipenv writes them, and the Python it asks for."""

from __future__ import annotations

from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from stackaudit.facts.files import Note
from stackaudit.facts.packages import PackageFile, Python, Requirement
from stackaudit.lower.toml_spans import Document

_SECTIONS = {"packages": "", "dev-packages": "dev"}
_NOT_PACKAGES = frozenset({"source", "requires", "scripts", "pipenv"})


def lower(data: bytes, path: str) -> PackageFile:
    """The facts of a Pipfile."""
    document = Document.read(data)
    requirements: list[Requirement] = []
    notes: list[Note] = []
    for section, packages in document.values.items():
        if section in _NOT_PACKAGES or not isinstance(packages, dict):
            continue
        for name, item in packages.items():
            region = document.assignment(section, name)
            table: dict[str, Any] = item if isinstance(item, dict) else {"version": item}
            specifier = str(table.get("version", "*")).strip()
            try:
                specifier = str(SpecifierSet("" if specifier == "*" else specifier))
            except InvalidSpecifier:
                notes.append(Note(f"the version of {name} is not one that can be read: {specifier:.80}", region.line))
                specifier = ""
            extras = table.get("extras", [])
            requirements.append(
                Requirement(
                    name=name,
                    key=canonicalize_name(name),
                    region=region,
                    specifier=specifier,
                    extras=tuple(sorted(map(str, extras))) if isinstance(extras, list) else (),
                    marker=str(table.get("markers", "")),
                    group=_SECTIONS.get(section, section),
                    url=next((str(table[key]) for key in ("git", "path", "file") if key in table), ""),
                    editable=table.get("editable") is True,
                )
            )
    return PackageFile(requirements=tuple(requirements), python=_python(document), notes=tuple(notes))


def _python(document: Document) -> Python | None:
    for key in ("python_full_version", "python_version"):
        wanted = document.get("requires", key)
        if isinstance(wanted, str):
            return Python(wanted, document.region("requires", key))
    return None
