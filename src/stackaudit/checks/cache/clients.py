"""Clients of Redis: how many connections they make, and how long they wait."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.caching.receivers import CLIENTS
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import decorators, dotted, target_names
from stackaudit.link.nodes import is_true, nodes
from stackaudit.link.queries.source import code_of
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_KEPT = frozenset({"lru_cache", "cache", "cached_property", "alru_cache", "fixture"})
_TIMEOUTS = frozenset({"socket_timeout", "connection_pool", "retry"})
_STAFF = frozenset({"is_superuser", "is_staff", "staff_member_required", "permission_required"})
"""What asks for an administrator, or for a permission that few have."""
_SINCE = (8, 0)
"""The release of redis-py from which a client that is told nothing gives up after 5 seconds (7.1 waits for ever)."""


def redis_client(stack: Stack) -> Iterator[Verdict]:
    """One site for each place that makes a client of Redis, one for django-redis' way with a Redis that is away.

    Clients that wait without an end are one finding: it is one default of redis-py that they all rely on.
    """
    patient: list[Found] = []
    for found in stack.mentions.named("Redis", "StrictRedis", "from_url", "RedisCluster"):
        symbol = meaning(stack, found, found.call.func)
        if symbol is not None and symbol.name in CLIENTS:
            yield from _judged(stack, found, patient)
    if patient:
        yield from _patient(stack, sorted(patient, key=lambda found: found.module.place(found.call)))
    yield from _exceptions(stack)


def _site(found: Found) -> Site:
    return Site(found.module.place(found.call), f"{found.where} Redis")


def _judged(stack: Stack, found: Found, patient: list[Found]) -> Iterator[Verdict]:
    site = _site(found)
    named = {item.name: item.value for item in found.call.keywords}
    retry = named.get("retry_on_timeout")
    if is_true(retry):
        yield Fail(site, {"where": found.where}, cause="retry-on-timeout")
    if _per_call(found) and not _for_staff(found):
        if not _is_called(stack, found):
            yield Unsure(site, "nothing tells how often it is called")
        else:
            yield Fail(site, {"where": found.where}, fix=_once(stack, found))
    elif None in named or named.keys() & _TIMEOUTS or _in_url(found.call) or _by_hand(found):
        yield Pass(site)
    else:
        patient.append(found)


def _patient(stack: Stack, found: list[Found]) -> Iterator[Verdict]:
    """Clients that are told nothing about how long to wait."""
    release = _waits_for_ever(stack)
    if isinstance(release, Unknown):
        yield Unsure(_site(found[0]), release.why)
    elif release.value:
        related = tuple(Step(item.module.place(item.call), "another client without an end") for item in found[1:9])
        values = {"where": found[0].where, "release": release.value}
        yield Fail(_site(found[0]), values, cause="no-timeout", related=related)
    else:
        yield from (Pass(_site(item)) for item in found)


def _by_hand(found: Found) -> bool:
    """Whether somebody starts it and looks on: a command, or a script."""
    if "management/commands/" in found.module.path:
        return True
    return any(
        isinstance(item, py.If) and isinstance(item.test, py.Compare) and dotted(item.test.left) == "__name__"
        for item in found.module.facts.body
    )


def _in_url(call: py.Call) -> bool:
    first = call.args[0] if call.args else None
    return isinstance(first, py.Constant) and "socket_timeout=" in str(first.value)


def _waits_for_ever(stack: Stack) -> Value[str]:
    """The release of redis-py that waits without an end; "" for those that do not."""
    version = stack.packages.version("redis")
    if isinstance(version, Unknown):
        return Unknown(f"redis-py 8 gives up after 5 seconds and earlier ones never, and {version.why}")
    return Known(str(version.value) if tuple(version.value.release[:2]) < _SINCE else "")


def _per_call(found: Found) -> bool:
    """Whether each call of the function makes a new client that nobody keeps."""
    function = found.function
    if (
        function is None
        or "management/commands/" in found.module.path
        or function.name in ("__init__", "ready", "setup")
    ):
        return False
    if any(name.rpartition(".")[2] in _KEPT for name in decorators(function)):
        return False
    if any(item.name == "connection_pool" for item in found.call.keywords):
        return False
    globals_ = {name for node in nodes(function.body) if isinstance(node, py.Scope) for name in node.names}
    for node in nodes(function.body):
        if isinstance(node, py.With) and any(
            item.value.start <= found.call.start < item.value.end for item in node.items
        ):
            return False
        if isinstance(node, py.Assign) and node.value.start <= found.call.start < node.value.end:
            for target in node.targets:
                path = dotted(target.value) if isinstance(target, py.Subscript) else dotted(target)
                if path in globals_ or "." in path or isinstance(target, py.Subscript):
                    return False
    return True


def _once(stack: Stack, found: Found) -> str:
    """How to keep this client: its own call in a function that is cached, which is given what only its place knows.

    A client of `redis.asyncio` belongs to the event loop that it was first used in: another one cannot read from it.
    """
    function, call = found.function, found.call
    assert function is not None
    symbol = meaning(stack, found, call.func)
    if symbol is not None and ".asyncio." in symbol.name:
        return (
            "One client for each event loop: keep it where the loop is kept (an ASGI server has one for each process)."
            " Where there is no such place, close it at least: `async with` around the client."
        )
    local = {param.name for param in function.params} | {
        name
        for node in nodes(function.body)
        if isinstance(node, (py.Assign, py.AnnAssign, py.For, py.NamedExpr))
        for target in (node.targets if isinstance(node, py.Assign) else (node.target,))
        for name in target_names(target)
    }
    read = [
        node.id for node in nodes((*call.args, *(item.value for item in call.keywords))) if isinstance(node, py.Name)
    ]
    given = ", ".join(dict.fromkeys(name for name in read if name in local))
    code = code_of(call, 300)
    if code and not local & {"self", "cls", "request"} & set(read):
        told = (
            f"a function of the module, `def redis_client({given}): return {code}`, below {_cached(stack, found)}, and"
        )
        kept = f"One client for each process: {told} `redis_client({given})` here."
    else:
        told = "move this call into a function of the module"
        kept = f"One client for each process: {told}, below {_cached(stack, found)}."
    if inner := _imported_inside(found):
        kept += f" The import of {' and '.join(inner)} inside {function.name} goes there as well."
    named = {item.name for item in call.keywords}
    return kept if named & _TIMEOUTS else f"{kept} Add `socket_timeout=5, socket_connect_timeout=2` to its arguments."


def _cached(stack: Stack, found: Found) -> str:
    """The decorator that keeps what a function returns, with its import where the module has none."""
    for name, written in (("cache", "`@cache`"), ("functools", "`@functools.cache`")):
        symbol = stack.modules.resolve(found.module, name)
        if symbol is not None and symbol.name in ("functools.cache", "functools"):
            return written
    return "`@functools.cache` (`import functools`)"


def _imported_inside(found: Found) -> list[str]:
    """The names in a call that its function imports itself: a function of the module does not have them."""
    named = {node.id for node in nodes((found.call,)) if isinstance(node, py.Name)}
    imported = [
        alias.asname or alias.name.partition(".")[0]
        for node in nodes(found.function.body if found.function is not None else ())
        if isinstance(node, (py.Import, py.ImportFrom))
        for alias in node.names
    ]
    return [f"`{name}`" for name in dict.fromkeys(imported) if name in named]


def _for_staff(found: Found) -> bool:
    """Whether the function asks for an administrator: few call it, so a connection each is nothing."""
    assert found.function is not None
    asked = nodes((*found.function.decorators, *found.function.body))
    return any(
        (isinstance(node, py.Attribute) and node.attr in _STAFF) or (isinstance(node, py.Name) and node.id in _STAFF)
        for node in asked
    )


def _is_called(stack: Stack, found: Found) -> bool:
    """Whether a request or another function calls the function that makes the client."""
    function = found.function
    if function is None:
        return False
    if any(param.name == "request" for param in function.params):
        return True
    for module in stack.modules:
        for statement in module.facts.body:
            if isinstance(statement, (py.FunctionDef, py.ClassDef)):
                for node in nodes(statement.body):
                    if isinstance(node, py.Call) and dotted(node.func).rpartition(".")[2] == function.name:
                        return True
    return False


def _exceptions(stack: Stack) -> Iterator[Verdict]:
    """django-redis raises where Redis is away, unless it is told not to."""
    settings = stack.settings
    if settings is None or settings.doubt or not settings.is_set("CACHES"):
        return
    caches = settings.get("CACHES")
    if isinstance(caches, Unknown) or not isinstance(caches.value, dict):
        return
    everywhere = settings.get("DJANGO_REDIS_IGNORE_EXCEPTIONS")
    for alias in caches.value:
        backend = settings.at("CACHES", alias, "BACKEND", default="")
        if not isinstance(backend, Known) or not str(backend.value).startswith("django_redis."):
            continue
        site = Site(settings.place_at("CACHES", alias, "BACKEND"), f"CACHES.{alias} IGNORE_EXCEPTIONS")
        told = settings.at("CACHES", alias, "OPTIONS", "IGNORE_EXCEPTIONS", default=None)
        chosen = everywhere if isinstance(told, Known) and told.value is None else told
        if isinstance(chosen, Unknown):
            yield Unsure(site, chosen.why)
        elif chosen.value:
            yield Pass(site)
        else:
            yield Fail(site, {"alias": alias}, cause="exceptions")
