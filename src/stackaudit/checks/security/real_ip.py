"""nginx that takes everybody's word for the visitor's address."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_ANYWHERE = frozenset({"0.0.0.0/0", "::/0", "0/0"})


def everybody_believed(stack: Stack) -> Iterator[Verdict]:
    """One site for each `real_ip_recursive on` over Django's pages that goes back through X-Forwarded-For.

    It goes on as long as the addresses are trusted ones: where all are, it ends at the first, which the visitor wrote.
    """
    seen: set[Place] = set()
    for proxied, is_it in django_locations(stack):
        recursive = _line(proxied.level, "real_ip_recursive", "on")
        header = _line(proxied.level, "real_ip_header", "x-forwarded-for")
        trusted = proxied.level.in_force("set_real_ip_from")
        if not is_it or recursive is None or header is None or not isinstance(trusted, Known) or trusted.value.gap:
            continue
        if recursive.place in seen:
            continue
        seen.add(recursive.place)
        site = Site(recursive.place, f"{proxied.location.server.title} real_ip_recursive")
        anybody = [line for line in trusted.value.lines if line.words and line.words[0].text in _ANYWHERE]
        if not anybody:
            yield Pass(site)
        elif proxied.location.server.tls == Known(True):
            step = Step(anybody[0].place, "every address is trusted here")
            yield Fail(site, {"trusted": anybody[0].words[0].text}, cause="real-ip", related=(step,))
        else:
            yield Unsure(site, "a proxy that ends TLS before this server may replace the header")


def _line(level: Level, name: str, word: str) -> Line | None:
    """The line in force, where its first word is `word`."""
    found = level.in_force(name)
    lines = found.value.lines if isinstance(found, Known) else ()
    return lines[-1] if lines and lines[-1].words and lines[-1].words[0].text.lower() == word else None
