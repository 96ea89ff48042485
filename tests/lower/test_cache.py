from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from stackaudit.lower import cache as caches
from stackaudit.lower.cache import Cache

KEY = Cache.key("a.py", "python", b"x = 1")
OTHER = Cache.key("b.py", "python", b"x = 1")
VALUE = msgspec.msgpack.encode(["anything"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".stackaudit_cache"


def written(folder: Path, entries: dict[bytes, bytes]) -> Path:
    cache = Cache(folder)
    for key, value in entries.items():
        cache.put(key, value)
    cache.save()
    assert cache.problem == ""
    return folder / "facts.pack"


def kept(folder: Path, key: bytes = KEY) -> bytes | None:
    found = Cache(folder).get(key)
    return None if found is None else bytes(found)


def test_what_was_put_is_there_in_the_next_run(folder: Path) -> None:
    written(folder, {KEY: VALUE})
    assert (kept(folder), kept(folder, OTHER)) == (VALUE, None)


def test_the_folder_tells_git_and_backups_to_leave_it_alone(folder: Path) -> None:
    written(folder, {KEY: VALUE})
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", "CACHEDIR.TAG", "facts.pack"]
    assert (folder / ".gitignore").read_text() == "*\n"
    assert (folder / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55")


def test_the_key_is_of_the_path_the_kind_and_the_bytes() -> None:
    keys = {Cache.key(path, kind, data) for path in ("a", "b") for kind in ("c", "d") for data in (b"e", b"f")}
    assert len(keys) == 8
    assert Cache.key("\udcff.py", "python", b"")


@pytest.mark.parametrize("damage", [b"", b"x", b"stackaudit-facts 1 "])
def test_a_pack_that_is_no_pack_is_none(folder: Path, damage: bytes) -> None:
    written(folder, {KEY: VALUE}).write_bytes(damage)
    assert kept(folder) is None


def test_a_pack_that_was_cut_off_or_changed_is_none(folder: Path) -> None:
    pack = written(folder, {KEY: VALUE})
    whole = pack.read_bytes()
    for damaged in (whole[:-1], whole[: len(whole) // 2], whole + b"\0", whole.replace(b"anything", b"anythinG")):
        pack.write_bytes(damaged)
        assert kept(folder) is None
    written(folder, {KEY: VALUE})
    assert pack.read_bytes() == whole


def test_a_pack_of_another_schema_is_none_and_is_written_anew(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(folder, {KEY: VALUE})
    monkeypatch.setattr(caches, "schema", lambda: b"another")
    assert kept(folder) is None
    written(folder, {OTHER: VALUE})
    assert (kept(folder), kept(folder, OTHER)) == (None, VALUE)


def test_the_schema_depends_on_the_code_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = caches.schema()
    caches.schema.cache_clear()
    assert caches.schema() == before
    caches.schema.cache_clear()
    monkeypatch.setattr(caches, "READERS", {"libcst": "libcst"})
    assert caches.schema() != before
    caches.schema.cache_clear()


def test_what_a_run_did_not_ask_for_is_dropped(folder: Path) -> None:
    written(folder, {KEY: VALUE, OTHER: VALUE})
    cache = Cache(folder)
    cache.get(KEY)
    cache.save()
    assert (kept(folder), kept(folder, OTHER)) == (VALUE, None)


def test_a_run_that_was_cut_short_drops_nothing(folder: Path) -> None:
    written(folder, {KEY: VALUE})
    cache = Cache(folder)
    cache.put(OTHER, VALUE)
    cache.save(complete=False)
    assert (kept(folder), kept(folder, OTHER)) == (VALUE, VALUE)


def test_nothing_is_written_where_nothing_changed(folder: Path) -> None:
    pack = written(folder, {KEY: VALUE})
    os.utime(pack, (0, 0))
    cache = Cache(folder)
    cache.get(KEY)
    cache.save()
    assert pack.stat().st_mtime == 0


def test_a_folder_that_cannot_be_made_is_a_problem_and_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "cache")
    cache.put(KEY, VALUE)
    cache.save()
    assert cache.problem == "the cache could not be written: Not a directory"


def test_no_folder_keeps_nothing() -> None:
    cache = Cache(None)
    cache.put(KEY, VALUE)
    cache.save()
    assert (cache.get(KEY), cache.problem) == (None, "")


def test_links_and_pipes_are_not_followed(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    pack = written(elsewhere, {KEY: VALUE})
    folder.symlink_to(elsewhere)
    cache = Cache(folder)
    cache.put(OTHER, VALUE)
    cache.save()
    assert cache.problem == "the cache is not used: its folder is a link"
    assert kept(elsewhere, OTHER) is None
    folder.unlink()
    folder.mkdir()
    (folder / "facts.pack").symlink_to(pack)
    assert kept(folder) is None
    (folder / "facts.pack").unlink()
    os.mkfifo(folder / "facts.pack")
    assert kept(folder) is None


@pytest.mark.parametrize("name", [b".stackaudit_cache/facts.pack", b"\x01stackaudit_cache/.gitignore"])
def test_a_cache_that_git_tracks_is_not_trusted(folder: Path, tmp_path: Path, name: bytes) -> None:
    written(folder, {KEY: VALUE})
    (tmp_path / ".git").mkdir()
    assert kept(folder) == VALUE
    (tmp_path / ".git" / "index").write_bytes(b"DIRC...manage.py\0")
    assert kept(folder) == VALUE
    (tmp_path / ".git" / "index").write_bytes(b"DIRC..." + name + b"\0")
    cache = Cache(folder)
    assert cache.get(KEY) is None
    assert cache.problem.startswith("the cache is not used: it is in git")


def test_a_worktree_has_its_index_elsewhere(folder: Path, tmp_path: Path) -> None:
    written(folder, {KEY: VALUE})
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "index").write_bytes(b".stackaudit_cache/facts.pack\0")
    (tmp_path / ".git").write_text(f"gitdir: {tmp_path / 'git'}\n")
    assert caches.tracked(folder)
