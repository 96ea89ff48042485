"""gunicorn's effective settings: defaults < configuration file < GUNICORN_CMD_ARGS < command line.

WEB_CONCURRENCY is the default of `workers`, so it counts only where nothing else sets them. Measured against gunicorn
27.0.1's own loader (tests/link/processes/test_gunicorn_oracle.py).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from stackaudit.link.processes.environment import Environment
from stackaudit.link.processes.gunicorn_options import SETTINGS
from stackaudit.link.processes.options import Argument, Given, Option, Parsed, parse
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown

BY_NAME = {option.name: option for option in SETTINGS}
COMMAND_LINE = "the command line"
CMD_ARGS = "GUNICORN_CMD_ARGS"
CONCURRENCY = "WEB_CONCURRENCY"
DEFAULT = "gunicorn's default"


Growth: TypeAlias = Literal["capped", "unbounded"]


@dataclass(frozen=True)
class ConfigFile:
    """A folded configuration file. `names` are its names; `open` is why others may be set ("" where not).

    `growth` tells which of them follow the number of processors that Python sees.
    """

    path: str
    names: Mapping[str, AnyValue] = field(default_factory=dict)
    open: str = ""
    growth: Mapping[str, Growth] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolved:
    """The settings of one gunicorn. `app` is the application module, None where the command line has none."""

    settings: dict[str, AnyValue]
    given: dict[str, tuple[Given, ...]]
    app: AnyValue | None
    parsed: Parsed
    environment_arguments: Parsed


def command_line(arguments: tuple[Argument, ...]) -> Parsed:
    """The command line as gunicorn's argparse parser reads it, which takes unique beginnings of flags too."""
    return parse(arguments, SETTINGS, COMMAND_LINE, prefixes=True)


def environment_arguments(environment: Environment) -> Parsed:
    """What GUNICORN_CMD_ARGS says."""
    value = environment.values.get(CMD_ARGS)
    if value is None:
        return Parsed(open="")
    if isinstance(value, Unknown):
        return Parsed(open=value.why)
    place = value.places[0] if value.places else Place.line("", 1)
    try:
        words = shlex.split(value.value)
    except ValueError as error:
        return Parsed(open=f"{CMD_ARGS} cannot be split: {error}")
    return parse([Argument(Known(word, (place,)), place) for word in words], SETTINGS, CMD_ARGS, prefixes=True)


def config_location(line: Parsed, from_environment: Parsed) -> Given | None:
    """Which configuration file is named; None: ./gunicorn.conf.py is read if it is there."""
    for parsed in (line, from_environment):
        named = parsed.options.get("config")
        if named and not (isinstance(named[-1].value, Known) and not named[-1].value.value):
            return named[-1]
    return None


def resolve(
    line: Parsed,
    from_environment: Parsed,
    environment: Environment,
    config: ConfigFile | Unknown | None,
    platform: str = "",
) -> Resolved:
    """Every setting with what decided it. `platform` is why WEB_CONCURRENCY may be set from outside ("" where not)."""
    settings: dict[str, AnyValue] = {}
    given: dict[str, tuple[Given, ...]] = {}
    for option in SETTINGS:
        layers = _layers(option, line, from_environment, environment, config)
        given[option.name] = tuple(layers)
        settings[option.name] = _effective(option, layers, line, from_environment, config, environment, platform)
    app: AnyValue | None = line.positional[0].value if line.positional else None
    if app is None and line.open:
        app = Unknown(line.open)
    if app is None:
        app = settings["wsgi_app"] if not _is_none(settings["wsgi_app"]) else None
    return Resolved(settings, given, app, line, from_environment)


def _is_none(value: AnyValue) -> bool:
    return isinstance(value, Known) and value.value is None


def _layers(
    option: Option,
    line: Parsed,
    from_environment: Parsed,
    environment: Environment,
    config: ConfigFile | Unknown | None,
) -> list[Given]:
    """Who gives `option` a value, the weakest first."""
    layers: list[Given] = []
    if option.name == "workers" and environment.sets(CONCURRENCY):
        value = environment.get(CONCURRENCY)
        place = value.places[0] if value.places else Place.line("", 1)
        layers.append(Given(value, place, CONCURRENCY))
    if isinstance(config, ConfigFile) and option.name in config.names:
        value = config.names[option.name]
        place = value.places[0] if value.places else Place.line(config.path, 1)
        layers.append(Given(value, place, config.path))
    for parsed in (from_environment, line):
        several = parsed.options.get(option.name, [])
        if several and option.takes == "append":
            items = [item.value for item in several]
            unknown = next((item for item in items if isinstance(item, Unknown)), None)
            both: AnyValue = unknown or Known(items, tuple(item.place for item in several))
            layers.append(Given(both, several[-1].place, several[-1].source))
        elif several:
            layers.append(several[-1])
    return layers


def _effective(
    option: Option,
    layers: list[Given],
    line: Parsed,
    from_environment: Parsed,
    config: ConfigFile | Unknown | None,
    environment: Environment,
    platform: str,
) -> AnyValue:
    if layers and layers[-1].source == COMMAND_LINE:
        return converted(option, layers[-1].value)
    if line.open:
        return Unknown(f"more may be on the command line: {line.open}")
    if layers and layers[-1].source == CMD_ARGS:
        return converted(option, layers[-1].value)
    if from_environment.open:
        return Unknown(f"{CMD_ARGS} may set it: {from_environment.open}")
    if isinstance(config, Unknown):
        return Unknown(config.why, config.places)
    if isinstance(config, ConfigFile):
        if option.name in config.names:
            return converted(option, config.names[option.name])
        if config.open:
            return Unknown(f"{config.path} may set it: {config.open}")
    if option.name == "workers":
        if environment.sets(CONCURRENCY):
            return converted(option, environment.get(CONCURRENCY))
        if platform:
            return Unknown(platform)
    return Known(default(option), (), DEFAULT)


def default(option: Option) -> object:
    """The default, lists as lists of Known."""
    return [Known(item) for item in option.default] if isinstance(option.default, tuple) else option.default


def converted(option: Option, value: AnyValue) -> AnyValue:
    """What gunicorn's validators make of a value."""
    if isinstance(value, Unknown):
        return value
    held = value.value
    match option.type:
        case "int":
            return _integer(option, value)
        case "bool":
            if isinstance(held, bool) or held is None:
                return value
            if isinstance(held, str) and held.strip().lower() in ("true", "false"):
                return value.map(lambda text: text.strip().lower() == "true")
            return Unknown(f"{held!r} is no value for {option.name}", value.places)
        case "list":
            if not held:
                return value.map(lambda _: [])
            if not isinstance(held, (str, list, tuple)):
                return Unknown(f"{option.name} is no list", value.places)
            items = [held] if isinstance(held, str) else held
            return value.map(lambda _: [item if isinstance(item, (Known, Unknown)) else Known(item) for item in items])
        case "names":
            if isinstance(held, str):
                return value.map(lambda text: [Known(item.strip()) for item in text.split(",") if item])
            return value if not held else Unknown(f"{option.name} is no text", value.places)
        case "text":
            if isinstance(held, str):
                return value.map(str.strip)
            return value if held is None else Unknown(f"{option.name} is no text", value.places)
        case _:
            return value


def _integer(option: Option, value: Known[object]) -> AnyValue:
    held = value.value
    if isinstance(held, (bool, int)):
        number = int(held)
    elif isinstance(held, str):
        # gunicorn reads "010" of umask as octal and int("010") of the others as ten on the command line; the
        # environment variable WEB_CONCURRENCY is read by int() too.
        try:
            number = int(held, 0) if option.name in ("umask", "control_socket_mode") else int(held)
        except ValueError:
            return Unknown(f"{held!r} is no number for {option.name}", value.places)
    else:
        return Unknown(f"{option.name} is no number", value.places)
    if number < 0:
        return Unknown(f"gunicorn refuses {option.name} = {number}", value.places)
    return Known(number, value.places, value.note)
