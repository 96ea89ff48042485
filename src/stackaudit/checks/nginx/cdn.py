"""What tells that a CDN stands in front of nginx."""

from __future__ import annotations

from stackaudit.link.nginx.level import Level

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
