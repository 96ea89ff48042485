"""Verdicts on TLS beside real handshakes: HSTS, ciphers, sessions that are resumed, HTTP/2."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stackaudit import config
from stackaudit.scan import scan
from tests.nginx_live.conftest import BINARY, free_port
from tests.nginx_live.many import verdicts_by_case
from tests.nginx_live.test_verdicts import accepts, told, verdicts

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def context(maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2, ciphers: str = "") -> ssl.SSLContext:
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    result.check_hostname = False
    result.verify_mode = ssl.CERT_NONE
    result.maximum_version = maximum
    if ciphers:
        result.set_ciphers(ciphers)
    return result


@contextmanager
def handshake(
    port: int, name: str, wish: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(("127.0.0.1", port), 2) as raw,
        wish.wrap_socket(raw, server_hostname=name, session=session) as secured,
    ):
        yield secured


def tls_servers(port: int, cases: tuple[str, ...], certificate: Path, options: str = "ssl") -> str:
    """The http block of `many.servers`, over TLS."""
    lines = [f"ssl_certificate {certificate}/cert.pem; ssl_certificate_key {certificate}/key.pem;"]
    for number, body in enumerate(cases):
        lines.append(f"server {{ listen 127.0.0.1:{port} {options}; server_name case{number}.test; {body} }}")
    return "\n".join(lines)


def test_hsts_missing(live: Any, port: int, certificate: Path, tmp_path: Path, upstream: Any) -> None:
    application = f"location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }}"
    cases = (
        application,
        f"add_header Strict-Transport-Security max-age=9; {application}",
        f"add_header Strict-Transport-Security ''; {application}",
        f"add_header X-A 1; {application}",
        f"add_header strict-transport-security max-age=9 always; {application}",
    )
    text = tls_servers(port, cases, certificate)
    live.start(text, port)
    sent = []
    for number in range(len(cases)):
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=context())
        connection.request("GET", "/", headers={"Host": f"case{number}.test"})
        sent.append(connection.getresponse().getheader("Strict-Transport-Security") is not None)
        connection.close()
    found = verdicts_by_case("nginx/hsts-missing", tmp_path, text)
    assert found == ["pass" if is_sent else "fail" for is_sent in sent]


def test_tls_ciphers(live: Any, port: int, certificate: Path, tmp_path: Path) -> None:
    lists = (
        "",
        "AES128-SHA",
        "AES128-SHA:AES256-SHA",
        "AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256",
        "HIGH:!aNULL:!MD5",
        "kRSA",
        "EECDH+AESGCM",
        "TLS_AES_128_GCM_SHA256:AES128-SHA",
    )
    cases = tuple(f"ssl_ciphers {text}; return 204;" if text else "return 204;" for text in lists)
    text = tls_servers(port, cases, certificate)
    live.start(text, port)
    secret = []
    for number in range(len(cases)):
        with handshake(port, f"case{number}.test", context(ciphers="ALL")) as secured:
            secret.append("DHE" in secured.cipher()[0])  # type: ignore[index]
    found = verdicts_by_case("nginx/tls-ciphers", tmp_path, text)
    assert found == ["pass" if is_secret else "fail" for is_secret in secret]


@pytest.mark.parametrize("ciphers", ["DEFAULT", "DEFAULT:@SECLEVEL=0"])
def test_security_level_zero_brings_tls_1_1_back(
    live: Any, port: int, certificate: Path, tmp_path: Path, ciphers: str
) -> None:
    text = tls_servers(port, (f"ssl_ciphers {ciphers}; return 204;",), certificate)
    live.start(text, port)
    old = accepts(port, "case0.test", ssl.TLSVersion.TLSv1_1)
    assert verdicts("nginx/tls-ciphers", tmp_path, text) == told(not old)


@pytest.mark.parametrize(
    ("standard", "named"),
    [
        ("", ""),
        ("ssl_session_tickets off;", "ssl_session_tickets off;"),
        ("ssl_session_tickets off;", ""),
        ("", "ssl_session_tickets off;"),
        ("ssl_session_tickets off;", "ssl_session_tickets off; ssl_session_cache shared:b:1m;"),
        ("ssl_session_tickets off; ssl_session_cache shared:a:1m;", "ssl_session_tickets off;"),
        ("ssl_session_cache off;", "ssl_session_cache off;"),
    ],
)
def test_tls_session_resumption(
    live: Any, port: int, certificate: Path, tmp_path: Path, standard: str, named: str
) -> None:
    text = tls_servers(port, (f"{standard} return 204;", f"{named} return 204;"), certificate)
    live.start(text, port)
    resumed = []
    for number in range(2):
        wish, name = context(), f"case{number}.test"
        with handshake(port, name, wish) as first:
            session = first.session
        with handshake(port, name, wish, session) as second:
            resumed.append(bool(second.session_reused))
    found = verdicts_by_case("nginx/tls-session-resumption", tmp_path, text)
    assert found == ["pass" if is_resumed else "fail" for is_resumed in resumed]


@pytest.mark.parametrize(("first", "second"), [("ssl", "ssl"), ("ssl http2", "ssl"), ("ssl", "ssl http2")])
def test_http2_off(
    live: Any, port: int, certificate: Path, tmp_path: Path, upstream: Any, first: str, second: str
) -> None:
    other = free_port()
    application = f"location / {{ proxy_pass http://127.0.0.1:{upstream.port}; }}"
    lines = [f"ssl_certificate {certificate}/cert.pem; ssl_certificate_key {certificate}/key.pem;"]
    for number, (socket_port, options) in enumerate([(port, first), (port, second), (other, "ssl")]):
        listen = f"listen 127.0.0.1:{socket_port} {options}"
        lines.append(f"server {{ {listen}; server_name case{number}.test; {application} }}")
    text = "\n".join(lines)
    live.start(text, port)
    chosen = []
    for number, socket_port in enumerate([port, port, other]):
        wish = context(ssl.TLSVersion.TLSv1_3)
        wish.set_alpn_protocols(["h2", "http/1.1"])
        with handshake(socket_port, f"case{number}.test", wish) as secured:
            chosen.append(secured.selected_alpn_protocol() == "h2")
    found = verdicts_by_case("nginx/http2-off", tmp_path, text)
    assert found == ["pass" if is_h2 else "fail" for is_h2 in chosen]


@pytest.mark.parametrize("options", ["", "ssl"])
def test_port_443_without_ssl_speaks_plainly(live: Any, certificate: Path, tmp_path: Path, options: str) -> None:
    port = free_port()
    live.start(tls_servers(port, ("return 204;",), certificate, options), port)
    try:
        with handshake(port, "case0.test", context()):
            speaks = True
    except ssl.SSLError:
        speaks = False
    pair = f"ssl_certificate {certificate}/cert.pem; ssl_certificate_key {certificate}/key.pem;"
    text = f"server {{ listen 443 {options}; {pair} return 204; }}"
    assert verdicts("nginx/wrong-protocol", tmp_path, text) == told(speaks)


def test_http2_syntax(live: Any, certificate: Path, tmp_path: Path) -> None:
    port = free_port()
    text = "\n" + tls_servers(port, ("return 204;",), certificate, "ssl http2")
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid; events {{}} http {{ {text} }}")
    check = [str(BINARY), "-t", "-c", str(tmp_path / "nginx.conf"), "-p", str(live.prefix), "-e", "stderr"]
    told_of = subprocess.run(check, capture_output=True, text=True, check=False).stderr
    version = re.search(r"nginx/([\d.]+)", subprocess.run([str(BINARY), "-v"], capture_output=True, text=True).stderr)
    assert version is not None
    (tmp_path / "stackaudit.toml").write_text(f'[nginx]\nversion = "{version[1]}"\n')
    wishes, _ = config.load(tmp_path)
    result = scan(tmp_path, msgspec.structs.replace(wishes, select=("nginx/http2-syntax",), no_cache=True, jobs=1))
    assert [bool(result.findings), bool(result.passed)] == ["deprecated" in told_of, "deprecated" not in told_of]
