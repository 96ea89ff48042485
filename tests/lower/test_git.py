from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stackaudit.lower.git import ALL, GitError, changed_lines, parse


def git(root: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false",
         *words],
        check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "a.py").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    (folder / "b.py").write_text("x\n")
    (folder / "gone.py").write_text("x\n")
    (tmp_path / "outside.py").write_text("x\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return folder


def test_committed_uncommitted_and_untracked_changes_count(root: Path) -> None:
    lines = [f"line {n}\n" for n in range(1, 11)]
    lines[2] = "changed\n"
    lines[6:6] = ["new\n", "--- new\n", "+++ new\n"]
    del lines[-1]
    (root / "a.py").write_text("".join(lines))
    git(root, "commit", "-q", "-a", "-m", "second")
    (root / "b.py").write_text("y\n")
    (root / "gone.py").unlink()
    (root / "ünï 'q\".py").write_text("quotes\n")
    (root.parent / "outside.py").write_text("y\n")
    assert changed_lines(root, "HEAD~1") == {
        "a.py": [(3, 3), (7, 9), (12, 13)],
        "b.py": [(1, 1)],
        "ünï 'q\".py": [(1, ALL)],
    }
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "third")
    assert changed_lines(root, "HEAD~1")["ünï 'q\".py"] == [(1, 1)]
    assert changed_lines(root, "HEAD") == {}


def test_a_file_that_only_moved_has_no_changed_lines(root: Path) -> None:
    git(root, "mv", "a.py", "moved.py")
    git(root, "commit", "-q", "-m", "second")
    assert changed_lines(root, "HEAD~1") == {}


def test_what_another_branch_did_since_does_not_count(root: Path) -> None:
    git(root, "checkout", "-q", "-b", "work")
    (root / "b.py").write_text("mine\n")
    git(root, "commit", "-q", "-a", "-m", "mine")
    git(root, "checkout", "-q", "main")
    (root / "a.py").write_text("theirs\n")
    git(root, "commit", "-q", "-a", "-m", "theirs")
    git(root, "checkout", "-q", "work")
    assert changed_lines(root, "main") == {"b.py": [(1, 1)]}


@pytest.mark.parametrize("revision", ["nothing", "--output=x", "-h", "HEAD~9", ""])
def test_an_unknown_revision(root: Path, revision: str) -> None:
    with pytest.raises(GitError, match="git knows no such revision"):
        changed_lines(root, revision)


def test_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(GitError, match="is not inside a git repository"):
        changed_lines(tmp_path, "HEAD")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GitError, match="not installed"):
        changed_lines(tmp_path, "HEAD")


def test_names_in_quotes() -> None:
    diff = b'+++ "b/tab\\there \\303\\274 \\"q\\" \\\\.py"\n@@ -1 +1,2 @@\n-x\n+y\n+z\n'
    assert parse(diff) == {'tab\there ü "q" \\.py': [(1, 2)]}
