"""Many files at once: order, cache, processes, and files that kill whoever reads them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stackaudit.discover import Input
from stackaudit.facts import files, python
from stackaudit.facts.files import FileFacts, Note, UnreadableError
from stackaudit.lower import kinds, pool, task
from stackaudit.lower.cache import Cache
from stackaudit.lower.workers import lower_in_processes
from stackaudit.model.result import Notification
from stackaudit.model.source import Waiver

TEXTS = {
    "a.py": b"x = 1  # stackaudit: ignore[orm/a] few rows\n",
    "b.py": b"x = = 1\n",
    "nginx.conf": b"server { listen 80; }\n",
    "Procfile": b"web: gunicorn shop.wsgi\n",
    "c.py": b"class A: pass\n",
}
KINDS = {"nginx.conf": "nginx", "Procfile": "procfile"}
INPUTS = [Input(path, KINDS.get(path, "python")) for path in TEXTS]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="the readers of these tests reach workers by fork")


def read(path: str) -> bytes:
    return TEXTS[path]


def comparable(found: list[FileFacts]) -> bytes:
    return msgspec.msgpack.encode(found)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[bytes, str], Any]], None]:
    """A way to have files of the kind "odd" read by a function."""

    def enter(function: Callable[[bytes, str], Any]) -> None:
        module = types.ModuleType("stackaudit.lower.odd")
        module.lower = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "stackaudit.lower.odd", module)
        monkeypatch.setitem(kinds.KINDS, "odd", kinds.Reader("odd", "files", "Note"))
        kinds.reader.cache_clear()

    return enter


@pytest.fixture(autouse=True)
def no_processes_are_left() -> Iterator[None]:
    yield
    assert multiprocessing.active_children() == []


def test_files_come_in_the_order_that_was_asked_for() -> None:
    seen: list[tuple[int, int]] = []
    found = pool.lower_all(INPUTS, read, progress=lambda done, total: seen.append((done, total)))
    assert [(file.path, file.kind) for file in found] == [(item.path, item.kind) for item in INPUTS]
    assert seen == [(done, 5) for done in range(1, 6)]
    first, second = found[:2]
    assert isinstance(first.facts, python.Module)
    assert first.waivers == (Waiver(("orm/a",), "few rows", 1, 1),)
    assert (second.facts, second.unread) == (None, Note("its syntax is not Python's", 1))


def test_processes_executors_and_the_cache_give_what_one_process_gives(tmp_path: Path) -> None:
    many = [Input(f"{number}/{item.path}", item.kind) for number in range(3) for item in INPUTS]

    def read_long(path: str) -> bytes:
        return TEXTS[path.partition("/")[2]] + b"#" * 90_000 + b"\n"

    expected = comparable(pool.lower_all(many, read_long, jobs=1))
    assert comparable(pool.lower_all(many, read_long, jobs=2)) == expected
    with ThreadPoolExecutor(2) as threads:
        assert comparable(pool.lower_all(many, read_long, executor=threads)) == expected
    for _ in range(2):
        assert comparable(pool.lower_all(many, read_long, cache=tmp_path / "cache")) == expected


def test_a_file_that_cannot_be_opened_says_why() -> None:
    def refuse(path: str) -> bytes:
        raise PermissionError(1, "leads out of the repository", path)

    assert pool.lower_all([Input("a.py", "python")], refuse) == [
        FileFacts("a.py", "python", unread=Note("it could not be opened: leads out of the repository"))
    ]


def test_a_file_of_many_megabytes_is_not_read() -> None:
    [found] = pool.lower_all([Input("a.conf", "nginx")], lambda path: b" " * 20_000_001)
    assert found.unread == Note("it has 20.0 MB, and more than 20 MB are not read")


def test_a_reader_that_fails_costs_its_own_file_only(reader: Any) -> None:
    def broken(data: bytes, path: str) -> Any:
        raise {b"1": KeyError("x"), b"2": RecursionError(), b"3": UnreadableError("no", 7), b"4": MemoryError()}[data]

    reader(broken)
    inputs = [Input(str(number), "odd") for number in range(1, 5)]
    found = pool.lower_all([*inputs, INPUTS[0]], lambda path: TEXTS.get(path, path.encode()))
    assert [file.unread for file in found] == [
        Note("its reader failed: KeyError: 'x'"),
        Note("it nests too deeply"),
        Note("no", 7),
        Note("its reader failed: MemoryError: "),
        None,
    ]


def test_notes_of_the_facts_are_those_of_the_file(reader: Any) -> None:
    class Odd(msgspec.Struct):
        notes: tuple[Note, ...] = (Note("odd", 3),)

    reader(lambda data, path: Odd())
    lowered = task.lower_one("a", "odd", b"")
    assert lowered.notes == (Note("odd", 3),)


def test_the_cache_is_asked_before_the_reader_and_failures_are_not_kept(reader: Any, tmp_path: Path) -> None:
    calls: list[str] = []

    def count(data: bytes, path: str) -> Any:
        calls.append(path)
        if path == "broken":
            raise KeyError
        if path == "unreadable":
            raise UnreadableError("no")
        return files.Note("facts")

    reader(count)
    inputs = [Input(path, "odd") for path in ("good", "unreadable", "broken")]
    first = pool.lower_all(inputs, str.encode, cache=tmp_path / "cache")
    second = pool.lower_all(inputs, str.encode, cache=tmp_path / "cache")
    assert calls == ["good", "unreadable", "broken", "broken"]
    assert first == second
    assert first[0].facts == files.Note("facts")


def test_an_entry_of_the_cache_that_is_of_another_form_is_read_anew(tmp_path: Path) -> None:
    expected = comparable(pool.lower_all(INPUTS, read))
    for poison in (["x"], {"a": 1}, 7, [["x"], None, [], []], [[[["x"]], [0]], None, [], [], True], b"\xff"):
        cache = Cache(tmp_path / "cache")
        for item in INPUTS:
            cache.put(Cache.key(item.path, item.kind, read(item.path)), msgspec.msgpack.encode(poison))
        cache.save()
        assert comparable(pool.lower_all(INPUTS, read, cache=tmp_path / "cache")) == expected
        assert comparable(pool.lower_all(INPUTS, read, cache=tmp_path / "cache")) == expected


def test_a_cache_that_cannot_be_written_is_told_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    told: list[str] = []
    found = pool.lower_all(INPUTS, read, cache=tmp_path / "file" / "cache", tell=told.append)
    assert comparable(found) == comparable(pool.lower_all(INPUTS, read))
    assert told == ["the cache could not be written: Not a directory"]


def test_a_warm_cache_imports_no_parser(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(TEXTS["a.py"])
    (tmp_path / "nginx.conf").write_bytes(TEXTS["nginx.conf"])
    (tmp_path / "a.html").write_bytes(b"{{ a }}")
    program = """
        import sys
        from pathlib import Path
        from stackaudit.discover import discover
        from stackaudit.lower import pool
        root = Path(sys.argv[1])
        inputs = discover(root)
        files = pool.lower_all(inputs.files, inputs.read, cache=root / ".stackaudit_cache")
        print(len(files), sorted({"libcst", "django", "crossplane", "yaml", "jinja2"} & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    cold, warm = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert cold.startswith("3 ['crossplane', 'django', ")
    assert warm == "3 []\n"


def results_of(paths: list[list[str]], jobs: int = 2, silence: float = 60) -> dict[str, Note | None]:
    found: dict[str, Note | None] = {}

    def done(batch: Any, results: list[bytes]) -> None:
        for (path, _, _), encoded in zip(batch, results, strict=True):
            assert path not in found
            found[path] = task.DECODER.decode(encoded).unread

    batches = [[(path, "odd", path.encode()) for path in batch] for batch in paths]
    lower_in_processes(batches, jobs, done, silence)
    return found


@linux_only
def test_a_file_that_kills_its_process_costs_its_own_facts_only(reader: Any) -> None:
    def deadly(data: bytes, path: str) -> Any:
        if path.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        return files.Note("facts")

    reader(deadly)
    crashed = Note("its reader crashed or hung")
    assert results_of([["a", "b"], ["c", "kill 1", "d"], ["e"], ["kill 2"], ["f", "g"]]) == {
        **dict.fromkeys("abcdefg"),
        "kill 1": crashed,
        "kill 2": crashed,
    }


@linux_only
def test_a_file_that_no_signal_interrupts_is_given_up(reader: Any) -> None:
    def deaf(data: bytes, path: str) -> Any:
        if path == "deaf":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
            time.sleep(600)
        return files.Note("facts")

    reader(deaf)
    assert results_of([["a", "deaf"], ["b"]], silence=1) == {
        "a": None,
        "b": None,
        "deaf": Note("its reader crashed or hung"),
    }


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_a_file_that_takes_too_long_is_given_up(reader: Any) -> None:
    def slow(data: bytes, path: str) -> Any:
        try:
            time.sleep(600)
        except Exception:
            return files.Note("facts")

    reader(slow)
    lowered = task.lower_one("a", "odd", b"", time_limit=0.05)
    assert (lowered.unread, lowered.lasting) == (Note("reading it took longer than 0 s"), False)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL


@linux_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_the_run_is_stopped(number: signal.Signals, tmp_path: Path) -> None:
    program = """
        import sys, time, types
        from pathlib import Path
        from stackaudit.discover import Input
        from stackaudit.lower import kinds, pool
        def lower(data, path):
            Path(sys.argv[1], path).touch()
            time.sleep(600)
        module = types.ModuleType("odd")
        module.lower = lower
        sys.modules["stackaudit.lower.odd"] = module
        kinds.KINDS["odd"] = kinds.Reader("odd", "files", "Note")
        inputs = [Input(str(number), "odd") for number in range(9)]
        pool.lower_all(inputs, lambda path: b" " * 300_000, jobs=2)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)]
    run = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        _wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        run.send_signal(number)
        assert run.wait(30) == -number
        _wait_until(lambda: not _alive(run.pid))
    finally:
        if _alive(run.pid):
            os.killpg(run.pid, signal.SIGKILL)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_was_read_before_the_run_was_stopped_is_kept(reader: Any, tmp_path: Path) -> None:
    def stop(data: bytes, path: str) -> Any:
        if path == "b":
            raise KeyboardInterrupt
        return files.Note("facts")

    reader(stop)
    with pytest.raises(KeyboardInterrupt):
        pool.lower_all([Input("a", "odd"), Input("b", "odd")], str.encode, cache=tmp_path / "cache")
    assert Cache(tmp_path / "cache").get(Cache.key("a", "odd", b"a")) is not None


def test_notifications_say_what_could_not_be_read_and_what_was_odd() -> None:
    found = [
        FileFacts("a.py", "python", unread=Note("it nests too deeply", 3)),
        FileFacts("nginx.conf", "nginx", notes=(Note("odd", 4), Note("odder"))),
    ]
    assert pool.notifications(found, ["the cache is odd"]) == [
        Notification(level="note", text="the cache is odd"),
        Notification(level="warning", text="could not be read: it nests too deeply", path="a.py", line=3),
        Notification(level="note", text="odd", path="nginx.conf", line=4),
        Notification(level="note", text="odder", path="nginx.conf"),
    ]


def test_every_kind_has_a_reader_and_facts() -> None:
    for kind in kinds.KINDS.values():
        assert callable(kind.lower())
        assert issubclass(kind.type(), msgspec.Struct)
