import pytest

from stackaudit.config import Config, Host
from stackaudit.link.host import WORKER_MEMORY, human, size
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4GiB", 4 * 1024**3),
        ("4GB", 4 * 1000**3),
        ("4G", 4 * 1000**3),
        ("1.5 GiB", 1536 * 1024**2),
        ("150MiB", 150 * 1024**2),
        ("512", 512),
        ("much", None),
        ("-1G", None),
        ("", None),
    ],
)
def test_size(text: str, expected: int | None) -> None:
    assert size(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("512m", 512 * 1024**2), ("1gb", 1024**3), ("1G", 1024**3), ("64k", 65536)]
)
def test_size_of_docker_and_systemd(text: str, expected: int) -> None:
    assert size(text, binary=True) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [(150 * 1024**2, "150 MiB"), (1024**3, "1 GiB"), (1.5 * 1024**3, "1.5 GiB"), (2048, "2 KiB"), (5, "5 B")],
)
def test_human(number: float, expected: str) -> None:
    assert human(number) == expected


def test_the_host_of_a_stack() -> None:
    host = Stack((), Config(host=Host(vcpus=2, memory="2GiB", services=("postgres",)))).host
    assert (host.vcpus, host.memory) == (Known(2, (), "vcpus of [host]"), Known(2 * 1024**3, (), "memory of [host]"))
    assert host.worker_memory == Known(WORKER_MEMORY, (), "not measured")
    assert host.disk == Unknown("the [host] table has no disk")


def test_nothing_told() -> None:
    assert Stack((), Config()).host.vcpus == Unknown("there is no [host] table")


def test_a_size_that_is_none() -> None:
    assert Stack((), Config(host=Host(memory="plenty"))).host.memory == Unknown("memory of [host] is no size: plenty")
