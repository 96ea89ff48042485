"""Files of hosting platforms -> the processes that they start.

fly.toml (https://fly.io/docs/reference/configuration/), render.yaml (https://render.com/docs/blueprint-spec),
railway.json and railway.toml (https://docs.railway.com/reference/config-as-code), nixpacks.toml
(https://nixpacks.com/docs/configuration/file), heroku.yml
(https://devcenter.heroku.com/articles/build-docker-images-heroku-yml), app.yaml of App Engine
(https://cloud.google.com/appengine/docs/standard/reference/app-yaml) and of DigitalOcean
(https://docs.digitalocean.com/products/app-platform/reference/app-spec/), .platform.app.yaml of Platform.sh and
apprunner.yaml of AWS. What runs once, for a release or by the clock, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from stackaudit.facts.commands import Command, Text, Variable, Word
from stackaudit.facts.services import Workload, Workloads
from stackaudit.lower import shell
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import masked
from stackaudit.lower.shellwords import words
from stackaudit.lower.toml_spans import Document
from stackaudit.lower.yaml_nodes import Items, Nodes, documents
from stackaudit.model.source import Region

ELSEWHERE = "the platform"
SCALED = "the platform starts as many as the requests need"


def lower(data: bytes, path: str) -> Workloads:
    """The processes of a platform's file. Raises UnreadableError for what is neither TOML nor YAML."""
    name = path.rpartition("/")[2]
    if name.endswith(".toml"):
        document = _Toml(data)
        if name.startswith("fly"):
            return Workloads("Fly", tuple(_fly(document)))
        if name.startswith("railway"):
            return Workloads("Railway", tuple(_railway(document)))
        return Workloads("Nixpacks", tuple(_nixpacks(document)))
    mask = masked(decode(data))
    found, reader = documents(mask, mask.text)
    top = reader.items(found[0]) if found else {}
    tree = _Yaml(reader, top)
    if name.startswith("railway"):
        return Workloads("Railway", tuple(_railway(tree)))
    if name.startswith("render"):
        return Workloads("Render", tuple(_listed(reader, top, ("web", "worker", "pserv"), "startCommand")))
    if name.startswith("heroku"):
        return Workloads("Heroku", tuple(_heroku(reader, top)))
    if name.startswith("apprunner"):
        return Workloads("App Runner", tuple(_started(tree, ("run", "command"), "web")))
    if name.startswith(".platform"):
        return Workloads("Platform.sh", tuple(_platform_sh(tree)))
    if "runtime" in top:
        workloads = tuple(_started(tree, ("entrypoint",), "default", "env_variables"))
        return Workloads("App Engine", workloads, {item.name: SCALED for item in workloads})
    return Workloads("DigitalOcean", tuple(_listed(reader, top, (), "run_command")))


class _Yaml:
    """Values of a YAML file by their keys."""

    def __init__(self, reader: Nodes, top: Items) -> None:
        self.reader = reader
        self.top = top

    def node(self, *path: str) -> tuple[yaml.Node, yaml.Node] | None:
        """The key and the value at a path."""
        items, found = self.top, None
        for key in path:
            found = items.get(key)
            if found is None:
                return None
            items = self.reader.items(found[1])
        return found

    def items(self, *path: str) -> Items:
        """The mapping at a path."""
        found = self.node(*path)
        return self.reader.items(found[1]) if found is not None else {}

    def text(self, *path: str) -> Word | None:
        """A scalar as it is written."""
        found = self.node(*path)
        if found is None or not self.reader.scalar(found[1]):
            return None
        return Word(self.reader.scalar(found[1]), (), self.reader.region(found[1]))

    def command(self, *path: str) -> Command | None:
        """A command line that a shell reads."""
        found = self.node(*path)
        return self.reader.command(found[1], through_shell=True) if found is not None else None

    def variables(self, *path: str) -> tuple[Variable, ...]:
        """A mapping of variables."""
        found = self.node(*path)
        return _plain(self.reader, found[1]) if found is not None else ()


class _Toml:
    """Values of a TOML file by their keys."""

    def __init__(self, data: bytes) -> None:
        self.source = decode(data).replace("\r\n", " \n")
        self.starts = line_starts(self.source)
        self.document = Document(self.source)

    def text(self, *path: str) -> Word | None:
        """A scalar."""
        value = self.document.get(*path)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
            return None
        return Word(str(value), (), self.document.region(*path))

    def located(self, *path: str) -> Located | None:
        """The text of a string, each character with its place."""
        word = self.text(*path)
        if word is None:
            return None
        return shell.quoted_text(word, Located(self.source, self.starts))

    def command(self, *path: str) -> Command | None:
        """A command line that a shell reads."""
        source = self.located(*path)
        return shell.command(source) if source is not None else None

    def vector(self, *path: str) -> Command | None:
        """A command line that is split into words, and no shell runs it."""
        source = self.located(*path)
        return shell.vector(tuple(words(source, "none")), source) if source is not None else None

    def keys(self, *path: str) -> list[str]:
        """The keys of a table."""
        value = self.document.get(*path)
        return list(value) if isinstance(value, dict) else []

    def variables(self, *path: str) -> tuple[Variable, ...]:
        """A table of variables."""
        found = []
        for name in self.keys(*path):
            word = self.text(*path, name)
            if word is not None:
                found.append(Variable(name, Text(word.text, ()), word.region))
        return tuple(found)


def _fly(document: _Toml) -> Iterator[Workload]:
    """`[processes]`, whose command lines take the place of the image's CMD, or the image's own command."""
    built = document.text("build", "image") is None and document.text("build", "builder") is None
    dockerfile = document.text("build", "dockerfile")
    names = document.keys("processes") or [""]
    for name in names:
        command = document.vector("processes", name) if name else document.vector("experimental", "cmd")
        yield Workload(
            name=name or "app",
            region=command.region if command is not None else document.document.region("app"),
            command=command,
            dockerfile=dockerfile.text if dockerfile is not None else "Dockerfile" if built else "",
            built=True,
            environment=document.variables("env"),
            outside=ELSEWHERE,
        )


def _railway(tree: _Toml | _Yaml) -> Iterator[Workload]:
    builder, dockerfile = tree.text("build", "builder"), tree.text("build", "dockerfilePath")
    command = tree.command("deploy", "startCommand")
    replicas = tree.text("deploy", "numReplicas")
    own = dockerfile is not None or builder is None or "DOCKERFILE" in builder.text.upper()
    if command is None:
        return
    yield Workload(
        name="web",
        region=command.region,
        command=command,
        dockerfile=dockerfile.text if dockerfile is not None else "Dockerfile" if own else "",
        built=True,
        outside=ELSEWHERE,
        options={"replicas": replicas} if replicas is not None else {},
    )


def _nixpacks(document: _Toml) -> Iterator[Workload]:
    command = document.command("start", "cmd")
    if command is not None:
        yield Workload(
            name="web",
            region=command.region,
            command=command,
            built=True,
            environment=document.variables("variables"),
            outside=ELSEWHERE,
        )


def _started(tree: _Yaml, path: tuple[str, ...], name: str, environment: str = "") -> Iterator[Workload]:
    """A file that starts one thing."""
    command = tree.command(*path)
    if command is not None:
        yield Workload(
            name=name,
            region=command.region,
            command=command,
            built=True,
            environment=tree.variables(environment) if environment else (),
            outside=ELSEWHERE,
        )


def _platform_sh(tree: _Yaml) -> Iterator[Workload]:
    yield from _started(tree, ("web", "commands", "start"), "web")
    for name in tree.items("workers"):
        yield from _started(tree, ("workers", name, "commands", "start"), name)


def _heroku(reader: Nodes, top: Items) -> Iterator[Workload]:
    """`run`: a command line, or `{command: [...], image: ...}`; without a command the image's own runs."""
    tree = _Yaml(reader, top)
    images = {name: reader.scalar(node) for name, (_, node) in tree.items("build", "docker").items()}
    for name in dict.fromkeys([*tree.items("run"), *images]):
        command = tree.command("run", name)
        if command is None and (lines := tree.node("run", name, "command")) is not None:
            command = next((reader.command(item, through_shell=True) for item in reader.several(lines[1])), None)
        image = tree.text("run", name, "image")
        path = images.get(image.text if image is not None else name, "")
        if name == "release" or (command is None and not path):
            continue
        found = tree.node("run", name) or tree.node("build", "docker", name)
        yield Workload(
            name=name,
            region=reader.region(found[0]) if found is not None else Region(1, 1, 1, 1),
            command=command,
            dockerfile=path,
            built=True,
            outside=ELSEWHERE,
        )


def _listed(reader: Nodes, top: Items, kinds: tuple[str, ...], key: str) -> Iterator[Workload]:
    """Services in lists: those of render.yaml whose type is one of `kinds`, or DigitalOcean's services and workers."""
    for group in ("services",) if kinds else ("services", "workers"):
        for node in reader.several(top[group][1]) if group in top else ():
            service = _Yaml(reader, reader.items(node))
            kind = service.text("type")
            if kinds and (kind is None or kind.text not in kinds):
                continue
            name = service.text("name")
            path = service.text("dockerfilePath") or service.text("dockerfile_path")
            runtime = service.text("runtime") or service.text("env")
            docker = path is not None or (runtime is not None and runtime.text == "docker")
            command = service.command("dockerCommand") if docker else None
            command = command or service.command(key)
            if command is None and not docker:
                continue
            number = service.text("numInstances") or service.text("instance_count")
            options = {"replicas": number} if number is not None else {}
            if (scaled := service.node("scaling") or service.node("autoscaling")) is not None:
                options["replicas"] = Word(SCALED, (), reader.region(scaled[0]))
            yield Workload(
                name=name.text if name is not None else group,
                region=reader.region(node) if name is None else name.region,
                command=command,
                dockerfile=(path.text if path is not None else "Dockerfile") if docker else "",
                built=True,
                environment=tuple(_entries(service, "envVars", "envs")),
                outside=ELSEWHERE,
                options=options,
            )


def _entries(service: _Yaml, *keys: str) -> Iterator[Variable]:
    """Variables as a list of `{key, value}`; those without a value come from somewhere else."""
    for key in keys:
        found = service.node(key)
        for node in service.reader.several(found[1]) if found is not None else ():
            entry = _Yaml(service.reader, service.reader.items(node))
            name, value = entry.text("key"), entry.text("value")
            if name is not None:
                yield Variable(name.text, Text(value.text, ()) if value is not None else None, name.region)


def _plain(reader: Nodes, node: yaml.Node) -> tuple[Variable, ...]:
    """A mapping of variables in which a dollar is a dollar."""
    return tuple(
        Variable(name, Text(reader.scalar(value), ()), reader.region(key))
        for name, (key, value) in reader.items(node).items()
    )
