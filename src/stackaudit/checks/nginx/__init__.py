"""Rules on nginx: what it really does with the stack's pages, files and secrets."""

from stackaudit.checks.nginx.access import access_control_bypassed
from stackaudit.checks.nginx.alias import alias_traversal
from stackaudit.checks.nginx.always import add_header_without_always
from stackaudit.checks.nginx.bodies import body_size_mismatch
from stackaudit.checks.nginx.cache import cache_leaks_private, cache_never_stores, microcache_opportunity
from stackaudit.checks.nginx.cache_key import cache_key_omits_host
from stackaudit.checks.nginx.catch_all import default_server_missing
from stackaudit.checks.nginx.ciphers import tls_ciphers, tls_session_resumption
from stackaudit.checks.nginx.compression import compression_gaps, compression_off
from stackaudit.checks.nginx.config_errors import config_error
from stackaudit.checks.nginx.delivery import (
    mime_types_missing,
    sendfile_off,
    static_access_log,
    tcp_nopush_without_sendfile,
)
from stackaudit.checks.nginx.disclosure import autoindex, server_tokens
from stackaudit.checks.nginx.dotfiles import dotfiles_served
from stackaudit.checks.nginx.expires import expires_without_hash
from stackaudit.checks.nginx.exposed import source_served
from stackaudit.checks.nginx.guarded_files import protected_files_public
from stackaudit.checks.nginx.headers import add_header_inheritance
from stackaudit.checks.nginx.host_header import host_header
from stackaudit.checks.nginx.hsts import hsts_missing
from stackaudit.checks.nginx.http2 import http2_off, http2_syntax
from stackaudit.checks.nginx.https import https_redirect_missing
from stackaudit.checks.nginx.ifs import if_is_evil
from stackaudit.checks.nginx.injection import crlf_injection
from stackaudit.checks.nginx.keepalive import upstream_keepalive_off
from stackaudit.checks.nginx.lifetimes import precompressed, static_without_expires
from stackaudit.checks.nginx.nobody_listens import nobody_listens
from stackaudit.checks.nginx.page_headers import page_cache_overridden
from stackaudit.checks.nginx.protocols import wrong_protocol
from stackaudit.checks.nginx.proxy_paths import proxy_traversal, proxy_uri
from stackaudit.checks.nginx.proxy_targets import resolver_missing, ssrf
from stackaudit.checks.nginx.proxying import proxy_headers
from stackaudit.checks.nginx.reachable import location_unreachable
from stackaudit.checks.nginx.retries import upstream_retry
from stackaudit.checks.nginx.shadows import regex_shadows_static
from stackaudit.checks.nginx.slow_clients import buffering_off
from stackaudit.checks.nginx.stampede import cache_stampede
from stackaudit.checks.nginx.static import static_path_mismatch, static_served_by_app
from stackaudit.checks.nginx.times import keepalive_timeout_mismatch, timeout_mismatch
from stackaudit.checks.nginx.tls import tls_protocols
from stackaudit.checks.nginx.websocket import websocket_upgrade
from stackaudit.checks.nginx.workers import worker_limits

__all__ = [
    "access_control_bypassed",
    "add_header_inheritance",
    "add_header_without_always",
    "alias_traversal",
    "autoindex",
    "body_size_mismatch",
    "buffering_off",
    "cache_key_omits_host",
    "cache_leaks_private",
    "cache_never_stores",
    "cache_stampede",
    "compression_gaps",
    "compression_off",
    "config_error",
    "crlf_injection",
    "default_server_missing",
    "dotfiles_served",
    "expires_without_hash",
    "host_header",
    "hsts_missing",
    "http2_off",
    "http2_syntax",
    "https_redirect_missing",
    "if_is_evil",
    "keepalive_timeout_mismatch",
    "location_unreachable",
    "microcache_opportunity",
    "mime_types_missing",
    "nobody_listens",
    "page_cache_overridden",
    "precompressed",
    "protected_files_public",
    "proxy_headers",
    "proxy_traversal",
    "proxy_uri",
    "regex_shadows_static",
    "resolver_missing",
    "sendfile_off",
    "server_tokens",
    "source_served",
    "ssrf",
    "static_access_log",
    "static_path_mismatch",
    "static_served_by_app",
    "static_without_expires",
    "tcp_nopush_without_sendfile",
    "timeout_mismatch",
    "tls_ciphers",
    "tls_protocols",
    "tls_session_resumption",
    "upstream_keepalive_off",
    "upstream_retry",
    "websocket_upgrade",
    "worker_limits",
    "wrong_protocol",
]
