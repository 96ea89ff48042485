"""What happens when a page of nginx's cache expires under load."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.cache import FAMILY
from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nginx.durations import seconds
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

SHORT = 60.0
"""Up to this lifetime, in seconds, a page expires so often that the moment counts."""


def cache_stampede(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that keeps Django's pages for a short time."""
    verdicts = once_for_each_place(
        verdict for proxied, is_it in django_locations(stack) if is_it for verdict in _judge(proxied)
    )
    yield from one_for_each_cause(verdicts, lambda fail: (fail.cause, fail.site.place.path, fail.values["time"]))


def _judge(proxied: Proxied) -> Iterator[Verdict]:
    family = FAMILY.get(proxied.target.by)
    if family is None:
        return
    zone = proxied.level.in_force(f"{family}_cache")
    if isinstance(zone, Unknown) or not zone.value.lines or zone.value.lines[-1].words[0].text == "off":
        return
    valid = proxied.level.in_force(f"{family}_cache_valid")
    if isinstance(valid, Unknown):
        return
    line = next((line for line in valid.value.lines if _keeps_pages([word.text for word in line.words])), None)
    time = seconds(line.words[-1].text) if line is not None else None
    if line is None or time is None or not 0 < time <= SHORT:
        return
    site = Site(line.place, f"{proxied.location.site.name} expiry")
    lock = proxied.level.in_force(f"{family}_cache_lock")
    stale = proxied.level.in_force(f"{family}_cache_use_stale")
    for unknown in (lock, stale):
        if isinstance(unknown, Unknown):
            yield Unsure(site, unknown.why)
            return
    assert isinstance(lock, Known) and isinstance(stale, Known)
    locked = bool(lock.value.lines) and lock.value.lines[-1].words[0].text == "on"
    updating = any(word.text == "updating" for item in stale.value.lines for word in item.words)
    if updating:
        yield Pass(site)
        return
    step = Step(zone.places[0], "the cache is switched on here")
    # the lock holds back requests for pages that are not there yet, and no others: seen on nginx 1.22.1
    yield Fail(site, {"time": f"{time:g}", "family": family}, cause="lock-only" if locked else "", related=(step,))


def _keeps_pages(words: list[str]) -> bool:
    codes = words[:-1]
    return not codes or "200" in codes or "any" in codes
