"""The list-like options of admin classes: what a class body sets, and what a get_…() method returns in its place.

A method is read without running it: literal lists and tuples, `+`, local lists with what is appended to them, `self.…`
and `super()`. An entry that some way to a `return` lacks is shown under a condition.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from stackaudit.facts import python as py
from stackaudit.link.classes import Classes, Member, SourceClass
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.model.source import Place

_DEEPEST = 8
_COMPUTED = "it is computed"
_COPYING = frozenset({"list", "tuple", "set", "sorted", "copy.copy"})
_EMPTY = ("django.contrib.admin.", "django.contrib.contenttypes.admin.", "builtins.")
_Way: TypeAlias = tuple[tuple[int, int], ...]
"""The blocks that a statement stands in, the outer ones first: where each statement around it begins, which block."""


@dataclass(frozen=True)
class Item:
    """One entry of an option: a name, or the expression of a callable; `names` are those of a nested tuple.

    `is_conditional` says that a method returns it at times.
    """

    text: str
    node: py.Expr
    module: SourceModule
    names: tuple[str, ...] = ()
    value: object = None
    """The callable, where a method gives it."""
    is_conditional: bool = False

    @property
    def place(self) -> Place:
        """Where the entry stands."""
        return self.module.place(self.node)


@dataclass
class Option:
    """An option of an admin class: its entries, and why some cannot be told ("" where all can be)."""

    member: Member
    items: list[Item] = field(default_factory=list)
    open: str = ""

    @property
    def place(self) -> Place:
        """Where the value stands."""
        node = self.member.node
        assert node is not None
        return self.member.owner.module.place(node)

    @property
    def names(self) -> set[str]:
        """The names among the entries."""
        return {item.text for item in self.items if item.text}

    def extend(self, other: Option, conditional: bool = False) -> None:
        """Append the entries of another one, which are there under a condition only if `conditional`."""
        self.items += [replace(item, is_conditional=True) if conditional else item for item in other.items]
        self.open = self.open or other.open


def written(classes: Classes, cls: SourceClass, name: str) -> Option | None:
    """The entries that a class or a base of the repository sets as `name`; None where none does."""
    member = cls.find(name)
    if member is None or not isinstance(member.node, py.Node) or isinstance(member.node, py.FunctionDef):
        return None
    return _set(classes, member)


def returned(classes: Classes, cls: SourceClass, name: str) -> Option | None:
    """The entries that `get_<name>()` of a class or a base of the repository returns; None where none defines it."""
    member = cls.find(f"get_{name}")
    if member is None or not isinstance(member.node, py.FunctionDef):
        return None
    return _Method(classes, cls, member, member.node, name, 0).option()


def _set(classes: Classes, member: Member) -> Option:
    option = Option(member)
    _Body(classes, option).entries(member.node, member.owner.module, member.owner, 0)  # type: ignore[arg-type]
    return option


def _item(node: py.Expr, module: SourceModule) -> Item:
    if isinstance(node, py.Constant):
        return Item(str(node.value), node, module)
    if isinstance(node, (py.Tuple, py.List)):
        names = tuple(str(part.value) for part in node.elts if isinstance(part, py.Constant))
        parts = tuple(dotted(part).rpartition(".")[2] for part in node.elts if dotted(part))
        return Item(names[0] if names else "", node, module, names + parts)
    return Item("", node, module)


@dataclass
class _Body:
    """What the bodies of classes and modules say of one option."""

    classes: Classes
    option: Option

    def entries(self, node: py.Expr, module: SourceModule, owner: SourceClass, depth: int) -> None:
        """Add the entries of an expression that stands in `owner` or in its module."""
        if depth > _DEEPEST:
            self.option.open = "it is too nested to be told"
        elif isinstance(node, (py.Tuple, py.List, py.Set)):
            for item in node.elts:
                if isinstance(item, py.Starred):
                    self.entries(item.value, module, owner, depth + 1)
                else:
                    self.option.items.append(_item(item, module))
        elif isinstance(node, py.BinOp) and node.op == "+":
            self.entries(node.left, module, owner, depth + 1)
            self.entries(node.right, module, owner, depth + 1)
        elif isinstance(node, py.Call) and dotted(node.func) in ("list", "tuple") and len(node.args) == 1:
            self.entries(node.args[0], module, owner, depth + 1)
        elif path := dotted(node):
            self._named(path, module, owner, depth)
        else:
            self.option.open = _COMPUTED

    def _named(self, path: str, module: SourceModule, owner: SourceClass, depth: int) -> None:
        """A name of the class body, of the module, or an attribute of another class."""
        head, _, attribute = path.rpartition(".")
        if not head and path in owner.members and owner.members[path][-1].node is not self.option.member.node:
            node = owner.members[path][-1].node
            if isinstance(node, py.Node):
                self.entries(node, owner.module, owner, depth + 1)  # type: ignore[arg-type]
                return
        modules = self.classes.modules
        symbol = modules.resolve(module, head or path)
        cls = self.classes.of(symbol) if head else None
        if isinstance(cls, SourceClass) and (found := cls.find(attribute)) is not None and found.node is not None:
            self.entries(found.node, found.owner.module, found.owner, depth + 1)  # type: ignore[arg-type]
        elif symbol is not None and symbol.kind == "value" and symbol.node is not None and symbol.module and not head:
            self.entries(symbol.node, symbol.module, owner, depth + 1)  # type: ignore[arg-type]
        elif path.startswith(("admin.ModelAdmin.", "ModelAdmin.", "UserAdmin.")):
            pass
        else:
            self.option.open = _COMPUTED


@dataclass
class _Method:
    """What one `get_<name>()` returns for objects of `cls`."""

    classes: Classes
    cls: SourceClass
    member: Member
    node: py.FunctionDef
    name: str
    depth: int

    def __post_init__(self) -> None:
        self.statements = list(_statements(self.node.body))

    def option(self) -> Option:
        """The entries of all ways to a `return`; those that some of them lack are conditional."""
        ways = [self._of(stmt.value, way) for stmt, way in self.statements if isinstance(stmt, py.Return)]
        return self._either(ways) if ways else Option(self.member, open=_COMPUTED)

    def _either(self, ways: Sequence[Option]) -> Option:
        sure = [{item.text or item.node for item in way.items if not item.is_conditional} for way in ways]
        always = set.intersection(*sure)
        found: dict[str | py.Node, Item] = {}
        for item in (item for way in ways for item in way.items):
            key = item.text or item.node
            found.setdefault(key, replace(item, is_conditional=key not in always))
        return Option(self.member, list(found.values()), next((way.open for way in ways if way.open), ""))

    def _of(self, expr: py.Expr | None, way: _Way) -> Option:
        """The entries of an expression that stands in the method."""
        made = Option(self.member)
        if isinstance(expr, (py.Tuple, py.List, py.Set)):
            for item in expr.elts:
                if isinstance(item, py.Starred):
                    made.extend(self._of(item.value, way))
                else:
                    made.items.append(_item(item, self.member.owner.module))
        elif isinstance(expr, py.BinOp) and expr.op == "+":
            made.extend(self._of(expr.left, way))
            made.extend(self._of(expr.right, way))
        elif isinstance(expr, py.IfExp):
            return self._either([self._of(expr.body, way), self._of(expr.orelse, way)])
        elif isinstance(expr, py.BoolOp) and expr.op == "or":
            return self._either([self._of(expr.left, way), self._of(expr.right, way)])
        elif isinstance(expr, py.Call):
            return self._called(expr, way)
        elif isinstance(expr, py.Attribute) and (holder := self._holder(expr.value)) is not None:
            return self._attribute(expr.attr, *holder)
        elif isinstance(expr, py.Name) and self._is_local(expr.id):
            return self._local(expr, way)
        elif dotted(expr):
            _Body(self.classes, made).entries(expr, self.member.owner.module, self.member.owner, self.depth)  # type: ignore[arg-type]
        else:
            made.open = _COMPUTED
        return made

    def _called(self, call: py.Call, way: _Way) -> Option:
        """A copy of a list, or what `super().get_<name>()` or another method returns."""
        func = call.func
        if dotted(func) in _COPYING and call.args:
            return self._of(call.args[0], way)
        if isinstance(func, py.Attribute) and func.attr == "copy" and not call.args:
            return self._of(func.value, way)
        if isinstance(func, py.Attribute) and (holder := self._holder(func.value)) is not None:
            member = self.cls.find(func.attr, *holder)
            if member is not None and isinstance(member.node, py.FunctionDef) and self.depth < _DEEPEST:
                return _Method(self.classes, self.cls, member, member.node, self.name, self.depth + 1).option()
            if member is None and func.attr == f"get_{self.name}":
                return self._attribute(self.name)
        return Option(self.member, open=_COMPUTED)

    def _attribute(self, name: str, after: SourceClass | None = None) -> Option:
        """What the classes set as `name`; nothing where only Django's own do."""
        member = self.cls.find(name, after)
        if member is None and name == self.name and self._is_plain():
            return Option(self.member)
        if member is None or not isinstance(member.node, py.Node) or isinstance(member.node, py.FunctionDef):
            return Option(self.member, open=_COMPUTED)
        return _set(self.classes, member)

    def _is_plain(self) -> bool:
        """Whether nothing but Django's own ModelAdmin and inlines, which set no entries, stands behind the class."""
        return not self.cls.is_open and all(base.startswith(_EMPTY) for base in self.cls.externals)

    def _holder(self, expr: py.Expr) -> tuple[SourceClass] | tuple[()] | None:
        """Where `self` (anywhere) and `super()` (after this class) look for attributes; None for anything else."""
        if isinstance(expr, py.Name) and self.node.params and expr.id == self.node.params[0].name:
            return ()
        if isinstance(expr, py.Call) and dotted(expr.func) == "super":
            return (self.member.owner,)
        return None

    def _is_local(self, name: str) -> bool:
        params = any(param.name == name for param in self.node.params)
        return params or any(name in _targets(stmt) for stmt, _ in self.statements)

    def _local(self, name: py.Name, way: _Way) -> Option:
        """What a local list holds where `name` stands; nothing is told of one that is changed in another way."""
        held: Option | None = None
        for stmt, path in self.statements:
            begun = stmt.start if isinstance(stmt, (py.For, py.With)) else stmt.end
            if begun > name.start or _is_apart(path, way):
                continue
            given = _given(stmt, name.id)
            if given is None:
                continue
            value, replaces = given
            unsure = path != way[: len(path)]
            if value is None or (held is None and not replaces):
                return Option(self.member, open=_COMPUTED)
            made = self._of(value, path)
            if not replaces or held is None:
                held = held or Option(self.member)
                held.extend(made, conditional=unsure)
            else:
                held = self._either([held, made]) if unsure else made
        return held or Option(self.member, open=_COMPUTED)


def _given(stmt: py.Stmt, name: str) -> tuple[py.Expr | None, bool] | None:
    """What a statement puts into a local list, and whether that takes the place of what it held.

    None where the statement leaves the list alone; an expression of None where it changes it in a way that is not read.
    """
    if isinstance(stmt, (py.Assign, py.AnnAssign)) and name in _targets(stmt):
        return (stmt.value, True) if stmt.value is not None else None
    if isinstance(stmt, py.AugAssign) and dotted(stmt.target) == name:
        return (stmt.value if stmt.op == "+" else None), False
    if isinstance(stmt, (py.For, py.With, py.Delete)) and name in _targets(stmt):
        return None, True
    call = stmt.value if isinstance(stmt, py.ExprStmt) else None
    if isinstance(call, py.Call) and isinstance(call.func, py.Attribute) and dotted(call.func.value) == name:
        if call.func.attr in ("append", "add") and len(call.args) == 1:
            return py.List(call.start, call.end, call.args), False
        if call.func.attr == "insert" and len(call.args) == 2:
            return py.List(call.start, call.end, call.args[1:]), False
        if call.func.attr in ("extend", "update") and len(call.args) == 1:
            return call.args[0], False
        return None, False
    return None


def _targets(stmt: py.Stmt) -> set[str]:
    """The names that a statement binds."""
    if isinstance(stmt, (py.Assign, py.Delete)):
        found: Sequence[py.Expr | None] = stmt.targets
    elif isinstance(stmt, (py.AnnAssign, py.AugAssign, py.For)):
        found = (stmt.target,)
    elif isinstance(stmt, py.With):
        found = [item.target for item in stmt.items]
    else:
        return set()
    parts = [part for item in found for part in (item.elts if isinstance(item, (py.Tuple, py.List)) else (item,))]
    return {part.id for part in parts if isinstance(part, py.Name)}


def _statements(body: Sequence[py.Stmt], way: _Way = ()) -> Iterator[tuple[py.Stmt, _Way]]:
    """The statements of a function in their order, each with the blocks that it stands in."""
    for stmt in body:
        yield stmt, way
        if isinstance(stmt, (py.If, py.For, py.While)):
            blocks: list[Sequence[py.Stmt]] = [stmt.body, stmt.orelse]
        elif isinstance(stmt, py.Try):
            blocks = [stmt.body, *(handler.body for handler in stmt.handlers), stmt.orelse, stmt.finalbody]
        elif isinstance(stmt, py.Match):
            blocks = [case.body for case in stmt.cases]
        else:
            blocks = []
            yield from _statements(stmt.body if isinstance(stmt, py.With) else (), way)
        for number, block in enumerate(blocks):
            yield from _statements(block, (*way, (stmt.start, number if isinstance(stmt, (py.If, py.Match)) else 0)))


def _is_apart(one: _Way, other: _Way) -> bool:
    """Whether two statements stand in different branches of the same condition."""
    return any(left[0] == right[0] and left[1] != right[1] for left, right in zip(one, other, strict=False))
