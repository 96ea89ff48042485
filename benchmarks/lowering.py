"""How long reading Python takes, in CPU time, beside what others need for the same files in the same run.

    python benchmarks/lowering.py [FOLDER] [--rounds N]

FOLDER is any project; the installed Django where none is named. Every round measures everything in turn, and the best
round of each counts: on a busy machine a figure says little, the ratio of two figures from one run says more.
"""

from __future__ import annotations

import argparse
import ast
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import django
import msgspec
from libcst import parse_module
from libcst.metadata import MetadataWrapper, PositionProvider

from stackaudit.discover import Inputs, discover
from stackaudit.facts.files import UnreadableError
from stackaudit.facts.python import Module
from stackaudit.lower import pool
from stackaudit.lower.collector import collector_at_rest
from stackaudit.lower.python import decode, lower
from stackaudit.lower.python_nesting import nests_too_deeply


def cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Bench:
    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.sources: list[bytes] = []
        for item in inputs.files:
            if item.kind == "python":
                data = inputs.read(item.path)
                try:
                    lower(data, item.path)
                except UnreadableError:
                    continue
                self.sources.append(data)
        self.texts = [decode(data) for data in self.sources]
        self.lines = sum(text.count("\n") for text in self.texts)
        self.encoded = [msgspec.msgpack.encode(lower(data, "x.py")) for data in self.sources]
        self.best: dict[str, float] = {}

    def measure(self, name: str, work: Callable[[], object]) -> None:
        gc.collect()
        start = cpu()
        work()
        self.best[name] = min(self.best.get(name, 1e9), cpu() - start)

    def round(self) -> None:
        self.measure("libcst: parse", self.libcst)
        self.measure("stackaudit: lower", lambda: [lower(data, "x.py") for data in self.sources])
        self.measure(
            "stackaudit: of that, the look for deep nesting", lambda: [nests_too_deeply(t) for t in self.texts]
        )
        self.measure("stackaudit: decode the facts from the cache", self.decode)
        self.measure("CPython: ast.parse (what it can read)", self.ast)
        with cached() as folder:
            self.measure("stackaudit: all files of all kinds, cold, 1 process", lambda: self.run(1, folder))
            self.measure("stackaudit: all files of all kinds, warm", lambda: self.run(1, folder))
        self.measure("stackaudit: all files of all kinds, no cache, all CPUs", lambda: self.run(None, None))

    def libcst(self) -> None:
        with collector_at_rest():
            for text in self.texts:
                parse_module(text)

    def positions(self) -> None:
        with collector_at_rest():
            for text in self.texts:
                MetadataWrapper(parse_module(text), unsafe_skip_copy=True).resolve(PositionProvider)

    def ast(self) -> None:
        with warnings.catch_warnings(), collector_at_rest():
            warnings.simplefilter("ignore")
            for data in self.sources:
                try:
                    ast.parse(data)
                except SyntaxError:
                    continue

    def decode(self) -> None:
        with collector_at_rest():
            kept = [msgspec.msgpack.decode(data, type=Module) for data in self.encoded]
        del kept

    def run(self, jobs: int | None, folder: Path | None) -> None:
        pool.lower_all(self.inputs.files, self.inputs.read, jobs=jobs, cache=folder)

    def bandit(self, program: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for number, data in enumerate(self.sources):
                (Path(folder) / f"m{number}.py").write_bytes(data)
            command = [program, "-q", "-r", folder, "-f", "json", "-o", os.devnull]
            subprocess.run(command, capture_output=True, check=False)

    def report(self) -> None:
        parse = self.best["libcst: parse"]
        print(f"{self.inputs.root}: {len(self.sources)} Python files, {self.lines:,} lines")
        print(f"{'CPU s':>8}  {'kloc/s':>7}  {'x libcst':>8}")
        for name, seconds in self.best.items():
            print(f"{seconds:8.3f}  {self.lines / 1000 / max(seconds, 1e-9):7.0f}  {seconds / parse:8.2f}  {name}")
        print(
            f"facts: {sum(map(len, self.encoded)) / 1e6:.1f} MB of {sum(map(len, self.sources)) / 1e6:.1f} MB of source"
        )


@contextmanager
def cached() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / ".stackaudit_cache"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", nargs="?", type=Path, default=Path(django.__file__).parent)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--positions", action="store_true", help="measure libcst's PositionProvider too (slow)")
    wishes = arguments.parse_args()
    bench = Bench(discover(wishes.folder))
    for _ in range(wishes.rounds):
        start = time.perf_counter()
        bench.round()
        print(f"round: {time.perf_counter() - start:.1f} s", file=sys.stderr)
    if wishes.positions:
        bench.measure("libcst: parse with PositionProvider", bench.positions)
    program = shutil.which("bandit", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program:
        bench.measure("bandit: scan (on CPython's ast)", lambda: bench.bandit(program))
    bench.report()


if __name__ == "__main__":
    main()
