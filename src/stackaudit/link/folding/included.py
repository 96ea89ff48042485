"""Settings from several files in one namespace (django-split-settings), and from dynaconf's sources."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackaudit.link.folding import targets
from stackaudit.link.folding.objects import ROOT, Frame, Maybe, ModuleObject, Namespace, Raised, Unset
from stackaudit.link.folding.operators import noted
from stackaudit.model.values import AnyValue, Known, Unknown, by_default

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine, Source


@dataclass(frozen=True, slots=True)
class Optional:
    """`optional("local.py")`: a file that may be missing."""

    pattern: str


def optional(machine: Machine, call: Call) -> AnyValue:
    """`optional(path)`; a path that is None or "" stands for no file."""
    value = call.first()
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    return Known(Optional(str(value.value or "")), value.places, value.note)


def include(machine: Machine, call: Call) -> AnyValue:
    """`include("base.py", "parts/*.py", optional("local.py"))`: the files are run in the names of the caller."""
    scope = call.keywords.get("scope")
    names = scope.value if isinstance(scope, Known) and isinstance(scope.value, Namespace) else call.frame.module.names
    for arg in call.args:
        if isinstance(arg, Unknown):
            machine.spoil(Known(names), arg.why)
            names.open = names.open or arg.why
            continue
        held = arg.value
        pattern = held.pattern if isinstance(held, Optional) else str(held)
        if pattern:
            _files(machine, call.frame, names, pattern, isinstance(held, Optional))
    return Known(None)


def _files(machine: Machine, frame: Frame, names: Namespace, pattern: str, may_miss: bool) -> None:
    folder = posixpath.dirname(frame.module.path)
    wanted = posixpath.normpath(pattern.removeprefix(f"{ROOT}/") if pattern.startswith(ROOT) else
                                posixpath.join(folder, pattern))  # fmt: skip
    found = machine.world.glob(wanted)
    if not found and may_miss:
        machine.absent.setdefault(wanted, frame.module.path)
    elif not found:
        names.open = names.open or f"{wanted}, which it includes, is not in the repository"
        if "*" not in pattern:
            raise Raised("OSError", f"{wanted}, which it includes, is not in the repository")
    for source in found:
        package = frame.module.name
        if frame.module.path.endswith("__init__.py"):
            package = f"{package}.{posixpath.basename(source.path).removesuffix('.py')}"
        part = ModuleObject(package, source.path, source.facts, names, ran=True)
        machine.execute(source.facts.body, Frame(part, names))
    for name in _assigned_twice(found):
        machine.write(names, name, Unknown(f"{pattern} holds several files that set it, in no certain order"))


def _assigned_twice(sources: Sequence[Source]) -> set[str]:
    """The names that more than one file binds at its top level."""
    seen: set[str] = set()
    twice: set[str] = set()
    for source in sources:
        bound = targets.bound(source.facts.body)
        twice |= seen & bound
        seen |= bound
    return twice


def by_overlay(variable: str) -> str:
    """The note of a setting that dynaconf leaves as it is, as long as nothing replaces it."""
    return f"{by_default(variable)} or a file of dynaconf"


def dynaconf(machine: Machine, call: Call) -> AnyValue:
    """`DjangoDynaconf(__name__, ENVVAR_PREFIX_FOR_DYNACONF="SHOP")`: variables SHOP_X replace each setting X."""
    given = call.keywords.get("ENVVAR_PREFIX_FOR_DYNACONF", call.keywords.get("envvar_prefix", Known("DJANGO")))
    names = call.frame.module.names
    if not isinstance(given, Known) or not isinstance(given.value, str):
        names.open = names.open or "the prefix of dynaconf's variables is not known"
        machine.spoil(Known(names), names.open)
        return Unknown("it is an object of dynaconf", (call.place,))
    for name, value in list(names.items()):
        if not name.isupper() or isinstance(value, Maybe):
            continue
        variable = f"{given.value}_{name}"
        found = machine.variable(variable)
        if isinstance(found, Unset) or (isinstance(found, Known) and found.value is None):
            machine.write(names, name, noted(value, by_overlay(variable)))
        else:
            machine.write(names, name, Unknown(f"the environment variable {variable} decides it", found.places))
    return Unknown("it is an object of dynaconf", (call.place,))
