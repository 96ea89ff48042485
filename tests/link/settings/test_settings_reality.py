"""Settings as a real Python sees them, and as we see them: equal or unknown, never different."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import tomli

from stackaudit.link.fold import ROOT, Source, World, fold_file
from stackaudit.link.folding.objects import Maybe
from stackaudit.link.settings import matches
from stackaudit.lower import python
from stackaudit.model.values import AnyValue, Known, Unknown
from tests.stacks import write

REAL = """
import datetime, importlib, json, pathlib, sys
root, module = sys.argv[1:3]
sys.path.insert(0, root)
sys.argv = ["gunicorn"]

def plain(value):
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return [type(value).__name__, value]
    if isinstance(value, pathlib.PurePath):
        value = str(value)
    if type(value).__name__ == "__proxy__":
        value = next(held for name, held in vars(value).items() if name.endswith("args"))[0]
    if isinstance(value, str):
        return value.replace(root, "/<root>")
    if isinstance(value, bytes):
        return ["bytes", value.decode("latin-1")]
    if isinstance(value, dict):
        return {"dict": [[plain(k), plain(v)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__ if type(value) is list else "tuple": [plain(v) for v in value]}
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((plain(v) for v in value), key=repr)}
    if isinstance(value, datetime.timedelta):
        return ["timedelta", value.total_seconds()]
    return {"object": repr(type(value))}

found = importlib.import_module(module)
print(json.dumps({name: plain(value) for name, value in vars(found).items() if name.isupper()}))
"""
MISSING = "there is no such setting"


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Files, the module to import, and the environment: `hidden` is set for the real import alone."""

    title: str
    files: dict[str, str]
    module: str = "settings"
    environment: dict[str, str] = {}
    hidden: dict[str, str] = {}


FIXTURE = Path(__file__).parent.parent.parent / "fixtures" / "settings-packages.toml"
PACKAGES = {
    package.title: package
    for package in msgspec.convert(tomli.loads(FIXTURE.read_text())["package"], tuple[Package, ...])
}


class File:
    """A Python file as the fold wants it."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.name = path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        self.facts = python.lower(text.encode(), path)


def real(package: Package, root: Path) -> dict[str, Any]:
    write(root, package.files)
    environment = {"PATH": "/usr/bin:/bin", **package.environment, **package.hidden}
    done = subprocess.run(
        [sys.executable, "-c", REAL, str(root), package.module],
        env=environment, capture_output=True, text=True, timeout=60, check=False, cwd=root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def _path(file: Source) -> str:
    return file.path


def ours(package: Package) -> dict[str, AnyValue]:
    files: dict[str, Source] = {file.name: file for file in (File(*item) for item in package.files.items())}
    environment: dict[str, AnyValue] = {name: Known(value) for name, value in package.environment.items()}
    world = World(
        environment=environment,
        find=lambda dotted, near: files.get(dotted),
        installed=lambda top: None,
        glob=lambda pattern: [file for file in sorted(files.values(), key=_path) if matches(file.path, pattern)],
    )
    target = files[package.module]
    found = fold_file(target.facts, target.path, world, target.name)
    if found.open:
        return {"": Unknown(found.open), **found}
    return dict(found)


def disagreements(real: Any, value: AnyValue) -> tuple[int, int, list[str]]:
    """How many leaves are equal, how many unknown, and what is wrong."""
    if isinstance(value, Unknown):
        return 0, 1, []
    held = value.value
    if held is None or isinstance(held, bool):
        return (1, 0, []) if held is real else (0, 0, [f"{held!r} is not {real!r}"])
    if isinstance(held, (int, float)):
        return (1, 0, []) if real == [type(held).__name__, held] else (0, 0, [f"{held!r} is not {real!r}"])
    if isinstance(held, str):
        return (1, 0, []) if held == real else (0, 0, [f"{held!r} is not {real!r}"])
    if isinstance(held, bytes):
        return (1, 0, []) if real == ["bytes", held.decode("latin-1")] else (0, 0, [f"{held!r} is not {real!r}"])
    if isinstance(held, dict):
        if not isinstance(real, dict) or "dict" not in real:
            return 0, 0, [f"a dict is not {real!r}"]
        return _dicts(dict_of(real["dict"]), held)
    if isinstance(held, (list, tuple)):
        kind = "list" if isinstance(held, list) else "tuple"
        if not isinstance(real, dict) or kind not in real:
            return 0, 0, [f"a {kind} is not {real!r}"]
        return _lists(real[kind], list(held))
    if isinstance(held, (set, frozenset)):
        plain = sorted((item.value for item in held if isinstance(item, Known)), key=repr)
        wanted = sorted((item[1] if isinstance(item, list) else item for item in real["set"]), key=repr)
        return (1, 0, []) if plain == wanted else (0, 0, [f"{held!r} is not {real!r}"])
    if hasattr(held, "total_seconds"):
        same = real == ["timedelta", held.total_seconds()]
        return (1, 0, []) if same else (0, 0, [f"{held!r} is not {real!r}"])
    return 0, 0, [f"an odd value: {held!r}"]


def dict_of(pairs: list[Any]) -> dict[Any, Any]:
    return {json.dumps(key): item for key, item in pairs}


def _key(key: Any) -> str:
    return json.dumps([type(key).__name__, key] if type(key) in (int, float) else key)


def _dicts(real: dict[str, Any], held: dict[Any, AnyValue]) -> tuple[int, int, list[str]]:
    equal, unknown, wrong = 0, 0, []
    open_ = getattr(held, "open", "")
    for key, item in held.items():
        if _key(key) not in real:
            if not isinstance(item, Maybe):
                wrong.append(f"the key {key!r} does not exist")
            continue
        found = disagreements(real[_key(key)], item)
        equal, unknown = equal + found[0], unknown + found[1]
        wrong += [f"{key}: {text}" for text in found[2]]
    for key in real:
        if key not in {_key(each) for each in held} and not open_:
            wrong.append(f"the key {key} is missing")
    return equal, unknown, wrong


def _lists(real: list[Any], held: list[AnyValue]) -> tuple[int, int, list[str]]:
    if any(isinstance(item, Maybe) for item in held):
        certain = [item for item in held if not isinstance(item, Maybe)]
        rest = list(real)
        for item in certain:  # in this order, with anything between
            while rest:
                first = rest.pop(0)
                if not disagreements(first, item)[2]:
                    break
            else:
                return 0, 0, [f"{item} is not in {real!r}, or not in this order"]
        return len(certain), 1, []
    if len(real) != len(held):
        return 0, 0, [f"{len(held)} items, not {len(real)}: {real!r}"]
    equal, unknown, wrong = 0, 0, []
    for index, (item, value) in enumerate(zip(real, held, strict=True)):
        found = disagreements(item, value)
        equal, unknown = equal + found[0], unknown + found[1]
        wrong += [f"[{index}] {text}" for text in found[2]]
    return equal, unknown, wrong


def compared(package: Package, root: Path) -> tuple[int, int, list[str], list[str]]:
    """Settings that are equal and unknown, what is wrong, and the names of the unknown ones."""
    actual, folded = real(package, root), ours(package)
    equal, unknown, wrong, names = 0, 0, [], []
    for name in sorted(actual.keys() | {name for name in folded if name.isupper()}):
        value = folded.get(name)
        if value is None:
            if "" in folded:
                unknown += 1
                names.append(name)
            else:
                wrong.append(f"{name} is missing")
            continue
        if name not in actual:
            if isinstance(value, Known):
                wrong.append(f"{name}: {MISSING}")
            continue
        found = disagreements(actual[name], value)
        wrong += [f"{name}: {text}" for text in found[2]]
        if found[1]:
            unknown += 1
            names.append(name)
        else:
            equal += 1
    return equal, unknown, wrong, names


@pytest.mark.parametrize("name", PACKAGES)
def test_never_different_from_a_real_import(name: str, tmp_path: Path) -> None:
    assert compared(PACKAGES[name], tmp_path)[2] == []


def test_paths_stand_for_the_root() -> None:
    package = Package("paths", {"settings.py": "from pathlib import Path\nX = Path(__file__).resolve().parent / 'a'\n"})
    assert ours(package)["X"].value == f"{ROOT}/a"  # type: ignore[union-attr]
