"""Coroutines that hold up the event loop, and those that only look as if they ran side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts import python as py
from stackaudit.link.coroutines import Coroutine
from stackaudit.link.nodes import is_false
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import ASYNC
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

LOCAL = "django.core.cache.backends.locmem.LocMemCache"
_HTTP = re.compile(r"(requests|httpx)\.(get|post|put|patch|delete|head|options|request)$")
_BLOCKING: dict[str, str] = {
    "time.sleep": "`await asyncio.sleep(…)`",
    "urllib.request.urlopen": "an asynchronous client such as `httpx.AsyncClient`",
    "subprocess.run": "`await asyncio.create_subprocess_exec(…)`",
    "subprocess.call": "`await asyncio.create_subprocess_exec(…)`",
    "subprocess.check_call": "`await asyncio.create_subprocess_exec(…)`",
    "subprocess.check_output": "`await asyncio.create_subprocess_exec(…)`",
    "os.system": "`await asyncio.create_subprocess_shell(…)`",
    "smtplib.SMTP": "`await sync_to_async(…)`",
    "smtplib.SMTP_SSL": "`await sync_to_async(…)`",
    "django.core.mail.send_mail": "a task queue, or `await sync_to_async(send_mail)(…)`",
    "django.core.mail.send_mass_mail": "a task queue, or `await sync_to_async(send_mass_mail)(…)`",
    "django.core.mail.mail_admins": "a task queue, or `await sync_to_async(mail_admins)(…)`",
    "django.core.mail.mail_managers": "a task queue, or `await sync_to_async(mail_managers)(…)`",
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


@dataclass(frozen=True, slots=True)
class Wait:
    """A call that may hold up the event loop; `instead` is what to use, "" where the call is right as it is.

    `cause` is that of the finding; `why` completes "unknown, because ..." where the repository does not tell.
    """

    call: py.Call
    instead: str = ""
    cause: str = ""
    why: str = ""


def blocking_call_in_async(stack: Stack) -> Iterator[Verdict]:
    """One site for each coroutine that waits for something outside the process, or asks the cache."""
    for coroutine in stack.coroutines:
        calls = (node for node in coroutine.own if isinstance(node, py.Call))
        waits = [wait for call in calls if (wait := _wait(stack, coroutine, call)) is not None]
        if waits:
            yield _verdict(coroutine, waits)


def _wait(stack: Stack, coroutine: Coroutine, call: py.Call) -> Wait | None:
    name = coroutine.resolved(call)
    if name in _BLOCKING:
        return Wait(call, _BLOCKING[name])
    if _HTTP.match(name):
        return Wait(call, "an asynchronous client such as `httpx.AsyncClient`")
    if not name.startswith("django.core.cache.cache."):
        return None
    method = name.rpartition(".")[2]
    if method not in _CACHE:
        return Wait(call) if method.removeprefix("a") in _CACHE else None
    settings = stack.production
    backend = settings.at("CACHES", "default", "BACKEND") if settings is not None else None
    if not isinstance(backend, Known):
        return Wait(call, why="which cache production uses is not known")
    return Wait(call) if backend.value == LOCAL else Wait(call, f"`await cache.a{method}(…)`", "cache")


def _verdict(coroutine: Coroutine, waits: list[Wait]) -> Verdict:
    blocking = [wait for wait in waits if wait.instead]
    unsure = [wait for wait in waits if wait.why]
    first = (blocking or unsure or waits)[0]
    site = Site(coroutine.body.place(first.call), f"{coroutine.name}: {text_of(first.call.func)}")
    if not blocking:
        return Unsure(site, first.why) if unsure else Pass(site)
    values = {"call": text_of(first.call.func), "instead": first.instead}
    values["coroutine"] = coroutine.name.rpartition(".")[2]
    related = tuple(Step(coroutine.body.place(wait.call), f"`{text_of(wait.call.func)}` too") for wait in blocking[1:8])
    return Fail(site, values, cause=first.cause, related=related)


def gather_is_serial(stack: Stack) -> Iterator[Verdict]:
    """Calls of `asyncio.gather` whose awaitables all wait in the same thread."""
    for coroutine in stack.coroutines:
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
        free = is_false(sensitive)
        return "sync_to_async" if made == "asgiref.sync.sync_to_async" and not free else ""
    if isinstance(arg.func, py.Attribute) and arg.func.attr in ASYNC:
        return text_of(arg.func) if coroutine.body.value(arg.func.value) is not None else ""
    return ""
