"""Where the repository's nginx files land, and which nginx reads them: Dockerfiles and compose files tell."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stackaudit.facts.commands import Command, Text, Variable
from stackaudit.facts.files import FileFacts
from stackaudit.facts.services import Compose, Dockerfile, Service, Stage
from stackaudit.link.nginx.version import Version, parse
from stackaudit.link.processes.audience import of_path as audience_of
from stackaudit.model.values import Known, Unknown, Value

NO_VERSION = "neither an image tag nor [nginx] version tells which nginx serves"
_MAIN = "/etc/nginx/nginx.conf"
_HOME = re.compile(r"/((usr/local/|opt/|opt/bitnami/|usr/local/openresty/)?(etc/)?|config/)(nginx|openresty)(/|$)")
"""Folders that nginx reads its configuration from: of the distributions, its own builds and well-known images."""

_OFFICIAL = frozenset({"nginx", "library/nginx", "nginxinc/nginx-unprivileged", "nginx-unprivileged", "nginx/nginx"})


@dataclass
class Unit:
    """One container that runs nginx. `installed` maps paths inside to nginx's files of the repository, `folders` to
    whatever of the repository is copied or mounted there, `taken` to what is copied from other stages of the build.
    `filled` are all paths inside to which anything is copied or mounted. `path` is the file that describes it.
    """

    name: str
    image: str
    tag: str
    installed: dict[str, str] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    brings_main: bool = False
    path: str = ""

    @property
    def brings_nginx(self) -> bool:
        """Whether the image is nginx's, or built on it."""
        return "nginx" in self.image or "openresty" in self.image

    @property
    def has_stock_image(self) -> bool:
        """Whether it is the official image, or built on it."""
        return self.image in _OFFICIAL

    @property
    def in_compose(self) -> bool:
        """Whether a compose file describes it, which tells all its mounts."""
        return self.path.endswith((".yml", ".yaml"))

    @property
    def has_stock_main(self) -> bool:
        """Whether the main file is the official image's own. Scripts may put one in place that is mounted elsewhere."""
        return self.image in _OFFICIAL and _MAIN not in self.installed and not self.brings_main


def units(dockerfiles: Iterable[FileFacts], composes: Iterable[FileFacts], paths: Iterable[str]) -> list[Unit]:
    """The containers that run nginx, as far as `paths` (the nginx files of the repository) are concerned."""
    known = frozenset(paths)
    built = {file.path: file.facts for file in dockerfiles if isinstance(file.facts, Dockerfile)}
    found: list[Unit] = []
    used: set[str] = set()
    for file in composes:
        if isinstance(file.facts, Compose):
            for service in file.facts.services:
                unit = _of_service(service, file.path, built, known, used)
                if unit is not None:
                    found.append(unit)
    for path, dockerfile in built.items():
        if path not in used:
            unit = _of_dockerfile(path, dockerfile, "", known, posixpath.dirname(path))
            if unit is not None and _is_nginx(unit):
                found.append(unit)
    return found


def only_for_development(units: Iterable[Unit]) -> set[str]:
    """nginx's files that nothing but compose files of developers, tests or CI mount."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for unit in units:
        audience, _ = audience_of(posixpath.basename(unit.path))
        found[audience == "development"] |= set(unit.installed.values())
    return found[True] - found[False]


def version(units: Iterable[Unit]) -> Value[Version]:
    """The version that all official images agree on."""
    seen = {parse(unit.tag) for unit in units if unit.image in _OFFICIAL}
    if len(seen) == 1 and (only := next(iter(seen))) is not None:
        return Known(only, note="tag of the nginx image")
    return Unknown("its images name several versions of nginx" if len(seen) > 1 else NO_VERSION)


def _of_service(
    service: Service, path: str, built: dict[str, Dockerfile], known: frozenset[str], used: set[str]
) -> Unit | None:
    folder = posixpath.dirname(path)
    unit: Unit | None = None
    if service.build is not None:
        context = posixpath.normpath(posixpath.join(folder, _text(service.build.context) or "."))
        context = "" if context == "." else context
        name = _text(service.build.dockerfile) if service.build.dockerfile is not None else "Dockerfile"
        dockerfile = posixpath.normpath(posixpath.join(context, name or "Dockerfile"))
        if dockerfile in built:
            used.add(dockerfile)
            unit = _of_dockerfile(dockerfile, built[dockerfile], service.name, known, context)
    elif service.image is not None:
        image, tag = _image(_text(service.image) or "")
        unit = Unit(service.name, image, tag)
    if unit is None:
        return None
    unit.path = path
    for mount in service.mounts:
        unit.filled.add(posixpath.normpath(mount.target))
        source = _filled(mount.source, ()) or None
        if source is None:
            continue
        if source.startswith((".", "/")) or "/" in source:
            at = posixpath.normpath(posixpath.join(folder, source))
            unit.folders[mount.target.rstrip("/")] = at
            _install(unit, at, mount.target, known)
        else:
            unit.volumes[mount.target.rstrip("/")] = source
    return unit if _is_nginx(unit) else None


def _of_dockerfile(path: str, dockerfile: Dockerfile, name: str, known: frozenset[str], context: str) -> Unit | None:
    if not dockerfile.stages:
        return None
    chain = list(_chain(dockerfile))
    image, tag = _image(_filled(chain[-1].image, chain[-1].args))
    unit = Unit(name or path, image, tag, path=path)
    for stage in reversed(chain):
        unit.filled |= {path for run in stage.runs for path in _written(run)}
        for copy in stage.copies:
            target = _text(copy.target)
            if target is None:
                unit.filled.add("/")
                continue
            if not target.startswith("/"):
                target = posixpath.join(copy.workdir or "/", target)
            unit.filled.add(posixpath.normpath(target))
            if copy.stage:
                unit.taken |= {target.rstrip("/"): text.rstrip("/") for each in copy.sources if (text := _text(each))}
                continue
            sources = [text for source in copy.sources if (text := _text(source)) is not None]
            for source in sources:
                unit.folders[target.rstrip("/")] = posixpath.normpath(posixpath.join(context, source.lstrip("/")))
                for folder in dict.fromkeys((context, "", posixpath.dirname(path))):
                    at = posixpath.normpath(posixpath.join(folder, source.lstrip("/")))
                    if _install(unit, at, target, known, into=target.endswith("/") or len(sources) > 1):
                        break
    return unit


def _written(run: Command) -> Iterator[str]:
    """The paths that a RUN names, which it may fill; what it only removes stays empty."""
    for step in run.steps:
        if step.words and step.words[0].text not in ("rm", "mkdir", "touch", "chown", "chmod"):
            yield from (posixpath.normpath(word.text) for word in step.words[1:] if word.text.startswith("/"))


def _chain(dockerfile: Dockerfile) -> Iterator[Stage]:
    """The last stage and those that it is built from."""
    by_name = {stage.name.lower(): stage for stage in dockerfile.stages if stage.name}
    stage: Stage | None = dockerfile.stages[-1]
    seen: set[int] = set()
    while stage is not None and id(stage) not in seen:
        seen.add(id(stage))
        yield stage
        stage = by_name.get(stage.image.text.lower())


def _install(unit: Unit, source: str, target: str, known: frozenset[str], *, into: bool = False) -> bool:
    """Notes that `source` (a file or folder) lands at `target`; whether any nginx file is concerned."""
    if source in known:
        at = posixpath.join(target, posixpath.basename(source)) if into else target
        unit.installed[_rendered(posixpath.normpath(at))] = source
        return True
    inside = [path for path in known if source == "." or path.startswith(source + "/")]
    for path in inside:
        below = path if source == "." else path[len(source) + 1 :]
        unit.installed[_rendered(posixpath.normpath(posixpath.join(target, below)))] = path
    return bool(inside)


def _rendered(path: str) -> str:
    """Where the official image's entry point puts a template after filling it in."""
    folder, _, name = path.rpartition("/")
    if folder == "/etc/nginx/templates" and name.endswith(".template"):
        return "/etc/nginx/conf.d/" + name.removesuffix(".template")
    return path


def _is_nginx(unit: Unit) -> bool:
    """Whether nginx runs there. A copy of the whole repository brings its folder nginx/ into any container."""
    return unit.brings_nginx or any(_HOME.match(path) for path in unit.installed)


def _image(text: str) -> tuple[str, str]:
    """Name and tag of an image, without the registry's host and a digest."""
    text = text.partition("@")[0]
    name, _, tag = text.partition(":") if "/" not in text.rpartition(":")[2] else (text, "", "")
    head, _, rest = name.partition("/")
    if rest and ("." in head or ":" in head or head == "localhost"):
        name = rest
    return name, tag


def _filled(text: Text, args: Iterable[Variable]) -> str:
    """`text` with its holes filled by the defaults of ARGs, where they have one."""
    values = {arg.name: arg.value.text for arg in args if arg.value is not None and not arg.value.holes}
    result = text.text
    for hole in reversed(text.holes):
        value = values.get(hole.name, hole.default.text if hole.default is not None else None)
        if value is None:
            return ""
        result = result[: hole.start] + value + result[hole.end :]
    return result


def _text(text: Text) -> str | None:
    return None if text.holes else text.text
