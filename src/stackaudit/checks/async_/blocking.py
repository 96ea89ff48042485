"""Coroutines that hold up the event loop, and those that only look as if they ran side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.coroutines import Coroutine, coroutines
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import ASYNC
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

LOCAL = "django.core.cache.backends.locmem.LocMemCache"
_HTTP = re.compile(r"(requests|httpx)\.(get|post|put|patch|delete|head|options|request)$")
_BLOCKING: dict[str, tuple[str, str]] = {
    "time.sleep": ("wait", "`await asyncio.sleep(…)`"),
    "urllib.request.urlopen": ("http", "an asynchronous client such as `httpx.AsyncClient`"),
    "subprocess.run": ("process", "`await asyncio.create_subprocess_exec(…)`"),
    "subprocess.call": ("process", "`await asyncio.create_subprocess_exec(…)`"),
    "subprocess.check_call": ("process", "`await asyncio.create_subprocess_exec(…)`"),
    "subprocess.check_output": ("process", "`await asyncio.create_subprocess_exec(…)`"),
    "os.system": ("process", "`await asyncio.create_subprocess_shell(…)`"),
    "smtplib.SMTP": ("mail", "`await sync_to_async(…)`"),
    "smtplib.SMTP_SSL": ("mail", "`await sync_to_async(…)`"),
    "django.core.mail.send_mail": ("mail", "a task queue, or `await sync_to_async(send_mail)(…)`"),
    "django.core.mail.send_mass_mail": ("mail", "a task queue, or `await sync_to_async(send_mass_mail)(…)`"),
    "django.core.mail.mail_admins": ("mail", "a task queue, or `await sync_to_async(mail_admins)(…)`"),
    "django.core.mail.mail_managers": ("mail", "a task queue, or `await sync_to_async(mail_managers)(…)`"),
}
_CACHE = frozenset(
    {
        "get",
        "set",
        "add",
        "get_or_set",
        "get_many",
        "set_many",
        "delete",
        "delete_many",
        "touch",
        "incr",
        "decr",
        "clear",
    }
)


def blocking_call_in_async(stack: Stack) -> Iterator[Verdict]:
    """One site for each coroutine that waits for something outside the process, or asks the cache."""
    for coroutine in coroutines(stack):
        waits = [item for node in coroutine.own if isinstance(node, py.Call) for item in _wait(stack, coroutine, node)]
        if waits:
            yield _verdict(coroutine, waits)


def _wait(stack: Stack, coroutine: Coroutine, call: py.Call) -> Iterator[tuple[py.Call, str, str, str]]:
    """(the call, its kind, what to use instead, why it cannot be told) of a call that may hold up the loop."""
    name = coroutine.resolved(call)
    if name in _BLOCKING:
        yield (call, *_BLOCKING[name], "")
    elif _HTTP.match(name):
        yield call, "http", "an asynchronous client such as `httpx.AsyncClient`", ""
    elif name.startswith("django.core.cache.cache."):
        method = name.rpartition(".")[2]
        settings = stack.production
        backend = settings.at("CACHES", "default", "BACKEND") if settings is not None else None
        if method in _CACHE:
            local = isinstance(backend, Known) and backend.value == LOCAL
            why = "" if isinstance(backend, Known) else "which cache production uses is not known"
            yield call, "local" if local else "cache", f"`await cache.a{method}(…)`", why
        elif method.removeprefix("a") in _CACHE:
            yield call, "", "", ""


def _verdict(coroutine: Coroutine, waits: list[tuple[py.Call, str, str, str]]) -> Verdict:
    blocking = [item for item in waits if item[1] not in ("", "local") and not item[3]]
    unsure = [item for item in waits if item[3]]
    call, kind, instead, why = (blocking or unsure or waits)[0]
    site = Site(coroutine.body.place(call), f"{coroutine.name}: {text_of(call.func)}")
    if not blocking:
        return Unsure(site, why) if unsure else Pass(site)
    values = {"call": text_of(call.func), "instead": instead, "coroutine": coroutine.name.rpartition(".")[2]}
    related = tuple(Step(coroutine.body.place(item[0]), f"`{text_of(item[0].func)}` too") for item in blocking[1:8])
    return Fail(site, values, cause="cache" if kind == "cache" else "", related=related)


def gather_is_serial(stack: Stack) -> Iterator[Verdict]:
    """Calls of `asyncio.gather` whose awaitables all wait in the same thread."""
    for coroutine in coroutines(stack):
        for node in coroutine.own:
            if isinstance(node, py.Call) and coroutine.resolved(node) == "asyncio.gather" and len(node.args) > 1:
                threads = [_thread(coroutine, arg) for arg in node.args]
                if all(threads):
                    site = Site(coroutine.body.place(node), f"{coroutine.name}: asyncio.gather")
                    values = {"count": len(threads), "first": threads[0]}
                    yield Fail(site, values)
                elif any(isinstance(arg, py.Call) for arg in node.args):
                    yield Pass(Site(coroutine.body.place(node), f"{coroutine.name}: asyncio.gather"))


def _thread(coroutine: Coroutine, arg: py.Expr) -> str:
    """What makes an awaitable run in the one thread that Django keeps for synchronous code, "" where nothing does."""
    if not isinstance(arg, py.Call):
        return ""
    if isinstance(arg.func, py.Call):
        made = coroutine.resolved(arg.func)
        sensitive = next((item.value for item in arg.func.keywords if item.name == "thread_sensitive"), None)
        free = isinstance(sensitive, py.Constant) and sensitive.value is False
        return "sync_to_async" if made == "asgiref.sync.sync_to_async" and not free else ""
    if isinstance(arg.func, py.Attribute) and arg.func.attr in ASYNC:
        return text_of(arg.func) if coroutine.body.value(arg.func.value) is not None else ""
    return ""
