"""Serializers of Django REST framework that are given many rows of data: `BookSerializer(data=rows, many=True)`.

`is_valid()` runs the validators that the class defines once for each row of the data: `ListSerializer` calls
`child.run_validation()` (https://www.django-rest-framework.org/api-guide/serializers/#listserializer).
"""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.queries import calls, loops
from stackaudit.link.queries.values import Const, Instance, Other, Value
from stackaudit.link.queries.walk import At, Walk

_MANY = Const(True)


def of_many(walk: Walk, cls: SourceClass, keywords: dict[str, Value], at: At) -> None:
    """Run what the class validates, as a loop over the data."""
    if keywords.get("many") != _MANY or "data" not in keywords:
        return
    if not any(base.endswith("Serializer") for base in cls.externals):
        return
    names = {name: None for base in cls.mro if isinstance(base, SourceClass) for name in base.members
             if name == "validate" or name.startswith("validate_")}  # fmt: skip
    if not names:
        return
    element, _ = loops.enter(walk, Other(), at, f"each row of the data of {cls.label}")
    for name in names:
        found = cls.find(name)
        if found is not None and isinstance(found.node, py.FunctionDef):
            method = calls.member(walk, Instance(cls), found, at)
            calls.apply(walk, method, (element,), {}, at, f"{name}(…)")
    loops.leave(walk)
