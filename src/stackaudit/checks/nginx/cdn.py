"""What tells that a CDN stands in front of nginx."""

from __future__ import annotations

import re

from stackaudit.link.nginx.level import Level
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known

_CDN = ("cf-connecting-ip", "cloudflare", "cf-ray", "fastly", "cloudfront", "x-amz-cf", "akamai", "true-client-ip")


def cdn_sign(level: Level) -> str | None:
    """The line that names a header which only a CDN sends; None where no line in force around `level` does."""
    for outer in level.outward():
        for name in ("real_ip_header", "proxy_set_header", "set_real_ip_from"):
            for line in outer.lines.get(name, []):
                words = " ".join(word.text for word in line.words).lower().replace("_", "-")
                if any(mark in words for mark in _CDN):
                    return f"{name} {line.words[0].text}"
    return None


_SETTINGS = re.compile(r"(FASTLY|AKAMAI)_|(CLOUDFLARE|CF)_(API|AUTH|BEARER|EMAIL|PURGE|ZONE)|WAGTAILFRONTENDCACHE$")
"""Settings with which a project empties the cache of its CDN."""


def cdn_in_front(stack: Stack, level: Level) -> str | None:
    """What tells that a CDN stands in front: a line of nginx around `level`, or a setting of production."""
    sign = cdn_sign(level)
    settings = stack.production
    if sign is not None or settings is None or settings.broken:
        return sign
    header = settings.get("SECURE_PROXY_SSL_HEADER")
    if isinstance(header, Known) and isinstance(header.value, (list, tuple)) and header.value:
        first = header.value[0].value if isinstance(header.value[0], Known) else header.value[0]
        if any(mark in str(first).lower().replace("_", "-") for mark in _CDN):
            return "SECURE_PROXY_SSL_HEADER"
    for name in settings.names:
        if isinstance(name, str) and _SETTINGS.match(name):
            value = settings.get(name)
            if not isinstance(value, Known) or value.value:
                return name
    return None
