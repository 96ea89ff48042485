"""Production on a server for developers."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict


def development_server(stack: Stack) -> Iterator[Verdict]:
    """No command that production runs starts runserver or reloads code on change."""
    for process in stack.processes.servers:
        if process.audience != "development":
            yield _judged(process)


def _judged(process: Process) -> Verdict:
    site = Site(process.place, process.name)
    command = process.kind
    cause = ""
    if process.kind not in DEVELOPMENT_SERVERS:
        reload = process.setting("reload")
        if isinstance(reload, Unknown):
            return Pass(site) if "has no setting" in reload.why else Unsure(site, f"reload is not known: {reload.why}")
        if reload.value is not True:
            return Pass(site)
        command, cause = f"{process.kind} with reload", "reload"
        site = Site(process.setting_place("reload"), process.name)
    if process.audience == "unknown":
        return Unsure(site, f"{command} starts here and {process.why or 'nothing says whom it is for'}")
    if process.conditions:
        return Unsure(site, f"{command} starts only where {process.conditions[-1]}")
    return Fail(site, {"command": command, "why": process.why, "app": _app(process)}, cause=cause)


def _app(process: Process) -> str:
    if isinstance(process.app, Known) and process.app.value:
        return str(process.app.value)
    return "config.wsgi"
