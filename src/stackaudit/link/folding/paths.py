"""Paths: `pathlib` and `os.path`, relative to the project's root where they lie in it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from stackaudit.link.folding.objects import ROOT, ExternalResult, Method, Raised
from stackaudit.link.folding.operators import merged, text_of
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine

OUTSIDE = "it lies outside of the repository"
CWD = "it depends on the folder that the process is started in"


def settled(text: str) -> str | Unknown:
    """An absolute path without `.` and `..`; Unknown where it leaves the project or hangs on the working directory."""
    if not text.startswith("/"):
        return Unknown(CWD)
    if text.startswith(ROOT):
        found = posixpath.normpath(text)
        return found if found == ROOT or found.startswith(f"{ROOT}/") else Unknown(OUTSIDE)
    return posixpath.normpath(text)


def parent(path: PurePosixPath) -> PurePosixPath | Unknown:
    """The folder that `path` lies in."""
    if str(path) == ROOT:
        return Unknown(OUTSIDE)
    return path.parent


def parents(owner: Known[Any], index: Any) -> AnyValue:
    """`owner.parents[index]`."""
    found: PurePosixPath = owner.value
    if not isinstance(index, int) or not 0 <= index < 100:
        return Unknown("an index of parents is odd", owner.places)
    for _ in range(index + 1):
        above = parent(found)
        if isinstance(above, Unknown):
            return Unknown(above.why, owner.places)
        found = above
    return merged(found, owner)


def attribute(value: Known[Any], name: str) -> AnyValue:
    """An attribute of a path."""
    path: PurePosixPath = value.value
    if name == "parent":
        found = parent(path)
        return Unknown(found.why, value.places) if isinstance(found, Unknown) else merged(found, value)
    if name in ("name", "stem", "suffix"):
        if str(path) == ROOT:
            return Unknown("it is the name of the folder that the project is installed in", value.places)
        return merged(getattr(path, name), value)
    return Known(Method(value, name), value.places)


def path_method(machine: Machine, call: Call, owner: Known[Any], name: str) -> AnyValue:
    """`owner.name(...)` for a path."""
    path: PurePosixPath = owner.value
    if name in ("resolve", "absolute", "expanduser"):
        if str(path).startswith("~"):
            return Unknown("it lies in the home directory", owner.places)
        if name == "expanduser":
            return owner
        found = settled(str(path))
        return Unknown(found.why, owner.places) if isinstance(found, Unknown) else merged(PurePosixPath(found), owner)
    if name == "joinpath":
        return _joined(owner, call.args)
    if name in ("as_posix", "__str__", "__fspath__"):
        return merged(str(path), owner)
    if name in ("exists", "is_file", "is_dir"):
        return existence(machine, owner)
    if name in ("with_suffix", "with_name", "with_stem") and len(call.args) == 1:
        arg = call.args[0]
        if isinstance(arg, Unknown):
            return arg
        try:
            return merged(getattr(path, name)(arg.value), owner, arg)
        except (ValueError, TypeError):
            raise Raised("ValueError", "a path is odd") from None
    if name == "is_absolute":
        return merged(path.is_absolute(), owner)
    if name in ("read_text", "read_bytes", "open"):
        return Unknown(f"it is read from {str(path).removeprefix(f'{ROOT}/')}", owner.places)
    return Unknown(f"the file system decides it ({name})", owner.places)


def existence(machine: Machine, path: AnyValue) -> AnyValue:
    """Whether a file is there in production, as far as the repository tells."""
    if isinstance(path, Unknown):
        return path
    text = settled(str(path.value))
    if isinstance(text, Unknown):
        return text
    if text == ROOT:
        return merged(True, path)
    if text.startswith(f"{ROOT}/"):
        known = machine.world.exists(text[len(ROOT) + 1 :])
        if known is not None:
            note = "" if known else f"{text[len(ROOT) + 1 :]} is not in the repository"
            return Known(known, path.places, note)
    return Unknown(f"whether {text.removeprefix(ROOT + '/')} exists decides it", path.places)


def _part(part: AnyValue) -> str | Unknown:
    """A part of a path as text. Raises `Raised` for TypeError where it can be none."""
    if isinstance(part, Unknown):
        return Unknown(part.why, part.places)
    if isinstance(part.value, ExternalResult):
        return Unknown(f"it is what {part.value.name}() gives", part.places)
    if not isinstance(part.value, (str, PurePosixPath)):
        raise Raised("TypeError", "a part of a path is no string")
    return str(part.value)


def _joined(first: AnyValue, rest: list[AnyValue]) -> AnyValue:
    found: PurePosixPath | None = None
    for part in (first, *rest):
        text = _part(part)
        if isinstance(text, Unknown):
            return text
        found = PurePosixPath(text) if found is None else found / text
    return merged(found, first, *rest)


def _path(machine: Machine, call: Call) -> AnyValue:
    if not call.args:
        return Known(PurePosixPath("."))
    return _joined(call.args[0], call.args[1:])


def _join(machine: Machine, call: Call) -> AnyValue:
    parts: list[str] = []
    for part in call.args:
        text = _part(part)
        if isinstance(text, Unknown):
            return text
        parts.append(text)
    return merged(posixpath.join(*parts), *call.args) if parts else Unknown("it joins no paths")


def _on_text(change: Callable[[str], Any]) -> Callable[[Machine, Call], AnyValue]:
    def apply(machine: Machine, call: Call) -> AnyValue:
        value = call.first()
        if isinstance(value, Unknown):
            return Unknown(value.why, value.places)
        if not isinstance(value.value, (str, PurePosixPath)):
            raise Raised("TypeError", "a path is no string")
        result = change(str(value.value))
        return Unknown(result.why, value.places) if isinstance(result, Unknown) else merged(result, value)

    return apply


def _dirname(text: str) -> str | Unknown:
    return Unknown(OUTSIDE) if text == ROOT else posixpath.dirname(text)


def _basename(text: str) -> str | Unknown:
    if text == ROOT:
        return Unknown("it is the name of the folder that the project is installed in")
    return posixpath.basename(text)


def _normal(text: str) -> str | Unknown:
    return settled(text) if text.startswith("/") else posixpath.normpath(text)


def _user(text: str) -> str | Unknown:
    return Unknown("it lies in the home directory") if text.startswith("~") else text


def _exists(machine: Machine, call: Call) -> AnyValue:
    return existence(machine, call.first())


def _cwd(machine: Machine, call: Call) -> AnyValue:
    return Unknown(CWD)


def _split(machine: Machine, call: Call) -> AnyValue:
    value = call.first()
    if isinstance(value, Unknown):
        return value
    head, tail = _dirname(str(value.value)), _basename(str(value.value))
    if isinstance(head, Unknown) or isinstance(tail, Unknown):
        return Unknown(OUTSIDE, value.places)
    return merged((merged(head, value), merged(tail, value)), value)


def _splitext(machine: Machine, call: Call) -> AnyValue:
    value = call.first()
    if isinstance(value, Unknown):
        return value
    return merged(tuple(merged(part, value) for part in posixpath.splitext(str(value.value))), value)


CALLS: dict[str, Callable[[Machine, Call], AnyValue]] = {
    "pathlib.Path": _path,
    "pathlib.PurePath": _path,
    "pathlib.PosixPath": _path,
    "pathlib.PurePosixPath": _path,
    "pathlib.Path.cwd": _cwd,
    "pathlib.Path.home": lambda machine, call: Unknown("it lies in the home directory"),
    "os.getcwd": _cwd,
    "os.path.join": _join,
    "os.path.dirname": _on_text(_dirname),
    "os.path.basename": _on_text(_basename),
    "os.path.abspath": _on_text(settled),
    "os.path.realpath": _on_text(settled),
    "os.path.normpath": _on_text(_normal),
    "os.path.expanduser": _on_text(_user),
    "os.path.exists": _exists,
    "os.path.isfile": _exists,
    "os.path.isdir": _exists,
    "os.path.split": _split,
    "os.path.splitext": _splitext,
    "os.path.isabs": _on_text(lambda text: text.startswith("/")),
    "os.fspath": lambda machine, call: text_of(call.first()),
    "os.path.expandvars": lambda machine, call: Unknown("environment variables in a path decide it"),
    "django.utils._os.safe_join": _join,
}
