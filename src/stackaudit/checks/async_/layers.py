"""Channel layers."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.settings.servers import process_count, servers
from stackaudit.link.stack import Stack
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

IN_MEMORY = "channels.layers.InMemoryChannelLayer"


def in_memory_channel_layer(stack: Stack) -> Iterator[Verdict]:
    """The default channel layer reaches every process of production."""
    settings = stack.production
    if settings is None or not settings.is_set("CHANNEL_LAYERS") or not servers(stack):
        return
    site = Site(settings.place_at("CHANNEL_LAYERS", "default", "BACKEND"), "CHANNEL_LAYERS.default")
    backend = settings.at("CHANNEL_LAYERS", "default", "BACKEND")
    if isinstance(backend, Unknown):
        yield Unsure(site, backend.why)
    elif backend.value != IN_MEMORY:
        yield Pass(site)
    else:
        count = process_count(stack)
        if isinstance(count, Unknown):
            yield Unsure(site, count.why)
        elif count.value < 2:
            yield Pass(site)
        else:
            server = servers(stack)[0]
            related = (Step(server.setting_place("workers"), f"{count.value} processes share nothing ({server.name})"),)
            note = f" ({backend.note})" if backend.note else ""
            yield Fail(site, {"count": count.value, "note": note}, related=related)
