"""deps/eol-runtime: Django, Python, PostgreSQL and nginx that their makers no longer mend."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from packaging.version import InvalidVersion, Version

from stackaudit.checks.deps.lifecycles import AS_OF, ENDS, NEEDS_PYTHON, NEWEST, SOON
from stackaudit.facts.commands import Text
from stackaudit.facts.services import Compose, Dockerfile
from stackaudit.link.packages.installs import DEVELOPMENT, fill, reached
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_IMAGES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("Python", re.compile(r"(?:.*/)?python(?::(.*))?")),
    ("PostgreSQL", re.compile(r"(?:.*/)?(?:postgres|postgis|pgvector|timescaledb|timescaledb-ha)(?::(.*))?")),
    ("nginx", re.compile(r"(?:.*/)?(?:nginx|nginx-unprivileged)(?::(.*))?")),
)
_NUMBER = re.compile(r"(\d+(?:\.\d+)*)")
_POSTGRES = re.compile(r"(?:^|[-_.])pg(\d+)")
_DIGITS = {"Django": 2, "Python": 2, "PostgreSQL": 1, "nginx": 2}
_ADVICE = {
    "Python": "Build on a newer image and run the tests on it first.",
    "PostgreSQL": "Dump and restore, or pg_upgrade, into a supported release.",
    "nginx": "Take the image of the stable branch; configuration carries over, `nginx -t` tells where not.",
}


@dataclass(frozen=True, slots=True)
class Runtime:
    """A product in the version that a file asks for; a version of "" leaves it open, and `why` tells how."""

    product: str
    version: str
    site: Site
    why: str = ""

    @property
    def series(self) -> tuple[int, ...] | None:
        """The release series, as far as the version tells it."""
        numbers = _NUMBER.match(self.version)
        parts = tuple(map(int, numbers[1].split("."))) if numbers else ()
        wanted = _DIGITS[self.product]
        return parts[:wanted] if len(parts) >= wanted else None


def eol_runtime(stack: Stack) -> Iterator[Verdict]:
    """One verdict for each runtime that production names."""
    found = list(_runtimes(stack))
    django = next((item.series for item in found if item.product == "Django"), None)
    for item in found:
        yield _judge(item, django)


def _judge(item: Runtime, django: tuple[int, ...] | None) -> Verdict:
    series = item.series
    if series is None:
        return Unsure(item.site, item.why or f"`{item.version}` does not tell the release series of {item.product}")
    name = ".".join(map(str, series))
    if item.product == "Python" and django is not None and (needed := _needed(django)) > series:
        values = {
            "python": name,
            "django": ".".join(map(str, django)),
            "needed": ".".join(map(str, needed)),
        }
        return Fail(item.site, values, cause="incompatible")
    known = ENDS[item.product]
    ends = known.get(series) or (min(known.values()) if series < min(known) else None)
    if ends is None:
        if item.product == "nginx" and series < max(known):
            ends = min(day for other, day in known.items() if other > series)
        elif series > NEWEST[item.product]:
            return Unsure(item.site, f"{item.product} {name} is newer than this release of stackaudit ({AS_OF})")
        else:
            return Pass(item.site)
    values = {
        "product": item.product,
        "series": name,
        "month": f"{ends:%B %Y}",
        "as_of": AS_OF.isoformat(),
        "advice": _django_advice(series) if item.product == "Django" else _ADVICE[item.product],
    }
    if ends < AS_OF:
        return Fail(item.site, values)
    if _days(ends) <= SOON:
        return Fail(item.site, values, cause="ending")
    return Pass(item.site)


def _django_advice(series: tuple[int, ...]) -> str:
    """The nearest long-term series above, or the newest one; never a series below."""
    above = {other: day for other, day in ENDS["Django"].items() if other > series and day > AS_OF}
    if not above:
        return "Move to the next series when it is out."
    longer = [other for other in above if other[1] == 2]
    target = min(longer) if longer else max(above)
    name = ".".join(map(str, target))
    steps = "one series at a time, " if target[0] > series[0] else ""
    return f"Move to Django {name}, which is mended until {above[target]:%B %Y}, {steps}with warnings turned on."


def _days(ends: date) -> int:
    return (ends - AS_OF).days


def _needed(django: tuple[int, ...]) -> tuple[int, ...]:
    return max((python for since, python in NEEDS_PYTHON.items() if django >= since), default=(0, 0))


def _runtimes(stack: Stack) -> Iterator[Runtime]:
    yield from _django(stack)
    images = list(_images(stack))
    yield from images
    told = any(item.product == "Python" for item in images)
    for path, python in stack.packages.runtimes:
        name = path.rpartition("/")[2]
        # Where an image brings the Python, .python-version is that of the developers' machines.
        if name == "runtime.txt" or (name in (".python-version", ".tool-versions", "Pipfile") and not told):
            yield Runtime("Python", python.wanted, Site(Place(path, python.region), "Python"))


def _images(stack: Stack) -> Iterator[Runtime]:
    for item in stack.of_kind("dockerfile", "compose"):
        if DEVELOPMENT.search(item.path):
            continue
        if isinstance(item.facts, Dockerfile):
            names = {stage.name for stage in item.facts.stages}
            for stage in reached(item.facts.stages):
                image = fill(stage.image, stage)
                if image is None or image not in names:
                    yield from _image(image, stage.image.text, Place(item.path, stage.image.region))
        elif isinstance(item.facts, Compose):
            for service in item.facts.services:
                if service.image is not None and service.build is None:
                    yield from _image(_plain(service.image), service.image.text, Place(item.path, service.image.region))


def _django(stack: Stack) -> Iterator[Runtime]:
    declared, version = stack.packages.requirement("django"), stack.packages.django_version
    if isinstance(version, Known):
        place = declared.place if declared is not None else version.places[0]
        yield Runtime("Django", str(version.value), Site(place, "Django"))
    elif declared is not None:
        yield Runtime("Django", "", Site(declared.place, "Django"), version.why)


def _plain(image: Text) -> str | None:
    """The image with the defaults of its holes (`${TAG:-17}`); None where one has none."""
    text, shift = image.text, 0
    for hole in image.holes:
        if hole.default is None or hole.default.holes or hole.alternative:
            return None
        text = text[: hole.start + shift] + hole.default.text + text[hole.end + shift :]
        shift += len(hole.default.text) - (hole.end - hole.start)
    return text


def _image(image: str | None, written: str, place: Place) -> Iterator[Runtime]:
    """The runtime that an image of Docker's own library holds; other images say nothing."""
    for product, pattern in _IMAGES:
        match = pattern.fullmatch((image or written).partition("@")[0])
        if match is None:
            continue
        tag = match[1] or ""
        if product == "PostgreSQL" and not re.match(r"(?:.*/)?post", match[0]):
            inner = _POSTGRES.search(tag)  # extensions number their images by themselves: 2.17.2-pg16
            tag = inner[1] if inner else ""
        site = Site(place, f"{product} of image {written}")
        if image is None:
            yield Runtime(product, "", site, f"the tag of `{written}` is decided when it is built")
        elif _version(tag) is None:
            yield Runtime(product, "", site, f"`{image}` takes whatever release is current when it is pulled")
        else:
            yield Runtime(product, tag, site)


def _version(tag: str) -> Version | None:
    numbers = _NUMBER.match(tag)
    try:
        return Version(numbers[1]) if numbers else None
    except InvalidVersion:
        return None
