"""The wishes: what the configuration file and the command line ask for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import msgspec
import tomli

FILE_NAMES = ("stackaudit.toml", ".stackaudit.toml", "pyproject.toml")

FailOn: TypeAlias = Literal["critical", "high", "medium", "low", "never"]
FAIL_ON: tuple[FailOn, ...] = get_args(FailOn)


class ConfigError(Exception):
    """A configuration that cannot be used; the text names the file, the key and the way out."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", kw_only=True):
    """The form that every table of the configuration shares."""


class Host(Table, frozen=True):
    """The machine that the stack runs on; what is not given stays unknown.

    `memory`, `disk` and `worker_memory` are sizes such as "4GiB" or "150MiB"; `worker_memory` is that of one web
    worker, best measured as PSS. `services` is what else runs on the machine ("postgres", "redis", "celery").
    """

    vcpus: int | None = None
    memory: str | None = None
    disk: str | None = None
    services: tuple[str, ...] | None = None
    worker_memory: str | None = None
    daily_visitors: int | None = None
    database_rtt_ms: float | None = None
    postgres_max_connections: int | None = None


class Nginx(Table, frozen=True):
    """`version` of the nginx that serves, where the repository does not tell ("1.26")."""

    version: str | None = None


class Config(Table, frozen=True):
    """Every option of `stackaudit scan`; the command line overrides the file key by key."""

    host: Host | None = None
    nginx: Nginx = Nginx()
    settings: str | None = None
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    per_file_ignores: dict[str, tuple[str, ...]] = {}
    rules: str | None = None
    fail_on: FailOn = "low"
    fail_under: float | None = None
    baseline: str | None = None
    since: str | None = None
    offline: bool = False
    no_tools: bool = False
    tool_timeout: int = 120
    pip_audit_report: str | None = None
    deptry_report: str | None = None
    jobs: int | None = None
    no_cache: bool = False
    output_format: str = "terminal"
    output_file: str | None = None
    report: tuple[str, ...] = ()
    category: str = ""
    statistics: bool = False
    quiet: bool = False
    verbose: bool = False


def load(root: Path, path: Path | None = None) -> tuple[Config, str]:
    """The configuration of `root` and the file it came from ("" where there is none).

    Looks for `stackaudit.toml`, `.stackaudit.toml` and `[tool.stackaudit]` of `pyproject.toml` in `root`, in this
    order; `path` names the file instead. Raises ConfigError.
    """
    if path is not None:
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such configuration file")
        return _read(path, required=True) or Config(), str(path)
    for name in FILE_NAMES:
        candidate = root / name
        if candidate.is_file() and (config := _read(candidate, required=name != "pyproject.toml")) is not None:
            return config, name
    return Config(), ""


def as_document(config: Config) -> dict[str, Any]:
    """`config` in the form of its file: the keys that differ from their defaults are all that is needed."""
    document: dict[str, Any] = msgspec.to_builtins(config)
    default = msgspec.to_builtins(Config())
    return {key: value for key, value in document.items() if value != default[key]}


def host_from(path: Path) -> Host:
    """The `[host]` table of a TOML file, or the file itself where it has none. Raises ConfigError."""
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such host file (write one with: stackaudit host > {path})")
    document = _toml(path)
    host: Host = convert(document.get("host", document), Host, str(path))
    return host


def convert(document: Any, kind: type[Any], where: str) -> Any:
    """`document` as a struct of `kind`; an unknown key is a ConfigError that suggests the nearest known one."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {_explain(str(error), kind)}") from None


def _read(path: Path, *, required: bool) -> Config | None:
    document = _toml(path, lenient=not required)
    if path.name == "pyproject.toml":
        document = document.get("tool", {}).get("stackaudit")
        if document is None:
            return Config() if required else None
    config: Config = convert(document, Config, str(path))
    return config


def _toml(path: Path, *, lenient: bool = False) -> dict[str, Any]:
    try:
        return tomli.loads(path.read_text(encoding="utf-8"))
    except (tomli.TOMLDecodeError, UnicodeDecodeError) as error:
        if lenient:
            return {}
        raise ConfigError(f"{path}: this is not TOML that can be read: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: could not be read: {error.strerror}") from None


def _explain(text: str, kind: type[Any]) -> str:
    """msgspec's message with the key in the user's words and a suggestion."""
    unknown = re.match(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?", text)
    if unknown is None:
        path = re.search(r" - at `\$\.?(.*)`", text)
        plain = re.sub(r" - at `.*`", "", text)
        if word := re.fullmatch(r"Invalid enum value '(.*)'", plain):
            near = difflib.get_close_matches(word[1], FAIL_ON, 1, 0.5)
            plain = f"`{word[1]}` is none of {', '.join(FAIL_ON)}" + (f"; did you mean `{near[0]}`?" if near else "")
        return f"`{path[1]}`: {plain}" if path and path[1] else plain
    key, table = unknown[1], unknown[2] or ""
    known = _keys(kind, table)
    near = difflib.get_close_matches(key, known, 1, 0.6)
    where = f" in [{table}]" if table else ""
    hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(sorted(known))}"
    return f"unknown key `{key}`{where}; {hint}"


def _keys(kind: type[Any], table: str) -> Iterable[str]:
    """The keys of `kind`, or of the table called `table` inside it."""
    kind = {"host": Host, "nginx": Nginx}.get(table.partition(".")[0], kind)
    return [field.encode_name for field in msgspec.structs.fields(kind)]
