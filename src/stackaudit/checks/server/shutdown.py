"""How long a server may finish its requests, against how long whoever stops it waits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.processes.model import Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

DOCKER = 10
SUPERVISOR = 10
SYSTEMD = 90
KUBERNETES = 30
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(us|ms|s|sec|min|m|h)?")
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1, "sec": 1, "": 1, "m": 60, "min": 60, "h": 3600}

_HOW = {
    "compose": "`stop_grace_period: {}s` for the service in {}",
    "systemd": "`TimeoutStopSec={}` below [Service] in {}",
    "supervisor": "`stopwaitsecs={}` for the program in {}",
    "kubernetes": "`terminationGracePeriodSeconds: {}` beside `containers` in {}",
}


def graceful_shutdown_mismatch(stack: Stack) -> Iterator[Verdict]:
    """Whoever stops a server waits at least as long as the server gives its requests."""
    running = [process for process in stack.processes.servers if process.audience != "development"]
    for process in together(process for process in running if process.kind == "gunicorn"):
        window = _window(process)
        if window is not None:
            yield _judged(process, *window)


def seconds(text: str) -> float | None:
    """A duration such as "30", "1m30s", "2min 5s" in seconds; None where it is none."""
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text).strip():
        return None
    return float(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def _window(process: Process) -> tuple[Value[float], str, Place | None] | None:
    """How long it is waited after the stop signal, who says so, and where; None where nobody knows (a platform)."""
    origin = process.origin
    if origin.kind == "compose":
        return _option(process, "stop_grace_period", DOCKER, "docker's default")
    if origin.kind == "systemd":
        return _option(process, "Service.TimeoutStopSec", SYSTEMD, "systemd's default")
    if origin.kind == "kubernetes":
        return _option(process, "terminationGracePeriodSeconds", KUBERNETES, "Kubernetes' default")
    if origin.kind == "supervisor":
        return _option(process, "stopwaitsecs", SUPERVISOR, "supervisor's default")
    return None


def _option(process: Process, name: str, default: float, note: str) -> tuple[Value[float], str, Place | None]:
    value = process.origin.option(name)
    if value is None:
        return Known(float(default)), note, None
    short = name.rpartition(".")[2]
    if isinstance(value, Unknown):
        return value, short, None
    number = float("inf") if value.value == "infinity" else seconds(value.value)
    place = value.places[0] if value.places else None
    return (Known(number) if number is not None else Unknown(f"{short} is {value.value}")), short, place


def _judged(process: Process, window: Value[float], who: str, place: Place | None) -> Verdict:
    graceful = process.setting("graceful_timeout")
    site = Site(place or process.setting_place("graceful_timeout"), process.name)
    if isinstance(graceful, Unknown):
        return Unsure(site, f"graceful_timeout is not known: {graceful.why}")
    if isinstance(window, Unknown):
        return Unsure(site, f"how long the server may take to stop is not known: {window.why}")
    if window.value >= graceful.value:
        return Pass(site)
    how = _HOW[process.origin.kind].format(graceful.value + 5, process.origin.path)
    values = {"graceful": graceful.value, "window": f"{window.value:g}", "who": who, "how": how}
    if graceful.places:
        return Fail(site, values, related=(Step(graceful.places[0], f"graceful_timeout is {graceful.value} s"),))
    return Fail(site, values)
