"""How the settings module that wins reads the environment, so that a new line can be proposed in the same way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_OS = re.compile(r"os\.(environ\.get|getenv|environ)")
_ENV_CLASSES = frozenset({"Env", "FileAwareEnv"})
"""Classes of django-environ and environs: both have `bool` and `list` with `default=`."""
_FALSE = frozenset({"", "0", "false", "no", "off", "n", "f"})
_OFF = {"true": "false", "1": "0", "yes": "no", "on": "off", "y": "n", "t": "f"}
_SITE = re.compile(
    r"(?:[A-Z0-9]+_)?(?:SITE|BASE|PUBLIC|EXTERNAL|INSTANCE|WEB|SERVER|APP|ROOT)_?(?:URL|ROOT|URI|ORIGIN|BASE_URL)"
)
_DOMAIN = re.compile(r"(?:[A-Z0-9]+_)?(?:SITES?_)?DOMAIN(?:_NAME)?")
_PORT = re.compile(r":\d+$")
_OTHERS = re.compile(r"COOKIE|MAIL|AWS|S3|STATIC|MEDIA|CDN|API|AUTH|LDAP|SENTRY|STORAGE")


@dataclass(frozen=True, slots=True)
class Reading:
    """An expression that reads a variable: `path` is what is called as written, `by` whose function that is."""

    variable: str
    path: str
    by: str
    node: py.Call | py.Subscript

    @property
    def is_text(self) -> bool:
        """Whether its default is a text, which the code around it may split."""
        default = _default(self.node) if isinstance(self.node, py.Call) else None
        return default is not None and isinstance(default.value, str)


class Readers:
    """What the module at `path` reads; every answer is "" where it reads nothing in a way that is known."""

    def __init__(self, stack: Stack, path: str) -> None:
        self.stack = stack
        self.module = stack.modules.by_path.get(path)

    @cached_property
    def settings(self) -> dict[str, tuple[py.Expr, list[Reading]]]:
        """The settings of the module that are filled from the environment."""
        found: dict[str, tuple[py.Expr, list[Reading]]] = {}
        for name, bindings in self.module.names.items() if self.module is not None else ():
            for binding in bindings if name.isupper() else ():
                if binding.node is None or isinstance(binding.node, (py.FunctionDef, py.ClassDef)):
                    continue
                expr: py.Expr = binding.node  # type: ignore[assignment]
                readings = list(self.readings(expr))
                if readings:
                    found[name] = (expr, readings)
        return found

    def readings(self, expr: py.Node) -> Iterator[Reading]:
        """The variables that an expression of the module reads."""
        for node in nodes((expr,)):
            if isinstance(node, py.Call) and node.args:
                path, first = dotted(node.func), node.args[0]
            elif isinstance(node, py.Subscript):
                path, first = dotted(node.value), node.index
            else:
                continue
            if not path or not isinstance(first, py.Constant) or not _VARIABLE.fullmatch(str(first.value)):
                continue
            by = self._by(path)
            if by:
                yield Reading(str(first.value), path, by, node)

    def _by(self, path: str) -> str:
        """Whose reader it is: "os", "env" (django-environ, environs), "decouple", "own"; "" for anything else."""
        assert self.module is not None
        symbol = self.stack.modules.resolve(self.module, path)
        if symbol is not None and symbol.kind == "external":
            if _OS.fullmatch(symbol.name):
                return "os"
            return "decouple" if symbol.name == "decouple.config" else ""
        if symbol is not None and isinstance(symbol.node, py.FunctionDef):
            names = (each for each in nodes(symbol.node.body) if isinstance(each, (py.Name, py.Attribute)))
            return "own" if any(_word(each) in ("environ", "getenv", "env") for each in names) else ""
        head = self.stack.modules.resolve(self.module, path.partition(".")[0])
        made = head.node if head is not None else None
        if isinstance(made, py.Call) and dotted(made.func).rpartition(".")[2] in _ENV_CLASSES:
            return "env"
        return ""

    @cached_property
    def _first(self) -> dict[str, Reading]:
        found: dict[str, Reading] = {}
        for _, readings in self.settings.values():
            for reading in readings:
                found.setdefault(reading.by, reading)
        return found

    def variable(self, setting: str) -> str:
        """The name that a variable for `setting` has here: most variables may begin with the same word."""
        prefixes = Counter(
            reading.variable.removesuffix(name)
            for name, (_, readings) in self.settings.items()
            for reading in readings
            if reading.variable.endswith(name)
        )
        return f"{prefixes.most_common(1)[0][0] if prefixes else ''}{setting}"

    def boolean(self, setting: str) -> str:
        """An expression that is False unless the variable for `setting` says otherwise."""
        variable = self.variable(setting)
        copies: dict[str, list[str]] = {}
        for expr, _ in self.settings.values():
            copies.setdefault(_form(expr), []).append(self._copied(expr, variable))
        for same in sorted(copies.values(), key=len, reverse=True):
            copied = next(filter(None, same), "")
            if copied:
                return copied
        if "env" in self._first:
            return f'{self._first["env"].path.partition(".")[0]}.bool("{variable}", default=False)'
        if "decouple" in self._first:
            return f'{self._first["decouple"].path}("{variable}", default=False, cast=bool)'
        return f'{self._os}("{variable}", "") == "1"' if self._os else ""

    def number(self, setting: str, default: int) -> str:
        """An expression that is a number, `default` unless the variable for `setting` says otherwise."""
        variable = self.variable(setting)
        if "env" in self._first:
            return f'{self._first["env"].path.partition(".")[0]}.int("{variable}", default={default})'
        if "decouple" in self._first:
            return f'{self._first["decouple"].path}("{variable}", default={default}, cast=int)'
        return f'int({self._os}("{variable}", "{default}"))' if self._os else ""

    def listing(self, setting: str) -> str:
        """An expression that is a list of names, split at commas, without any where the variable is not set."""
        variable = self.variable(setting)
        for _, readings in self.settings.values():
            for reading in readings:
                if reading.by == "own" and "list" in reading.path.lower():
                    return f'{reading.path}("{variable}") or []'
        if "env" in self._first:
            return f'{self._first["env"].path.partition(".")[0]}.list("{variable}", default=[])'
        if "decouple" in self._first:
            return f'{self._first["decouple"].path}("{variable}", default="").split(",")'
        return f'{self._os}("{variable}", "").split(",")' if self._os else ""

    def taken_in_below(self, line: int) -> tuple[str, int] | None:
        """The last `from … import *` below a line of the module, as it is written, and its line."""
        module = self.module
        for node in reversed(list(nodes(module.facts.body if module is not None else ()))):
            if module and isinstance(node, py.ImportFrom) and any(alias.name == "*" for alias in node.names):
                last = module.facts.region(node).line
                return (f"from {'.' * node.level}{node.module} import *", last) if last > line else None
        return None

    @property
    def _os(self) -> str:
        found = self._first.get("os")
        if found is None:
            return ""
        return found.path if isinstance(found.node, py.Call) else f"{found.path}.get"

    def _copied(self, expr: py.Expr, variable: str) -> str:
        """The same boolean reader for another variable, "" where an expression is none with a false default."""
        if isinstance(expr, py.Compare) and expr.ops == ("==",) and isinstance(expr.left, py.Call):
            text, word = self._call(expr.left, variable), _constant(expr.comparators[0])
            default = _default(expr.left)
            return f"{text} == {word}" if text and word and default is not None and _quoted(default) != word else ""
        if not isinstance(expr, py.Call):
            return ""
        path = dotted(expr.func)
        if path in ("bool", "int") and len(expr.args) == 1 and not expr.keywords:
            inner = self._copied(expr.args[0], variable) or self._os_call(expr.args[0], variable)
            return f"{path}({inner})" if inner else ""
        return self._call(expr, variable) if "bool" in path.lower() and self._by(path) == "own" else ""

    def _os_call(self, expr: py.Expr, variable: str) -> str:
        return self._call(expr, variable) if isinstance(expr, py.Call) and self._by(dotted(expr.func)) == "os" else ""

    def _call(self, call: py.Call, variable: str) -> str:
        path, default = dotted(call.func), _default(call)
        if not path or not self._by(path) or len(call.args) + len(call.keywords) != 2 or default is None:
            return ""
        if str(default.value or "").lower() not in _FALSE:
            return ""
        named = f"{call.keywords[0].name}=" if call.keywords else ""
        return f'{path}("{variable}", {named}{_quoted(default)})'

    def reading(self, setting: str, variable: str) -> Reading | None:
        """How `setting` is filled from `variable`."""
        _, readings = self.settings.get(setting, (None, []))
        return next((item for item in readings if item.variable == variable), None)

    def raises(self, reading: Reading) -> bool:
        """Whether a reader without a default fails where its variable is not set."""
        if reading.by != "own":
            return reading.by != "os" or isinstance(reading.node, py.Subscript)
        assert self.module is not None
        symbol = self.stack.modules.resolve(self.module, reading.path)
        node = symbol.node if symbol is not None else None
        return isinstance(node, py.FunctionDef) and _insists(node)

    def turned_off(self, setting: str, variable: str) -> tuple[str, str] | None:
        """The default of a boolean that is on by default, and the word that turns it off in the same vocabulary."""
        expr, _ = self.settings.get(setting, (None, []))
        reading = self.reading(setting, variable)
        if reading is None or expr is None or isinstance(reading.node, py.Subscript):
            return None
        direct = expr is reading.node and reading.by != "os"
        compared = isinstance(expr, py.Compare) and expr.left is reading.node
        counted = isinstance(expr, py.Call) and isinstance(expr.args[0], py.Call) and dotted(expr.args[0].func) == "int"
        default = _default(reading.node)
        if default is None or not (direct or compared or counted):
            return None
        if isinstance(default.value, str):
            off = _OFF.get(default.value.lower(), "")
            word = off.upper() if default.value.isupper() else off.title() if default.value.istitle() else off
            return (_quoted(default), f'"{word}"') if word else None
        return (_quoted(default), "False" if default.value is True else "0") if default.value in (True, 1) else None

    @cached_property
    def site(self) -> str:
        """A setting that holds the address of the site, with its scheme, from the environment."""
        for name, (_, readings) in self.settings.items():
            defaults = (_default(item.node) for item in readings if isinstance(item.node, py.Call))
            known = any(each is not None and str(each.value).startswith(("http://", "https://")) for each in defaults)
            if known and _SITE.fullmatch(name) and not _OTHERS.search(name):
                return name
        return ""

    def may_hold_port(self, name: str) -> bool:
        """Whether `name` serves as host and port of addresses: `f"{scheme}://{DOMAIN}/"`, or a default with a port."""
        _, readings = self.settings.get(name, (None, []))
        defaults = (_default(item.node) for item in readings if isinstance(item.node, py.Call))
        if any(each is not None and _PORT.search(str(each.value)) for each in defaults):
            return True
        for node in nodes(self.module.facts.body if self.module is not None else ()):
            parts = node.values if isinstance(node, py.JoinedStr) else ()
            for before, part, after in zip(parts, parts[1:], (*parts, None)[2:], strict=False):
                is_it = isinstance(part, py.FormattedValue) and dotted(part.value) == name
                if is_it and _text(before).endswith("://") and not _text(after).startswith(":"):
                    return True
        return False

    @cached_property
    def domain(self) -> str:
        """A setting that holds the host name of the site, as the environment tells it."""
        for name, (expr, readings) in self.settings.items():
            if _DOMAIN.fullmatch(name) and not _OTHERS.search(name) and readings[0].node is expr:
                return name
        return ""


def _form(expr: py.Expr) -> str:
    """What is called around a variable, without the variable and its default: `bool(int(os.getenv))`."""
    if isinstance(expr, py.Compare):
        return f"{_form(expr.left)} {' '.join(expr.ops)}"
    if not isinstance(expr, py.Call):
        return ""
    path = dotted(expr.func)
    return f"{path}({_form(expr.args[0])})" if path in ("bool", "int") and expr.args else path


def _text(node: py.Expr | None) -> str:
    return str(node.value) if isinstance(node, py.Constant) else ""


def _insists(function: py.FunctionDef) -> bool:
    """Whether a reader raises, and never gives back what it got for a variable that may be missing."""
    inner = list(nodes(function.body))
    gives = any(
        isinstance(each, py.Return)
        and isinstance(each.value, py.Call)
        and dotted(each.value.func).endswith(("getenv", "environ.get"))
        for each in inner
    )
    return not gives and any(isinstance(each, py.Raise) for each in inner)


def _word(node: py.Name | py.Attribute) -> str:
    return node.id if isinstance(node, py.Name) else node.attr


def _default(call: py.Call) -> py.Constant | None:
    given = call.args[1] if len(call.args) > 1 else next((each.value for each in call.keywords), None)
    return given if isinstance(given, py.Constant) else None


def _constant(expr: py.Expr) -> str:
    return _quoted(expr) if isinstance(expr, py.Constant) else ""


def _quoted(constant: py.Constant) -> str:
    """A constant as it is written, in double quotes."""
    return f'"{constant.value}"' if isinstance(constant.value, str) else repr(constant.value)
