"""Files that distributions, images and certbot bring along, so that an include of them is no riddle.

Sources: nginx-common 1.22.1 of Debian 12 (proxy_params, uwsgi_params), certbot's options-ssl-nginx.conf, the nginx.conf
of the official image (docker-library/nginx).
"""

from __future__ import annotations

from stackaudit.facts.nginx import Word
from stackaudit.link.nginx.level import Line
from stackaudit.model.source import Place

_FILES: dict[str, tuple[str, ...]] = {
    "mime.types": (),
    "koi-utf": (),
    "koi-win": (),
    "win-utf": (),
    "proxy_params": (
        "proxy_set_header Host $http_host",
        "proxy_set_header X-Real-IP $remote_addr",
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for",
        "proxy_set_header X-Forwarded-Proto $scheme",
    ),
    "uwsgi_params": ("uwsgi_param QUERY_STRING $query_string", "uwsgi_param REMOTE_ADDR $remote_addr"),
    "scgi_params": ("scgi_param QUERY_STRING $query_string", "scgi_param REMOTE_ADDR $remote_addr"),
    "fastcgi_params": ("fastcgi_param QUERY_STRING $query_string", "fastcgi_param REMOTE_ADDR $remote_addr"),
    "fastcgi.conf": ("fastcgi_param QUERY_STRING $query_string", "fastcgi_param REMOTE_ADDR $remote_addr"),
    "options-ssl-nginx.conf": (
        "ssl_session_cache shared:le_nginx_SSL:10m",
        "ssl_session_timeout 1440m",
        "ssl_session_tickets off",
        "ssl_protocols TLSv1.2 TLSv1.3",
        "ssl_prefer_server_ciphers off",
        "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256",
    ),
}

OFFICIAL_IMAGE_HTTP = (
    "default_type application/octet-stream",
    "sendfile on",
    "keepalive_timeout 65",
    "types-of-mime.types",
)
"""The http level of the official image's nginx.conf; gzip and tcp_nopush are comments there."""

_TLS_NAMES = ("options-ssl", "ssl-params", "ssl_params", "ssl-options", "certificates", "self-signed", "snakeoil")
_NARROW: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (_TLS_NAMES, ("ssl", "add_header", "resolver")),
    (("modules-enabled", "/modules/"), ("load_module",)),
    (("realip", "real_ip", "real-ip", "cloudflare"), ("set_real_ip_from", "real_ip")),
)


def lines_of(pattern: str, place: Place) -> list[Line] | None:
    """What an include of a well-known file brings in, as if it stood at the include; None for any other file."""
    name = pattern.rpartition("/")[2]
    texts = _FILES.get(name)
    return None if texts is None else [line(text, place) for text in texts]


def line(text: str, place: Place) -> Line:
    """A directive without its semicolon, with `place` for all of it."""
    name, *words = text.split(" ")
    return Line(name, tuple(Word(word, place.region) for word in words), place)


def prefixes_of(pattern: str) -> tuple[str, ...]:
    """What the directives of a file that is not there can begin with, as its name tells; none: anything."""
    lowered = pattern.lower()
    return next((prefixes for names, prefixes in _NARROW if any(name in lowered for name in names)), ())
