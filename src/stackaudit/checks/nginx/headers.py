"""Security headers that an inner level drops."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place, one_for_each_cause
from stackaudit.link.nginx.backends import is_django
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.nginx.servers import target_of
from stackaudit.link.nginx.version import at_least
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

SECURITY = (
    "strict-transport-security",
    "content-security-policy",
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "permissions-policy",
    "cross-origin-opener-policy",
    "cross-origin-embedder-policy",
    "cross-origin-resource-policy",
)
_BY_DJANGO = {
    "x-content-type-options": "django.middleware.security.SecurityMiddleware",
    "referrer-policy": "django.middleware.security.SecurityMiddleware",
    "cross-origin-opener-policy": "django.middleware.security.SecurityMiddleware",
    "x-frame-options": "django.middleware.clickjacking.XFrameOptionsMiddleware",
}
"""Headers that Django's own middleware sends by default."""


def add_header_inheritance(stack: Stack) -> Iterator[Verdict]:
    """One site for each block with an add_header of its own around which security headers are set."""
    verdicts = []
    for server in stack.nginx.servers:
        levels = [(server.level, server.title)]
        levels += [(location.level, location.site.name) for location in server.every_location]
        levels += [(inner, f"{name} if") for level, name in tuple(levels) for inner in level.inside("if")]
        verdicts += [verdict for level, name in levels for verdict in _judge(stack, level, name)]
    yield from one_for_each_cause(
        once_for_each_place(verdicts), lambda fail: (fail.values.get("lost"), fail.site.place.path)
    )


def _judge(stack: Stack, level: Level, name: str) -> Iterator[Verdict]:
    own = level.lines.get("add_header", [])
    outer = next((around for around in level.outward() if around is not level and "add_header" in around.lines), None)
    if not own or outer is None or level.lines.get("return"):
        return
    wanted = {_name(line): line for line in outer.lines["add_header"] if _name(line) in SECURITY}
    missing = [line for header, line in wanted.items() if header not in {_name(line) for line in own}]
    if not wanted:
        return
    site = Site(own[0].place, f"{name} add_header")
    condition = next((line.maybe for line in own if line.maybe), "")
    if not condition and missing and all(line.maybe for line in missing):
        condition = missing[0].maybe
    if not missing or _merges(stack, level) or "more_set_headers" in level.lines:
        yield Pass(site)
    elif condition:
        yield Unsure(site, f"it depends on {condition} of the template")
    elif (gap := level.gap_for("add_header")) is not None:
        yield Unsure(site, gap.why)
    elif sent_by_django(stack, level, [_name(line) for line in missing]):
        yield Pass(site)
    else:
        lost = ", ".join(line.words[0].text for line in missing)
        related = tuple(Step(line.place, f"{line.words[0].text} is set here and lost there") for line in missing)
        yield Fail(site, {"lost": lost}, related=related)


def _name(line: Line) -> str:
    return line.words[0].text.lower() if line.words else ""


def _merges(stack: Stack, level: Level) -> bool:
    """Whether add_header_inherit (nginx 1.29.3) merges here."""
    found = level.in_force("add_header_inherit")
    if not isinstance(found, Known) or not found.value.lines:
        return False
    return found.value.lines[-1].words[0].text == "merge" and at_least(stack.nginx.version, (1, 29, 3)) is not False


def sent_by_django(stack: Stack, level: Level, names: list[str]) -> bool:
    """Whether the answers come from Django, whose middleware sends all of `names` itself."""
    target = target_of(level) or (target_of(level.parent) if level.kind == "if" and level.parent else None)
    if target is None or isinstance(target, Unknown) or not is_django(stack, target.value):
        return False
    middleware = stack.production.get("MIDDLEWARE") if stack.production is not None else None
    if not isinstance(middleware, Known):
        return False
    items = {item.value for item in middleware.value if isinstance(item, Known)}
    return all(_BY_DJANGO.get(name) in items for name in names)
