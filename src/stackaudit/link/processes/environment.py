"""The environment of a process, and what words become in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from stackaudit.facts.commands import ARGUMENTS, OPEN, Hole, Step, Text, Variable, Word
from stackaudit.link.processes.options import Argument
from stackaudit.link.processes.programs import PROGRAMS, STARTERS
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

DEPTH = 12


@dataclass
class Environment:
    """Variables of a process; `open` is why others may be set too ("" where the repository tells them all)."""

    values: dict[str, AnyValue] = field(default_factory=dict)
    open: str = ""

    def get(self, name: str) -> AnyValue:
        """The value: a string, or unknown; a variable that nothing sets is unknown, for whoever deploys may set it."""
        found = self.values.get(name)
        if found is not None:
            return found
        return Unknown(f"the environment variable {name} decides it and the repository does not set it")

    def sets(self, name: str) -> bool:
        """Whether the repository sets the variable."""
        return name in self.values

    def copy(self) -> Environment:
        """An environment that changes on its own."""
        return Environment(dict(self.values), self.open)

    def assign(self, variables: Iterable[Variable], path: str, inside: Environment | None = None) -> None:
        """Sets `variables`, whose values are expanded in `inside` (here, if not given)."""
        for variable in variables:
            place = Place(path, variable.region)
            if variable.value is None:
                outer = (inside or self).values.get(variable.name)
                self.values[variable.name] = outer or Unknown(
                    f"{variable.name} is passed through from outside", (place,)
                )
                continue
            value = expand(variable.value, inside or self)
            if isinstance(value, Known):
                value = Known(value.value, (place, *value.places), value.note)
            self.values[variable.name] = value


def expand(text: Text, environment: Environment, arguments: tuple[Argument, ...] | None = None) -> Value[str]:
    """`text` with its holes filled."""
    return _expand(text, environment, arguments, 0)


def _expand(text: Text, environment: Environment, arguments: tuple[Argument, ...] | None, depth: int) -> Value[str]:
    if not text.holes:
        return Known(text.text)
    parts: list[str] = []
    places: list[Place] = []
    notes: list[str] = []
    last = 0
    for hole in text.holes:
        parts.append(text.text[last : hole.start])
        last = hole.end
        value = _fill(hole, text, environment, arguments, depth)
        if isinstance(value, Unknown):
            return value
        parts.append(value.value)
        places += value.places
        if value.note:
            notes.append(value.note)
    parts.append(text.text[last:])
    return Known("".join(parts), tuple(places), ", ".join(dict.fromkeys(notes)))


def _fill(
    hole: Hole, text: Text, environment: Environment, arguments: tuple[Argument, ...] | None, depth: int
) -> Value[str]:
    if depth > DEPTH:
        return Unknown("its variables refer to each other too deeply")
    if hole.name == OPEN:
        return Unknown(f"only a run can tell {text.text[hole.start : hole.end]}")
    if hole.name == ARGUMENTS or hole.name.isdigit():
        return _argument(hole.name, arguments)
    value = environment.values.get(hole.name)
    if hole.alternative:
        if value is None or isinstance(value, Unknown):
            return value or environment.get(hole.name)
        return _expand(hole.default, environment, arguments, depth + 1) if value.value and hole.default else Known("")
    if isinstance(value, Known) and (value.value or hole.default is None):
        return Known(str(value.value), value.places, value.note)
    if isinstance(value, Unknown):
        return value
    if hole.default is not None:
        default = _expand(hole.default, environment, arguments, depth + 1)
        if isinstance(default, Known):
            note = default.note or f"the default of ${hole.name}"
            return Known(default.value, default.places, note)
        return default
    missing = environment.get(hole.name)
    return missing if isinstance(missing, Unknown) else Known(str(missing.value))


def _argument(name: str, arguments: tuple[Argument, ...] | None) -> Value[str]:
    if arguments is None:
        return Unknown("its arguments come from outside")
    if name == ARGUMENTS:
        for argument in arguments:
            if isinstance(argument.value, Unknown):
                return argument.value
        return Known(" ".join(argument.value.value for argument in arguments if isinstance(argument.value, Known)))
    index = int(name) - 1
    if index < 0:
        return Unknown("it is the script's own name")
    return arguments[index].value if index < len(arguments) else Known("")


def argument_list(
    step: Step, path: str, environment: Environment, arguments: tuple[Argument, ...] | None = None
) -> tuple[Argument, ...]:
    """The words of a step as arguments: `"$@"` becomes the arguments, unquoted variables fall apart at blanks."""
    found: list[Argument] = []
    flags = [index for index, word in enumerate(step.words) if word.text.startswith("-") and word.text.endswith("c")]
    for index, word in enumerate(step.words):
        if step.inner and flags and index == flags[0] + 1:
            found.append(Argument(Known(word.text), Place(path, word.region), step.inner))
            continue
        place = Place(path, word.region)
        whole = len(word.holes) == 1 and word.holes[0].start == 0 and word.holes[0].end == len(word.text)
        if whole and word.holes[0].name == ARGUMENTS and arguments is not None:
            found.extend(arguments)
            continue
        value = expand(word, environment, arguments)
        if isinstance(value, Unknown) and _names_program(word):
            value = Known(word.text, (place,), "wherever it is installed")
        if isinstance(value, Known) and any(hole.splits for hole in word.holes):
            pieces = value.value.split()
            found.extend(Argument(Known(piece, value.places, value.note), place) for piece in pieces)
        else:
            around, written = ("", ""), ""
            if isinstance(value, Unknown) and word.holes:
                around, written = (word.text[: word.holes[0].start], word.text[word.holes[-1].end :]), word.text
            found.append(Argument(value, place, (), around, written))
    return tuple(found)


def _names_program(word: Word) -> bool:
    """Whether only the folder of a well-known program is left open: `{{ venv }}/bin/gunicorn`, `$HOME/manage.py`."""
    folder, sign, name = word.text.rpartition("/")
    return bool(sign) and word.holes[-1].end <= len(folder) and (name in PROGRAMS or name in STARTERS)


def known(values: Mapping[str, AnyValue], name: str) -> str:
    """The text of a variable, "" where it is not known."""
    value = values.get(name)
    return str(value.value) if isinstance(value, Known) else ""
