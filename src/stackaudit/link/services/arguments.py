"""The command lines of postgres, redis-server and pgbouncer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from stackaudit.facts.commands import Command, Step
from stackaudit.link.processes.environment import Environment, argument_list
from stackaudit.link.processes.options import Argument
from stackaudit.link.services.model import Kind
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown

PROGRAMS: dict[str, Kind] = {
    "postgres": "postgres",
    "postmaster": "postgres",
    "redis-server": "redis",
    "valkey-server": "redis",
    "keydb-server": "redis",
    "pgbouncer": "pgbouncer",
}
_ENTRYPOINTS = frozenset({"docker-entrypoint.sh"})
_SHORT = {"-N": "max_connections", "-B": "shared_buffers", "-p": "port", "-S": "work_mem", "-h": "listen_addresses"}
_PGBOUNCER_VALUED = frozenset({"-u", "--user"})


@dataclass
class Started:
    """What a command line says: settings, the configuration file, and why there may be more ("" where not)."""

    kind: Kind
    place: Place
    given: dict[str, AnyValue] = field(default_factory=dict)
    config: AnyValue | None = None
    open: str = ""


def started(
    command: Command, path: str, environment: Environment, image: Kind | None, arguments: tuple[Argument, ...] = ()
) -> Started | None:
    """The service that a command starts; `image` is what the image starts when it is given options alone.

    None where the command starts none that is known by its name.
    """
    for step in _steps(command.steps):
        words = (*argument_list(step, path, environment), *arguments)
        found = _daemon(words, image if step is command.steps[0] else None)
        if found is not None:
            return found
    return None


def _steps(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        yield from _steps(step.inner)


def _daemon(words: Sequence[Argument], image: Kind | None) -> Started | None:
    for index, word in enumerate(words):
        text = _text(word)
        name = text.rpartition("/")[2]
        if name in PROGRAMS and (index == 0 or not _text(words[index - 1]).startswith("-")):
            return parse(PROGRAMS[name], words[index + 1 :], word.place)
        if name in _ENTRYPOINTS:
            continue
        if image is not None and index == 0 and (text.startswith("-") or text.endswith(".conf")):
            return parse(image, words, word.place)
        if text.startswith("-") and index == 0:
            break
    return None


def parse(kind: Kind, words: Sequence[Argument], place: Place) -> Started:
    """The options of one of the programs."""
    found = Started(kind, place)
    {"postgres": _postgres, "redis": _redis, "pgbouncer": _pgbouncer}[kind](found, words)
    return found


def _text(word: Argument) -> str:
    return word.value.value if isinstance(word.value, Known) else ""


def _value(word: Argument, text: str | None = None) -> AnyValue:
    if isinstance(word.value, Unknown):
        return Unknown(word.value.why, (word.place,))
    return Known(word.value.value if text is None else text, (word.place, *word.value.places), word.value.note)


def _set(found: Started, assignment: Argument, text: str) -> None:
    name, sign, value = text.partition("=")
    if sign:
        found.given[name.strip().lower().replace("-", "_")] = _value(assignment, value.strip().strip("'\""))


def _postgres(found: Started, words: Sequence[Argument]) -> None:
    """postgres(1): `-c name=value`, `--name=value` and the old single letters."""
    index = 0
    while index < len(words):
        word, text = words[index], _text(words[index])
        index += 1
        if isinstance(word.value, Unknown):
            found.open = found.open or word.value.why
        elif text.startswith("--"):
            _set(found, word, text[2:])
        elif text == "-F":
            found.given["fsync"] = _value(word, "off")
        elif text == "-c" and index < len(words):
            _assigned(found, words[index])
            index += 1
        elif text.startswith("-c"):
            _set(found, word, text[2:])
        elif text in _SHORT and index < len(words):
            found.given[_SHORT[text]] = _value(words[index])
            index += 1
        elif text[:2] in _SHORT and text[2:]:
            found.given[_SHORT[text[:2]]] = _value(word, text[2:])
        elif text == "-D":
            index += 1
    found.config = found.given.pop("config_file", None)


def _assigned(found: Started, word: Argument) -> None:
    if isinstance(word.value, Unknown):
        found.open = found.open or word.value.why
    else:
        _set(found, word, word.value.value)


def _redis(found: Started, words: Sequence[Argument]) -> None:
    """redis-server: a file first, then `--name value value`, up to the next option."""
    rest = list(words)
    if rest and not _text(rest[0]).startswith("--"):
        if isinstance(rest[0].value, Unknown) or _text(rest[0]) != "-":
            found.config = _value(rest[0])
        rest = rest[1:]
    name = ""
    for word in rest:
        text = _text(word)
        if text.startswith("--"):
            name, _, value = text[2:].lower().partition(" ")
            found.given[name] = _value(word, value)
        elif not name:
            continue
        elif isinstance(word.value, Unknown):
            found.given[name] = _value(word)
        else:
            before = found.given[name]
            if isinstance(before, Known):
                found.given[name] = _value(word, f"{before.value} {text}".strip())


def _pgbouncer(found: Started, words: Sequence[Argument]) -> None:
    index = 0
    while index < len(words):
        text = _text(words[index])
        if text in _PGBOUNCER_VALUED:
            index += 2
            continue
        if not text.startswith("-"):
            found.config = _value(words[index])
        index += 1
