"""Servers that a Python script of the project starts by itself: `uvicorn.run(...)`, `waitress.serve(...)`.

The call is told as the command line that would do the same, so that everything else is known of it, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.modules import Modules, SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.processes.options import Argument
from stackaudit.link.processes.programs import Program
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown

CALLS = {"uvicorn.run": "uvicorn", "uvicorn.main.run": "uvicorn", "waitress.serve": "waitress"}
"""https://www.uvicorn.org/deployment/#running-programmatically,
https://docs.pylonsproject.org/projects/waitress/en/stable/usage.html
"""
KEYWORDS = frozenset(
    {"workers", "reload", "limit_concurrency", "limit_max_requests", "timeout_graceful_shutdown", "timeout_keep_alive"}
    | {"interface", "host", "port", "uds", "threads", "listen"}
)
"""Those that have a flag of the same name."""


def served(modules: Modules, path: str) -> Program | None:
    """The server that the script at `path` starts; None where it starts none, or decides between several."""
    module = modules.by_path.get(path)
    if module is None:
        return None
    names = dict(_imported(module))
    calls = [
        (CALLS[name], node)
        for node in nodes(module.facts.body)
        if isinstance(node, py.Call) and (name := _name(node, names)) in CALLS
    ]
    if len(calls) != 1:
        return None
    kind, call = calls[0]
    word = Argument(Known(kind), module.place(call.func))
    return Program(kind, kind, word, tuple(_arguments(modules, module, call)), (), ("python",))


def _imported(module: SourceModule) -> Iterator[tuple[str, str]]:
    """What the names of imports stand for, also of those inside functions."""
    for node in nodes(module.facts.body):
        if isinstance(node, py.Import):
            yield from ((alias.asname or alias.name, alias.name) for alias in node.names)
        elif isinstance(node, py.ImportFrom) and not node.level:
            yield from ((alias.asname or alias.name, f"{node.module}.{alias.name}") for alias in node.names)


def _name(call: py.Call, names: dict[str, str]) -> str:
    first, sign, rest = dotted(call.func).partition(".")
    return f"{names.get(first, '')}{sign}{rest}"


def _arguments(modules: Modules, module: SourceModule, call: py.Call) -> Iterator[Argument]:
    for expr in call.args[:1]:
        yield _application(modules, module, expr)
    for keyword in call.keywords:
        place = module.place(keyword.value)
        if keyword.name == "app":
            yield _application(modules, module, keyword.value)
        elif keyword.name is None:
            yield Argument(Unknown("its keywords come from a dictionary", (place,)), place)
        elif keyword.name in KEYWORDS:
            yield from _flag(f"--{keyword.name.replace('_', '-')}", keyword.value, place)


def _application(modules: Modules, module: SourceModule, expr: py.Expr) -> Argument:
    place = module.place(expr)
    if isinstance(expr, py.Constant) and isinstance(expr.value, str):
        return Argument(Known(expr.value), place)
    name = dotted(expr)
    symbol = modules.resolve(module, name) if name else None
    if symbol is not None and "." in symbol.name:
        return Argument(Known(":".join(symbol.name.rsplit(".", 1))), place)
    return Argument(Unknown("its application is made by the script", (place,)), place, (), ("application", ""))


def _flag(flag: str, value: py.Expr, place: Place) -> Iterator[Argument]:
    if not isinstance(value, py.Constant):
        yield Argument(Unknown(f"the script computes {flag[2:]}", (place,)), place, (), (f"{flag}=", ""))
    elif value.value is True:
        yield Argument(Known(flag), place)
    elif value.value is not None and value.value is not False:
        yield Argument(Known(flag), place)
        yield Argument(Known(str(value.value)), place)
