"""Compose files -> services (https://github.com/compose-spec/compose-spec)."""

from __future__ import annotations

import yaml

from stackaudit.facts.commands import Command, Hole, Step, Text, Variable, Word
from stackaudit.facts.files import Note, UnreadableError
from stackaudit.facts.services import Build, Compose, Extends, Mount, Service
from stackaudit.lower import shell
from stackaudit.lower.located import HOLE, Located, aligned, decode, line_starts
from stackaudit.lower.masks import masked, without_shifted
from stackaudit.lower.shellwords import filled, words
from stackaudit.model.source import Region

DEPTH = 40
NODES = 50_000
KNOWN = frozenset(
    {"image", "build", "command", "entrypoint", "environment", "env_file", "ports", "expose", "volumes"}
    | {"depends_on", "profiles", "healthcheck", "extends"}
)


def lower(data: bytes, path: str) -> Compose:
    """The services of a compose file, anchors and merge keys applied. Raises UnreadableError for broken YAML."""
    text = decode(data)
    mask = masked(text)
    notes = [Note("a template of a compose file: its {% ... %} are left out")] if mask.spans else []
    source = mask.text
    try:
        try:
            documents = list(yaml.compose_all(source, Loader=Loader))
        except yaml.MarkedYAMLError:
            if not mask.spans:
                raise
            source = without_shifted(mask, text)
            documents = list(yaml.compose_all(source, Loader=Loader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        raise UnreadableError(f"not YAML: {error.problem or error.context or 'broken'}", line) from None
    except yaml.YAMLError as error:
        raise UnreadableError(f"not YAML: {error}".partition("\n")[0]) from None
    except RecursionError:
        raise UnreadableError("nests too deeply") from None
    reader = Nodes(source)
    services: list[Service] = []
    includes: list[str] = []
    name = ""
    for document in documents:
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
        for key, (key_node, node) in reader.items(top["services"][1]).items():
            if isinstance(node, yaml.MappingNode):
                services.append(service(reader, key, key_node, node))
    return Compose(tuple(services), name.replace(HOLE, ""), tuple(includes), tuple(notes))


class Loader(yaml.SafeLoader):
    """SafeLoader with bounds: composing never multiplies aliases, but nesting costs stack."""

    depth = 0
    count = 0

    def compose_node(self, parent: yaml.Node | None, index: object) -> yaml.Node | None:
        """Composes one node; refuses endless nesting and endless lists."""
        self.depth += 1
        self.count += 1
        if self.depth > DEPTH or self.count > NODES:
            raise UnreadableError("nests too deeply" if self.depth > DEPTH else f"holds more than {NODES} values")
        node = super().compose_node(parent, index)  # type: ignore[arg-type]
        self.depth -= 1
        return node


Items = dict[str, tuple[yaml.Node, yaml.Node]]


class Nodes:
    """Reads YAML nodes of one text as plain values with their places."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = line_starts(text)

    def region(self, node: yaml.Node) -> Region:
        """Where a node stands."""
        end = max(node.start_mark.index, node.end_mark.index)
        while end > node.start_mark.index + 1 and self.text[end - 1 : end].isspace():
            end -= 1
        return Located(self.text, self.starts).span(node.start_mark.index, end)

    def items(self, node: yaml.Node | None, depth: int = 0) -> Items:
        """The keys of a mapping with merge keys applied (`<<`: own keys win, then the first of several)."""
        own: Items = {}
        merged: Items = {}
        if not isinstance(node, yaml.MappingNode) or depth > 10:
            return own
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value == "<<":
                sources = value.value if isinstance(value, yaml.SequenceNode) else [value]
                for source in sources[:100]:
                    for name, pair in self.items(source, depth + 1).items():
                        merged.setdefault(name, pair)
            else:
                own[key.value] = (key, value)
        return {**merged, **own} if merged else own

    def several(self, node: yaml.Node | None) -> list[yaml.Node]:
        """The items of a sequence, or the node alone."""
        if node is None or self.empty(node):
            return []
        return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]

    def empty(self, node: yaml.Node) -> bool:
        """Whether the node is a plain null."""
        return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"

    def scalar(self, node: yaml.Node | None) -> str:
        """The text of a scalar, "" for anything else."""
        if isinstance(node, yaml.ScalarNode) and not self.empty(node):
            return str(node.value)
        return ""

    def located(self, node: yaml.ScalarNode) -> Located:
        """A scalar's value, each character with its place."""
        start, end = node.start_mark.index, node.end_mark.index
        if node.style in ("|", ">"):
            start = self.text.find("\n", start) + 1 or start
        elif node.style in ("'", '"'):
            start += 1
        return aligned(node.value, self.text, self.starts, start, end)

    def word(self, node: yaml.Node) -> Word:
        """A scalar with compose's `$` and `${...}` as holes."""
        text = filled(self.scalar(node), "braces")
        return Word(text.text, text.holes, self.region(node))

    def variables(self, node: yaml.Node | None) -> tuple[Variable, ...]:
        """`environment`, `args`: a mapping, or a list of `NAME=value` and `NAME`."""
        found = []
        if isinstance(node, yaml.MappingNode):
            for name, (key, value) in self.items(node).items():
                text = None if self.empty(value) else self.text_of(value)
                found.append(Variable(name, text, self.region(key)))
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                name, sign, rest = self.scalar(item).partition("=")
                if name:
                    found.append(Variable(name, filled(rest, "braces") if sign else None, self.region(item)))
        return tuple(found)

    def text_of(self, node: yaml.Node) -> Text:
        """A scalar's text with holes; YAML's true and false in compose's spelling."""
        return filled(self.scalar(node), "braces")

    def command(self, node: yaml.Node | None, *, through_shell: bool = False) -> Command | None:
        """`command` or `entrypoint`: a list is an argument vector; a string is split into words, no shell runs it."""
        if node is None or self.empty(node):
            return None
        if isinstance(node, yaml.SequenceNode):
            found = []
            for item in node.value:
                if isinstance(item, yaml.ScalarNode):
                    text = filled(item.value, "braces")
                    found.append(Word(text.text, text.holes, self.region(item)))
            region = self.region(node)
            if not found:
                return Command((), False, region)
            step = Step(tuple(found), region)
            return Command((self.with_inner(step, node.value),), False, region)
        if not isinstance(node, yaml.ScalarNode):
            return None
        source = self.located(node)
        if through_shell:
            return shell.command(source)
        found = list(words(source, "braces"))
        region = self.region(node)
        if not found:
            return Command((), False, region)
        return Command((shell.with_inner(Step(tuple(found), region), Located(self.text, self.starts)),), False, region)

    def with_inner(self, step: Step, nodes: list[yaml.Node]) -> Step:
        """The step of a list with the text that it hands to `sh -c`, read where it stands."""
        plain = shell.with_inner(step, Located(self.text, self.starts))
        if not plain.inner:
            return plain
        for node in nodes:
            flag = next((i for i, word in enumerate(step.words) if word.region == self.region(node)), -1)
            if flag > 0 and step.words[flag - 1].text.endswith("c") and isinstance(node, yaml.ScalarNode):
                located = self.located(node)
                text = located.text.replace("$$", " $") if "$$" in located.text else located.text
                inner = shell.parse(located.part(0, len(located.text), text))
                return Step(step.words, step.region, inner=inner)
        return plain


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
