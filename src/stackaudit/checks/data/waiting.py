"""Calls of tasks that wait for the network without an end, and what to say of a limit for them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stackaudit.facts import python as py
from stackaudit.link.celery import Task
from stackaudit.link.celery.reading import reached
from stackaudit.link.celery.tasks import makes_task
from stackaudit.link.modules import SourceModule, callee, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.stack import Stack
from stackaudit.link.started import steps
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.values import Known

UNTIMED: dict[str, int] = {
    "urllib.request.urlopen": 2,
    "smtplib.SMTP": 3,
    "smtplib.SMTP_SSL": 99,
    "ftplib.FTP": 4,
    "socket.create_connection": 1,
    "imaplib.IMAP4": 2,
    "imaplib.IMAP4_SSL": 99,
    "http.client.HTTPConnection": 2,
    "http.client.HTTPSConnection": 99,
    **{f"requests.{name}": 99 for name in ("get", "post", "put", "patch", "delete", "head", "options", "request")},
}
"""What waits for ever unless it is given a timeout, and the position of that argument; 99: only its name."""
MAILERS = ("django.core.mail.send_mail", "django.core.mail.mail_", "django.core.mail.EmailM")
SMTP = "django.core.mail.backends.smtp.EmailBackend"
_GEVENT = frozenset({"--pool=gevent", "-Pgevent"})


@dataclass(frozen=True, slots=True)
class Wait:
    """A call of a task that may wait for ever; `looped` says that it stands in a loop, so that one task makes many."""

    task: Task
    place: Place
    call: str
    name: str
    looped: bool


def waits(stack: Stack, task: Task) -> Iterator[Wait]:
    """The calls of a task that may wait for ever."""
    mail = _mail_waits(stack)
    for module, function in reached(stack, task.module, task.node):
        looped: set[py.Call] | None = None
        for node in nodes(function.body):
            if not isinstance(node, py.Call):
                continue
            name = _external(stack, module, node)
            position = UNTIMED.get(name)
            given = any(keyword.name in ("timeout", None) for keyword in node.keywords)
            untimed = position is not None and not given and len(node.args) <= position
            own = any(keyword.name == "connection" for keyword in node.keywords)
            if untimed or (mail and name.startswith(MAILERS) and not own):
                looped = _looped(function) if looped is None else looped
                yield Wait(task, module.place(node.func), dotted(node.func), name, node in looped)


def _looped(function: py.FunctionDef) -> set[py.Call]:
    """The calls that stand in the bodies of loops."""
    return {
        node
        for loop in nodes(function.body)
        if isinstance(loop, (py.For, py.While))
        for node in nodes(loop.body)
        if isinstance(node, py.Call)
    }


def _external(stack: Stack, module: SourceModule, call: py.Call) -> str:
    symbol = stack.modules.resolve(module, dotted(call.func) or "?")
    return symbol.name if symbol is not None and symbol.kind == "external" else ""


def _mail_waits(stack: Stack) -> bool:
    """Whether mail goes over SMTP and nothing ends the wait for the server."""
    settings = stack.production
    if settings is None:
        return False
    backend, timeout, host = (settings.get(name) for name in ("EMAIL_BACKEND", "EMAIL_TIMEOUT", "EMAIL_HOST"))
    if not (isinstance(backend, Known) and isinstance(timeout, Known) and isinstance(host, Known)):
        return False
    sure = not any("default of" in value.note for value in (backend, timeout, host))
    named = settings.is_set("EMAIL_BACKEND") or (settings.is_set("EMAIL_HOST") and bool(host.value))
    return sure and named and backend.value == SMTP and timeout.value is None


def advice(stack: Stack, waiting: Iterable[Wait]) -> str:
    """How the calls get their timeouts, and which limit may stand above them."""
    found = list(waiting)
    timeouts = in_words(sorted({_timeout(wait.name) for wait in found}))
    long = {wait.task.node.name: wait.task for wait in found if wait.looped}
    green = _runs_gevent(stack)
    soft = "" if green else " and `CELERY_TASK_SOFT_TIME_LIMIT = 240`"
    limit = f"`CELERY_TASK_TIME_LIMIT = 300`{soft}"
    last = " The gevent pool knows the hard limit only." if green else ""
    if long:
        decorators = sorted({f"`@{_decorator(stack, task)}(time_limit=6 * 3600)`" for task in long.values()})
        names = in_words([*[f"`{name}`" for name in list(long)[:3]], *(["others"] if len(long) > 3 else [])])
        one = len(long) == 1
        return (
            f"Give the calls a timeout ({timeouts}). A limit for all tasks is the last resort, and has to be longer"
            f" than the longest task: {names} call{'s' if one else ''} in a loop, give {'it' if one else 'them'} a"
            f" limit of {'its' if one else 'their'} own ({' or '.join(decorators)}) before {limit}.{last}"
        )
    decorator = _decorator(stack, found[0].task)
    return (
        f"Give the calls a timeout ({timeouts}), and all tasks a limit as the last resort: {limit}, with more for those"
        f" that need it (`@{decorator}(time_limit=3600)`).{last}"
    )


def _timeout(name: str) -> str:
    if name.startswith(MAILERS):
        return "`EMAIL_TIMEOUT = 30`"
    return "`timeout=(5, 60)`" if name.startswith("requests.") else "`timeout=60`"


def _decorator(stack: Stack, task: Task) -> str:
    """How the decorator that makes a task is written there: "shared_task", "app.task"."""
    return next(callee(each) for each in task.node.decorators if makes_task(stack, task.module, each))


def _runs_gevent(stack: Stack) -> bool:
    """Whether a worker runs with gevent's pool, or a script would start one so that nothing here starts."""
    for process in stack.processes.all:
        pool = process.setting("pool") if process.kind == "celery-worker" else None
        if isinstance(pool, Known) and pool.value == "gevent":
            return True
    for item in stack.of_kind("shell"):
        for step in steps(item.facts):
            words = [word.text for word in step.words]
            chosen = bool(_GEVENT & {*words}) or (
                "gevent" in words and words[words.index("gevent") - 1] in ("-P", "--pool")
            )
            if chosen and "worker" in words:
                return True
    return False
