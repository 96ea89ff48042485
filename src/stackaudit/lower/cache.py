"""Facts that an earlier run has read, kept in one file below the root.

The file is one pack: a line that names the format and the schema, a MessagePack map from keys to encoded facts, and a
checksum of all of it. It is read in one go and written anew, without what this run did not need, when anything
changed. For 700 files that was 8 ms to read and 34 ms to write, where 700 small files took 47 ms and 125 ms; and
nothing piles up.

A pack that is damaged, or that another version wrote, is the same as none. So is one that git tracks: the facts in it
are not those of the files beside it but whatever somebody committed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import stat
import sys
from functools import cache as remember
from pathlib import Path
from typing import BinaryIO

import msgspec

MAGIC = b"stackaudit-facts 1 "
DIGEST = 16
MAX_BYTES = 1 << 30
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# Facts that stackaudit has read before. May be deleted.\n"
READERS = {
    "libcst": "libcst", "django": "django", "jinja2": "jinja2", "crossplane": "crossplane", "yaml": "pyyaml",
    "packaging": "packaging", "msgspec": "msgspec",
}  # fmt: skip
"""The packages that decide what is read, by the name they are imported by, and the names that they are installed by."""


class Cache:
    """The pack in `folder`; None keeps nothing. `problem` says why it could not be read or written, if it could not."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.problem = ""
        self._old: dict[bytes, msgspec.Raw] = {}
        self._new: dict[bytes, bytes | msgspec.Raw] = {}
        self._changed = False
        if folder is not None:
            self._old = self._load(folder)

    @staticmethod
    def key(path: str, kind: str, data: bytes) -> bytes:
        """What the facts of a file depend on: its bytes, its kind and its path, which some readers look at."""
        digest = hashlib.blake2b(data, digest_size=DIGEST)
        digest.update(f"\0{kind}\0{path}".encode("utf-8", "surrogatepass"))
        return digest.digest()

    def get(self, key: bytes) -> msgspec.Raw | None:
        """What was kept for `key`."""
        found = self._old.get(key)
        if found is not None:
            self._new[key] = found
        return found

    def put(self, key: bytes, encoded: bytes) -> None:
        """Keep `encoded` (one MessagePack value) for `key`."""
        if self.folder is not None:
            self._new[key] = encoded
            self._changed = True

    def save(self, *, complete: bool = True) -> None:
        """Write the pack if it changed; what this run did not ask for is dropped, unless it is not `complete`."""
        if self.folder is None or self.problem:
            return
        if not complete:
            self._new = {**self._old, **self._new}
        if not self._changed and len(self._new) == len(self._old):
            return
        content = {
            key: value if isinstance(value, msgspec.Raw) else msgspec.Raw(value) for key, value in self._new.items()
        }
        body = MAGIC + schema() + b"\n" + msgspec.msgpack.encode(content)
        body += hashlib.blake2b(body, digest_size=DIGEST).digest()
        try:
            self._write(self.folder, body)
        except OSError as error:
            self.problem = f"the cache could not be written: {error.strerror or error}"

    def _load(self, folder: Path) -> dict[bytes, msgspec.Raw]:
        try:
            if folder.is_symlink():
                self.problem = "the cache is not used: its folder is a link"
                return {}
            with _regular(folder / "facts.pack") as stream:
                pack = stream.read(MAX_BYTES)
        except (OSError, ValueError):
            return {}
        if tracked(folder):
            self.problem = "the cache is not used: it is in git, and what is in it need not be what is beside it"
            return {}
        head = MAGIC + schema() + b"\n"
        body, checksum = pack[:-DIGEST], pack[-DIGEST:]
        if not pack.startswith(head) or hashlib.blake2b(body, digest_size=DIGEST).digest() != checksum:
            return {}
        try:
            return msgspec.msgpack.decode(memoryview(body)[len(head) :], type=dict[bytes, msgspec.Raw])
        except msgspec.DecodeError:
            return {}

    @staticmethod
    def _write(folder: Path, body: bytes) -> None:
        folder.mkdir(exist_ok=True)
        for name, text in ((".gitignore", "*\n"), ("CACHEDIR.TAG", TAG)):
            if not os.path.lexists(folder / name):
                with (folder / name).open("x", encoding="ascii") as stream:
                    stream.write(text)
        draft = folder / f"facts.{os.getpid()}.{os.urandom(4).hex()}.tmp"
        try:
            with draft.open("xb") as stream:
                stream.write(body)
            draft.replace(folder / "facts.pack")
        finally:
            draft.unlink(missing_ok=True)


def _regular(path: Path) -> BinaryIO:
    """Open a regular file and nothing else: a pipe would wait for ever, a link may lead anywhere."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    stream = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        stream.close()
        raise OSError(f"{path} is not a regular file")
    return stream


def tracked(folder: Path) -> bool:
    """Whether git tracks files in `folder`, as the index of the repository around it tells."""
    for above in folder.absolute().parents:
        git = above / ".git"
        try:
            if git.is_file():
                git = above / git.read_text(encoding="utf-8", errors="replace").removeprefix("gitdir:").strip()
            index = (git / "index").read_bytes()
        except OSError:
            if git.is_dir():
                return False
            continue
        # The fourth form of the index leaves out what a name shares with the one before it, at least its dot.
        return folder.name[3:].encode() + b"/" in index
    return False


@remember
def schema() -> bytes:
    """A digest that changes whenever the form of the facts or the code that reads them does."""
    digest = hashlib.blake2b(repr(sys.version_info[:3]).encode(), digest_size=DIGEST)
    package = Path(__file__).resolve().parent.parent
    for folder in ("facts", "lower"):
        for file in sorted((package / folder).rglob("*.py")):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    digest.update((package / "model" / "source.py").read_bytes())
    for name, distribution in READERS.items():
        digest.update(_version(name, distribution).encode())
    return digest.hexdigest().encode()


def _version(name: str, distribution: str) -> str:
    """The version of an installed package from the name of its metadata: importing importlib.metadata takes 20 ms."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return f"{name} -"
    package = Path(spec.origin)
    try:
        beside = [item.name for item in package.parent.parent.iterdir()]
    except OSError:
        beside = []
    prefix = distribution + "-"
    found = [
        item for item in beside if item.lower().replace("_", "-").startswith(prefix) and item.endswith(".dist-info")
    ]
    # An editable install has no metadata beside it.
    return f"{name} {sorted(found)}" if found else f"{name} {package.stat().st_mtime_ns}"
