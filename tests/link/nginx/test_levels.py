"""What levels tell beside their directives: added headers, doubts of a missing http block, main files of containers."""

from __future__ import annotations

import pytest

from stackaudit.link.nginx.headers import added
from stackaudit.link.nginx.servers import socket_file
from stackaudit.model.values import Known, Unknown
from tests.link.nginx.test_nginx import nginx


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("", "", None),
        ("add_header X-A 1;", "", ("1", False)),
        ("add_header x-a 1 always;", "", ("1", True)),
        ("add_header X-A 1;", "add_header X-B 2;", None),
        ('add_header X-A "";', "", None),
        ('add_header X-A "1; always;";', "", ("1; always;", False)),
        ('more_set_headers "X-A: 3";', "add_header X-B 2;", ("3", True)),
    ],
)
def test_added_headers(outer: str, inner: str, expected: tuple[str, bool] | None) -> None:
    tree = nginx({"nginx.conf": f"events {{}} http {{ server {{ {outer} location / {{ {inner} }} }} }}"})
    found = added(tree.locations[0].level, "X-A")
    assert isinstance(found, Known)
    assert (found.value and (found.value.value, found.value.always)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server { listen 80; }", True),
        ("server { listen 80; ssl_ciphers HIGH; }", False),
        ("server { listen 80; include snippets/tls.conf; }", False),
        ("http { server { listen 80; } }", False),
    ],
)
def test_what_hangs_on_an_http_block_that_is_not_there(text: str, expected: bool) -> None:
    assert nginx({"site.conf": text}).servers[0].level.hangs_on_http("ssl_ciphers") == expected


@pytest.mark.parametrize("brings", [True, False])
def test_a_main_file_that_is_mounted_elsewhere_may_be_put_in_place(brings: bool) -> None:
    files = {
        "compose.yml": "services:\n  front:\n    image: nginx:1.27\n    volumes:\n      - ./scripts:/scripts\n",
        "scripts/site.conf": "server { listen 80; }",
        **({"scripts/nginx.conf": "events {} http { sendfile off; }"} if brings else {}),
    }
    servers = [server for server in nginx(files).servers if server.level.path == "scripts/site.conf"]
    found = servers[0].value("sendfile")
    assert isinstance(found, Unknown) if brings else found.places and isinstance(found, Known) and found.value == "on"


def test_folders_of_the_repository_inside_of_a_container() -> None:
    files = {
        "deploy/compose.yml": "services:\n  front:\n    image: nginx:1.27\n    volumes:\n      - ..:/code:ro\n",
        "deploy/nginx.conf": "events {} http { }",
    }
    assert [unit.folders for unit in nginx(files).units] == [{"/code": "."}]


def test_socket_files_as_uwsgi_writes_them() -> None:
    assert [socket_file(path) for path in ("///run/a.sock", "/run/a.sock", "a.sock")] == [
        "unix:/run/a.sock",
        "unix:/run/a.sock",
        "unix:a.sock",
    ]
    tree = nginx({"nginx.conf": "http { upstream a { server unix:///run/a.sock; } server { location / "
                                "{ uwsgi_pass unix:///run/a.sock; } } }"})  # fmt: skip
    assert (tree.upstreams["a"].addresses, tree.proxied[0].target.address) == (
        ("unix:/run/a.sock",),
        "unix:/run/a.sock",
    )
