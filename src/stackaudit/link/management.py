"""The commands of manage.py that a stack brings: which of them it runs itself, and which make up data."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.facts.distributions import MODULES
from stackaudit.link import spoken, started
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.queries import release

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
    that was read, no text of the code (`call_command("prune")`, a schedule) but those that are said to people, no
    import. `dead` are the paths of those that nobody can run: Django takes no module for a command whose name begins
    with `_`, nor does one load that reads `BaseCommand.option_list`, which Django 1.10 took away. `samples` are the
    paths of the modules that invent data, and of commands that import what only developers install.
    """

    def __init__(self, stack: Stack) -> None:
        commands = {module.path: match[1] for module in stack.modules if (match := _COMMAND.search(module.path))}
        imported = _importers(stack) if commands else {}
        self.by_hand = _by_hand(stack, commands, imported) if commands else frozenset()
        self.dead = frozenset(_dead(stack, commands, imported))
        self.samples = frozenset(_samples(stack, commands))


def resolve(stack: Stack) -> Management:
    """The commands of a stack."""
    return Management(stack)


def _by_hand(stack: Stack, commands: dict[str, str], imported: dict[str, set[str]]) -> frozenset[str]:
    run = started.words(stack)
    wanted, named = set(commands.values()), dict[str, set[str]]()
    said: dict[str, set[py.Constant]] = {}
    for text, places in stack.mentions.texts.items():
        for word in wanted.intersection(text.split()) if len(text) < 500 else ():
            for found in places:
                path = found.module.path
                if path not in said:
                    said[path] = set(spoken.texts(found.module))
                if found.node not in said[path]:
                    named.setdefault(word, set()).add(path)
    left = {path for path, name in commands.items() if name not in run}
    while True:
        led = {path: imported.get(path, set()) | (named.get(commands[path], set()) - {path}) for path in left}
        kept = {path for path in left if led[path] <= left}
        if kept == left:
            return frozenset(left)
        left = kept


def _importers(stack: Stack) -> dict[str, set[str]]:
    """The files of the repository, each with those that import it."""
    imported: dict[str, set[str]] = {}
    for importing in stack.mentions.imports:
        for path in _imported(stack, importing.module, importing.node):
            imported.setdefault(path, set()).add(importing.module.path)
    return imported


def _dead(stack: Stack, commands: dict[str, str], imported: dict[str, set[str]]) -> Iterator[str]:
    """The modules among those of commands that nobody can run, and that nothing else of the repository uses."""
    is_gone = release(stack) >= (1, 10)
    for module in stack.modules:
        name = commands.get(module.path, "")
        is_used = module.path in imported or not name.startswith("_") or _is_named(stack, module, name)
        if name and (not is_used or (is_gone and _reads_options(stack, module))):
            yield module.path


def _is_named(stack: Stack, module: SourceModule, name: str) -> bool:
    """Whether something begins a module as a file, or another one names it in a text, as who imports it late does."""
    written = stack.mentions.written(lambda text: name in text)
    return f"{name}.py" in started.words(stack) or any(found.module is not module for found in written)


def _reads_options(stack: Stack, module: SourceModule) -> bool:
    """Whether a module asks Django's own class for `option_list` while it or one of its classes is made."""
    bodies = [module.facts.body, *(item.body for item in module.facts.body if isinstance(item, py.ClassDef))]
    values = [stmt.value for body in bodies for stmt in body if isinstance(stmt, py.Assign)]
    for node in nodes(values):
        if isinstance(node, py.Attribute) and node.attr == "option_list":
            symbol = stack.modules.resolve(module, dotted(node.value))
            if symbol is not None and symbol.kind == "external" and symbol.name.startswith("django.core.management."):
                return True
    return False


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
