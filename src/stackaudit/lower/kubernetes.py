"""Kubernetes manifests -> the containers of workloads (https://kubernetes.io/docs/concepts/workloads/).

Jobs and pods that run once are left out, as are Helm's templates, which only Helm can render.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from stackaudit.facts.commands import Command, Hole, Step, Text, Variable, Word
from stackaudit.facts.files import Note, UnreadableError
from stackaudit.facts.services import Workload, Workloads
from stackaudit.lower import inline
from stackaudit.lower.located import decode
from stackaudit.lower.masks import Mask
from stackaudit.lower.yaml_nodes import Nodes, Tree, documents
from stackaudit.model.source import Region

RUNNING = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"})
EVERY = "*"
"""Stands for the name of every workload."""
_REFERENCE = re.compile(r"\$\((\w+)\)")
_CONFIGURED = "a ConfigMap or Secret that is not in the repository"


def lower(data: bytes, path: str) -> Workloads:
    """What the workloads of a manifest start. Raises UnreadableError for broken YAML."""
    nginx = inline.lower(data, path).nginx
    text = decode(data)
    try:
        found, reader = documents(Mask(text), text)
    except UnreadableError as error:
        if not nginx:
            raise
        return Workloads("Kubernetes", notes=(Note(error.why),), nginx=nginx)
    workloads: list[Workload] = []
    changed: dict[str, str] = {}
    maps: dict[str, tuple[Variable, ...]] = {}
    for document in found:
        top = Tree(reader, document)
        kind, name = top.text("kind"), top.text("metadata", "name")
        if kind == "ConfigMap":
            maps[name] = reader.variables(top.value("data"))
        elif kind == "HorizontalPodAutoscaler":
            changed[top.text("spec", "scaleTargetRef", "name")] = f"{path} scales it"
        elif kind == "Kustomization" or (not kind and "resources" in top):
            for item in top.each("replicas"):
                changed[item.text("name")] = f"{path} changes it"
            if any("replicas" in text for text in _patches(top)):
                changed[EVERY] = f"a patch of {path} may change it"
        elif kind in RUNNING:
            pods = list(_pods(kind, name, top.inside("spec")))
            workloads += pods
            if not pods and top.find("spec", "replicas") is not None:
                changed[name] = f"{path} changes it"
        elif kind == "Service" and "serving.knative.dev" in top.text("apiVersion"):
            changed[name] = "the platform starts as many as the requests need"
            workloads += _pods(kind, name, top.inside("spec"))
    return Workloads("Kubernetes", tuple(workloads), changed, maps, (), nginx)


def _patches(top: Tree) -> Iterator[str]:
    """The patches that a kustomization holds as texts."""
    for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        for item in top.each(key):
            yield top.reader.scalar(item.node) or item.text("patch")


def _pods(kind: str, name: str, spec: Tree) -> Iterator[Workload]:
    """The containers of a pod's template; one without image and command is a patch of another file's."""
    pod = spec.inside("template", "spec")
    before: list[Command] = []
    for container in pod.each("initContainers"):
        if "restartPolicy" not in container:  # "Always" makes it a sidecar
            before += [command for command in _commands(container) if command is not None and command.steps]
    containers = list(pod.each("containers"))
    shared = _shared(kind, spec, pod) if containers else {}
    for container in containers:
        entrypoint, command = _commands(container)
        if "image" not in container and entrypoint is None and command is None:
            continue
        called = container.find("name")
        at = called[0] if called is not None else container.node
        assert at is not None
        yield Workload(
            name=f"{name}/{container.text('name')}" if len(containers) > 1 else name,
            region=spec.reader.region(at),
            entrypoint=entrypoint,
            command=command,
            before=tuple(before),
            image=_word(container, "image"),
            environment=tuple(_variables(container)),
            maps=tuple(_maps(container)),
            outside=_CONFIGURED if any("secretRef" in item for item in container.each("envFrom")) else "",
            options={**shared, **_options(container, pod)},
        )
        before = []


def _commands(container: Tree) -> tuple[Command | None, Command | None]:
    """What takes the place of ENTRYPOINT (`command` with its `args`, one vector) and of CMD (`args` alone)."""
    if "command" in container:
        return _vector(container, "command", "args"), None
    return None, _vector(container, "args")


def _vector(container: Tree, *keys: str) -> Command | None:
    """An argument vector, in which `$(NAME)` is a variable of the container."""
    lists = [node for key in keys if (node := container.value(key)) is not None]
    nodes = [item for key in keys for item in container.several(key) if isinstance(item, yaml.ScalarNode)]
    if not lists:
        return None
    region = container.reader.region(lists[0])
    if not nodes:
        return Command((), False, region)
    step = Step(tuple(_referring(container.reader, node) for node in nodes), region)
    return Command((container.reader.with_inner(step, nodes),), False, region)


def _referring(reader: Nodes, node: yaml.Node) -> Word:
    text = reader.scalar(node)
    holes = tuple(Hole(match.start(), match.end(), match.group(1), None) for match in _REFERENCE.finditer(text))
    return Word(text, holes, reader.region(node))


def _word(tree: Tree, *path: str) -> Word | None:
    node = tree.value(*path)
    return _referring(tree.reader, node) if node is not None else None


def _variables(container: Tree) -> Iterator[Variable]:
    for entry in container.each("env"):
        if "name" in entry and entry.node is not None:
            word = _word(entry, "value")
            value = Text(word.text, word.holes) if word is not None else None
            yield Variable(entry.text("name"), value, entry.reader.region(entry.node))


def _maps(container: Tree) -> Iterator[str]:
    for item in container.each("envFrom"):
        if name := item.text("configMapRef", "name"):
            yield name


def _shared(kind: str, spec: Tree, pod: Tree) -> dict[str, Word]:
    """The options that all containers of a pod have."""
    options: dict[str, Word] = {}
    if kind == "Service":  # Cloud Run keeps files in memory (cloud.google.com/run/docs/container-contract#filesystem)
        options["tmpfs./tmp"] = Word("/tmp", (), _start(pod))
    if (replicas := _word(spec, "replicas")) is not None:
        options["replicas"] = replicas
    if kind == "DaemonSet":
        options["replicas"] = Word("one on each node", (), _start(spec))
    if (period := _word(pod, "terminationGracePeriodSeconds")) is not None:
        options["terminationGracePeriodSeconds"] = period
    if (user := _word(pod, "securityContext", "runAsUser")) is not None:
        options["user"] = user
    return options


def _start(tree: Tree) -> Region:
    """Where the first key stands."""
    return tree.reader.region(next(iter(tree.items.values()))[0])


def _options(container: Tree, pod: Tree) -> dict[str, Word]:
    paths = {
        "limits.cpu": ("resources", "limits", "cpu"),
        "limits.memory": ("resources", "limits", "memory"),
        "workingDir": ("workingDir",),
        "user": ("securityContext", "runAsUser"),
    }
    options = {name: word for name, path in paths.items() if (word := _word(container, *path)) is not None}
    memory = {item.text("name") for item in pod.each("volumes") if item.text("emptyDir", "medium") == "Memory"}
    for mount in container.each("volumeMounts"):
        path = _word(mount, "mountPath")
        if path is not None and mount.text("name") in memory:
            options[f"tmpfs.{path.text}"] = path
    return options
