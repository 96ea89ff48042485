"""The last word on processes: each is counted once and is given its audience."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace

from stackaudit.link.processes import audience
from stackaudit.link.processes.composed import MAIN
from stackaudit.link.processes.launches import Launch
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Audience, Process, Processes
from stackaudit.model.values import Known

BUILDERS = frozenset({"compose", "kubernetes", "platform"})
"""What may build a Dockerfile's image, and give it another command."""

Found = list[tuple[Launch, Process]]


def settled(found: Found, opaque: list[str], services: Mapping[str, str], configs: set[str]) -> Processes:
    """The processes with their audience; what a Dockerfile runs by default is left out where compose runs it."""
    kept = _without_copies(found)
    judged = [(launch, *_own(launch, process), process) for launch, process in kept]
    overridden = _overridden(found, {launch.path: who for launch, who, _, _ in judged})
    judged = [item for item in judged if item[0].path not in overridden or item[3].kind not in DEVELOPMENT_SERVERS]
    real = any(
        who != "development" and process.is_server and process.kind not in DEVELOPMENT_SERVERS and not _reloads(process)
        for _, who, _, process in judged
    )
    processes = []
    for launch, who, why, process in judged:
        if who == "unknown":
            who, why = _by_company(launch, process, judged, real, overridden)
        processes.append(replace(process, audience=who, why=why))
    return Processes(tuple(processes), tuple(opaque), dict(services), frozenset(configs))


def _without_copies(found: Found) -> Found:
    """Without what a Dockerfile starts, where something that builds the file starts the same."""
    used = {
        (launch.image.path, process.place)
        for launch, process in found
        if launch.kind in BUILDERS and launch.image is not None
    }
    return [
        (launch, process)
        for launch, process in found
        if launch.kind != "dockerfile" or (launch.path, process.place) not in used
    ]


def _overridden(found: Found, audiences: Mapping[str, str]) -> set[str]:
    """Dockerfiles whose command everything that builds them replaces, one of production among it."""
    services: dict[str, list[Launch]] = {}
    for launch, _ in found:
        if launch.kind in BUILDERS and launch.image is not None and launch.image.file is not None:
            services.setdefault(launch.image.path, []).append(launch)
    return {
        path
        for path, users in services.items()
        if all(user.own_command for user in users) and any(audiences.get(user.path) != "development" for user in users)
    }


def _own(launch: Launch, process: Process) -> tuple[Audience, str]:
    """What the process and its file say by themselves."""
    for who, why in (
        audience.of_conditions(process.conditions),
        audience.of_profiles(launch.profiles),
        audience.of_path(launch.path),
        audience.of_path(launch.project) if launch.project else ("unknown", ""),
    ):
        if who != "unknown":
            return who, why
    if launch.image is not None and launch.image.path:
        who, why = audience.of_path(launch.image.path)
        if who == "development":
            return who, why
    if isinstance(process.settings_module, Known):
        who, why = audience.of_settings(str(process.settings_module.value))
        if who != "unknown":
            return who, why
    if launch.kind == "compose":
        if launch.source_mounted and process.kind in DEVELOPMENT_SERVERS:
            return "development", f"{launch.path} mounts the source code into the container"
        debug = process.environment.get("DEBUG", process.environment.get("DJANGO_DEBUG"))
        if isinstance(debug, Known) and str(debug.value).lower() in ("1", "true", "yes", "on"):
            return "development", f"{launch.path} sets DEBUG for it"
    if launch.kind in ("systemd", "supervisor"):
        return "production", f"{launch.path} is what {launch.kind} runs"
    if launch.kind in ("procfile", "platform"):
        return "production", f"{launch.path} is what the platform runs"
    if launch.kind == "kubernetes":
        return "production", f"{launch.path} is what Kubernetes runs"
    return "unknown", ""


def _by_company(
    launch: Launch,
    process: Process,
    judged: list[tuple[Launch, Audience, str, Process]],
    real: bool,
    overridden: set[str],
) -> tuple[Audience, str]:
    """What the other processes say of one whose own file is silent."""
    developer = process.kind in DEVELOPMENT_SERVERS or _reloads(process)
    if launch.kind == "compose":
        folder = posixpath.dirname(launch.path)
        others = {other.path for other, who, _, _ in judged if who == "production" and other.kind == "compose"}
        if posixpath.basename(launch.path) in MAIN and any(posixpath.dirname(path) == folder for path in others):
            named = sorted(path for path in others if posixpath.dirname(path) == folder)[0]
            if developer:
                return "development", f"{named} is production's"
        siblings = [other for path, _, _, other in judged if path.path == launch.path and not other.conditions]
        if any(other.kind in DEVELOPMENT_SERVERS for other in siblings) and (real or launch.source_mounted):
            return "development", f"{launch.path} runs a development server, and production's server is elsewhere"
        if developer and real:
            return "development", "another command of the repository starts production's server"
        if developer:
            return _doubtful(launch)
        return "production", f"nothing says that {launch.path} is for development"
    if launch.kind == "dockerfile":
        if launch.path in overridden:
            return "unknown", "everything that builds it gives another command"
        users = [
            (other, who)
            for other, who, _, _ in judged
            if other.kind == "compose" and other.image is not None and other.image.path == launch.path
        ]
        if developer and users and all(who == "development" for _, who in users):
            return "development", f"only {users[0][0].path} builds it, for development"
        if developer and real:
            return "unknown", "another command of the repository starts production's server"
        return "production", f"it is what the image of {launch.path} runs by default"
    return "unknown", f"nothing says whom {launch.path} is for"


def _doubtful(launch: Launch) -> tuple[Audience, str]:
    """A development server in a compose file that nothing else contradicts."""
    restart = launch.options.get("restart")
    if isinstance(restart, Known) and restart.value not in ("no", "false") and not launch.source_mounted:
        return "production", f"{launch.path} restarts it whenever it ends, and nothing else serves the site"
    return "unknown", f"nothing says whether {launch.path} is for production"


def _reloads(process: Process) -> bool:
    value = process.settings.get("reload")
    return isinstance(value, Known) and value.value is True
