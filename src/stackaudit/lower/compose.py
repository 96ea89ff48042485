"""Compose files -> services (https://github.com/compose-spec/compose-spec)."""

from __future__ import annotations

import yaml
from msgspec.structs import replace

from stackaudit.facts.commands import Command, Hole, Step, Text, Word
from stackaudit.facts.files import Note
from stackaudit.facts.services import Build, Compose, Extends, Mount, Service
from stackaudit.lower.located import HOLE, decode
from stackaudit.lower.masks import masked
from stackaudit.lower.shellwords import filled
from stackaudit.lower.yaml_nodes import Nodes, documents

KNOWN = frozenset(
    {"image", "build", "command", "entrypoint", "environment", "env_file", "ports", "expose", "volumes"}
    | {"depends_on", "profiles", "healthcheck", "extends"}
)


def lower(data: bytes, path: str) -> Compose:
    """The services of a compose file, anchors and merge keys applied. Raises UnreadableError for broken YAML."""
    text = decode(data)
    mask = masked(text)
    notes = [Note("a template of a compose file: its {% ... %} are left out")] if mask.spans else []
    found, reader = documents(mask, text)
    services: list[Service] = []
    includes: list[str] = []
    name = ""
    for document in found:
        if not isinstance(document, yaml.MappingNode):
            continue
        top = reader.items(document)
        name = reader.scalar(top["name"][1]) if "name" in top else name
        for node in reader.several(top["include"][1]) if "include" in top else ():
            inner = reader.items(node)
            paths = reader.several(inner["path"][1]) if "path" in inner else [node]
            includes.extend(text for item in paths if (text := reader.scalar(item)))
        if "services" not in top:
            continue
        listed = reader.items(top["services"][1])
        anchors = {id(node): key.replace(HOLE, "") for key, (_, node) in listed.items()}
        for key, (key_node, node) in listed.items():
            if isinstance(node, yaml.MappingNode):
                merges = tuple(anchors[id(item)] for item in reader.merges(node) if id(item) in anchors)
                services.append(replace(service(reader, key, key_node, node), merges=merges))
    return Compose(tuple(services), name.replace(HOLE, ""), tuple(includes), tuple(notes))


def service(reader: Nodes, name: str, key: yaml.Node, node: yaml.MappingNode) -> Service:
    """One service."""
    items = reader.items(node)

    def value(option: str) -> yaml.Node | None:
        return items[option][1] if option in items else None

    image = value("image")
    health = reader.items(value("healthcheck")).get("test")
    options: dict[str, Word] = {}
    for option, (_, item) in items.items():
        if option not in KNOWN:
            flat(reader, option, item, options, 0)
    return Service(
        name=name.replace(HOLE, ""),
        region=reader.region(key),
        image=reader.word(image) if image is not None and reader.scalar(image) else None,
        build=build(reader, value("build")),
        command=reader.command(value("command")),
        entrypoint=reader.command(value("entrypoint")),
        environment=reader.variables(value("environment")),
        env_files=tuple(env_file(reader, item) for item in reader.several(value("env_file"))),
        ports=tuple(port(reader, item) for item in reader.several(value("ports"))),
        expose=tuple(reader.word(item) for item in reader.several(value("expose"))),
        mounts=tuple(mount for item in reader.several(value("volumes")) if (mount := volume(reader, item)) is not None),
        depends_on=depends(reader, value("depends_on")),
        profiles=tuple(text for item in reader.several(value("profiles")) if (text := reader.scalar(item))),
        healthcheck=tested(reader, health[1]) if health is not None else None,
        extends=extended(reader, value("extends")),
        options=options,
    )


def flat(reader: Nodes, path: str, node: yaml.Node, options: dict[str, Word], depth: int) -> None:
    """Notes the scalars below `node` by their dotted path."""
    if len(options) > 500 or depth > 6:
        return
    if isinstance(node, yaml.ScalarNode):
        if not reader.empty(node):
            options[path] = reader.word(node)
    elif isinstance(node, yaml.MappingNode):
        for key, (_, item) in reader.items(node).items():
            flat(reader, f"{path}.{key}", item, options, depth + 1)
    elif path == "tmpfs":
        for item in reader.several(node):
            options[f"tmpfs.{reader.scalar(item).partition(':')[0]}"] = reader.word(item)


def build(reader: Nodes, node: yaml.Node | None) -> Build | None:
    """`build: path` or `build: {context, dockerfile, target, args}`."""
    if node is None or reader.empty(node):
        return None
    if isinstance(node, yaml.ScalarNode):
        return Build(reader.text_of(node))
    items = reader.items(node)

    def text(key: str) -> Text | None:
        return reader.text_of(items[key][1]) if key in items else None

    args = reader.variables(items["args"][1]) if "args" in items else ()
    return Build(text("context") or Text(".", ()), text("dockerfile"), text("target"), args)


def env_file(reader: Nodes, node: yaml.Node) -> Word:
    """`env_file: path`, or an item `{path: ..., required: ...}`."""
    inner = reader.items(node)
    return reader.word(inner["path"][1] if "path" in inner else node)


def port(reader: Nodes, node: yaml.Node) -> Word:
    """`"8000:8000"`, or the long form `{target, published, host_ip}` written short."""
    inner = reader.items(node)
    if not inner:
        return reader.word(node)
    parts = [reader.scalar(inner[key][1]) for key in ("host_ip", "published", "target") if key in inner]
    text = filled(":".join(parts), "braces")
    return Word(text.text, text.holes, reader.region(node))


def volume(reader: Nodes, node: yaml.Node) -> Mount | None:
    """`source:target:mode`, `target`, or `{source, target}`."""
    inner = reader.items(node)
    if inner:
        source = reader.text_of(inner["source"][1]) if "source" in inner else Text("", ())
        return Mount(source, reader.scalar(inner["target"][1]) if "target" in inner else "", reader.region(node))
    text = filled(reader.scalar(node), "braces")
    holes: list[Hole] = list(text.holes)
    for index, char in enumerate(text.text):
        if char == ":" and not any(hole.start <= index < hole.end for hole in holes):
            source = Text(text.text[:index], tuple(hole for hole in holes if hole.end <= index))
            target = text.text[index + 1 :].partition(":")[0]
            return Mount(source, target, reader.region(node))
    return Mount(Text("", ()), text.text, reader.region(node)) if text.text else None


def depends(reader: Nodes, node: yaml.Node | None) -> tuple[tuple[str, str], ...]:
    """`depends_on` as (service, condition)."""
    if isinstance(node, yaml.MappingNode):
        found = []
        for name, (_, item) in reader.items(node).items():
            inner = reader.items(item)
            found.append((name, reader.scalar(inner["condition"][1]) if "condition" in inner else ""))
        return tuple(found)
    return tuple((text, "") for item in reader.several(node) if (text := reader.scalar(item)))


def tested(reader: Nodes, node: yaml.Node) -> Command | None:
    """`healthcheck.test`: a string, `["CMD", ...]` or `["CMD-SHELL", text]`."""
    if isinstance(node, yaml.ScalarNode):
        return reader.command(node, through_shell=True)
    found = reader.several(node)
    if found and reader.scalar(found[0]) == "CMD-SHELL" and len(found) > 1:
        return reader.command(found[1], through_shell=True)
    command = reader.command(node)
    if command is None or not command.steps or command.steps[0].words[0].text == "NONE":
        return None
    step = command.steps[0]
    return Command((Step(step.words[1:], step.region),), False, command.region)


def extended(reader: Nodes, node: yaml.Node | None) -> Extends | None:
    """`extends: service` or `extends: {service, file}`."""
    if node is None or reader.empty(node):
        return None
    if isinstance(node, yaml.ScalarNode):
        return Extends(reader.scalar(node))
    items = reader.items(node)
    if "service" not in items:
        return None
    return Extends(reader.scalar(items["service"][1]), reader.scalar(items["file"][1]) if "file" in items else "")
