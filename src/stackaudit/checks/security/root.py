"""Processes that may do everything on their machine or in their container."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from stackaudit.checks.security.preparing import Preparation, preparation, root_folders, targets
from stackaudit.facts import python as py
from stackaudit.facts.services import Dockerfile
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS, Process
from stackaudit.link.processes.users import ROOT, Login
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


def runs_as_root(stack: Stack) -> Iterator[Verdict]:
    """One site for each place that decides the user of production's servers and workers."""
    for process in stack.processes.all:
        login = process.login
        if login is None or process.audience != "production" or process.kind in DEVELOPMENT_SERVERS:
            continue
        if login.by == "image" and process.conditions and _drops_otherwise(stack, process):
            continue  # `if [ not root ]; then exec gunicorn; else exec gosu app gunicorn; fi`
        yield _of_supervisor(stack, process, login) if login.by == "supervisor" else _judged(stack, process, login)


def _drops_otherwise(stack: Stack, process: Process) -> bool:
    """Whether the script starts the same program in another branch, as another user."""
    return any(
        other.kind == process.kind
        and other.place.path == process.place.path
        and other.login is not None
        and other.login.by == "wrapper"
        for other in stack.processes.all
    )


def _judged(stack: Stack, process: Process, login: Login) -> Verdict:
    site = Site(login.place, f"{login.place.path} {'USER' if login.by == 'image' else process.name}")
    root = login.is_root
    if isinstance(root, Unknown):
        return Unsure(site, root.why)
    if not root.value:
        return Pass(site)
    step = Step(process.place, f"{process.kind} starts here")
    related = (step,) if process.place != login.place else ()
    values = {"program": process.kind, "file": login.place.path, "service": process.origin.service}
    if login.by == "image":
        told = {**values, **_image(stack, login.place.path)}
        before = preparation(stack, login.place.path)
        if before is None:
            return Fail(site, told, related=related)
        return Fail(site, {**told, **_script(stack, before)}, cause="prepares", related=related)
    return Fail(site, values, cause=login.by, related=related)


def _image(stack: Stack, path: str) -> dict[str, str]:
    """The commands that the base image of a Dockerfile has, and what to do for the volumes that containers mount."""
    stages: dict[str, str] = {}
    base = workdir = ""
    for item in stack.of_kind("dockerfile"):
        for stage in item.facts.stages if item.path == path else ():
            base = stages[stage.name] = stages.get(stage.image.text, stage.image.text)
            workdir = stage.workdir.text if stage.workdir is not None and not stage.workdir.holes else ""
    alpine = "alpine" in base
    folders = " ".join(targets(stack, path))
    volumes = (
        f" Before USER and any VOLUME `RUN mkdir -p {folders} && chown app {folders}`: new volumes take that owner. "
        f"Volumes that root filled and bind mounts need `chown -R app {folders}` once, as root in a container, before "
        "the first start as `app`."
    )
    return {
        "add": "addgroup -S app && adduser -S -D -H -G app app" if alpine else "useradd --system --no-create-home app",
        "drop": "su-exec" if alpine else "gosu",
        "install": "apk add --no-cache su-exec" if alpine else "apt-get update && apt-get install -y gosu",
        "volumes": volumes
        if folders
        else " Volumes that root filled and bind mounts need `chown -R app` once, before the first start.",
        "written": _written(stack, path) + _mounted(stack, path, workdir),
    }


def _mounted(stack: Stack, path: str, workdir: str) -> str:
    """A sentence about compose files that mount the source over the image's: the user of the image does not own it."""
    services = {
        (process.origin.path, process.origin.service)
        for process in stack.processes.all
        if process.login is not None and process.login.place.path == path
    }
    over = {
        at: mount.target
        for at, compose in stack.composes.items()
        for service in compose.services
        for mount in service.mounts
        if (at, service.name) in services
        and "user" not in service.options
        and mount.source.text.startswith(".")
        and workdir.startswith("/")
        and PurePosixPath(workdir).is_relative_to(mount.target)
    }
    return "".join(
        f" {at} mounts the source over {target}: `user: root` (or your own uid) for its services, or makemigrations "
        "cannot write there."
        for at, target in sorted(over.items())
    )


def _script(stack: Stack, before: Preparation) -> dict[str, str]:
    """How the script that prepares as root hands the server over: what the server writes has to be its own."""
    workdir = before.process.working_directory
    workdirs = {workdir.value} if isinstance(workdir, Known) else set()
    collected = root_folders(stack, "STATIC", workdirs) if "collectstatic" in before.work else set()
    mounted = set(targets(stack, before.image))
    written = root_folders(stack, "MEDIA", workdirs) | (mounted - collected)
    folders = " ".join(sorted(written))
    settings = stack.settings
    engine = settings.at("DATABASES", "default", "ENGINE", default="") if settings is not None else Known("")
    sqlite = isinstance(engine, Known) and "sqlite" in str(engine.value)
    made = "" if written <= mounted else f"mkdir -p {folders} && "
    program = f"{before.process.kind} ..." if before.process.is_server else "..."
    return {
        "script": before.script,
        "work": ", ".join(before.work),
        "owned": f"`{made}chown -R app {folders}`" if folders else "`chown -R app` for the folders that it writes",
        "sqlite": " (with SQLite the folder of the database as well)" if sqlite else "",
        "command": program if before.starts else '"$@"',
    }


def _written(stack: Stack, path: str) -> str:
    """A sentence about files that commands write which the image runs before its server: as `app` they may not."""
    chores = {
        chore.name
        for process in stack.processes.all
        if process.login is not None and process.login.place.path == path
        for chore in process.chores
    }
    found = []
    for name in sorted(chores):
        for module in stack.modules:
            line = _writes(module) if module.path.endswith(f"management/commands/{name}.py") else 0
            if line:
                found.append(f"`{name}` ({module.path}, line {line})")
    if not found:
        return ""
    several = len(found) > 1
    return (
        f" {' and '.join(found)}, which run{'' if several else 's'} before the server, "
        f"write{'' if several else 's'} files: their folders have to belong to `app` as well."
    )


def _writes(module: SourceModule) -> int:
    """The first line in which a module opens a file to write it, 0 where it opens none."""
    for node in nodes(module.facts.body):
        if not isinstance(node, py.Call):
            continue
        path = dotted(node.func)
        named = next((each.value for each in node.keywords if each.name == "mode"), None)
        mode = node.args[1] if path == "open" and len(node.args) > 1 else named
        opened = path == "open" and isinstance(mode, py.Constant) and bool({*str(mode.value)} & {*"wax+"})
        if opened or (isinstance(node.func, py.Attribute) and node.func.attr in ("write_text", "write_bytes")):
            return module.facts.region(node).line
    return 0


def _of_supervisor(stack: Stack, process: Process, login: Login) -> Verdict:
    """A program without `user=` is who supervisord is: root, unless the image that runs it names somebody."""
    site = Site(login.place, process.name)
    values = {"program": process.kind, "file": login.place.path, "service": process.origin.service}
    if isinstance(login.user, Unknown):
        return Unsure(site, login.user.why)
    if login.user.value:
        return Fail(site, values, cause="supervisor") if login.user.value in ROOT else Pass(site)
    around = _supervised_images(stack)
    if not around:
        return Fail(site, values, cause="supervisor")
    users = set(around.values())
    if None not in users and not any(user in ROOT for user in users if user):
        return Pass(site)
    if all(user is None or user in ROOT for user in users):
        return Fail(site, values, cause="supervisor")
    return Unsure(site, f"{' and '.join(around)} run it as different users")


def _supervised_images(stack: Stack) -> dict[str, str | None]:
    """The Dockerfiles that install or start supervisord, with their last USER (None where they name none)."""
    found: dict[str, str | None] = {}
    for item in stack.of_kind("dockerfile"):
        facts: Dockerfile = item.facts
        stages = facts.stages[-1:]
        words = [
            word.text
            for stage in facts.stages
            for command in (*stage.runs, stage.cmd, stage.entrypoint)
            if command is not None
            for step in command.steps
            for word in step.words
        ]
        if stages and any("supervisor" in word for word in words):
            user = stages[0].user
            found[item.path] = user.text if user is not None and not user.holes else None
    return found
