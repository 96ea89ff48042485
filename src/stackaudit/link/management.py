"""The commands of manage.py that a stack brings: which of them it runs itself, and which make up data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.facts.distributions import MODULES
from stackaudit.link import started
from stackaudit.link.modules import SourceModule, dotted

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_COMMAND = re.compile(r"(?:^|/)management/commands/(?:[^/]+/)*(?!__init__)([^/]+)\.py$")
_INVENTING = frozenset({
    "faker", "factory", "mimesis", "model_bakery", "model_mommy", "mixer", "sampledatahelper", "lorem", "lorem_text",
    "loremipsum", "django_seed", "autofixture",
})  # fmt: skip
_DRAWING = frozenset({"choice", "choices", "gauss", "randint", "random", "randrange", "sample", "shuffle", "uniform"})
"""Functions of `random`: who draws once waits a while, or picks a row; who draws more often makes something up."""
_DEVELOPERS = re.compile(r"(^|[/_.-])(dev|devel|developers?|development|tests?|testing)([/_.-]|$)", re.IGNORECASE)
"""A path or group of what only those install who work on the project."""


class Management:
    """What is known of the commands of one stack.

    `by_hand` are the paths of the modules of commands that nothing in the repository runs: no command line or crontab
    that was read, no text of the code (`call_command("prune")`, a schedule), no import. `samples` are the paths of the
    modules that invent data, and of commands that import what only developers install.
    """

    def __init__(self, stack: Stack) -> None:
        commands = {module.path: match[1] for module in stack.modules if (match := _COMMAND.search(module.path))}
        self.by_hand = _by_hand(stack, commands) if commands else frozenset()
        self.samples = frozenset(_samples(stack, commands))


def resolve(stack: Stack) -> Management:
    """The commands of a stack."""
    return Management(stack)


def _by_hand(stack: Stack, commands: dict[str, str]) -> frozenset[str]:
    run = started.words(stack)
    wanted, named = set(commands.values()), dict[str, set[str]]()
    for text, places in stack.mentions.texts.items():
        for word in wanted.intersection(text.split()) if len(text) < 500 else ():
            named.setdefault(word, set()).update(found.module.path for found in places)
    imported: dict[str, set[str]] = {}
    for importing in stack.mentions.imports:
        for path in _imported(stack, importing.module, importing.node):
            imported.setdefault(path, set()).add(importing.module.path)
    left = {path for path, name in commands.items() if name not in run}
    while True:
        led = {path: imported.get(path, set()) | (named.get(commands[path], set()) - {path}) for path in left}
        kept = {path for path in left if led[path] <= left}
        if kept == left:
            return frozenset(left)
        left = kept


def _imported(stack: Stack, module: SourceModule, node: py.Import | py.ImportFrom) -> Iterator[str]:
    """The files of the repository that an import statement leads to."""
    if isinstance(node, py.Import):
        found = [stack.modules.find(alias.name, module.path) for alias in node.names]
    else:
        origin = stack.modules.origin(module, node)
        whole, base = (origin, origin.name) if isinstance(origin, SourceModule) else (None, origin)
        found = [whole, *(stack.modules.find(f"{base}.{alias.name}", module.path) for alias in node.names)]
    yield from (item.path for item in found if item is not None)


def _samples(stack: Stack, commands: dict[str, str]) -> Iterator[str]:
    """The modules whose imports say that they make up data or serve developers."""
    packages = stack.packages
    development = {
        name
        for key, items in packages.development.items()
        if not packages.has(key) and all(_DEVELOPERS.search(item.fact.group or item.path) for item in items)
        for name in MODULES.get(key, (key.replace("-", "_"),))
    }
    drawn = Counter(
        found.module.path for found in stack.mentions.named(*_DRAWING) if dotted(found.call.func).startswith("random.")
    )
    for module in stack.modules:
        imported = {name for name in _imports(module) if stack.modules.find(name, module.path) is None}
        is_command = module.path in commands
        if imported & _INVENTING or (is_command and (imported & development or drawn[module.path] > 1)):
            yield module.path


def _imports(module: SourceModule) -> Iterator[str]:
    """The packages without which a module cannot be loaded."""
    for stmt in module.facts.body:
        if isinstance(stmt, py.Import):
            yield from (alias.name.partition(".")[0] for alias in stmt.names)
        elif isinstance(stmt, py.ImportFrom) and not stmt.level:
            yield stmt.module.partition(".")[0]
