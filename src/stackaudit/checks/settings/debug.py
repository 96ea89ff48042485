"""What is on in production though it is meant for development."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.folding.objects import Unset
from stackaudit.link.settings_servers import told
from stackaudit.link.stack import Stack
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict


def debug_true(stack: Stack) -> Iterator[Verdict]:
    """DEBUG is off in the settings that production uses.

    A text from the environment is true whatever it says; `DEBUG = os.environ.get("DEBUG")` is thus on for "False" too.
    """
    settings = stack.settings
    if settings is None:
        return
    value = settings.get("DEBUG")
    site = Site(settings.place("DEBUG"), "DEBUG")
    if settings.doubt:
        yield Unsure(site, settings.doubt)
    elif isinstance(value, Unset):
        if value.fallback is None:
            yield Fail(site, {"variable": value.variable}, cause="any-text")
        elif value.fallback is False:
            yield Pass(site)
        else:
            yield Unsure(site, value.why)
    elif isinstance(value, Unknown):
        yield Unsure(site, value.why)
    elif not value.value:
        yield Pass(site)
    elif isinstance(value.value, str):
        yield Fail(site, {"value": told(value), "module": settings.module}, cause="text")
    else:
        yield Fail(site, {"value": told(value), "module": settings.module})
