"""Which settings module production uses, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stackaudit.facts import python as ir
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.model.values import Known

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

VARIABLE = "DJANGO_SETTINGS_MODULE"
DEVELOPMENT = re.compile(
    r"(^|[._])(dev|devel|develop|development|local|localhost|debug|tests?|testing|ci|docker_dev|docker_compose|e2e|demo|sandbox"
    r"|example|sample|template|travis|vagrant|codespaces)($|[._])|_(dev|local|test|testing|development)$"
)
PRODUCTION = (
    (re.compile(r"(^|[._])(production|prod|prd)($|[._])"), 75),
    (re.compile(r"(^|[._])(live|deploy|deployment|heroku|release|server|aws|gcp|azure)($|[._])"), 65),
    (re.compile(r"(^|[._])(staging|stage)($|[._])"), 28),
)
MARKS = frozenset(
    {"INSTALLED_APPS", "MIDDLEWARE", "MIDDLEWARE_CLASSES", "DATABASES", "ROOT_URLCONF", "SECRET_KEY", "TEMPLATES"}
)
"""Two of these names make a file a settings module."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A settings module that something names, how much that counts, and a sentence about it."""

    module: str
    weight: int
    why: str
    near: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The file that was chosen; `why` is a sentence without a full stop.

    `broken` says why it cannot be read, `doubt` why it may not be production's.
    """

    module: str
    path: str
    why: str
    broken: str = ""
    doubt: str = ""


def choose(stack: Stack) -> Choice | None:
    """The settings module of production; None where nothing looks like one."""
    if stack.config.settings:
        wanted = stack.config.settings
        found = locate(stack, wanted, "")
        if found is None:
            why = f"the settings module {wanted}, which was asked for, is not in the repository"
            return Choice(wanted, "", "asked for with --settings or in the configuration", why)
        return Choice(found.module, found.path, "asked for with --settings or in the configuration", found.broken)
    missing: list[Candidate] = []
    for candidate in sorted(candidates(stack), key=lambda each: (-each.weight, each.module)):
        found = locate(stack, candidate.module, candidate.near)
        if found is None:
            missing.append(candidate)
            continue
        why = candidate.why
        if missing and missing[0].weight > 40:
            why += f"; {missing[0].module} ({missing[0].why}) is not in the repository"
        doubt = ""
        if missing and missing[0].weight > 90:
            doubt = f"{missing[0].module}, which production uses ({missing[0].why}), is not in the repository"
        elif DEVELOPMENT.search(found.module.rpartition(".")[2]):
            doubt = f"{found.module} is for development by its name, and the repository names no other for production"
        return Choice(found.module, found.path, why, found.broken, doubt)
    return None


def locate(stack: Stack, name: str, near: str) -> Choice | None:
    """The file of a settings module by its dotted name or path."""
    if name.endswith(".py"):
        module = stack.modules.by_path.get(name)
        if module is not None:
            return Choice(module.name, module.path, "")
        name = name.removesuffix(".py").replace("/", ".")
    module = stack.modules.find(name, near)
    if module is not None:
        return Choice(name, module.path, "")
    tail = name.replace(".", "/")
    copied = _copied(stack, f"{tail}.py")
    if copied is not None:
        return Choice(name, copied.path, "")
    for item in stack.unread("python"):
        stem = item.path.removesuffix(".py").removesuffix("/__init__")
        if (stem == tail or stem.endswith(f"/{tail}")) and item.unread is not None:
            line = f", line {item.unread.line}" if item.unread.line else ""
            return Choice(name, item.path, "", f"{item.path} could not be read: {item.unread.text}{line}")
    return None


def _copied(stack: Stack, target: str) -> SourceModule | None:
    """The file that a Dockerfile copies (COPY, or `cp` in RUN) to where the module lies in the image."""
    for item in stack.of_kind("dockerfile"):
        folder = item.path.rpartition("/")[0]
        for stage in item.facts.stages:
            pairs = [
                (copy.sources[0].text, copy.target.text)
                for copy in stage.copies
                if not copy.stage and len(copy.sources) == 1
            ]
            pairs += [
                (step.words[-2].text, step.words[-1].text)
                for command in stage.runs
                for step in command.steps
                if len(step.words) > 2 and step.words[0].text in ("cp", "mv")
            ]
            for origin, goal in pairs:
                if not f"/{goal}".endswith(f"/{target}"):
                    continue
                source = origin.removeprefix("./")
                for path in (source, f"{folder}/{source}" if folder else source):
                    if path in stack.modules.by_path:
                        return stack.modules.by_path[path]
    return None


def candidates(stack: Stack) -> Iterator[Candidate]:
    """Everything that names a settings module, or looks like one."""
    yield from _of_processes(stack)
    yield from _of_dotenv(stack)
    yield from _of_entry_points(stack)
    yield from _of_names(stack)


def _of_processes(stack: Stack) -> Iterator[Candidate]:
    for process in stack.processes.all:
        value = process.settings_module
        if not isinstance(value, Known) or not isinstance(value.value, str):
            continue
        weight = {"production": 100, "unknown": 62}.get(process.audience, 4)
        if not process.is_server:
            weight -= 5
        if DEVELOPMENT.search(value.value):
            weight = min(weight, 12)
        yield Candidate(value.value, weight, f"{process.name} is started with it", process.place.path)


def _of_dotenv(stack: Stack) -> Iterator[Candidate]:
    for item in stack.of_kind("dotenv"):
        if not is_production_file(item.path):
            continue
        for entry in item.facts.entries:
            if entry.name == VARIABLE and not entry.refers:
                yield Candidate(entry.value, 90, f"{item.path} sets it", item.path)


def is_production_file(path: str) -> bool:
    """Whether a .env file is production's by its name."""
    lowered = path.lower()
    if re.search(r"example|sample|template|dist$|\.dev|local|test", lowered):
        return False
    return bool(re.search(r"(^|[/._-])(production|prod|live)([/._-]|$)", lowered))


def _of_entry_points(stack: Stack) -> Iterator[Candidate]:
    weights = {"wsgi": 80, "asgi": 80, "celery": 50, "celery_app": 50, "manage": 40}
    for module in stack.modules:
        name = module.path.rpartition("/")[2].removesuffix(".py")
        usual = weights.get(name)
        for value in defaults(module):
            weight = usual if usual is not None else 30
            why = f"{module.path} names it"
            if DEVELOPMENT.search(value):
                weight = 20 if usual is not None else 6
                why = f"{module.path} names it, though its name is one of development"
            yield Candidate(value, weight, why, module.path)


def defaults(module: SourceModule) -> Iterator[str]:
    """The settings modules that a file puts into the environment."""
    for node in calls_and_items(module.facts.body):
        if isinstance(node, ir.Call):
            named = dotted(node.func)
            if named.endswith("environ.setdefault") and len(node.args) == 2:
                key, value = node.args
                if isinstance(key, ir.Constant) and key.value == VARIABLE and isinstance(value, ir.Constant):
                    yield str(value.value)
        elif isinstance(node, ir.Assign) and isinstance(node.targets[0], ir.Subscript):
            target = node.targets[0]
            if (
                dotted(target.value).endswith("environ")
                and isinstance(target.index, ir.Constant)
                and target.index.value == VARIABLE
                and isinstance(node.value, ir.Constant)
            ):
                yield str(node.value.value)


def calls_and_items(body: Sequence[ir.Stmt]) -> Iterator[ir.Call | ir.Assign]:
    """The calls that are statements, and the assignments, of `body` and of the blocks and functions in it."""
    for statement in body:
        if isinstance(statement, ir.ExprStmt) and isinstance(statement.value, ir.Call):
            yield statement.value
        elif isinstance(statement, ir.Assign):
            yield statement
        elif isinstance(statement, (ir.If, ir.Try, ir.With, ir.FunctionDef, ir.For, ir.While)):
            yield from calls_and_items(statement.body)
            yield from calls_and_items(getattr(statement, "orelse", ()))
            yield from calls_and_items(getattr(statement, "finalbody", ()))
            for handler in getattr(statement, "handlers", ()):
                yield from calls_and_items(handler.body)


def _of_names(stack: Stack) -> Iterator[Candidate]:
    found = [module for module in stack.modules if _is_settings(module)]
    bases = {base.path for module in found for base in _bases(stack, module)}
    for module in found:
        weight = 15 if module.path in bases else 25
        why = f"{module.path} looks like settings by its name and what it sets"
        last = ".".join(module.name.split(".")[-2:])
        for pattern, points in PRODUCTION:
            if pattern.search(last):
                weight, why = points, f"{module.path} is named for production"
                break
        if DEVELOPMENT.search(module.name.rpartition(".")[2]):
            weight = 5
        yield Candidate(module.name, weight, why, module.path)


def _bases(stack: Stack, module: SourceModule) -> Iterator[SourceModule]:
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    for star in module.stars:
        parts = package.split(".") if package else []
        parts = parts[: len(parts) - star.level + 1] if star.level else []
        base = stack.modules.find(".".join([*parts, star.module] if star.module else parts), module.path)
        if base is not None:
            yield base


def _is_settings(module: SourceModule) -> bool:
    """Whether a file is a settings module: by its name, and by what it sets or builds on."""
    parts = module.path.removesuffix(".py").removesuffix("/__init__").split("/")
    named = any("setting" in part or part in ("conf", "config") for part in parts[-2:])
    if not named:
        return False
    marks = MARKS & module.names.keys()
    return len(marks) > 1 or (bool(module.stars) and "setting" in "/".join(parts[-2:]) and parts[-1] != "celery")
