"""Folds Python expressions and whole files to Values, without running them.

Paths inside of the project come out as strings that begin with `ROOT`; `project_path` takes that away again.
"""

from __future__ import annotations

from stackaudit.facts import python as ir
from stackaudit.link.folding.machine import Machine, Source, World
from stackaudit.link.folding.objects import (
    ROOT,
    FoldedDict,
    Frame,
    GaveUpError,
    Maybe,
    ModuleObject,
    Namespace,
    Raised,
    export,
)
from stackaudit.model.values import AnyValue, Unknown

__all__ = ["ROOT", "Scope", "Source", "World", "fold", "fold_file", "project_path"]


class Scope:
    """Where an expression is folded: the names of a file, in a world.

    `names` are known beforehand, over those that the file itself gives; without `facts` there are no others.
    """

    def __init__(
        self,
        world: World | None = None,
        path: str = "",
        facts: ir.Module | None = None,
        name: str = "",
        names: dict[str, AnyValue] | None = None,
    ) -> None:
        self.machine = Machine(world or World())
        module = ModuleObject(name, path, facts or ir.Module((), (0,)))
        if facts is not None:
            self.machine.modules[path] = module
            self.machine.run(module)
        self.frame = Frame(module, module.names)
        self.frame.names.update(names or {})


def fold(expr: ir.Expr, scope: Scope) -> AnyValue:
    """The value of `expr`, or why it is unknown. Never raises, always ends."""
    try:
        return export(scope.machine.evaluate(expr, scope.frame))
    except Raised as raised:
        return Unknown(raised.why)
    except (GaveUpError, RecursionError) as error:
        return Unknown(str(error) or "it is nested too deeply")


def fold_file(facts: ir.Module, path: str, world: World | None = None, name: str = "") -> FoldedDict:
    """The names that a file leaves behind with their values; `open` of the result says why there may be others.

    A name that may be missing is Unknown. Names with two leading underscores are left out.
    """
    scope = Scope(world, path, facts, name)
    return exported(scope.frame.names)


def exported(names: Namespace) -> FoldedDict:
    """The names of a module for the world outside."""
    found = FoldedDict({name: export(value) for name, value in names.items() if not name.startswith("__")})
    found.open = names.open
    return found


def project_path(text: object) -> str | None:
    """The path below the project's root that `text` names ("" is the root itself), None for any other path."""
    if text == ROOT:
        return ""
    if isinstance(text, str) and text.startswith(f"{ROOT}/"):
        return text[len(ROOT) + 1 :]
    return None


def may_be_missing(value: AnyValue | None) -> bool:
    """Whether a name or key may not be set at all."""
    return value is None or isinstance(value, Maybe)
