"""Templates of Jinja2, read by its own parser into the tree of `facts.template`.

Jinja2 keeps lines and no columns; the column is found again by looking for the expression's first name on its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import jinja2
from jinja2 import nodes as j

from stackaudit.facts import template as t
from stackaudit.facts.files import UnreadableError
from stackaudit.model.source import Region

DEEPEST = 100


def read(text: str) -> tuple[t.Node, ...]:
    """The nodes of the template `text`. Raises UnreadableError where Jinja2 refuses it."""
    environment = jinja2.Environment(
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True
    )
    try:
        return _Converter(text).body(environment.parse(text).body)
    except jinja2.TemplateSyntaxError as error:
        raise UnreadableError(f"Jinja2 cannot parse it: {error.message}", error.lineno) from error
    except RecursionError as error:
        raise UnreadableError("it is nested too deeply") from error


class _Converter:
    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.depth = 0

    def body(self, nodes: Iterable[j.Node]) -> tuple[t.Node, ...]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise UnreadableError(f"tags are nested more than {DEEPEST} deep")
        found = tuple(new for node in nodes for new in self.node(node))
        self.depth -= 1
        return found

    def whole(self, line: int) -> Region:
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        indent = len(text) - len(text.lstrip())
        return Region(line, indent + 1, line, max(len(text.rstrip()), indent) + 1)

    def region(self, node: j.Node, needle: str = "") -> Region:
        line = max(node.lineno or 1, 1)
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        if needle and (match := re.search(rf"(?<![\w.]){needle}(?!\w)", text)):
            return Region(line, match.start() + 1, line, match.end() + 1)
        return self.whole(line)

    def node(self, node: j.Node) -> Iterable[t.Node]:
        region = self.whole(max(node.lineno or 1, 1))
        match node:
            case j.Output():
                for value in node.nodes:
                    if not isinstance(value, j.TemplateData):
                        expr = self.value(value)
                        yield t.Output(expr.region, expr)
            case j.For():
                test = self.value(node.test) if node.test else None
                targets = tuple(_targets(node.target))
                yield t.For(
                    region, targets, self.value(node.iter), self.body(node.body), self.body(node.else_), test=test
                )
            case j.If():
                branches = [t.Branch(region, self.value(node.test), self.body(node.body))]
                for other in node.elif_:
                    branches.append(t.Branch(self.whole(other.lineno), self.value(other.test), self.body(other.body)))
                if node.else_:
                    branches.append(t.Branch(region, None, self.body(node.else_)))
                yield t.If(region, tuple(branches))
            case j.With():
                names = [name for target in node.targets for name in _targets(target)]
                bound = zip(names, node.values, strict=False)
                yield t.With(region, tuple(t.Binding(region, a, self.value(b)) for a, b in bound), self.body(node.body))
            case j.Assign():
                yield t.Bind(region, tuple(_targets(node.target)), self.value(node.node))
            case j.AssignBlock():
                yield from self.body(node.body)
            case j.Include():
                yield t.Include(region, self.value(node.template), (), not node.with_context)
            case j.Extends():
                yield t.Extends(region, self.value(node.template))
            case j.Block():
                yield t.Block(region, node.name, self.body(node.body))
            case j.Macro():
                params = tuple(param.name for param in node.args)
                yield t.Macro(region, node.name, params, self.body(node.body))
            case j.CallBlock():
                call = self.value(node.call)
                yield t.Tag(region, "call", (call,), body=self.body(node.body))
            case j.Import():
                yield t.Import(region, self.value(node.template), node.target)
            case j.FromImport():
                pairs = tuple((name, name) if isinstance(name, str) else (name[0], name[1]) for name in node.names)
                yield t.Import(region, self.value(node.template), "", pairs)
            case j.ExprStmt():
                yield t.Tag(region, "do", (self.value(node.node),))
            case j.FilterBlock() | j.Scope() | j.ScopedEvalContextModifier():
                yield from self.body(node.body)

    def values(self, nodes: Sequence[j.Node]) -> tuple[t.Expr, ...]:
        return tuple(self.value(node) for node in nodes)

    def value(self, node: j.Node) -> t.Expr:
        self.depth += 1
        try:
            return self.expression(node) if self.depth < DEEPEST else t.Unread(self.region(node), "")
        finally:
            self.depth -= 1

    def expression(self, node: j.Node) -> t.Expr:
        names = _dotted(node)
        if names is not None:
            region = self.region(node, r"\s*\.\s*".join(re.escape(name) for name in names))
            return t.Path(region, names[0], tuple(names[1:]))
        region = self.whole(max(node.lineno or 1, 1))
        match node:
            case j.Const(value=value) if value is None or isinstance(value, (str, int, float, bool)):
                return t.Literal(region, value)
            case j.TemplateData():
                return t.Literal(region, "")
            case j.Getattr():
                return _followed(region, self.value(node.node), node.attr)
            case j.Getitem(arg=j.Const(value=value)) if isinstance(value, (str, int)) and not isinstance(value, bool):
                return _followed(region, self.value(node.node), str(value))
            case j.Getitem(arg=j.Slice() as bounds):
                limits = (bounds.start, bounds.stop, bounds.step)
                values = (self.value(limit) if limit else t.Literal(region, None) for limit in limits)
                return t.Operation(region, "slice", (self.value(node.node), *values))
            case j.Getitem():
                return t.Operation(region, "[]", (self.value(node.node), self.value(node.arg)))
            case j.Call():
                func = self.value(node.node)
                return t.Call(func.region, func, self.values(node.args), self.keywords(node.kwargs))
            case j.Filter():
                step = t.Filter(region, node.name, self.values(node.args), self.keywords(node.kwargs))
                if node.node is None:
                    return t.Unread(region, node.name)
                inner = self.value(node.node)
                if isinstance(inner, t.Filtered):
                    return t.Filtered(inner.region, inner.value, (*inner.filters, step))
                return t.Filtered(inner.region, inner, (step,))
            case j.Test():
                return t.Operation(region, f"is {node.name}", self.values([node.node, *node.args]))
            case j.Compare():
                ops = " ".join(_OPS.get(operand.op, operand.op) for operand in node.ops)
                return t.Operation(region, ops, self.values([node.expr, *(operand.expr for operand in node.ops)]))
            case j.And() | j.Or():
                op = "and" if isinstance(node, j.And) else "or"
                return t.Operation(region, op, self.values([node.left, node.right]))
            case j.Not():
                return t.Operation(region, "not", (self.value(node.node),))
            case j.BinExpr():
                return t.Operation(region, "+", self.values([node.left, node.right]))
            case j.UnaryExpr():
                return self.value(node.node)
            case j.Concat():
                return t.Operation(region, "~", self.values(node.nodes))
            case j.CondExpr():
                last = self.value(node.expr2) if node.expr2 else t.Literal(region, "")
                return t.Operation(region, "if", (self.value(node.test), self.value(node.expr1), last))
            case j.List() | j.Tuple():
                return t.Operation(region, "list", self.values(node.items))
            case j.Dict():
                items = [side for pair in node.items for side in (pair.key, pair.value)]
                return t.Operation(region, "dict", self.values(items))
            case j.MarkSafe() | j.MarkSafeIfAutoescape():
                return self.value(node.expr)
        return t.Unread(region, type(node).__name__)

    def keywords(self, pairs: Iterable[j.Node]) -> tuple[t.Binding, ...]:
        found = []
        for pair in pairs:
            if isinstance(pair, j.Keyword):
                value = self.value(pair.value)
                found.append(t.Binding(value.region, pair.key, value))
        return tuple(found)


_OPS = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}


def _followed(region: Region, value: t.Expr, name: str) -> t.Expr:
    if isinstance(value, t.Path):
        return t.Path(value.region, value.name, (*value.parts, name))
    if isinstance(value, t.Follow):
        return t.Follow(value.region, value.value, (*value.parts, name))
    return t.Follow(region, value, (name,))


def _targets(node: j.Node) -> list[str]:
    if isinstance(node, j.Name):
        return [node.name]
    if isinstance(node, j.Tuple):
        return [name for item in node.items for name in _targets(item)]
    return []


def _dotted(node: j.Node) -> list[str] | None:
    """The names of `a.b.c`, None for anything else."""
    names: list[str] = []
    while isinstance(node, j.Getattr):
        names.append(node.attr)
        node = node.node
    if not isinstance(node, j.Name):
        return None
    return [node.name, *reversed(names)]
