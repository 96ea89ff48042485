"""Whether somebody starts a process again when it ends."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.server.restarts import left_down, merging
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process, together
from stackaudit.link.stack import Stack
from stackaudit.model.prose import in_words
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

MANAGERS = frozenset({"systemd", "supervisor", "compose"})


def supervision(stack: Stack) -> Iterator[Verdict]:
    """systemd, supervisor or docker keeps every process of production alive, and knows which it is."""
    production = [
        process
        for process in stack.processes.all
        if process.audience == "production" and process.kind not in DEVELOPMENT_SERVERS
    ]
    for process in together(production):
        if process.origin.kind in MANAGERS or process.contained:
            verdict = _judged(stack, process)
            if verdict is not None:
                yield verdict


def _judged(stack: Stack, process: Process) -> Verdict | None:
    daemon = process.setting("daemon")
    if isinstance(daemon, Known) and daemon.value is True and not _forks(process):
        site = Site(process.setting_place("daemon"), process.name)
        return Fail(site, {"kind": process.kind, "manager": _manager(process)}, cause="daemon")
    site = Site(process.place, process.name)
    if process.origin.kind == "systemd":
        return _systemd(process, site)
    if process.origin.kind == "supervisor":
        return _supervisor(process, site)
    if process.origin.kind == "compose":
        return _compose(stack, process, site)
    return None


def _forks(process: Process) -> bool:
    """Whether the unit expects that its command puts itself into the background: systemd watches what stays."""
    kind = process.origin.option("Service.Type")
    return isinstance(kind, Known) and kind.value == "forking"


def _manager(process: Process) -> str:
    return "docker" if process.contained else process.origin.kind


def _systemd(process: Process, site: Site) -> Verdict:
    kind, daemon = process.origin.option("Service.Type"), process.setting("daemon")
    if isinstance(kind, Known) and _forks(process) and process.kind == "gunicorn":
        if isinstance(daemon, Unknown):
            return Unsure(site, f"whether it puts itself into the background is not known: {daemon.why}")
        if daemon.value is not True:
            return Fail(_at(kind.places, site), {"kind": process.kind}, cause="forking")
    restart = process.origin.option("Service.Restart")
    if restart is None or (isinstance(restart, Known) and restart.value == "no"):
        place = restart.places if restart is not None else ()
        return Fail(_at(place, site), {"kind": process.kind, "service": process.origin.service})
    return Pass(site)


def _supervisor(process: Process, site: Site) -> Verdict:
    restart = process.origin.option("autorestart")
    if isinstance(restart, Known) and restart.value.lower() in ("false", "off", "no"):
        return Fail(_at(restart.places, site), {"kind": process.kind}, cause="supervisor")
    if process.shell:
        group = process.origin.option("stopasgroup")
        if not isinstance(group, Known) or group.value.lower() not in ("true", "on", "yes", "1"):
            return Fail(site, {"kind": process.kind, "shell": process.shell}, cause="group")
    return Pass(site)


def _compose(stack: Stack, process: Process, site: Site) -> Verdict | None:
    options = process.origin.options
    if any(name.startswith("deploy.") and not name.startswith("deploy.resources") for name in options):
        return Pass(site)  # swarm restarts what ends unless deploy.restart_policy says otherwise
    restart = options.get("restart")
    if isinstance(restart, Unknown):
        return Unsure(site, f"restart is not known: {restart.why}")
    if restart is None or restart.value in ("no", "false"):
        if _is_told_at_its_anchor(stack, process):
            return None  # the service that it merges is told of, and mends this one as well
        place = restart.places if restart is not None else ()
        beside = left_down(stack, process.origin.path, process.origin.service)
        also = f" {in_words(beside)} beside it {'lack' if len(beside) > 1 else 'lacks'} one as well."
        heirs = [name for name, anchor in merging(stack, process.origin.path) if anchor == process.origin.service]
        taken = f" {in_words(heirs)} {'take' if len(heirs) > 1 else 'takes'} it from there."
        values = {
            "kind": process.kind,
            "service": process.origin.service,
            "beside": also if beside else "",
            "heirs": taken if heirs else "",
        }
        return Fail(_at(place, site), values, cause="compose")
    return Pass(site)


def _is_told_at_its_anchor(stack: Stack, process: Process) -> bool:
    """Whether its service merges the mapping of another one that runs the project and lacks a restart, too."""
    names = {anchor for name, anchor in merging(stack, process.origin.path) if name == process.origin.service}
    return any(
        other.origin.service in names
        and other.origin.path == process.origin.path
        and other.audience == "production"
        and other.kind not in DEVELOPMENT_SERVERS
        for other in stack.processes.all
    )


def _at(places: tuple[Place, ...], site: Site) -> Site:
    return Site(places[0], site.name) if places else site
