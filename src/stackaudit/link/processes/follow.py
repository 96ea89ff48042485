"""From a command to the programs it starts: through shells, scripts, functions and wrappers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from stackaudit.facts.commands import Command, Hole, Script, Step, Text
from stackaudit.link.processes.chores import Chore
from stackaudit.link.processes.conditions import decide
from stackaudit.link.processes.environment import Environment, argument_list, expand
from stackaudit.link.processes.images import Image, Tree, joined
from stackaudit.link.processes.options import Argument
from stackaudit.link.processes.programs import NOT_WRAPPERS, Program, base, hidden, program, text_of, unwrapped
from stackaudit.link.processes.signals import INITS, signals_all, traps
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown

DEPTH = 12
FOUND = 200
_SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh"})
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Where a program that is named without a folder is looked for."""
_S6_FOLDERS = ("/etc/services.d", "/etc/s6-overlay/s6-rc.d")
_S6 = re.compile(r"(^|/)(s6-rc\.d|services\.d)/[^/]+/run$")


@dataclass(frozen=True)
class Invocation:
    """A program as it is started. `directory` is the folder it starts in, as its machine names it.

    `shell` is the shell that waits for it, "" where it takes the place of what starts it, "?" where nobody knows.
    `supervised`: something stands before it that passes signals on. `init` is the first process that passes them to its
    child alone.
    """

    program: Program
    environment: Environment
    directory: str | None
    conditions: tuple[str, ...]
    shell: str
    supervised: bool
    background: bool
    piped: bool
    init: str = ""


@dataclass
class Frame:
    """Where a step runs: the file of its words, the variables, the arguments, the folder.

    `shell` is the shell that reads the step ("" for an argument vector), `text` says that it reads the text of `-c`,
    `outer` is the shell that waits for that one.
    """

    path: str
    environment: Environment
    arguments: tuple[Argument, ...] | None
    directory: str | None
    conditions: tuple[str, ...] = ()
    shell: str = ""
    outer: str = ""
    text: bool = False
    supervised: bool = False
    init: str = ""
    background: bool = False
    piped: bool = False
    depth: int = 0
    functions: dict[str, tuple[Step, ...]] = field(default_factory=dict)
    ended: bool = False


def interpreter(script: Script) -> str:
    """The shell that runs a script, by its first line."""
    return base(script.interpreter.split()[-1]) if script.interpreter else "sh"


class Follower:
    """Follows commands of one service. `image` tells where its files come from, `home` the folder that relative paths
    of a service without a container start from, `served` which server a Python script starts by itself.
    """

    def __init__(
        self,
        tree: Tree,
        scripts: dict[str, Script],
        image: Image | None,
        home: str,
        default_shell: str = "sh",
        served: Callable[[str], Program | None] = lambda path: None,
    ) -> None:
        self.tree = tree
        self.scripts = scripts
        self.image = image
        self.home = home
        self.default_shell = default_shell
        self.served = served
        self.found: list[Invocation] = []
        self.chores: list[Chore] = []
        self.opaque: list[str] = []
        self.read: set[str] = set()

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
            frame.shell, frame.text = self.default_shell, True
            self.steps(command.steps, frame)
        else:
            self.arguments(self.vector(command, extra, frame), frame)

    def steps(self, steps: tuple[Step, ...], frame: Frame) -> None:
        """Follows the steps of a script or a shell's text."""
        if frame.depth > DEPTH or len(self.found) > FOUND:
            return
        self.read.add(frame.path)
        for step in steps:
            if step.function:
                frame.functions[step.function] = (*frame.functions.get(step.function, ()), step)
        if any(traps(step) for step in steps):
            frame.supervised = True
        for step in steps:
            if frame.ended:
                return
            if not step.function:
                self.step(step, frame, last=step is steps[-1])

    def step(self, step: Step, frame: Frame, last: bool = False) -> None:
        """Follows one step, if its conditions allow. bash becomes the last command of `bash -c text`, dash does not
        (measured with bash 5.2 and dash 0.5.12).
        """
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
            case ":" if not open_:
                self.defaults(step, frame)
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
                    inner = self.inside(frame, found, environment, frame.arguments, conditions)
                    self.steps(self.scripts[found].steps, inner)
                return
        if name in frame.functions and frame.depth < DEPTH:
            inner = self.inside(frame, frame.path, environment, words[1:], conditions)
            inner.functions = dict(frame.functions)
            body = inner.functions.pop(name)
            self.steps(tuple(_outside(item) for item in body), inner)
            return
        inner = self.inside(frame, frame.path, environment, frame.arguments, conditions)
        becomes = step.replaces or (last and frame.text and frame.shell == "bash" and not step.background)
        inner.shell, inner.outer = "", frame.outer if becomes else frame.outer or frame.shell
        inner.background, inner.piped = frame.background or step.background, frame.piped or step.piped
        inner.depth = frame.depth
        self.arguments(words, inner)
        if step.replaces and not open_:
            frame.ended = True

    def defaults(self, step: Step, frame: Frame) -> None:
        """`: "${WORKERS:=3}"` sets what nothing has set."""
        for hole in (hole for word in step.words[1:] for hole in word.holes):
            if hole.default is not None and not hole.alternative and not frame.environment.sets(hole.name):
                value = expand(Text("x", (Hole(0, 1, hole.name, hole.default),)), frame.environment)
                frame.environment.values[hole.name] = value

    def inside(
        self,
        frame: Frame,
        path: str,
        environment: Environment,
        arguments: tuple[Argument, ...] | None,
        conditions: tuple[str, ...],
    ) -> Frame:
        """A frame one deeper, with the same shells around it."""
        inner = Frame(path, environment, arguments, frame.directory, conditions, frame.shell, frame.outer, frame.text)
        inner.supervised, inner.background, inner.piped = frame.supervised, frame.background, frame.piped
        inner.init = frame.init
        inner.depth, inner.functions = frame.depth + 1, frame.functions
        return inner

    def assign(self, step: Step, frame: Frame, doubtful: bool) -> None:
        """Sets variables; under an open condition what was set before may still stand.

        `[ -n "$WORKERS" ] && export WEB_CONCURRENCY=$WORKERS` leaves a default to a variable that nothing sets.
        """
        values = frame.environment.values
        if not doubtful:
            frame.environment.assign(step.assigns, frame.path)
            return
        for variable in step.assigns:
            before, holes = values.get(variable.name), variable.value.holes if variable.value is not None else ()
            outside = len(holes) == 1 and holes[0].default is None and not frame.environment.sets(holes[0].name)
            if isinstance(before, Known) and outside and holes[0].name.isidentifier():
                values[variable.name] = Known(before.value, before.places, f"the default of ${holes[0].name}")
            else:
                why = f"the script sets {variable.name} only under a condition that is not known"
                values[variable.name] = Unknown(why, (Place(frame.path, variable.region),))

    def arguments(self, words: tuple[Argument, ...], frame: Frame) -> None:
        """Follows an argument vector: a shell's text, a script, a server, or nothing that is known."""
        if words and unwrapped(base(text_of(words[0])), words, []) is not None and self.own(words, frame):
            return
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
        inner = self.inside(frame, frame.path, environment, None, frame.conditions)
        inner.supervised = frame.supervised or signals_all(words, found)
        inner.init = frame.init or next((name for name in found.wrappers if name in INITS), "")
        if found.kind:
            self.add(found, inner)
            return
        if found.wrappers[-1:] == ("python",) and (scripted := self.python(found, frame)) is not None:
            self.add(scripted, inner)
            return
        if found.wrappers and found.wrappers[-1] == "manage.py":
            self.chores.append(Chore(found.name, found.word.place, frame.conditions))
        name = base(text_of(found.word)) if not found.wrappers or found.wrappers[-1] != "python" else found.name
        if name in _SHELLS:
            self.shell(found, inner)
            return
        if text_of(found.word) == "/init" and (services := self.supervised()):
            for service in services:
                own = self.inside(frame, service, environment.copy(), (), frame.conditions)
                own.supervised = True
                self.steps(self.scripts[service].steps, own)
            return
        named = "/" in text_of(found.word) or "." in name
        path = self.script(text_of(found.word), frame) if named else self.installed(name)
        if path is not None and self.inside_script(path, found.arguments, inner):
            return
        inner_one = hidden((found.word, *found.arguments))
        if inner_one is not None:
            self.add(inner_one, frame)
        elif name and path is None and name not in NOT_WRAPPERS:
            self.opaque.append(name)

    def inside_script(self, path: str, arguments: tuple[Argument, ...], frame: Frame) -> bool:
        """Follows a script; whether it starts anything."""
        before = len(self.found)
        frame.arguments, frame.path = arguments, path
        frame.shell, frame.text = interpreter(self.scripts[path]), False
        self.steps(self.scripts[path].steps, frame)
        return len(self.found) > before

    def python(self, found: Program, frame: Frame) -> Program | None:
        """The server that `python run.py` or `python -m shop.serve` starts by itself."""
        name = text_of(found.word)
        path = name if name.endswith(".py") else f"{name.replace('.', '/')}.py"
        located = self.locate(path, frame.directory) if name else None
        return self.served(located) if located is not None else None

    def own(self, words: tuple[Argument, ...], frame: Frame) -> bool:
        """Follows a script of the repository that has the name of a well-known wrapper (docker-entrypoint.sh)."""
        name = text_of(words[0])
        if "/" in name and (self.image is None or self.image.file is None):
            found = self.locate(name, frame.directory)
        elif "/" in name and self.image is not None:
            found = self.image.lookup(posixpath.join(frame.directory or "/", name), self.tree)
        else:
            found = self.installed(name)
        if found is None or found not in self.scripts or frame.depth > DEPTH:
            return False
        return self.inside_script(
            found, words[1:], self.inside(frame, frame.path, frame.environment, None, frame.conditions)
        )

    def installed(self, name: str) -> str | None:
        """The script that the image has under a name without a folder."""
        if self.image is None or self.image.file is None or not name:
            return None
        places = (self.image.lookup(f"{folder}/{name}", self.tree) for folder in _PATH)
        return next((path for path in places if path in self.scripts), None)

    def shell(self, found: Program, frame: Frame) -> None:
        """`sh -c text args`, or `sh script args`."""
        name = base(text_of(found.word))
        frame.shell = self.default_shell if name == "sh" else name
        rest = found.arguments
        while rest and text_of(rest[0])[:1] in ("-", "+"):
            rest = rest[2 if text_of(rest[0])[1:] in ("o", "O") else 1 :]
            if rest and rest[0].inner:
                frame.arguments, frame.path, frame.text = rest[1:], rest[0].place.path, True
                self.steps(rest[0].inner, frame)
                return
        path = self.script(text_of(rest[0]), frame) if rest else None
        if path is not None:
            frame.arguments, frame.path, frame.text = rest[1:], path, False
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
        found = {path for path in self.scripts if _S6.search(path)}
        for path in self.scripts if self.image is not None else ():
            folder, _, name = path.rpartition("/")
            places = [f"{root}/{base(folder)}/run" for root in _S6_FOLDERS] if name == "run" else []
            if self.image is not None and any(self.image.lookup(place, self.tree) == path for place in places):
                found.add(path)
        return sorted(found)

    def add(self, found: Program, frame: Frame) -> None:
        """Notes a server or worker."""
        self.found.append(
            Invocation(
                found,
                frame.environment.copy(),
                frame.directory,
                frame.conditions,
                frame.outer,
                frame.supervised,
                frame.background,
                frame.piped,
                frame.init,
            )
        )


def _outside(step: Step) -> Step:
    """The step of a function's body, as a step to run."""
    return msgspec.structs.replace(step, function="")
