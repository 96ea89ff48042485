"""What nginx does with a directive that a level does not set: inherit it, or not; and its default by version.

Seen on live nginx 1.22.1, 1.26.3 and 1.30.6. A level that sets a directive replaces what the outer levels say of it,
lists too; several lines of one level add up where nginx allows several.
"""

from __future__ import annotations

from stackaudit.link.nginx.version import Version, at_least
from stackaudit.model.values import Known, Unknown, Value

NOT_INHERITED = frozenset(
    {"return", "rewrite", "set", "if", "try_files", "internal", "listen", "server_name", "mirror", "stub_status"}
    | {"empty_gif", "content_by_lua_block", "js_content", "perl", "break", "include", "deny_all"}
)
"""Directives of a level that its inner levels never see."""

FAMILY = {"proxy_pass": "proxy", "uwsgi_pass": "uwsgi"}
"""How the directives begin that say how requests go to a backend, by the directive that names it."""
HANDLERS = ("proxy_pass", "uwsgi_pass", "fastcgi_pass", "scgi_pass", "grpc_pass", "memcached_pass")
"""Directives that hand a request to another server; only `if` and `limit_except` inside the same location see them."""

DEFAULTS: dict[str, tuple[tuple[tuple[int, ...], tuple[str, ...]], ...]] = {
    "gzip": (((0,), ("off",)),),
    "gzip_vary": (((0,), ("off",)),),
    "gzip_proxied": (((0,), ("off",)),),
    "gzip_types": (((0,), ("text/html",)),),
    "gzip_min_length": (((0,), ("20",)),),
    "gzip_comp_level": (((0,), ("1",)),),
    "gzip_http_version": (((0,), ("1.1",)),),
    "brotli": (((0,), ("off",)),),
    "brotli_types": (((0,), ("text/html",)),),
    "zstd": (((0,), ("off",)),),
    "expires": (((0,), ("off",)),),
    "root": (((0,), ("html",)),),
    "client_max_body_size": (((0,), ("1m",)),),
    "proxy_cache": (((0,), ("off",)),),
    "proxy_buffering": (((0,), ("on",)),),
    "proxy_http_version": (((0,), ("1.0",)), ((1, 29, 7), ("1.1",))),
    "proxy_read_timeout": (((0,), ("60s",)),),
    "proxy_cache_key": (((0,), ("$scheme$proxy_host$request_uri",)),),
    "ssl_protocols": (
        ((0,), ("TLSv1", "TLSv1.1", "TLSv1.2")),
        ((1, 23, 4), ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")),
        ((1, 27, 3), ("TLSv1.2", "TLSv1.3")),
    ),
    "ssl_session_tickets": (((0,), ("on",)),),
    "ssl_session_cache": (((0,), ("none",)),),
    "server_tokens": (((0,), ("on",)),),
    "autoindex": (((0,), ("off",)),),
    "sendfile": (((0,), ("off",)),),
    "tcp_nopush": (((0,), ("off",)),),
    "gzip_static": (((0,), ("off",)),),
    "brotli_static": (((0,), ("off",)),),
    "default_type": (((0,), ("text/plain",)),),
    "worker_processes": (((0,), ("1",)),),
    "worker_connections": (((0,), ("512",)),),
    "http2": (((0,), ("off",)),),
}
"""The defaults, each from the version on that is named; (0,) for all versions."""


def default(name: str, version: Value[Version]) -> Value[tuple[str, ...]]:
    """The words that stand for `name` where nobody sets it; Unknown where versions differ and ours is not known."""
    steps = DEFAULTS[name]
    if len(steps) == 1:
        return Known(steps[0][1], note="nginx's default")
    if isinstance(version, Unknown):
        gates = ", ".join(".".join(map(str, since)) for since, _ in steps[1:])
        return Unknown(f"the default of {name} changed in nginx {gates}, and {version.why}")
    reached = [at_least(version, since) for since, _ in steps]
    if None in reached:
        return Unknown(f"nginx {version.value} does not tell the default of {name}: it changed within that line")
    words = next(words for (_, words), yes in zip(reversed(steps), reversed(reached), strict=True) if yes)
    return Known(words, note=f"default of nginx {version.value}")
