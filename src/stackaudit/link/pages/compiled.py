"""Tags with a compilation function and a node class of their own: what the node reads of the context and puts there.

The compilation function is walked with the words of the tag, the node that it makes renders with the names of the
template: https://docs.djangoproject.com/en/5.2/howto/custom-template-tags/#advanced-custom-template-tags
"""

from __future__ import annotations

import re

from stackaudit.facts import python as py
from stackaudit.facts import template as t
from stackaudit.link.pages.expressions import Expressions
from stackaudit.link.pages.files import Library
from stackaudit.link.queries import binding, calls, statements
from stackaudit.link.queries.values import OF_TAG, UNKNOWN, Const, Function, Instance, Mapping, Other, Seq, Value
from stackaudit.link.queries.walk import Frame, Walk
from stackaudit.model.source import Region

_TOKEN = f"{OF_TAG}token:"
"""How the name of a token begins; the words of the tag follow, one a line."""
_PARSER = f"{OF_TAG}parser"
_VARIABLE = f"{OF_TAG}variable:"
"""How the name of something begins that `resolve()` looks up in the context; the expression follows."""
_BODY = f"{OF_TAG}body"
"""The name of what stands between a tag and its end tag."""
_VARIABLES = ("django.template.Variable", "django.template.base.Variable")
_PATH = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")
_SPLIT = (".split_contents", ".contents.split")


class Compiled:
    """The tags of one file that is being rendered."""

    def __init__(self, page: Expressions) -> None:
        self.page = page
        self.bodies: list[tuple[t.Node, ...]] = []
        """What the tags around hold, the innermost last, as long as nobody rendered it."""
        self.regions: list[Region] = []

    def render(self, library: Library, node: t.Tag) -> bool:
        """Render a tag; False where the node that it makes cannot be told, or leaves its body alone."""
        page, walk = self.page, self.page.walk
        at = page.at(node.region)
        token = Other(name=_TOKEN + "\n".join((node.name, *node.words)))
        compiled = Function(library.module, library.function)
        made = calls.apply(walk, compiled, (Other(name=_PARSER), token), {}, at, f"{{% {node.name} %}}")
        found = made.cls.find("render") if isinstance(made, Instance) else None
        if found is None or not isinstance(found.node, py.FunctionDef) or not found.node.params[1:]:
            return False
        self.bodies.append(node.body)
        self.regions.append(node.region)
        name = found.node.params[1].name
        function = Function(found.owner.module, found.node, made, found.owner)
        given = Mapping(UNKNOWN, tuple(page.scope.flat().items()))
        left = self._left(walk, function, given, name, node.region)
        for key, value in left.items if isinstance(left, Mapping) else ():
            if given.get(key) != value:
                page.scope.layers[-1][str(key)] = value
        self.regions.pop()
        page.texts[at] = f"{{% {' '.join((node.name, *node.words))} %}}"
        return not self.bodies.pop()

    def _left(self, walk: Walk, function: Function, given: Mapping, name: str, region: Region) -> Value | None:
        """The context that `render()` leaves behind, under the name that it has there."""
        at = self.page.at(region)
        node = function.node
        assert isinstance(node, py.FunctionDef)
        env = binding.bind(walk, function, (given,), {})
        where = f"{function.owner.name if function.owner else function.module.name}.render"
        frame = Frame(function.module, node, env, where, at, "", function.owner, function.bound)
        with walk.inside(frame):
            statements.block(walk, node.body)
        return frame.env.get(name)

    def asked(self, name: str, args: tuple[Value, ...]) -> Value | None:
        """What the parser, a token or what they made gives; None for a name that is none of theirs."""
        first = args[0] if args else None
        if name in _VARIABLES or name == f"{_PARSER}.compile_filter":
            written = first.value if isinstance(first, Const) else None
            return Other(name=_VARIABLE + written) if isinstance(written, str) else UNKNOWN
        if name == f"{_PARSER}.parse":
            return Other(name=_BODY)
        if name.startswith(_TOKEN):
            return _words(name.removeprefix(_TOKEN), args)
        if name.startswith(_VARIABLE) and name.endswith(".resolve"):
            expression = _expression(name[len(_VARIABLE) : -len(".resolve")], self.regions[-1])
            return self.page.value(expression) if expression is not None else UNKNOWN
        if name == f"{_BODY}.render" and self.bodies:
            held, self.bodies[-1] = self.bodies[-1], ()
            names = {str(key): value for key, value in first.items} if isinstance(first, Mapping) else {}
            with self.page.scope.pushed(names):
                self.page.nodes(held)
            return UNKNOWN
        return None


def _words(written: str, args: tuple[Value, ...]) -> Value:
    """`token.split_contents()`, `token.contents.split()` and `token.contents.split(None, 1)`."""
    for ending in _SPLIT:
        if written.endswith(ending):
            words = written.removesuffix(ending).split("\n")
            most = args[1].value if len(args) > 1 and isinstance(args[1], Const) else None
            if isinstance(most, int) and 0 < most < len(words):
                words = [*words[:most], " ".join(words[most:])]
            return Seq(UNKNOWN, tuple(Const(word) for word in words))
    return UNKNOWN


def _expression(written: str, region: Region) -> t.Expr | None:
    """The expression that a word of a tag is: a path, a text or a number; None for one with filters."""
    if _PATH.fullmatch(written):
        name, *parts = written.split(".")
        return t.Path(region, name, tuple(parts))
    if len(written) > 1 and written[0] in "\"'" and written[-1] == written[0]:
        return t.Literal(region, written[1:-1])
    return t.Literal(region, int(written)) if written.isdigit() else None
