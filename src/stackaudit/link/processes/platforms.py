"""What Kubernetes and hosting platforms start."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from stackaudit.facts.commands import Variable, Word
from stackaudit.facts.services import Dockerfile, Workload, Workloads
from stackaudit.link.host import size
from stackaudit.link.processes import audience
from stackaudit.link.processes.environment import Environment, expand
from stackaudit.link.processes.images import Image, Tree, context_of, joined
from stackaudit.link.processes.launches import PLATFORM, Launch, from_image, whole
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, Value

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

CONCURRENCY = frozenset({"Heroku", "Render", "DigitalOcean"})
"""Platforms that set WEB_CONCURRENCY, or whose buildpacks do."""
_CPU = re.compile(r"(\d+(?:\.\d+)?)(m?)")
_SIZE_MARK = re.compile(r"\d+(?:\.\d+)?(?:[KMGT]i?|k)?")


def workloads(stack: Stack, tree: Tree) -> Iterator[Launch]:
    """The containers of Kubernetes and the processes of hosting platforms."""
    files: list[tuple[str, Workloads]] = [(item.path, item.facts) for item in stack.of_kind("kubernetes", "platform")]
    maps: dict[str, dict[str, tuple[Variable, ...]]] = {}
    changed: dict[str, str] = {}
    for path, facts in files:
        changed.update(facts.changed)
        for name, variables in facts.maps.items():
            maps.setdefault(name, {})[path] = variables
    for path, facts in files:
        for workload in facts.workloads:
            launch = _launch(stack, path, facts, workload, maps)
            launch.replicas = _replicas(path, workload, changed, facts.platform)
            image = _image(stack, tree, path, facts, workload)
            yield from_image(launch, image) if image is not None else launch


def _launch(
    stack: Stack,
    path: str,
    facts: Workloads,
    workload: Workload,
    maps: Mapping[str, Mapping[str, tuple[Variable, ...]]],
) -> Launch:
    kind = "kubernetes" if facts.platform == "Kubernetes" else "platform"
    environment = Environment(open=workload.outside)
    missing = workload.outside
    for name in workload.maps:
        found = maps.get(name, {})
        if len(found) == 1:
            for source, variables in found.items():
                environment.assign(variables, source)
        else:
            missing = f"the ConfigMap {name}"
    environment.open = missing
    environment.assign(workload.environment, path)
    options: dict[str, Value[str]] = {}
    for key, word in workload.options.items():
        value = expand(word, environment)
        place = Place(path, word.region)
        options[key] = Known(value.value, (place,)) if isinstance(value, Known) else value
    directory = options.get("workingDir")
    may = f"{missing} may set WEB_CONCURRENCY" if missing else ""
    return Launch(
        kind,
        path,
        workload.name,
        environment,
        entrypoint=(workload.entrypoint, path) if workload.entrypoint is not None else None,
        command=(workload.command, path) if workload.command is not None else None,
        before=tuple((command, path) for command in workload.before),
        home="" if kind == "kubernetes" else _root(path),
        directory=directory.value if isinstance(directory, Known) else None,
        platform=may if kind == "kubernetes" else PLATFORM if facts.platform in CONCURRENCY else "",
        options=options,
        image_name=workload.image.text if workload.image is not None else "",
        cpus=_cpus(options.get("limits.cpu")),
        memory=_memory(options.get("limits.memory")),
        own_command=workload.entrypoint is not None or workload.command is not None,
    )


def _root(path: str) -> str:
    """The folder that a platform builds: that of its file, above the dot folder that the file may stand in."""
    folder = posixpath.dirname(path)
    return posixpath.dirname(folder) if posixpath.basename(folder).startswith(".") else folder


def _replicas(path: str, workload: Workload, changed: Mapping[str, str], platform: str) -> Value[int]:
    for name in (workload.name.partition("/")[0], *(("*",) if platform == "Kubernetes" else ())):
        if name in changed:
            return Unknown(changed[name])
    word = workload.options.get("replicas")
    if word is None:
        return Known(1)
    if not word.text.strip().isdigit():
        return Unknown(word.text)
    return whole(Known(word.text, (Place(path, word.region),)), "replicas")


def _cpus(value: Value[str] | None) -> AnyValue:
    """`500m` is half a processor."""
    if value is None or isinstance(value, Unknown):
        return value or Known(None)
    match = _CPU.fullmatch(value.value.strip())
    if match is None:
        return Unknown(f"limits.cpu is {value.value}")
    return Known(float(match[1]) / (1000 if match[2] else 1), value.places)


def _memory(value: Value[str] | None) -> AnyValue:
    """`512Mi` is 512 * 1024**2 bytes, `512M` 512 * 1000**2."""
    if value is None or isinstance(value, Unknown):
        return value or Known(None)
    text = value.value.strip()
    number = size(text) if _SIZE_MARK.fullmatch(text) else None
    return Known(number, value.places) if number else Unknown(f"limits.memory is {text}")


def _image(stack: Stack, tree: Tree, path: str, facts: Workloads, workload: Workload) -> Image | None:
    """What the repository's Dockerfile gives, where this is what it builds."""
    files: dict[str, Dockerfile] = {item.path: item.facts for item in stack.of_kind("dockerfile") if item.facts.stages}
    if workload.built:
        found = joined(_root(path), workload.dockerfile) if workload.dockerfile else ""
    elif audience.of_path(path)[0] == "development":
        found = ""  # an example says nothing about who else runs the image
    else:
        real = [name for name in files if audience.of_path(name)[0] != "development"]
        own = workload.entrypoint is not None or workload.command is not None
        found = real[0] if len(real) == 1 and (own or _names(workload.image, real[0], tree)) else ""
    file = files.get(found)
    if file is None:
        return None
    index = len(file.stages) - 1 if workload.built else audience.default_stage(file.stages)
    return Image(found, file, index, context_of(found, file, tree))


def _names(image: Word | None, dockerfile: str, tree: Tree) -> bool:
    """Whether an image is called like the repository's own code: no `postgres:17` is built from its Dockerfile."""
    if image is None:
        return False
    name = re.sub(r"[:@].*", "", image.text.rpartition("/")[2]).lower()
    folders = {folder.lower() for folder in tree.folders if folder and "/" not in folder}
    folders.update(posixpath.dirname(dockerfile).lower().split("/"))
    return bool(({name, *re.split(r"[-_.]", name)} & folders) - {"app", "web", "docker", "deploy", ""})
