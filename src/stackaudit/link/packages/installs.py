"""What the images of production install: `pip install -r`, `uv sync`, `poetry install` and so on in Dockerfiles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from stackaudit.facts.commands import Step, Text, Word
from stackaudit.facts.files import FileFacts
from stackaudit.facts.services import Dockerfile, Stage
from stackaudit.link.processes.audience import default_stage
from stackaudit.model.source import Place

DEVELOPMENT = re.compile(
    r"(^|[/_.-])(dev|devel|develop|development|debug|local|tests?|testing|ci|docs?|lint|linting|types?|typing|typecheck"
    r"|demo|devcontainer|examples?|benchmarks?|functest|unittest|quality|tools?|tooling|sandbox|e2e|translate|build)"
    r"([/_.-]|\d*$|(?=requirements))",
    re.IGNORECASE,
)
"""A path or group that names something other than production."""

PRODUCTION = re.compile(r"(^|[/_.-])(prod|production|deploy|deployment|live|heroku|server)([/_.-]|$)", re.IGNORECASE)
"""A path or group that names production."""

_IN_PLACE = re.compile(r"-[a-zA-Z]*i|--in-place|inplace$")
_PYTHON = re.compile(r"python(\d(\.\d+)?)?")
_PIP = re.compile(r"pip(\d(\.\d+)?)?")


@dataclass(frozen=True, slots=True)
class Install:
    """One command that installs packages.

    `tool` is "pip", "uv", "poetry", "pipenv" or "pdm"; `files` are requirements files as written, `packages` are
    requirements given on the command line, `project` tells that the project itself is installed with `extras`. `groups`
    are those named; `main`, `defaults` and `every` tell whether the main dependencies, the default groups and all
    groups come too.
    `edited` are those of `files` that an earlier command of the image changes. `unknown` says what the command leaves
    open.
    """

    tool: str
    place: Place
    files: tuple[str, ...] = ()
    packages: tuple[tuple[str, Place], ...] = ()
    project: bool = False
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    main: bool = True
    defaults: bool = False
    every: bool = False
    edited: tuple[str, ...] = ()
    unknown: str = ""


def installs(files: Iterable[FileFacts]) -> tuple[Install, ...]:
    """The installs of the Dockerfiles that are not by their path for development; those named for production alone
    where there are such."""
    images = [item for item in files if isinstance(item.facts, Dockerfile) and not DEVELOPMENT.search(item.path)]
    named = [item for item in images if PRODUCTION.search(item.path)]
    found: list[Install] = []
    for item in named or images:
        edited: set[str] = set()
        for stage in reached(item.facts.stages):
            for step in (step for command in stage.runs for step in command.steps):
                edited |= _edits(step)
                for one in _of_step(step, stage, item.path):
                    changed = tuple(name for name in one.files if _name(name) in edited)
                    found.append(replace(one, edited=changed) if changed else one)
    return tuple(found)


def _edits(step: Step) -> set[str]:
    """The names of the files that a command changes in place, or puts another file over."""
    found = {name for inner in step.inner for name in _edits(inner)}
    words = [word.text for word in step.words if word.text != "sudo"]
    if len(words) < 3:
        return found
    program = _name(words[0])
    if program in ("mv", "cp", "install"):
        found.add(_name(words[-1]))
    elif program in ("sed", "perl", "awk", "gawk") and any(_IN_PLACE.match(word) for word in words[1:]):
        found.update(_name(word) for word in words[1:] if not word.startswith("-"))
    return found


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def reached(stages: Sequence[Stage]) -> list[Stage]:
    """The stages that production's is built from or copies from; a stage that only tests is not among them."""
    if not stages:
        return []
    by_name = {stage.name: stage for stage in stages if stage.name} | {
        str(index): stage for index, stage in enumerate(stages)
    }
    first = stages[default_stage(stages)]
    wanted, queue = [first], [first]
    while queue:
        stage = queue.pop()
        for name in (stage.image.text, *(copy.stage for copy in stage.copies)):
            source = by_name.get(name)
            if source is not None and all(source is not other for other in wanted):
                wanted.append(source)
                queue.append(source)
    return [stage for stage in stages if any(stage is other for other in wanted)]


def _of_step(step: Step, stage: Stage, path: str) -> Iterator[Install]:
    for inner in step.inner:
        yield from _of_step(inner, stage, path)
    if any(condition.words and not condition.negated for condition in step.conditions):
        return  # `if [ "$DEV" = 1 ]; then pip install -r dev.txt; fi` installs only when asked
    words = [word for word in step.words if word.text not in ("sudo", "exec", "time")]
    names = [word.text.rpartition("/")[2] for word in words]
    place = Place(path, step.region)
    if len(words) > 3 and _PYTHON.fullmatch(names[0]) and names[1:3] == ["-m", "pip"]:
        words, names = words[2:], names[2:]
    if len(words) > 2 and names[:2] == ["uv", "pip"]:
        words, names = words[1:], names[1:]
    if len(names) < 2:
        return
    verb, rest = names[1], words[2:]
    if _PIP.fullmatch(names[0]) and verb in ("install", "wheel", "sync"):
        yield _pip(rest, stage, place)
    elif names[0] == "uv" and verb == "sync":
        variables = {*stage.env, *step.assigns}
        yield _uv(rest, place, {item.name for item in variables if item.value is not None and _is_on(item.value.text)})
    elif names[0] == "poetry" and verb in ("install", "sync"):
        yield _poetry(rest, place)
    elif names[0] == "pipenv" and verb in ("install", "sync"):
        yield Install("pipenv", place, project=True, every="--dev" in names or "-d" in names)
    elif names[0] == "pdm" and verb in ("install", "sync"):
        production = {"--prod", "--production", "--no-dev"} & set(names)
        yield Install("pdm", place, project=True, every=not production, groups=_values(rest, ("-G", "--group")))


@dataclass(slots=True)
class _Pip:
    files: list[str] = field(default_factory=list)
    packages: list[tuple[str, Place]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    project: bool = False
    unknown: str = ""


_VALUED = frozenset(
    """
    --cache-dir --config-settings --constraint --extra-index-url --find-links --global-option --index
    --index-strategy --index-url --link-mode --no-binary --only-binary --override --platform --prefix
    --progress-bar --python --python-preference --python-version --report --retries --root --src --target
    --timeout --trusted-host --wheel-dir -c -f -i -t -w
    """.split()
)
"""Options of pip and `uv pip` that take the next word."""


def _pip(words: Sequence[Word], stage: Stage, place: Place) -> Install:
    found = _Pip()
    index = 0
    while index < len(words):
        text = words[index].text
        following = words[index + 1] if index + 1 < len(words) else None
        option, sign, _ = text.partition("=") if text.startswith("--") else (text, "", "")
        if option in ("-r", "--requirement", "--requirements", "--group") and (sign or following is not None):
            word = words[index] if sign else following
            filled = fill(word, stage) if word is not None else None
            if filled is None:
                found.unknown = f"which file `{text} {following.text if following else ''}` means"
            else:
                target = filled.partition("=")[2] if sign else filled
                (found.groups if option == "--group" else found.files).append(target)
            index += 0 if sign else 1
        elif text.startswith("-r") and len(text) > 2 and not text.startswith("--"):
            found.files.append(text[2:])
        elif option in _VALUED:
            index += 0 if sign else 1
        elif text.startswith("-"):
            pass  # a flag; `-e` leaves its path to the next word
        elif match := re.fullmatch(r"(\./?|/\w[\w/.-]*/?)(?:\[([\w,\s-]*)\])?", text):
            found.project = True
            found.extras += [extra.strip() for extra in (match[2] or "").split(",") if extra.strip()]
        elif not words[index].holes and re.match(r"[A-Za-z0-9]", text) and not text.endswith((".whl", ".tar.gz")):
            found.packages.append((text, Place(place.path, words[index].region)))
        index += 1
    return Install(
        "pip", place, tuple(found.files), tuple(found.packages), found.project, tuple(found.extras),
        tuple(group.rpartition(":")[2] for group in found.groups), unknown=found.unknown,
    )  # fmt: skip


def _is_on(text: str) -> bool:
    return text.lower() in ("1", "true", "yes", "on", "y", "t")


def _uv(words: Sequence[Word], place: Place, on: set[str]) -> Install:
    """`on` are the variables that are set: UV_NO_DEV does what --no-dev does
    (https://docs.astral.sh/uv/reference/environment/#uv_no_dev).
    """
    texts = {word.text for word in words}
    only = _values(words, ("--only-group",))
    return Install(
        "uv",
        place,
        project=True,
        main=not only and "--only-dev" not in texts,
        defaults=not only and not texts & {"--no-default-groups", "--no-dev"} and "UV_NO_DEV" not in on,
        every="--all-groups" in texts,
        extras=("*",) if "--all-extras" in texts else _values(words, ("--extra",)),
        groups=(*_values(words, ("--group",)), *only),
        without=_values(words, ("--no-group",)),
    )


def _poetry(words: Sequence[Word], place: Place) -> Install:
    texts = {word.text for word in words}
    only = tuple(name for value in _values(words, ("--only",)) for name in value.split(","))
    return Install(
        "poetry",
        place,
        project=True,
        main=not only or "main" in only,
        every=not only and "--no-dev" not in texts,
        extras=("*",) if "--all-extras" in texts else _values(words, ("--extras", "-E")),
        groups=(*(name for name in only if name != "main"), *_values(words, ("--with",))),
        without=tuple(name for value in _values(words, ("--without",)) for name in value.split(",")),
    )


def _values(words: Sequence[Word], options: tuple[str, ...]) -> tuple[str, ...]:
    """The values of options, written `--option value` or `--option=value`."""
    found = []
    for index, word in enumerate(words):
        option, sign, value = word.text.partition("=")
        if option in options:
            found.append(value if sign else words[index + 1].text if index + 1 < len(words) else "")
    return tuple(value for value in found if value)


def fill(word: Text, stage: Stage) -> str | None:
    """The text of a word with ARG and ENV defaults of its stage filled in; None where one has none."""
    known = {variable.name: variable.value for variable in (*stage.args, *stage.env)}
    text, shift = word.text, 0
    for hole in word.holes:
        value = known.get(hole.name) or hole.default
        if value is None or value.holes or hole.alternative:
            return None
        text = text[: hole.start + shift] + value.text + text[hole.end + shift :]
        shift += len(value.text) - (hole.end - hole.start)
    return text
