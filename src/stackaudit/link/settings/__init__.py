"""Django's settings as production sees them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackaudit.link.fold import World, exported
from stackaudit.link.folding.included import by_overlay
from stackaudit.link.folding.machine import Machine
from stackaudit.link.folding.objects import FoldedDict, Maybe
from stackaudit.link.folding.operators import noted, of_plain
from stackaudit.link.settings import choice as settings_choice
from stackaudit.link.settings import classes as settings_classes
from stackaudit.link.settings import projects
from stackaudit.link.settings import sources as settings_sources
from stackaudit.link.settings.defaults import default as django_default
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, by_default, defaulted, plain

if TYPE_CHECKING:
    from stackaudit.link.modules import SourceModule
    from stackaudit.link.stack import Stack


class _Nothing:
    """Stands for a default that is not given."""


NOTHING = _Nothing()


@dataclass(frozen=True)
class Settings:
    """The settings module of production and what it sets.

    `module` is its dotted name, `path` its file, `why` tells why this one was chosen. `names` are the settings that it
    leaves behind; `names.open` says why there may be others. `broken` says why nothing is known at all, "" usually.
    `doubt` says why it may not be production's module, "" where nothing speaks against it; `withheld` is that reason in
    the settings that `certain` gives.
    `absent` are the modules that it would import if they were there, with the files that import them. `version` is
    Django's, None where it is not known.
    """

    module: str
    path: str
    why: str
    names: FoldedDict = field(default_factory=FoldedDict)
    broken: str = ""
    doubt: str = ""
    withheld: str = ""
    absent: dict[str, str] = field(default_factory=dict)
    version: tuple[int, ...] | None = None

    def get(self, name: str) -> AnyValue:
        """The value of a setting; Django's default where it is not set, Known(None) for a name unknown to Django."""
        if self.broken or self.withheld:
            return Unknown(self.broken or self.withheld)
        value = self.names.get(name)
        if value is None:
            return Unknown(self.names.open) if self.names.open else self.default(name)
        if isinstance(value, Maybe):
            fallback = self.default(name)
            if value.item is not None and isinstance(fallback, Known) and plain(value.item) == plain(fallback):
                return value.item
            return Unknown(value.why, value.places)
        return value

    @cached_property
    def overlay(self) -> str:
        """The prefix of the variables by which dynaconf replaces every setting, "" where it is not used."""
        for name, value in self.names.items():
            note = value.note if isinstance(value, Known) else ""
            variable = defaulted(note)
            if variable.endswith(f"_{name}") and note == by_overlay(variable):
                return variable.removesuffix(f"_{name}")
        return ""

    def unless(self, name: str) -> str:
        """The beginning of a sentence about a setting that dynaconf may replace, "" where it is not used."""
        return f"Unless {self.overlay}_{name} or a file of dynaconf says otherwise, " if self.overlay else ""

    @property
    def certain(self) -> Settings:
        """The same settings; where something speaks against their being production's, every value is unknown."""
        return replace(self, withheld=self.doubt) if self.doubt else self

    def default(self, name: str) -> AnyValue:
        """Django's default of a setting, Known(None) for a name that Django does not have."""
        known, value, why = django_default(name, self.version)
        if why:
            return Unknown(why)
        return of_plain(value, (), "Django's default" if known else "not set")

    def at(self, *keys: str | int, default: Any = NOTHING) -> AnyValue:
        """What lies at a path of keys, as `at("DATABASES", "default", "CONN_MAX_AGE", default=0)`.

        Where a key is missing the value is `default`, or Unknown where none is given.
        """
        name, *rest = keys
        value = self.get(str(name))
        for key in rest:
            if isinstance(value, Unknown):
                return value
            below = self._below(value, key)
            if below is None:
                if isinstance(default, _Nothing):
                    return Unknown(f"{'.'.join(map(str, keys))} is not set", value.places)
                return Known(default, value.places, "default")
            rests = isinstance(below, Known) and defaulted(value.note) and not defaulted(below.note)
            value = noted(below, value.note) if rests else below
        return value

    def _below(self, value: Known[Any], key: str | int) -> AnyValue | None:
        """The item at `key`, Unknown where it may or may not be there, None where it is missing."""
        held = value.value
        if isinstance(held, dict):
            found = held.get(key)
            if found is None:
                reason = getattr(held, "open", "")
                return Unknown(reason, value.places) if reason else None
            return Unknown(found.why, found.places) if isinstance(found, Maybe) else found
        if isinstance(held, (list, tuple)) and isinstance(key, int):
            passed = held[: key + 1]
            doubt = next((item for item in passed if isinstance(item, Maybe)), None)
            if doubt is not None:
                return Unknown(doubt.why, doubt.places)
            return held[key] if key < len(held) else None
        return None

    def is_set(self, name: str) -> bool:
        """Whether the module sets `name`, or may set it."""
        return name in self.names

    def place(self, name: str) -> Place:
        """Where `name` was last set; the first line of the module where it is not."""
        value = self.names.get(name)
        if value is not None and value.places:
            return value.places[0]
        return Place.line(self.path, 1)

    def place_at(self, *keys: str | int) -> Place:
        """Where the deepest part of a path of keys that exists was set."""
        best = self.place(str(keys[0]))
        told = replace(self, withheld="") if self.withheld else self
        for end in range(2, len(keys) + 1):
            value = told.at(*keys[:end])
            if value.places and not (isinstance(value, Unknown) and value.why.endswith("is not set")):
                best = value.places[0]
        return best


def resolve(stack: Stack) -> Settings | None:
    """The settings of production, None where the repository has none."""
    choice = _chosen(stack)
    if choice is None:
        return None
    release = stack.packages.django_version
    version = tuple(release.value.release) if isinstance(release, Known) else None
    module = stack.modules.by_path.get(choice.path)
    if choice.broken or module is None:
        why = choice.broken or f"{choice.module} could not be read"
        return Settings(choice.module, choice.path, choice.why, broken=why, version=version)
    found = _folded(stack, choice, module, version, {})
    variable = _switch(found)
    for word in ("False", "0", "") if variable else ():
        switched = Known(word, (), f"{variable} turns DEBUG off")
        other = _folded(stack, choice, module, version, {variable: switched})
        off = other.names.get("DEBUG")
        if isinstance(off, Known) and off.value is False:
            other.names["DEBUG"] = found.names["DEBUG"]
            return other
    return found


def _chosen(stack: Stack) -> settings_choice.Choice | None:
    choice = settings_choice.choose(stack)
    if choice is not None and not choice.doubt and (folders := projects.several(stack)):
        return replace(choice, doubt=f"{in_words(folders)} are projects with settings of their own")
    return choice


def tried(stack: Stack, variable: str, text: str) -> Settings | None:
    """The settings as they were if production set `variable` to `text`; None where they cannot be read."""
    choice = _chosen(stack)
    module = stack.modules.by_path.get(choice.path) if choice is not None and not choice.broken else None
    if choice is None or module is None:
        return None
    return _folded(stack, choice, module, stack.settings.version if stack.settings else None, {variable: Known(text)})


def _switch(settings: Settings) -> str:
    """The variable by whose default DEBUG is on, "" where it is not so.

    That DEBUG is on is told once; the rest is judged as it is where somebody has thought of the variable.
    """
    debug = settings.names.get("DEBUG")
    note = debug.note if isinstance(debug, Known) and debug.value is True else ""
    variable = defaulted(note)
    return variable if "DEBUG" in variable and note == by_default(variable) else ""


def _folded(
    stack: Stack,
    choice: settings_choice.Choice,
    module: SourceModule,
    version: tuple[int, ...] | None,
    given: dict[str, AnyValue],
) -> Settings:
    known = world(stack)
    named: dict[str, AnyValue] = {settings_choice.VARIABLE: Known(choice.module, (), "the settings module itself")}
    machine = Machine(replace(known, django=version, environment={**named, **known.environment, **given}))
    target = machine.module(module)
    target.name = choice.module
    names = machine.run(target)
    settings_classes.apply(stack, machine, target)
    if not any(name.isupper() for name in names):
        names.open = names.open or f"{choice.path} sets nothing by a statement that is followed"
    return Settings(
        choice.module,
        choice.path,
        choice.why,
        exported(names),
        doubt=choice.doubt,
        absent=dict(machine.absent),
        version=version,
    )


def world(stack: Stack) -> World:
    """What the repository tells to whoever folds its Python."""
    environment, doubtful = settings_sources.environment(stack)
    unread = {item.path: item for item in stack.unread("python")}

    def broken(dotted: str) -> str:
        tail = dotted.replace(".", "/")
        for path, item in unread.items():
            stem = path.removesuffix(".py").removesuffix("/__init__")
            if (stem == tail or stem.endswith(f"/{tail}")) and item.unread is not None:
                return f"{path} could not be read: {item.unread.text}"
        return ""

    def exists(path: str) -> bool | None:
        if path in stack.files or any(known.startswith(f"{path}/") for known in stack.files):
            return True
        return False if path.endswith(".py") or path.rpartition("/")[2].startswith(".env") else None

    def installed(top: str) -> bool | None:
        names = {top, top.replace("_", "-"), f"django-{top.replace('_', '-')}"}
        return True if any(stack.packages.has(name) for name in names) else None

    return World(
        environment=environment,
        find=lambda dotted, near: stack.modules.find(dotted, near),
        exists=exists,
        installed=installed,
        broken=broken,
        vcpus=stack.host.vcpus,
        doubtful=doubtful,
        glob=lambda pattern: [
            stack.modules.by_path[path] for path in sorted(stack.modules.by_path) if matches(path, pattern)
        ],
    )


def matches(path: str, pattern: str) -> bool:
    """Whether a path matches a glob pattern whose `*` does not reach over folders."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatchcase(part, want) for part, want in zip(parts, wanted, strict=True))
