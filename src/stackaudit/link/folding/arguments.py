"""The arguments of a call as Python's own objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stackaudit.link.folding.objects import ROOT, Unset
from stackaudit.link.folding.operators import LONGEST, as_plain
from stackaudit.model.values import Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine


def plain_arguments(call: Call, machine: Machine | None = None) -> tuple[list[Any], dict[str, Any]] | Unknown:
    """The arguments of a call as Python's own objects, or why one of them is not known.

    With `machine`, an argument that is None because a variable is not set raises TypeError where code catches that, and
    paths of the project and very long texts count as unknown.
    """
    args: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, arg in (*((None, arg) for arg in call.args), *call.keywords.items()):
        if machine is not None and isinstance(arg, Unset):
            raised = machine.raised(call.frame, "TypeError", arg)
            return Unknown(raised.why, raised.places)
        plain = as_plain(arg)
        if machine is not None and isinstance(plain, str) and (ROOT in plain or len(plain) > LONGEST):
            return Unknown("it depends on where the project is installed" if ROOT in plain else "it is too large")
        if isinstance(plain, Unknown):
            return Unknown(plain.why, plain.places)
        if name is None:
            args.append(plain)
        else:
            keywords[name] = plain
    return args, keywords
