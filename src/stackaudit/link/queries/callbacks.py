"""Functions that are handed over: bound to arguments, given to a pool, or called after a commit."""

from __future__ import annotations

from stackaudit.link.queries import calls
from stackaudit.link.queries.joining import all_loops
from stackaudit.link.queries.values import (
    UNKNOWN,
    ClassRef,
    Function,
    Instance,
    Mapping,
    Method,
    Other,
    Partial,
    Seq,
    Value,
)
from stackaudit.link.queries.walk import At, Walk

POOL = "@pool"
"""The name of an executor: `with ThreadPoolExecutor() as pool`."""
POOL_MAP = f"{POOL}.map"
_POOLS = frozenset({
    "concurrent.futures.ThreadPoolExecutor", "concurrent.futures.thread.ThreadPoolExecutor",
    "multiprocessing.pool.ThreadPool", "multiprocessing.dummy.Pool",
})  # fmt: skip
_RUN_NOW = frozenset({f"{POOL}.submit", f"{POOL}.apply", "asyncio.to_thread", "anyio.to_thread.run_sync"})
_CALLED = (Function, ClassRef, Method, Partial, Instance)


def of_call(walk: Walk, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value | None:
    """A call of something outside the repository that keeps or calls a function it is given; None for any other.

    What a pool runs asks the database on connections of its own, once for each turn all the same.
    """
    if name in _POOLS:
        return Other(name=POOL)
    if name == "django.db.transaction.on_commit":
        given = args[0] if args else keywords.get("func", UNKNOWN)
        if isinstance(given, _CALLED):
            _later(walk, given, (), {}, at)
        return UNKNOWN
    if name == "threading.Thread":
        target, held, named = (keywords.get(key, UNKNOWN) for key in ("target", "args", "kwargs"))
        if isinstance(target, _CALLED):
            items = held.items if isinstance(held, Seq) else None
            _later(walk, target, items or (), dict(named.items) if isinstance(named, Mapping) else {}, at)
        return Other(all_loops(keywords.values()))
    if not args or not isinstance(args[0], _CALLED):
        return None
    if name == "functools.partial":
        loops = all_loops(args) | all_loops(keywords.values())
        return Partial(args[0], args[1:], tuple(keywords.items()), loops)
    if name in _RUN_NOW:
        return calls.apply(walk, args[0], args[1:], keywords, at)
    return None


def _later(walk: Walk, function: Value, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
    """Call what the caller does not wait for: its mails and requests are no work of the code around."""
    walk.later += 1
    calls.apply(walk, function, args, keywords, at)
    walk.later -= 1
