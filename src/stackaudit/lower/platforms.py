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

from stackaudit.facts.commands import Command, Text, Variable, Word
from stackaudit.facts.services import Workload, Workloads
from stackaudit.lower import shell
from stackaudit.lower.located import Located, decode, line_starts
from stackaudit.lower.masks import masked
from stackaudit.lower.shellwords import words
from stackaudit.lower.toml_spans import Document
from stackaudit.lower.yaml_nodes import Tree, documents
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
    text = decode(data)
    found, reader = documents(masked(text), text)
    tree = Tree(reader, found[0] if found else None)
    if name.startswith("railway"):
        return Workloads("Railway", tuple(_railway(tree)))
    if name.startswith("render"):
        return Workloads("Render", tuple(_listed(tree, ("web", "worker", "pserv"), "startCommand")))
    if name.startswith("heroku"):
        return Workloads("Heroku", tuple(_heroku(tree)))
    if name.startswith("apprunner"):
        return Workloads("App Runner", tuple(_started(tree, ("run", "command"), "web")))
    if name.startswith(".platform"):
        return Workloads("Platform.sh", tuple(_platform_sh(tree)))
    if "runtime" in tree:
        workloads = tuple(_started(tree, ("entrypoint",), "default", "env_variables"))
        return Workloads("App Engine", workloads, {item.name: SCALED for item in workloads})
    return Workloads("DigitalOcean", tuple(_listed(tree, (), "run_command")))


class _Toml:
    """Values of a TOML file by their keys."""

    def __init__(self, data: bytes) -> None:
        self.source = decode(data).replace("\r\n", " \n")
        self.starts = line_starts(self.source)
        self.document = Document(self.source)

    def word(self, *path: str) -> Word | None:
        """A scalar."""
        value = self.document.get(*path)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
            return None
        return Word(str(value), (), self.document.region(*path))

    def located(self, *path: str) -> Located | None:
        """The text of a string, each character with its place."""
        word = self.word(*path)
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
            word = self.word(*path, name)
            if word is not None:
                found.append(Variable(name, Text(word.text, ()), word.region))
        return tuple(found)


def _fly(document: _Toml) -> Iterator[Workload]:
    """`[processes]`, whose command lines take the place of the image's CMD, or the image's own command."""
    built = document.word("build", "image") is None and document.word("build", "builder") is None
    dockerfile = document.word("build", "dockerfile")
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


def _railway(tree: _Toml | Tree) -> Iterator[Workload]:
    builder, dockerfile = tree.word("build", "builder"), tree.word("build", "dockerfilePath")
    command = tree.command("deploy", "startCommand")
    replicas = tree.word("deploy", "numReplicas")
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


def _started(tree: Tree, path: tuple[str, ...], name: str, environment: str = "") -> Iterator[Workload]:
    """A file that starts one thing."""
    command = tree.command(*path)
    if command is not None:
        yield Workload(
            name=name,
            region=command.region,
            command=command,
            built=True,
            environment=_plain(tree.inside(environment)) if environment else (),
            outside=ELSEWHERE,
        )


def _platform_sh(tree: Tree) -> Iterator[Workload]:
    yield from _started(tree, ("web", "commands", "start"), "web")
    for name in tree.inside("workers").items:
        yield from _started(tree, ("workers", name, "commands", "start"), name)


def _heroku(tree: Tree) -> Iterator[Workload]:
    """`run`: a command line, or `{command: [...], image: ...}`; without a command the image's own runs."""
    reader, built = tree.reader, tree.inside("build", "docker")
    images = {name: built.text(name) for name in built.items}
    for name in dict.fromkeys([*tree.inside("run").items, *images]):
        lines = (reader.command(item, through_shell=True) for item in tree.several("run", name, "command"))
        command = tree.command("run", name) or next(lines, None)
        path = images.get(tree.text("run", name, "image") or name, "")
        if name == "release" or (command is None and not path):
            continue
        found = tree.find("run", name) or built.find(name)
        yield Workload(
            name=name,
            region=reader.region(found[0]) if found is not None else Region(1, 1, 1, 1),
            command=command,
            dockerfile=path,
            built=True,
            outside=ELSEWHERE,
        )


def _listed(tree: Tree, kinds: tuple[str, ...], key: str) -> Iterator[Workload]:
    """Services in lists: those of render.yaml whose type is one of `kinds`, or DigitalOcean's services and workers."""
    for group in ("services",) if kinds else ("services", "workers"):
        for service in tree.each(group):
            if kinds and service.text("type") not in kinds:
                continue
            name = service.word("name")
            path = service.text("dockerfilePath") or service.text("dockerfile_path")
            docker = bool(path) or (service.text("runtime") or service.text("env")) == "docker"
            command = service.command("dockerCommand") if docker else None
            command = command or service.command(key)
            if command is None and not docker:
                continue
            number = service.word("numInstances") or service.word("instance_count")
            options = {"replicas": number} if number is not None else {}
            if (scaled := service.find("scaling") or service.find("autoscaling")) is not None:
                options["replicas"] = Word(SCALED, (), tree.reader.region(scaled[0]))
            assert service.node is not None
            yield Workload(
                name=name.text if name is not None else group,
                region=tree.reader.region(service.node) if name is None else name.region,
                command=command,
                dockerfile=(path or "Dockerfile") if docker else "",
                built=True,
                environment=tuple(_entries(service, "envVars", "envs")),
                outside=ELSEWHERE,
                options=options,
            )


def _entries(service: Tree, *keys: str) -> Iterator[Variable]:
    """Variables as a list of `{key, value}`; those without a value come from somewhere else."""
    for key in keys:
        for entry in service.each(key):
            name, value = entry.word("key"), entry.word("value")
            if name is not None:
                yield Variable(name.text, Text(value.text, ()) if value is not None else None, name.region)


def _plain(tree: Tree) -> tuple[Variable, ...]:
    """A mapping of variables in which a dollar is a dollar."""
    return tuple(
        Variable(name, Text(tree.text(name), ()), tree.reader.region(key)) for name, (key, _) in tree.items.items()
    )
