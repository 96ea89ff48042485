"""The machine that folds: what it knows of the world, its budget, its branches and its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from stackaudit.facts import python as ir
from stackaudit.link.folding import attributes, calls, expressions, statements, targets
from stackaudit.link.folding.journal import Arm, Exit, Journal
from stackaudit.link.folding.objects import (
    ROOT,
    Container,
    FoldedDict,
    FoldedList,
    FoldedSet,
    Frame,
    GaveUpError,
    ModuleObject,
    Namespace,
    Raised,
    Unset,
)
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, defaulted

STEPS = 300_000
"""How many expressions and statements one machine folds before it gives up; real settings need a few thousand."""
DEPTH = 80
"""How deeply expressions, statements and calls may be nested; each takes several frames of Python's own stack."""

NOT_IN_PRODUCTION = frozenset(
    {
        "CI",
        "GITHUB_ACTIONS",
        "GITHUB_WORKFLOW",
        "GITLAB_CI",
        "TRAVIS",
        "CIRCLECI",
        "PYTEST_CURRENT_TEST",
        "PYTEST_VERSION",
        "PYTEST_XDIST_WORKER",
        "TOX_ENV_NAME",
        "READTHEDOCS",
        "CODESPACES",
        "CODESPACE_NAME",
        "GITPOD_WORKSPACE_ID",
    }
)
"""Environment variables that test runners and workbenches set."""


NO_VCPUS = Unknown("the number of the host's vCPUs is not configured")


class Source(Protocol):
    """A Python file as the machine needs it."""

    @property
    def name(self) -> str:
        """The dotted name."""

    @property
    def path(self) -> str:
        """The path below the root."""

    @property
    def facts(self) -> ir.Module:
        """What the file says."""


@dataclass(frozen=True)
class World:
    """What folding may know beyond the statements themselves.

    `environment` is what production sets; `find(dotted, near)` gives a module of the project, where `near` is the path
    of the file that imports it; `exists(path)` tells whether a path below the root is there, None where that is not
    known; `installed(name)` the same of a distribution's top-level module; `broken(dotted)` why a module of the project
    could not be read; `vcpus` is the host's number of processors; `doubtful` maps environment variables that a file
    sets which may not be production's to a sentence; `django` is Django's version; `glob(pattern)` gives the Python
    files of the project whose paths below the root match a pattern, sorted.
    """

    environment: Mapping[str, AnyValue] = field(default_factory=dict)
    find: Callable[[str, str], Source | None] = lambda dotted, near: None
    exists: Callable[[str], bool | None] = lambda path: None
    installed: Callable[[str], bool | None] = lambda name: None
    broken: Callable[[str], str] = lambda dotted: ""
    vcpus: AnyValue = NO_VCPUS
    django: tuple[int, ...] | None = None
    doubtful: Mapping[str, str] = field(default_factory=dict)
    glob: Callable[[str], Sequence[Source]] = lambda pattern: ()


class Machine:
    """Folds the modules of one project in one world; modules are run once and shared."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = Journal()
        self.steps = STEPS
        self.depth = 0
        self.modules: dict[str, ModuleObject] = {}
        self.environ = FoldedDict()
        self.catchers: list[tuple[str, ...]] = []
        self.handled: list[str] = []
        self.assumptions: list[str] = []
        """Why the branch that runs was chosen, where that rests on the default of a variable."""
        self.nested = 0
        self.doubts = 0
        self.last_doubt = ""
        self.blank = ir.Constant(0, 0, None)
        self.nowhere = Frame(ModuleObject("", "", ir.Module((), (0,))), Namespace())
        self.absent: dict[str, str] = {}
        """Modules that were imported under a guard and are not there, with the path that imports them."""

    # Expressions and statements

    def evaluate(self, node: ir.Expr, frame: Frame) -> AnyValue:
        """The value of an expression. Raises `Raised` where it is known to raise."""
        self.step()
        self.depth += 1
        try:
            if self.depth > DEPTH:
                return Unknown("it is nested too deeply", (self.place(node, frame),))
            value = expressions.evaluate(self, node, frame)
            if isinstance(value, Unknown):
                self.doubts += 1
                self.last_doubt = value.why
            return value
        finally:
            self.depth -= 1

    def execute(self, body: Sequence[ir.Stmt], frame: Frame) -> Exit:
        """Runs statements; tells how they end."""
        self.depth += 1
        try:
            if self.depth > DEPTH:
                raise GaveUpError("it is nested too deeply")
            return statements.execute(self, body, frame)
        finally:
            self.depth -= 1

    def execute_assumed(self, body: Sequence[ir.Stmt], test: AnyValue, frame: Frame) -> Exit:
        """Runs the statements that `test` has chosen: what they set rests on the default that the test rests on."""
        note = test.note if isinstance(test, Known) and defaulted(test.note) else ""
        if not note or frame.kind not in ("module", "function"):
            return self.execute(body, frame)
        if frame.kind == "function":
            frame.assumed.append(note)
            return self.execute(body, frame)
        self.assumptions.append(note)
        try:
            return self.execute(body, frame)
        finally:
            self.assumptions.pop()

    def call(
        self, function: AnyValue, args: list[AnyValue], keywords: dict[str, AnyValue], node: ir.Node, frame: Frame
    ) -> AnyValue:
        """The result of a call."""
        return calls.call(self, function, args, keywords, node, frame)

    def attribute(self, value: AnyValue, name: str, frame: Frame) -> AnyValue:
        """`value.name`. Raises `Raised` for AttributeError."""
        return attributes.get(self, value, name, self.blank, frame)

    def assign(self, target: ir.Expr, value: AnyValue, frame: Frame) -> None:
        """`target = value`."""
        targets.assign(self, target, value, frame)

    def place(self, node: ir.Node, frame: Frame) -> Place:
        """Where `node` stands."""
        return Place(frame.module.path, frame.module.facts.region(node))

    def step(self) -> None:
        """Counts one step. Raises `GaveUpError` when there have been too many."""
        self.steps -= 1
        if self.steps < 0:
            raise GaveUpError("working it out takes too long")

    # Changes

    def write(self, container: Container, key: Any, value: AnyValue) -> None:
        """Sets `container[key]`."""
        self.journal.touch(container)
        if isinstance(container, FoldedDict) and not isinstance(container, Namespace) and len(container) > 20_000:
            raise GaveUpError("it is too large")
        container[key] = value

    def spoil(self, value: AnyValue, why: str, depth: int = 0) -> None:
        """Forgets what the containers in `value` hold, as something unknown may change them."""
        if not isinstance(value, Known) or depth > 4:
            return
        held = value.value
        if isinstance(held, (FoldedList, FoldedDict, FoldedSet)):
            items = list(held) if isinstance(held, FoldedList) else list(held.values())
            if not isinstance(held, Namespace):
                for item in items:
                    self.spoil(item, why, depth + 1)
            self.journal.spoil(held, why)

    def either(self, why: Unknown, arms: Sequence[Callable[[], Exit]]) -> list[Arm]:
        """Runs each of `arms` from the same state and joins what they leave; gives those that do not raise.

        Raises `Raised` where all of them do.
        """
        ran = [self.journal.run(arm) for arm in arms]
        alive = [arm for arm in ran if arm.exit[0] != "raise"]
        if not alive:
            raise Raised("Exception", why.why)
        self.journal.join(alive, why)
        return alive

    # Modules

    def module(self, source: Source) -> ModuleObject:
        """The module object of a file of the project."""
        if source.path not in self.modules:
            self.modules[source.path] = ModuleObject(source.name, source.path, source.facts)
        return self.modules[source.path]

    def run(self, module: ModuleObject) -> Namespace:
        """The names of `module`, which is run if it was not before.

        What the module itself changes is not undone with the branch that first asked for it.
        """
        if module.ran:
            return module.names
        module.ran = True
        journal, self.journal = self.journal, Journal()
        catchers, self.catchers = self.catchers, []
        depth, self.depth = self.depth, min(self.depth, DEPTH // 2)
        module.names["__file__"] = Known(f"{ROOT}/{module.path}")
        module.names["__name__"] = Known(module.name)
        package = module.path.endswith("__init__.py")
        module.names["__package__"] = Known(module.name if package else module.name.rpartition(".")[0])
        try:
            self.execute(module.facts.body, Frame(module, module.names))
        except Raised as raised:
            self._forget(module, raised.why)
        except (GaveUpError, RecursionError) as error:
            self._forget(module, str(error) or "it is nested too deeply")
        finally:
            self.journal, self.depth, self.catchers = journal, depth, catchers
        return module.names

    def _forget(self, module: ModuleObject, why: str) -> None:
        names = module.names
        for name, value in names.items():
            if not name.startswith("__"):
                names[name] = Unknown(why, value.places)
        names.open = names.open or why

    def find(self, dotted: str, near: str) -> ModuleObject | None:
        """The module of the project with the dotted name, if there is one."""
        source = self.world.find(dotted, near)
        return self.module(source) if source is not None else None

    # Environment

    def variable(self, name: str) -> AnyValue:
        """An environment variable in production: a string, None where it is known to be unset, or why it is unknown."""
        if name in self.environ:
            return self.environ[name]
        if name in self.world.environment:
            return self.world.environment[name]
        if name in NOT_IN_PRODUCTION:
            return Known(None, (), f"env {name} is not set in production")
        why = self.world.doubtful.get(name)
        if why is not None:
            return Unknown(why)
        return Unset(f"the environment variable {name} decides it and the repository does not set it", (), name, None)

    def required(self, name: str, frame: Frame) -> AnyValue:
        """`os.environ[name]`. Raises `Raised` for KeyError where the variable is not set and code catches that."""
        found = self.variable(name)
        if isinstance(found, Known) and found.value is None:
            raise Raised("KeyError", f"the environment variable {name} is not set")
        if isinstance(found, Unset):
            return self.raised(frame, "KeyError", found)
        return found

    def raised(self, frame: Frame, kind: str, value: Unset) -> Unknown:
        """What using a variable that is not set gives: production sets it, unless code catches its absence."""
        if self.catches(kind):
            raise Raised(kind, value.why)
        return Unknown(value.why, value.places)

    # Exceptions and limits

    @contextmanager
    def catching(self, kinds: tuple[str, ...]) -> Iterator[None]:
        """Within it, exceptions of `kinds` are caught."""
        self.catchers.append(kinds)
        try:
            yield
        finally:
            self.catchers.pop()

    def catches(self, kind: str) -> bool:
        """Whether an exception of `kind` would be caught by the code that is being folded."""
        return any(self.is_caught(kind, kinds) for kinds in self.catchers)

    def is_caught(self, kind: str, kinds: tuple[str, ...]) -> bool:
        """Whether a handler of `kinds` catches an exception of `kind`."""
        return any(caught in (kind, "Exception", "BaseException", PARENTS.get(kind)) for caught in kinds)

    def enter(self) -> None:
        """A call begins. Raises `GaveUpError` where calls are nested too deeply."""
        self.nested += 1
        if self.nested > 25:
            raise GaveUpError("calls are nested too deeply")

    def leave(self) -> None:
        """A call ends."""
        self.nested -= 1

    def exhaust(self) -> None:
        """Uses up the budget."""
        self.steps = 0
        raise GaveUpError("working it out takes too long")


PARENTS = {
    "KeyError": "LookupError",
    "IndexError": "LookupError",
    "ModuleNotFoundError": "ImportError",
    "UnicodeDecodeError": "ValueError",
    "JSONDecodeError": "ValueError",
    "FileNotFoundError": "OSError",
    "ZeroDivisionError": "ArithmeticError",
}
