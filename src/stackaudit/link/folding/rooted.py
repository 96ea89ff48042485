"""django-environ's own paths: `environ.Path(__file__) - 2`, `ROOT("static")`, `ROOT.path("apps")`."""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from stackaudit.link.folding.objects import External, Method
from stackaudit.link.folding.operators import merged
from stackaudit.link.folding.paths import settled
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine


class RootPath(PurePosixPath):
    """An `environ.Path`: a path that can be called, and from which a number of folders is taken away."""

    def folded_call(self, machine: Machine, owner: Known[Any], call: Call) -> AnyValue:
        """`ROOT("a", "b")`, a string."""
        return _below(owner, call.args, str)

    def folded_attribute(self, machine: Machine, owner: Known[Any], name: str) -> AnyValue:
        """`ROOT.path(...)`; `ROOT.root` is a string."""
        return merged(str(self), owner) if name == "root" else Known(Method(owner, name), owner.places)

    def folded_method(self, machine: Machine, owner: Known[Any], name: str, call: Call) -> AnyValue:
        """`ROOT.path("a")`."""
        return _below(owner, call.args, RootPath) if name == "path" else Unknown("a path decides it", owner.places)

    def folded_operator(self, left: Known[Any], op: str, right: AnyValue) -> AnyValue:
        """`ROOT - 2` and `ROOT + "a"`."""
        if op == "-" and isinstance(right, Known) and isinstance(right.value, int):
            return _below(left, [Known("../" * right.value, right.places)], RootPath)
        return _below(left, [right], RootPath) if op == "+" else Unknown("an operator of a path decides it")


def _below(owner: Known[Any], parts: list[AnyValue], kind: type[str] | type[RootPath]) -> AnyValue:
    texts: list[str] = []
    for part in parts:
        if isinstance(part, Unknown):
            return Unknown(part.why, part.places)
        if not isinstance(part.value, (str, PurePosixPath)):
            return Unknown("a part of a path is no string", owner.places)
        texts.append(str(part.value))
    found = settled(posixpath.join(str(owner.value), *texts))
    return found if isinstance(found, Unknown) else merged(kind(found), owner, *parts)


def _path(machine: Machine, call: Call) -> AnyValue:
    start = call.args[0] if call.args else Known("")
    if isinstance(start, Unknown):
        return Unknown(start.why, start.places)
    if isinstance(start.value, External):
        return Unknown("a path is odd", start.places)
    return _below(merged(PurePosixPath(str(start.value)), start), call.args[1:], RootPath)


CALLS = {"environ.Path": _path}
