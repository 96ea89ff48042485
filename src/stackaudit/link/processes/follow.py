"""From a command to the programs it starts: through shells, scripts, functions and wrappers."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

import msgspec

from stackaudit.facts.commands import Command, Script, Step
from stackaudit.link.processes.conditions import decide
from stackaudit.link.processes.environment import Environment, argument_list
from stackaudit.link.processes.images import Image, Tree, joined
from stackaudit.link.processes.options import Argument
from stackaudit.link.processes.programs import NOT_WRAPPERS, Program, base, hidden, program, text_of
from stackaudit.model.values import Known, Unknown

DEPTH = 12
FOUND = 200
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})
_S6 = re.compile(r"(^|/)(s6-rc\.d|services\.d)/[^/]+/run$")


@dataclass(frozen=True)
class Invocation:
    """A program as it is started. `directory` is the folder it starts in, as its machine names it."""

    program: Program
    environment: Environment
    directory: str | None
    conditions: tuple[str, ...]
    shell_waits: bool
    background: bool
    piped: bool
    more: str = ""


@dataclass
class Frame:
    """Where a step runs: the file of its words, the variables, the arguments, the folder."""

    path: str
    environment: Environment
    arguments: tuple[Argument, ...] | None
    directory: str | None
    conditions: tuple[str, ...] = ()
    script: bool = False
    background: bool = False
    piped: bool = False
    depth: int = 0
    functions: dict[str, tuple[Step, ...]] = field(default_factory=dict)
    ended: bool = False


class Follower:
    """Follows commands of one service. `image` tells where its files come from, `home` the folder that relative paths
    of a service without a container start from.
    """

    def __init__(self, tree: Tree, scripts: dict[str, Script], image: Image | None, home: str) -> None:
        self.tree = tree
        self.scripts = scripts
        self.image = image
        self.home = home
        self.found: list[Invocation] = []
        self.opaque: list[str] = []

    def locate(self, path: str, directory: str | None) -> str | None:
        """The file of the repository at a path of the machine."""
        if self.image is not None:
            whole = posixpath.join(directory or "/", path)
            found = self.image.lookup(whole, self.tree)
            if found is not None:
                return found
        elif not path.startswith("/"):
            for folder in (self.home, ""):
                found = joined(folder, path)
                if found in self.tree.paths:
                    return found
        return self.tree.similar(path)

    def vector(self, command: Command, extra: tuple[Argument, ...], frame: Frame) -> tuple[Argument, ...]:
        """The argument vector of a command that no shell runs."""
        return (*argument_list(command.steps[0], frame.path, frame.environment, frame.arguments), *extra)

    def start(self, command: Command, extra: tuple[Argument, ...], frame: Frame) -> None:
        """Follows one command."""
        if not command.steps:
            if extra:
                self.arguments(extra, frame)
        elif command.shell:
            alone = len([step for step in command.steps if step.words]) == 1
            frame.script = not alone
            self.steps(command.steps, frame)
        else:
            self.arguments(self.vector(command, extra, frame), frame)

    def steps(self, steps: tuple[Step, ...], frame: Frame) -> None:
        """Follows the steps of a script or a shell's text."""
        if frame.depth > DEPTH or len(self.found) > FOUND:
            return
        for step in steps:
            if step.function:
                frame.functions[step.function] = (*frame.functions.get(step.function, ()), step)
        for step in steps:
            if frame.ended:
                return
            if not step.function:
                self.step(step, frame)

    def step(self, step: Step, frame: Frame) -> None:
        """Follows one step, if its conditions allow."""
        open_: list[str] = []
        for condition in step.conditions:
            held = decide(condition, frame.environment, frame.arguments)
            if held is False:
                return
            if held is None:
                open_.append(f"not ({condition.text})" if condition.negated else condition.text)
        conditions = (*frame.conditions, *open_)
        if not step.words:
            self.assign(step, frame, bool(open_))
            return
        words = argument_list(step, frame.path, frame.environment, frame.arguments)
        if not words:
            return
        environment = frame.environment
        if step.assigns:
            environment = environment.copy()
            environment.assign(step.assigns, frame.path)
        name = text_of(words[0])
        match name:
            case "cd":
                if len(words) > 1:
                    target = text_of(words[1])
                    frame.directory = posixpath.join(frame.directory or "/", target) if target else None
                return
            case "exit" | "return":
                frame.ended = not open_
                return
            case "set":
                if len(words) > 1 and text_of(words[1]) == "--" and not open_:
                    frame.arguments = words[2:]
                return
            case "source" | ".":
                if len(words) > 1 and (found := self.script(text_of(words[1]), frame)) is not None:
                    inner = Frame(found, environment, frame.arguments, frame.directory, conditions, True)
                    inner.depth, inner.functions = frame.depth + 1, frame.functions
                    self.steps(self.scripts[found].steps, inner)
                return
        if name in frame.functions and frame.depth < DEPTH:
            inner = Frame(frame.path, environment, words[1:], frame.directory, conditions, True)
            inner.depth, inner.functions = frame.depth + 1, dict(frame.functions)
            body = inner.functions.pop(name)
            self.steps(tuple(_outside(item) for item in body), inner)
            return
        inner = Frame(
            frame.path,
            environment,
            frame.arguments,
            frame.directory,
            conditions,
            frame.script and not step.replaces,
            frame.background or step.background,
            frame.piped or step.piped,
            frame.depth,
            frame.functions,
        )
        self.arguments(words, inner)
        if step.replaces and not open_:
            frame.ended = True

    def assign(self, step: Step, frame: Frame, doubtful: bool) -> None:
        """Sets variables; under an open condition what was set before may still stand."""
        if not doubtful:
            frame.environment.assign(step.assigns, frame.path)
            return
        for variable in step.assigns:
            frame.environment.values[variable.name] = Unknown(
                f"the script sets {variable.name} only under a condition that is not known"
            )

    def arguments(self, words: tuple[Argument, ...], frame: Frame) -> None:
        """Follows an argument vector: a shell's text, a script, a server, or nothing that is known."""
        found = program(words)
        if found is None or frame.depth > DEPTH:
            hidden_one = hidden(words)
            if hidden_one is not None:
                self.add(hidden_one, frame)
            elif words and isinstance(words[0].value, Unknown):
                self.opaque.append(words[0].value.why)
            return
        environment = frame.environment
        if found.variables:
            environment = environment.copy()
            for name, value, place in found.variables:
                environment.values[name] = Known(value, (place,))
        inner = Frame(frame.path, environment, None, frame.directory, frame.conditions, frame.script)
        inner.background, inner.piped, inner.depth = frame.background, frame.piped, frame.depth + 1
        inner.functions = frame.functions
        if found.kind:
            self.add(found, inner)
            return
        name = base(text_of(found.word)) if not found.wrappers or found.wrappers[-1] != "python" else found.name
        if name in _SHELLS:
            self.shell(found, inner)
            return
        if text_of(found.word) == "/init" and (services := self.supervised()):
            for service in services:
                own = Frame(service, environment.copy(), (), frame.directory, frame.conditions, True)
                own.depth = frame.depth + 1
                self.steps(self.scripts[service].steps, own)
            return
        path = self.script(text_of(found.word), frame) if "/" in text_of(found.word) or "." in name else None
        if path is not None:
            before = len(self.found)
            inner.arguments, inner.path, inner.script = found.arguments, path, True
            self.steps(self.scripts[path].steps, inner)
            if len(self.found) > before:
                return
        inner_one = hidden((found.word, *found.arguments))
        if inner_one is not None:
            self.add(inner_one, frame)
        elif name and path is None and name not in NOT_WRAPPERS:
            self.opaque.append(name)

    def shell(self, found: Program, frame: Frame) -> None:
        """`sh -c text args`, or `sh script args`."""
        for index, argument in enumerate(found.arguments):
            if argument.inner:
                frame.arguments, frame.path = found.arguments[index + 2 :], argument.place.path
                frame.script = len([item for item in argument.inner if item.words]) > 1
                self.steps(argument.inner, frame)
                return
        rest = found.arguments
        while rest and text_of(rest[0]).startswith("-"):
            rest = rest[1:]
        path = self.script(text_of(rest[0]), frame) if rest else None
        if path is not None:
            frame.arguments, frame.path, frame.script = rest[1:], path, True
            self.steps(self.scripts[path].steps, frame)
        elif rest:
            self.opaque.append(text_of(rest[0]) or "a shell's text")

    def script(self, path: str, frame: Frame) -> str | None:
        """The shell script of the repository at a path of the machine."""
        if not path:
            return None
        found = self.locate(path, frame.directory)
        return found if found in self.scripts else None

    def supervised(self) -> list[str]:
        """The `run` scripts of s6-overlay's services, which its /init starts."""
        return sorted(path for path in self.scripts if _S6.search(path))

    def add(self, found: Program, frame: Frame) -> None:
        """Notes a server or worker."""
        more = ""
        for argument in found.arguments:
            if isinstance(argument.value, Unknown):
                more = argument.value.why
        self.found.append(
            Invocation(
                found,
                frame.environment.copy(),
                frame.directory,
                frame.conditions,
                frame.script,
                frame.background,
                frame.piped,
                more,
            )
        )


def _outside(step: Step) -> Step:
    """The step of a function's body, as a step to run."""
    return msgspec.structs.replace(step, function="")
