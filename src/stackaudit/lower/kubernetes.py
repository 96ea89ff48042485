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
from stackaudit.lower.yaml_nodes import Items, Nodes, documents

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
        top = reader.items(document)
        kind, name = _text(reader, top, "kind"), _text(reader, _items(reader, top, "metadata"), "name")
        spec = _items(reader, top, "spec")
        if kind == "ConfigMap":
            maps[name] = reader.variables(top["data"][1]) if "data" in top else ()
        elif kind == "HorizontalPodAutoscaler":
            changed[_text(reader, _items(reader, spec, "scaleTargetRef"), "name")] = f"{path} scales it"
        elif kind == "Kustomization" or (not kind and "resources" in top):
            for node in reader.several(top["replicas"][1]) if "replicas" in top else ():
                changed[_text(reader, reader.items(node), "name")] = f"{path} changes it"
            if any("replicas" in text for text in _patches(reader, top)):
                changed[EVERY] = f"a patch of {path} may change it"
        elif kind in RUNNING:
            pods = list(_pods(reader, kind, name, spec, _items(reader, _items(reader, spec, "template"), "spec")))
            workloads += pods
            if not pods and "replicas" in spec:
                changed[name] = f"{path} changes it"
        elif kind == "Service" and "serving.knative.dev" in _text(reader, top, "apiVersion"):
            changed[name] = "the platform starts as many as the requests need"
            workloads += _pods(reader, kind, name, spec, _items(reader, _items(reader, spec, "template"), "spec"))
    return Workloads("Kubernetes", tuple(workloads), changed, maps, (), nginx)


def _patches(reader: Nodes, top: Items) -> Iterator[str]:
    """The patches that a kustomization holds as texts."""
    for key in ("patches", "patchesStrategicMerge", "patchesJson6902"):
        for node in reader.several(top[key][1]) if key in top else ():
            yield reader.scalar(node) or _text(reader, reader.items(node), "patch")


def _items(reader: Nodes, items: Items, key: str) -> Items:
    return reader.items(items[key][1]) if key in items else {}


def _text(reader: Nodes, items: Items, key: str) -> str:
    return reader.scalar(items[key][1]) if key in items else ""


def _pods(reader: Nodes, kind: str, name: str, spec: Items, pod: Items) -> Iterator[Workload]:
    """The containers of a pod's template; one without image and command is a patch of another file's."""
    before: list[Command] = []
    for node in reader.several(pod["initContainers"][1]) if "initContainers" in pod else ():
        container = reader.items(node)
        if "restartPolicy" not in container:  # "Always" makes it a sidecar
            before += [command for command in _commands(reader, container) if command is not None and command.steps]
    shared = _shared(reader, kind, spec, pod)
    nodes = reader.several(pod["containers"][1]) if "containers" in pod else []
    several = len(nodes) > 1
    for node in nodes:
        container = reader.items(node)
        entrypoint, command = _commands(reader, container)
        if "image" not in container and entrypoint is None and command is None:
            continue
        own = _text(reader, container, "name")
        yield Workload(
            name=f"{name}/{own}" if several else name,
            region=reader.region(container["name"][0] if "name" in container else node),
            entrypoint=entrypoint,
            command=command,
            before=tuple(before),
            image=_word(reader, container["image"][1]) if "image" in container else None,
            environment=tuple(_variables(reader, container)),
            maps=tuple(_maps(reader, container)),
            outside=_CONFIGURED if _secrets(reader, container) else "",
            options={**shared, **_options(reader, container, pod)},
        )
        before = []


def _commands(reader: Nodes, container: Items) -> tuple[Command | None, Command | None]:
    """What takes the place of ENTRYPOINT (`command` with its `args`, one vector) and of CMD (`args` alone)."""
    if "command" in container:
        return _vector(reader, container, "command", "args"), None
    return None, _vector(reader, container, "args")


def _vector(reader: Nodes, container: Items, *keys: str) -> Command | None:
    """An argument vector, in which `$(NAME)` is a variable of the container."""
    lists = [container[key][1] for key in keys if key in container]
    nodes = [item for node in lists for item in reader.several(node) if isinstance(item, yaml.ScalarNode)]
    if not lists:
        return None
    region = reader.region(lists[0])
    if not nodes:
        return Command((), False, region)
    step = Step(tuple(_word(reader, node) for node in nodes), region)
    return Command((reader.with_inner(step, nodes),), False, region)


def _word(reader: Nodes, node: yaml.Node) -> Word:
    text = reader.scalar(node)
    holes = tuple(Hole(match.start(), match.end(), match.group(1), None) for match in _REFERENCE.finditer(text))
    return Word(text, holes, reader.region(node))


def _variables(reader: Nodes, container: Items) -> Iterator[Variable]:
    for node in reader.several(container["env"][1]) if "env" in container else ():
        entry = reader.items(node)
        if "name" not in entry:
            continue
        word = _word(reader, entry["value"][1]) if "value" in entry else None
        value = Text(word.text, word.holes) if word is not None else None
        yield Variable(_text(reader, entry, "name"), value, reader.region(node))


def _maps(reader: Nodes, container: Items) -> Iterator[str]:
    for node in reader.several(container["envFrom"][1]) if "envFrom" in container else ():
        if name := _text(reader, _items(reader, reader.items(node), "configMapRef"), "name"):
            yield name


def _secrets(reader: Nodes, container: Items) -> bool:
    nodes = reader.several(container["envFrom"][1]) if "envFrom" in container else []
    return any("secretRef" in reader.items(node) for node in nodes)


def _shared(reader: Nodes, kind: str, spec: Items, pod: Items) -> dict[str, Word]:
    """The options that all containers of a pod have."""
    options: dict[str, Word] = {}
    if kind == "Service":  # Cloud Run keeps files in memory (cloud.google.com/run/docs/container-contract#filesystem)
        options["tmpfs./tmp"] = Word("/tmp", (), reader.region(next(iter(pod.values()))[0]))
    if "replicas" in spec:
        options["replicas"] = _word(reader, spec["replicas"][1])
    if kind == "DaemonSet":
        options["replicas"] = Word("one on each node", (), reader.region(next(iter(spec.values()))[0]))
    if "terminationGracePeriodSeconds" in pod:
        options["terminationGracePeriodSeconds"] = _word(reader, pod["terminationGracePeriodSeconds"][1])
    context = _items(reader, pod, "securityContext")
    if "runAsUser" in context:
        options["user"] = _word(reader, context["runAsUser"][1])
    return options


def _options(reader: Nodes, container: Items, pod: Items) -> dict[str, Word]:
    options: dict[str, Word] = {}
    limits = _items(reader, _items(reader, container, "resources"), "limits")
    for key in ("cpu", "memory"):
        if key in limits:
            options[f"limits.{key}"] = _word(reader, limits[key][1])
    if "workingDir" in container:
        options["workingDir"] = _word(reader, container["workingDir"][1])
    context = _items(reader, container, "securityContext")
    if "runAsUser" in context:
        options["user"] = _word(reader, context["runAsUser"][1])
    memory = {
        _text(reader, volume, "name")
        for node in (reader.several(pod["volumes"][1]) if "volumes" in pod else ())
        if _text(reader, _items(reader, volume := reader.items(node), "emptyDir"), "medium") == "Memory"
    }
    for node in reader.several(container["volumeMounts"][1]) if "volumeMounts" in container else ():
        mount = reader.items(node)
        if "mountPath" in mount and _text(reader, mount, "name") in memory:
            options[f"tmpfs.{_text(reader, mount, 'mountPath')}"] = _word(reader, mount["mountPath"][1])
    return options
