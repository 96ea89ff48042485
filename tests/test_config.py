"""The configuration is read from where people put it, and a mistake in it is told with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.config import Config, ConfigError, Host, host_from, load


def test_no_file(tmp_path: Path) -> None:
    assert load(tmp_path) == (Config(), "")


@pytest.mark.parametrize("name", ["stackaudit.toml", ".stackaudit.toml"])
def test_own_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('fail-on = "high"\n[host]\nvcpus = 2\nworker-memory = "150MiB"\n')
    assert load(tmp_path) == (Config(fail_on="high", host=Host(vcpus=2, worker_memory="150MiB")), name)


def test_pyproject(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    assert load(tmp_path) == (Config(), "")
    (tmp_path / "pyproject.toml").write_text('[tool.stackaudit]\nignore = ["orm"]\n')
    assert load(tmp_path) == (Config(ignore=("orm",)), "pyproject.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('fail_on = "high"', "unknown key `fail_on`; did you mean `fail-on`?"),
        ("[host]\nvcpu = 2", "unknown key `vcpu` in [host]; did you mean `vcpus`?"),
        ("[host]\nvcpus = 'two'", "`host.vcpus`: Expected `int | null`, got `str`"),
        ('fail-on = "hihg"', "`fail-on`: `hihg` is none of critical, high, medium, low, never; did you mean `high`?"),
        ("a = ", "this is not TOML that can be read: Invalid value (at end of document)"),
        ("zzzzzz = 1", "unknown key `zzzzzz`; known keys: baseline, category, deptry-report"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "stackaudit.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'stackaudit.toml'}: {message}")


def test_a_broken_pyproject_is_not_ours_to_judge(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("a = ")
    assert load(tmp_path) == (Config(), "")
    with pytest.raises(ConfigError, match="this is not TOML"):
        load(tmp_path, tmp_path / "pyproject.toml")


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such configuration file"):
        load(tmp_path, tmp_path / "other.toml")


def test_host_file(tmp_path: Path) -> None:
    path = tmp_path / "host.toml"
    with pytest.raises(ConfigError, match="write one with: stackaudit host"):
        host_from(path)
    path.write_text("[host]\nvcpus = 4\n")
    assert host_from(path) == Host(vcpus=4)
    path.write_text("vcpus = 4\n")
    assert host_from(path) == Host(vcpus=4)
    path.write_text("[host]\ncpus = 4\n")
    with pytest.raises(ConfigError, match="unknown key `cpus`; did you mean `vcpus`"):
        host_from(path)
