"""The order of MIDDLEWARE."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import Item, Items, items
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

DJANGO = "django.middleware."
CONTRIB = "django.contrib."
SESSION = f"{CONTRIB}sessions.middleware.SessionMiddleware"
USER = f"{CONTRIB}auth.middleware.AuthenticationMiddleware"
MESSAGES = f"{CONTRIB}messages.middleware.MessageMiddleware"
REMOTE = f"{CONTRIB}auth.middleware.RemoteUserMiddleware"
COMMON = f"{DJANGO}common.CommonMiddleware"
LOCALE = f"{DJANGO}locale.LocaleMiddleware"
GZIP = f"{DJANGO}gzip.GZipMiddleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"
WORKING = (SESSION, COMMON, LOCALE, GZIP)
"""What works for each static file that comes past it.

Measured: 0.24 ms for a file with WhiteNoise after SecurityMiddleware, 0.69 ms after Django's usual six. With
LocaleMiddleware it gets `Vary: Accept-Language`, GZipMiddleware compresses anew each time.
"""


@dataclass(frozen=True, slots=True)
class Order:
    """`first` has to stand before `then`; `cause` says what goes wrong else."""

    first: str
    then: str
    cause: str


ORDERS = (
    Order(SESSION, USER, "session-user"),
    Order(SESSION, MESSAGES, "session-messages"),
    Order(USER, REMOTE, "user-remote"),
    Order(CORS, COMMON, "cors-common"),
)
"""What was seen to break with Django 5.2 (the tests run it); other orders that are advised did no harm."""


def middleware_order(stack: Stack) -> Iterator[Verdict]:
    """One verdict for each pair of middleware of which one depends on the other."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    found = items(settings, "MIDDLEWARE")
    for order in ORDERS:
        first, then = found.find(order.first), found.find(order.then)
        if first is None or then is None:
            continue
        site = Site(then.place, f"MIDDLEWARE: {_short(then)} after {_short(first)}")
        values = {"first": _short(first), "then": _short(then)}
        yield _ordered(settings, site, found, first, then, values, order.cause)
    yield from _static(settings, found)
    yield from _gzip(stack, settings, found)


def _ordered(
    settings: Settings, site: Site, found: Items, first: Item, then: Item, values: dict[str, str], cause: str
) -> Verdict:
    doubt = settings.doubt or first.doubt or then.doubt
    if doubt:
        return Unsure(site, doubt)
    if found.all.index(first) < found.all.index(then):
        return Pass(site)
    return Fail(site, values, cause=cause, related=(Step(first.place, f"{values['first']} comes after it"),))


def _short(item: Item) -> str:
    return item.name.rpartition(".")[2]


def _static(settings: Settings, found: Items) -> Iterator[Verdict]:
    """WhiteNoise answers static files: what stands before it works for each of them."""
    item = found.find(WHITENOISE)
    if item is None:
        return
    before = [each for each in found.all[: found.all.index(item)] if each.name in WORKING]
    site = Site(item.place, "MIDDLEWARE: WhiteNoiseMiddleware near the top")
    doubt = settings.doubt or item.doubt
    if doubt:
        yield Unsure(site, doubt)
    elif before:
        values = {"first": ", ".join(_short(each) for each in before), "then": _short(item)}
        steps = tuple(Step(each.place, "runs for every static file") for each in before[:4])
        yield Fail(site, values, cause="whitenoise", related=steps)
    else:
        yield Pass(site)


def _gzip(stack: Stack, settings: Settings, found: Items) -> Iterator[Verdict]:
    """Answers are compressed once, by nginx where there is one that does it."""
    item = found.find(GZIP)
    if item is None:
        return
    site = Site(item.place, "MIDDLEWARE: GZipMiddleware")
    doubt = settings.doubt or item.doubt
    if doubt:
        yield Unsure(site, doubt)
        return
    for each in stack.nginx.proxied:
        value = each.level.word("gzip", stack.nginx.version)
        if isinstance(value, Known) and value.value == "on":
            step = Step(value.places[0] if value.places else each.level.place, "nginx compresses too")
            yield Fail(site, {"first": "nginx", "then": _short(item)}, cause="gzip-twice", related=(step,))
            return
    yield Pass(site)
