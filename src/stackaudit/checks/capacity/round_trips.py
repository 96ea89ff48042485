"""The way to the database and back, times the queries of a request."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.capacity.connections import counts
from stackaudit.link.settings.servers import aliases
from stackaudit.link.stack import Stack
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

QUERIES = 10
"""Queries of an ordinary page: session, user, permissions and what it shows."""
BUDGET = 200
"""Milliseconds that a request may spend on the way."""
NOTICEABLE = 5


def db_rtt_budget(stack: Stack) -> Iterator[Verdict]:
    """Ten round trips to the database fit into a request's time."""
    settings = stack.production
    if settings is None:
        return
    for alias in aliases(settings):
        if counts(settings, alias):
            site = Site(settings.place_at("DATABASES", alias), f"DATABASES[{alias}]: round trips")
            engine = settings.at("DATABASES", alias, "ENGINE", default="")
            rtt = stack.host.database_rtt_ms
            if isinstance(engine, Unknown):
                yield Unsure(site, f"the engine is not known: {engine.why}")
            elif isinstance(rtt, Unknown):
                yield Unsure(site, rtt.why)
            elif rtt.value <= NOTICEABLE:
                yield Pass(site)
            else:
                values = {"rtt": f"{rtt.value:g}", "queries": QUERIES, "total": f"{rtt.value * QUERIES:g}"}
                yield Fail(site, values, cause="" if rtt.value * QUERIES > BUDGET else "noticeable")
