"""Whether the signal that stops a container reaches its server."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict


def signals_not_delivered(stack: Stack) -> Iterator[Verdict]:
    """The server in a container is its first process, or something passes SIGTERM on to it."""
    for process in stack.processes.all:
        if process.contained and process.audience != "development" and process.kind not in DEVELOPMENT_SERVERS:
            yield _judged(process)


def _judged(process: Process) -> Verdict:
    site = Site(process.place, process.name)
    if process.supervised:
        return Pass(site)
    values = {"kind": process.kind, "shell": process.shell or "the shell", "init": ""}
    if process.background:
        return Fail(site, values, cause="background")
    if process.piped:
        return Fail(site, values, cause="piped")
    if process.shell == "?":
        return Unsure(site, "whether the image's /bin/sh becomes the server is not known (dash does not, bash does)")
    if not process.shell:
        return Pass(site)
    if process.init:
        return Fail(site, {**values, "init": process.init}, cause="init")
    return Fail(site, values)
