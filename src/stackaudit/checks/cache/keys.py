"""Commands that keep a whole Redis busy."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.caching.receivers import cache_alias, is_client
from stackaudit.link.mentions import Found
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_RAW = frozenset({"KEYS", "FLUSHALL", "FLUSHDB"})


def redis_keys(stack: Stack) -> Iterator[Verdict]:
    """One site for each call that goes through all keys of a Redis."""
    for name in ("keys", "iter_keys", "scan_iter", "delete_pattern", "flushall", "flushdb", "execute_command"):
        for found in stack.mentions.named(name):
            if isinstance(found.call.func, py.Attribute):
                yield from _judged(stack, found, name, found.call.func.value)


def _judged(stack: Stack, found: Found, name: str, receiver: py.Expr) -> Iterator[Verdict]:
    call = found.call
    cache = cache_alias(stack, found, receiver) is not None
    client = not cache and is_client(stack, found, receiver)
    site = Site(found.module.place(call), f"{found.where} {name}")
    values = {"method": name, "where": found.where}
    if not (cache or client):
        # No dict, QueryDict or mapping takes a pattern in keys().
        pattern = call.args[0] if len(call.args) == 1 else None
        if name == "keys" and isinstance(pattern, py.Constant) and "*" in str(pattern.value):
            yield Unsure(site, "nothing tells whether what is asked for its keys is a Redis")
        return
    if name == "execute_command":
        first = call.args[0] if call.args else None
        command = str(first.value).split(" ")[0].upper() if isinstance(first, py.Constant) else ""
        if command not in _RAW:
            return
        name, values = command, {"method": command, "where": found.where}
    elif name in ("iter_keys", "scan_iter"):
        yield Pass(site)
        return
    elif name == "delete_pattern":
        told = any(item.name == "itersize" for item in call.keywords) or (
            stack.production is not None and stack.production.is_set("DJANGO_REDIS_SCAN_ITERSIZE")
        )
        yield Pass(site) if told else Fail(site, values, cause="delete-pattern")
        return
    if "management/commands/" in found.module.path:
        yield Pass(site)
    else:
        yield Fail(site, values, cause="flush" if name.lower().startswith("flush") else "")
