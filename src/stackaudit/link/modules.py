"""Which file an import means, and what a name in a module stands for.

`Modules` is built from the Python files of a stack and reads nothing until it is asked. Nothing is imported; what lies
outside the repository is known by its dotted name alone.
"""

from __future__ import annotations

import builtins
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from stackaudit.facts import python as py
from stackaudit.facts.files import FileFacts
from stackaudit.model.source import Place

Kind: TypeAlias = Literal["module", "class", "function", "value", "external"]

BUILTINS = frozenset(dir(builtins))
_Seen: TypeAlias = set[tuple[str, str]]


SETTINGS = "django.conf.settings."
"""How the name of a symbol begins that is a setting."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a name stands for.

    - "module": `module` is the file;
    - "class", "function": `node` is the definition, `module` the file it stands in;
    - "value": `node` is the assigned expression (None where a loop, `with` or unpacking binds the name);
    - "external": outside the repository; `name` is the dotted name as imported ("django.db.models.ForeignKey"),
      "builtins.len" for a builtin.

    `name` is the full dotted name in every case.
    """

    kind: Kind
    name: str
    module: SourceModule | None = None
    node: py.FunctionDef | py.ClassDef | py.Expr | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """One way in which a module binds a name: by a definition, an import, an assignment or otherwise."""

    node: py.Node | None
    alias: py.Alias | None = None
    source: py.Import | py.ImportFrom | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether it binds None, as the fallback of an import that failed does."""
        return isinstance(self.node, py.Constant) and self.node.value is None


@dataclass(eq=False, slots=False)
class SourceModule:
    """One Python file. `name` is its dotted name as seen from its source root."""

    name: str
    path: str
    facts: py.Module

    def place(self, node: py.Node) -> Place:
        """Where `node` stands."""
        return Place(self.path, self.facts.region(node))

    @property
    def is_package(self) -> bool:
        """Whether this is the `__init__.py` of a package."""
        return self.path.rpartition("/")[2] == "__init__.py"

    @cached_property
    def folder(self) -> str:
        """The folder that holds the file, "" for the root."""
        return self.path.rpartition("/")[0]

    @cached_property
    def _scope(self) -> tuple[dict[str, list[Binding]], list[py.ImportFrom]]:
        return bindings(self.facts.body)

    @property
    def names(self) -> dict[str, list[Binding]]:
        """What the module binds, in source order; an unconditional binding replaces those before it."""
        return self._scope[0]

    @property
    def stars(self) -> list[py.ImportFrom]:
        """Its `from x import *`, in source order."""
        return self._scope[1]


def bindings(body: Iterable[py.Stmt]) -> tuple[dict[str, list[Binding]], list[py.ImportFrom]]:
    """The names that statements bind, and the star imports among them."""
    names: dict[str, list[Binding]] = {}
    stars: list[py.ImportFrom] = []
    _bind(body, names, stars, False)
    return names, stars


def _add(names: dict[str, list[Binding]], name: str, binding: Binding, conditional: bool) -> None:
    if conditional and name in names:
        names[name].append(binding)
    else:
        names[name] = [binding]


def _bind(
    body: Iterable[py.Stmt], names: dict[str, list[Binding]], stars: list[py.ImportFrom], conditional: bool
) -> None:
    for stmt in body:
        if isinstance(stmt, (py.FunctionDef, py.ClassDef)):
            _add(names, stmt.name, Binding(stmt), conditional)
        elif isinstance(stmt, py.Import):
            for alias in stmt.names:
                bound = alias.asname or alias.name.partition(".")[0]
                # `import a.b` after `import a.c` binds the same package once more.
                _add(names, bound, Binding(None, alias, stmt), conditional or alias.asname is None)
        elif isinstance(stmt, py.ImportFrom):
            for alias in stmt.names:
                if alias.name == "*":
                    stars.append(stmt)
                else:
                    _add(names, alias.asname or alias.name, Binding(None, alias, stmt), conditional)
        elif isinstance(stmt, py.Assign):
            for target in stmt.targets:
                if isinstance(target, py.Name):
                    _add(names, target.id, Binding(stmt.value), conditional)
                else:
                    for name in target_names(target):
                        _add(names, name, Binding(None), conditional)
        elif isinstance(stmt, py.AnnAssign):
            if isinstance(stmt.target, py.Name) and stmt.value is not None:
                _add(names, stmt.target.id, Binding(stmt.value), conditional)
        elif isinstance(stmt, py.If):
            _bind(stmt.body, names, stars, True)
            rest = stmt.orelse
            while len(rest) == 1 and isinstance(rest[0], py.If):  # elif: as long a chain as one likes
                _bind(rest[0].body, names, stars, True)
                rest = rest[0].orelse
            _bind(rest, names, stars, True)
        elif isinstance(stmt, py.Try):
            for part in (stmt.body, *(handler.body for handler in stmt.handlers), stmt.orelse, stmt.finalbody):
                _bind(part, names, stars, True)
        elif isinstance(stmt, (py.For, py.While)):
            if isinstance(stmt, py.For):
                for name in target_names(stmt.target):
                    _add(names, name, Binding(None), True)
            _bind(stmt.body, names, stars, True)
            _bind(stmt.orelse, names, stars, True)
        elif isinstance(stmt, py.With):
            for item in stmt.items:
                for name in target_names(item.target) if item.target is not None else ():
                    _add(names, name, Binding(None), conditional)
            _bind(stmt.body, names, stars, conditional)


def target_names(target: py.Expr) -> Iterator[str]:
    """The plain names that an assignment to `target` binds."""
    if isinstance(target, py.Name):
        yield target.id
    elif isinstance(target, (py.Tuple, py.List)):
        for item in target.elts:
            yield from target_names(item)
    elif isinstance(target, py.Starred):
        yield from target_names(target.value)


def dotted(expr: py.Expr | None) -> str:
    """`a.b.c` of a name or a chain of attributes, "" of anything else."""
    parts: list[str] = []
    while isinstance(expr, py.Attribute):
        parts.append(expr.attr)
        expr = expr.value
    if not isinstance(expr, py.Name):
        return ""
    parts.append(expr.id)
    return ".".join(reversed(parts))


def callee(expr: py.Expr | None) -> str:
    """The dotted name of what is called, or only named, as decorators are: `a.b` of `a.b(…)` and of `a.b`."""
    return dotted(expr.func if isinstance(expr, py.Call) else expr)


def decorators(node: py.FunctionDef | py.ClassDef) -> list[str]:
    """The dotted names of the decorators of a function or a class."""
    return [callee(item) for item in node.decorators]


def _imported_by(module: SourceModule) -> Iterator[str]:
    """The dotted names that a file imports absolutely."""
    for source in (binding.source for bindings in module.names.values() for binding in bindings):
        if isinstance(source, py.Import):
            yield from (alias.name for alias in source.names)
        elif isinstance(source, py.ImportFrom) and not source.level:
            yield source.module
            yield from (f"{source.module}.{alias.name}" for alias in source.names)
    yield from (star.module for star in module.stars if not star.level)


class Modules:
    """The Python files of a stack as Python would see them."""

    def __init__(self, files: Iterable[FileFacts]) -> None:
        self.by_path: dict[str, SourceModule] = {}
        facts = {file.path: file.facts for file in files if isinstance(file.facts, py.Module)}
        self._packages = {path.rpartition("/")[0] for path in facts if path.rpartition("/")[2] == "__init__.py"}
        self._folders: set[str] = set()
        for path, module in facts.items():
            self.by_path[path] = SourceModule(self._name(path), path, module)
        for folder in {path.rpartition("/")[0] for path in facts}:
            parts = folder.split("/")
            self._folders.update(
                ".".join(parts[start:end]) for start in range(len(parts)) for end in range(start + 1, len(parts) + 1)
            )
        self._by_suffix: dict[str, list[tuple[str, SourceModule]]] = {}
        for found in self.by_path.values():
            parts = _parts(found.path)
            for cut in range(len(parts)):
                root = "/".join(parts[:cut])
                if root and root in self._packages:
                    continue  # a folder that is a package is not a source root
                self._by_suffix.setdefault(".".join(parts[cut:]), []).append((root, found))
        self._resolved: dict[tuple[SourceModule, str], Symbol | None] = {}
        self._found: dict[tuple[str, str], SourceModule | None] = {}

    def __iter__(self) -> Iterator[SourceModule]:
        return iter(self.by_path.values())

    def imports(self, name: str) -> bool:
        """Whether any file imports `name` (dotted) or something from below it, at its top level."""
        return name in self._imported_names

    @cached_property
    def _imported_names(self) -> frozenset[str]:
        """Every dotted name that a file imports, with all that are above it."""
        found = {tuple(name.split(".")) for module in self for name in _imported_by(module)}
        return frozenset(".".join(parts[:length]) for parts in found for length in range(1, len(parts) + 1))

    def _name(self, path: str) -> str:
        parts = _parts(path)
        folders = path.split("/")[:-1]
        root = len(folders)
        while root and "/".join(folders[:root]) in self._packages:
            root -= 1
        if root == len(folders):
            root = 1 if folders[:1] == ["src"] else 0
        return ".".join(parts[root:]) or parts[-1]

    def find(self, name: str, near: str = "") -> SourceModule | None:
        """The file that `import name` means in the file `near`, or None where it lies outside the repository.

        Every folder that is no package may be a source root. Among several candidates wins the one that shares the
        longest folder prefix with `near`.
        """
        folder = near.rpartition("/")[0]
        key = (name, folder)
        if key not in self._found:
            self._found[key] = self._find(name, folder)
        return self._found[key]

    def _find(self, name: str, folder: str) -> SourceModule | None:
        best: SourceModule | None = None
        rank = (-1, -1, -1)
        for root, module in self._by_suffix.get(name, ()):
            above = not root or folder == root or folder.startswith(root + "/")
            if not above and "." not in name and (f"{root}/{name}" not in self._packages):
                continue  # a loose module of some other folder
            if root and name in sys.stdlib_module_names:
                continue
            here = (_shared(folder, module.folder), int(above), -root.count("/") if root else 1)
            if here > rank:
                best, rank = module, here
        return best

    def origin(self, module: SourceModule, source: py.ImportFrom) -> SourceModule | str:
        """What `from <this> import ...` names: a file of the repository, or a dotted name (of a folder or external)."""
        if not source.level:
            return self.find(source.module, module.path) or source.module
        folder = module.folder
        for _ in range(source.level - 1):
            folder = folder.rpartition("/")[0]
        stem = "/".join(part for part in (folder, *source.module.split(".")) if part)
        found = self.by_path.get(f"{stem}.py") if source.module else None
        found = found or self.by_path.get(f"{stem}/__init__.py" if stem else "__init__.py")
        return found or stem.replace("/", ".")

    def member(self, module: SourceModule, name: str) -> Symbol | None:
        """What `name` stands for at the top level of `module`: bound there, or one of its submodules."""
        return self._member(module, name, set())

    def resolve(self, module: SourceModule, name: str) -> Symbol | None:
        """What a dotted name written in `module` stands for, followed through imports and re-exports.

        None where it is not bound, or where it is an attribute of a value.
        """
        key = (module, name)
        if key not in self._resolved:
            self._resolved[key] = None
            self._resolved[key] = self._resolve(module, name, set())
        return self._resolved[key]

    def lookup(self, symbol: Symbol, attributes: str) -> Symbol | None:
        """The attribute (or dotted chain of them) of a module, a class or an external name."""
        return self._chain(symbol, attributes.split("."), set())

    def _resolve(self, module: SourceModule, name: str, seen: _Seen) -> Symbol | None:
        head, _, rest = name.partition(".")
        symbol = self._member(module, head, seen, submodules=module.is_package)
        if symbol is None:
            return None
        return self._chain(symbol, rest.split("."), seen) if rest else symbol

    def _chain(self, symbol: Symbol | None, parts: list[str], seen: _Seen) -> Symbol | None:
        for index, part in enumerate(parts):
            if symbol is None:
                return None
            if symbol.kind == "external":
                if symbol.module is None:
                    return self.external(".".join((symbol.name, *parts[index:])), "")
                symbol = self.external(f"{symbol.name}.{part}", symbol.module.path)
            elif symbol.kind == "module" and symbol.module is not None:
                symbol = self._member(symbol.module, part, seen)
            elif symbol.kind == "class" and isinstance(symbol.node, py.ClassDef) and symbol.module is not None:
                symbol = self._class_member(symbol, part, seen)
            else:
                return None
        return symbol

    def _class_member(self, symbol: Symbol, name: str, seen: _Seen) -> Symbol | None:
        node, module = symbol.node, symbol.module
        if not isinstance(node, py.ClassDef) or module is None or (symbol.name, name) in seen:
            return None
        seen.add((symbol.name, name))
        for binding in bindings(node.body)[0].get(name, ()):
            return self._bound(module, binding, f"{symbol.name}.{name}", seen)
        for base in node.bases:
            parent = self._resolve(module, dotted(base), seen) if dotted(base) else None
            if parent is not None and parent.kind == "class" and parent.node is not node:
                found = self._class_member(parent, name, seen)
                if found is not None:
                    return found
        return None

    def _member(self, module: SourceModule, name: str, seen: _Seen, submodules: bool = True) -> Symbol | None:
        if (module.path, name) in seen:
            return None
        seen.add((module.path, name))
        fallbacks: list[Symbol] = []
        for binding in module.names.get(name, ()):
            symbol = self._bound(module, binding, f"{module.name}.{name}", seen)
            if symbol is None:
                continue
            if symbol.kind != "external" and not binding.is_nothing:
                return symbol
            fallbacks.append(symbol)
        if fallbacks:
            return min(fallbacks, key=lambda symbol: symbol.kind != "external")
        outside: list[str] = []
        for star in reversed(module.stars):
            origin = self.origin(module, star)
            if isinstance(origin, str):
                outside.append(origin)
            elif origin is not module and not name.startswith("_"):
                found = self._member(origin, name, seen, submodules=False)
                if found is not None and not found.name.startswith("builtins."):
                    return found
        if submodules and module.is_package:
            child = self.by_path.get(f"{module.folder}/{name}.py") or self.by_path.get(
                f"{module.folder}/{name}/__init__.py"
            )
            if child is not None:
                return Symbol("module", child.name, child)
        if name in BUILTINS:
            return Symbol("external", f"builtins.{name}")
        if len(outside) == 1 and not name.startswith("_"):
            return Symbol("external", f"{outside[0]}.{name}")
        return None

    def _bound(self, module: SourceModule, binding: Binding, name: str, seen: _Seen) -> Symbol | None:
        node = binding.node
        if isinstance(node, py.ClassDef):
            return Symbol("class", name, module, node)
        if isinstance(node, py.FunctionDef):
            return Symbol("function", name, module, node)
        if binding.alias is not None:
            if isinstance(binding.source, py.ImportFrom):
                return self._imported(module, binding.source, binding.alias, seen)
            full = binding.alias.name if binding.alias.asname else binding.alias.name.partition(".")[0]
            found = self.find(full, module.path)
            return Symbol("module", found.name, found) if found else self.external(full, module.path)
        path = dotted(node) if isinstance(node, (py.Name, py.Attribute)) else ""
        if path and path != name.rpartition(".")[2]:
            # `Alias = Original` stands for the original where that is a class, a function or a module.
            meant = self._resolve(module, path, seen) if path.partition(".")[0] != "self" else None
            if meant is not None and meant.kind != "value":
                return meant
        return Symbol("value", name, module, node)  # type: ignore[arg-type]

    def _imported(self, module: SourceModule, source: py.ImportFrom, alias: py.Alias, seen: _Seen) -> Symbol | None:
        origin = self.origin(module, source)
        if isinstance(origin, str):
            return self.external(f"{origin}.{alias.name}" if origin else alias.name, module.path)
        if origin is module:
            child = self.by_path.get(f"{module.folder}/{alias.name}.py") or self.by_path.get(
                f"{module.folder}/{alias.name}/__init__.py"
            )
            return Symbol("module", child.name, child) if child else None
        return self._member(origin, alias.name, seen)

    def external(self, name: str, near: str) -> Symbol:
        """A dotted name that no file carries; a part of it may still be a folder without `__init__.py`."""
        found = self.find(name, near)
        if found is not None:
            return Symbol("module", found.name, found)
        return Symbol("external", name, self.by_path.get(near) if name in self._folders else None)


def _parts(path: str) -> list[str]:
    parts = path.removesuffix(".py").removesuffix(".pyi").split("/")
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def _shared(one: str, other: str) -> int:
    count = 0
    for left, right in zip(one.split("/"), other.split("/"), strict=False):
        if left != right or not left:
            break
        count += 1
    return count
