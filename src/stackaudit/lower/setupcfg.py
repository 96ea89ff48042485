"""Reads setup.cfg: `install_requires`, extras and `python_requires` of setuptools."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts.files import Note
from stackaudit.facts.packages import PackageFile, Python, Requirement
from stackaudit.lower.requirements import decode, parse_requirement
from stackaudit.model.source import Region

_SECTION = re.compile(r"\[([^\]]+)\]\s*$")
_OPTION = re.compile(r"([A-Za-z][\w.\-]*)\s*[=:]\s*(.*)")


def lower(data: bytes, path: str) -> PackageFile:
    """The facts of a setup.cfg. A requirement that cannot be read becomes a note."""
    requirements: list[Requirement] = []
    notes: list[Note] = []
    python: Python | None = None
    project = ""
    dynamic: list[str] = []
    for section, option, value, region in _entries(decode(data)):
        if section == "options" and option == "install_requires" and value.startswith("file:"):
            dynamic.extend(name.strip() for name in value.removeprefix("file:").split(",") if name.strip())
        elif (section, option) == ("options", "install_requires") or section == "options.extras_require":
            group = "" if section == "options" else option
            requirement = parse_requirement(value, region, group)
            if requirement is None:
                notes.append(Note(f"this is not a requirement: {value[:120]}", region.line))
            else:
                requirements.append(requirement)
        elif (section, option) == ("options", "python_requires"):
            python = Python(value, region)
        elif (section, option) == ("metadata", "name"):
            project = value
    return PackageFile(
        requirements=tuple(requirements), python=python, project=project, dynamic=tuple(dynamic), notes=tuple(notes)
    )


def _entries(text: str) -> Iterator[tuple[str, str, str, Region]]:
    """Section, option, and each line of the option's value with its region."""
    section = option = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(^|\s)[#;].*$", "", raw).rstrip() if raw.lstrip()[:1] in "#;" else raw.rstrip()
        if not line.strip():
            continue
        if header := _SECTION.match(line):
            section, option = header[1].strip(), ""
            continue
        if not line[0].isspace():
            match = _OPTION.match(line)
            if match is None:
                continue
            option, value, column = match[1].replace("-", "_"), match[2], match.start(2)
        else:
            value, column = line.strip(), len(line) - len(line.lstrip())
        value = re.sub(r"(?<!\s)\s+#.*$", "", value)
        if option and value:
            yield section, option, value, Region(number, column + 1, number, column + 1 + len(value))
