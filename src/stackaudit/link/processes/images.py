"""What lies where in a container, as far as the Dockerfile and the mounts tell."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from stackaudit.facts.commands import Command, Text, Variable
from stackaudit.facts.services import Copy, Dockerfile, Stage
from stackaudit.link.processes.environment import Environment, expand
from stackaudit.model.values import Known

DEPTH = 20


class Tree:
    """The files of the repository that were found, by path and by name."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = frozenset(paths)
        self.folders: set[str] = {""}
        self.by_name: dict[str, list[str]] = {}
        for path in self.paths:
            self.by_name.setdefault(posixpath.basename(path), []).append(path)
            folder = posixpath.dirname(path)
            while folder and folder not in self.folders:
                self.folders.add(folder)
                folder = posixpath.dirname(folder)

    def similar(self, path: str) -> str | None:
        """The file whose path ends most like `path`; None where several do or none has its name."""
        parts = [part for part in path.split("/") if part not in ("", ".", "..")]
        if not parts:
            return None
        scored = []
        for candidate in self.by_name.get(parts[-1], []):
            own = candidate.split("/")
            shared = 0
            while shared < min(len(own), len(parts)) and own[-1 - shared] == parts[-1 - shared]:
                shared += 1
            scored.append((shared, -len(own), candidate))
        scored.sort(reverse=True)
        if not scored or (len(scored) > 1 and scored[0][0] == scored[1][0]):
            return None
        return scored[0][2]

    def application(self, module: str) -> str | None:
        """The folder from which a dotted module is imported; None where there is none, or several."""
        tail = module.replace(".", "/") + ".py"
        found = [
            path[: -len(tail)].rstrip("/")
            for path in self.by_name.get(posixpath.basename(tail), [])
            if path == tail or path.endswith("/" + tail)
        ]
        return found[0] if len(found) == 1 else None


@dataclass
class Image:
    """What a build of a Dockerfile's stage gives. `context` is a folder of the repository.

    `mounts` are (folder in the container, folder of the repository) and come before what was copied.
    """

    path: str = ""
    file: Dockerfile | None = None
    index: int = -1
    context: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[tuple[str, str], ...] = ()

    def chain(self) -> list[Stage]:
        """The stage and those it is made from, the nearest first."""
        stages: list[Stage] = []
        index: int | None = self.index
        while (
            self.file is not None and index is not None and 0 <= index < len(self.file.stages) and len(stages) < DEPTH
        ):
            stage = self.file.stages[index]
            stages.append(stage)
            index = self._named(stage.image.text, index)
        return stages

    def _named(self, name: str, before: int) -> int | None:
        if self.file is None:
            return None
        if name.isdigit():
            return int(name) if int(name) < before else None
        found = [index for index, stage in enumerate(self.file.stages[:before]) if stage.name and stage.name == name]
        return found[-1] if found else None

    def environment(self) -> Environment:
        """ENV of the stage and those it is made from."""
        environment = Environment()
        for stage in reversed(self.chain()):
            environment.assign(stage.env, self.path, self.scope(stage, environment))
        return environment

    def scope(self, stage: Stage, outer: Environment | None = None) -> Environment:
        """What variables stand for in the instructions of `stage`: its ARGs with their defaults and its ENVs."""
        scope = (outer or Environment()).copy()
        for argument in stage.args:
            given = self.arguments.get(argument.name)
            if given is not None:
                scope.values[argument.name] = Known(given)
            elif argument.value is not None:
                scope.assign([argument], self.path)
        variables: list[Variable] = [item for item in stage.env if item.value is not None]
        scope.assign(variables, self.path)
        return scope

    def text(self, text: Text | None, stage: Stage) -> str | None:
        """A text of the stage with its variables replaced."""
        if text is None:
            return None
        value = expand(text, self.scope(stage))
        return value.value if isinstance(value, Known) else None

    def workdir(self) -> str | None:
        """The working directory, None where it is not known."""
        for stage in self.chain():
            if stage.workdir is not None:
                return self.text(stage.workdir, stage)
        return None

    def user(self) -> str | None:
        """The user of the last USER."""
        for stage in self.chain():
            if stage.user is not None:
                return self.text(stage.user, stage)
        return None

    def command(self) -> tuple[Command | None, Command | None]:
        """(ENTRYPOINT, CMD). An ENTRYPOINT of a later stage takes the CMD of the earlier away."""
        for stage in self.chain():
            if stage.entrypoint is not None:
                return stage.entrypoint, stage.cmd
            if stage.cmd is not None:
                entrypoint = next((item.entrypoint for item in self.chain() if item.entrypoint is not None), None)
                return entrypoint, stage.cmd
        return None, None

    def lookup(self, path: str, tree: Tree) -> str | None:
        """The file of the repository that stands at an absolute path of the container."""
        path = posixpath.normpath(path)
        for target, source in sorted(self.mounts, key=lambda pair: -len(pair[0])):
            if path == target or path.startswith(target.rstrip("/") + "/"):
                found = joined(source, path[len(target) :].lstrip("/"))
                if found in tree.paths:
                    return found
        return self._in_stage(self.index, path, tree, 0)

    def _in_stage(self, index: int | None, path: str, tree: Tree, depth: int) -> str | None:
        if self.file is None or index is None or not 0 <= index < len(self.file.stages) or depth > DEPTH:
            return None
        stage = self.file.stages[index]
        scope = self.scope(stage)
        for copy in reversed(stage.copies):
            found = self._copied(copy, scope, stage, index, path, tree, depth)
            if found is not None:
                return found
        return self._in_stage(self._named(stage.image.text, index), path, tree, depth + 1)

    def _copied(
        self, copy: Copy, scope: Environment, stage: Stage, index: int, path: str, tree: Tree, depth: int
    ) -> str | None:
        target = expand(copy.target, scope)
        if not isinstance(target, Known):
            return None
        workdir = copy.workdir or self.text(stage.workdir, stage) or "/"
        place = posixpath.normpath(posixpath.join(workdir, target.value))
        for text in copy.sources:
            source = expand(text, scope)
            if not isinstance(source, Known):
                continue
            rest = "" if path == place else path[len(place.rstrip("/")) + 1 :] if under(path, place) else None
            if rest is None:
                continue
            if copy.stage:
                inner = posixpath.normpath("/" + source.value)
                for candidate in (posixpath.join(inner, rest) if rest else inner, inner):
                    found = self._in_stage(self._named(copy.stage, index), candidate, tree, depth + 1)
                    if found is not None and (candidate != inner or not rest or rest == posixpath.basename(inner)):
                        return found
                continue
            own = joined(self.context, source.value)
            if own in tree.paths:
                if not rest or rest == posixpath.basename(own):
                    return own
            elif "*" in own:
                for candidate in tree.by_name.get(posixpath.basename(rest), []):
                    if fnmatchcase(candidate, own) and rest == posixpath.basename(candidate):
                        return candidate
            elif rest and joined(own, rest) in tree.paths:
                return joined(own, rest)
        return None

    def copies(self, path: str) -> bool:
        """Whether a file of the repository is copied into the image, by more than `COPY . .`."""
        sources = [
            joined(self.context, source.value)
            for stage in self.chain()
            for copy in stage.copies
            if not copy.stage
            for text in copy.sources
            if isinstance(source := expand(text, self.scope(stage)), Known)
        ]
        return any(source and (fnmatchcase(path, source) or under(path, source)) for source in sources)

    def copies_folders(self) -> bool:
        """Whether a folder of the context was copied, so that what is not found in it is not there."""
        return any(
            text.text in (".", "./") for stage in self.chain() for copy in stage.copies for text in copy.sources
        ) or bool(self.mounts)


def under(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def joined(folder: str, path: str) -> str:
    """A path below the root from a folder and a relative path; "" is the root."""
    found = posixpath.normpath(posixpath.join(folder, path.lstrip("/") if not folder else path))
    return "" if found == "." else found.lstrip("/")


def context_of(path: str, file: Dockerfile, tree: Tree) -> str:
    """The build context that a Dockerfile was written for: the folder above it in which most of its sources are."""
    folder = posixpath.dirname(path)
    candidates = [folder]
    while folder:
        folder = posixpath.dirname(folder)
        candidates.append(folder)
    sources = [
        text.text
        for stage in file.stages
        for copy in stage.copies
        if not copy.stage
        for text in copy.sources
        if not text.holes and text.text not in (".", "./")
    ]

    def score(candidate: str) -> int:
        return sum((name := joined(candidate, source)) in tree.paths or name in tree.folders for source in sources)

    best = max(score(candidate) for candidate in candidates)
    fitting = [candidate for candidate in candidates if score(candidate) == best]
    return fitting[0] if best else fitting[-1]
