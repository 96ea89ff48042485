"""What each command does once its arguments are known."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import msgspec

from stackaudit import catalog, config
from stackaudit.cli import UsageError, complain, documents, wishes
from stackaudit.cli.progress import Progress
from stackaudit.lower import git
from stackaudit.model.result import Result
from stackaudit.model.rule import SEVERITIES, Rule

EXPECTED = (UsageError, config.ConfigError, catalog.CatalogError, git.GitError)
"""What is told in one line, without a traceback: the text names the way out."""


def scan(options: Namespace) -> int:
    """`stackaudit scan`."""
    root = _folder(options.root)
    wanted = wishes.gather(options, root)
    outputs = documents.plan(wanted, root)
    result = _scan(root, wanted)
    documents.write(outputs, result, documents.look(wanted, root.resolve().name))
    return _gate(result, wanted)


def baseline(options: Namespace) -> int:
    """`stackaudit baseline`: earlier baselines are not asked, so that the new one is whole."""
    from stackaudit import waivers

    root = _folder(options.root)
    target = Path(options.output_file) if options.output_file else root / waivers.BASELINE_NAME
    options.output_file = None
    documents.check(target)
    wanted = msgspec.structs.replace(wishes.gather(options, root), baseline=None, since=None)
    result = _scan(root, wanted)
    documents.save(target, waivers.baseline_of(result))
    if not wanted.quiet:
        name = wishes.from_root(target, root)
        number = len(result.findings)
        sys.stdout.write(
            f"{number} finding{'' if number == 1 else 's'} accepted in {target}.\n"
            f'Commit it, and put this into stackaudit.toml: baseline = "{name}"\n'
        )
    return 0


def rules(options: Namespace) -> int:
    """`stackaudit rules`."""
    from stackaudit import explain

    sys.stdout.write(explain.listing(_rules(options.root), documents.width()))
    return 0


def rule(options: Namespace) -> int:
    """`stackaudit rule ID`: the name without its area will do where only one rule has it."""
    from stackaudit import explain
    from stackaudit.explain import markdown

    known = _rules(options.root)
    found = [each for each in known if options.id in (each.id, each.name)]
    if len(found) != 1:
        raise UsageError(explain.missing(options.id, known))
    if options.output_format == "markdown":
        sys.stdout.write(markdown.page(found[0]))
    else:
        sys.stdout.write(explain.page(found[0], min(documents.width(), 100), colour=documents.colour()))
    return 0


def render(options: Namespace) -> int:
    """`stackaudit render RESULT.json`."""
    wanted = wishes.outputs_alone(options)
    outputs = documents.plan(wanted, Path())
    result = _read_result(options.result)
    documents.write(outputs, result, documents.look(wanted, ""))
    return 0


def host(options: Namespace) -> int:
    """`stackaudit host`."""
    from stackaudit.lower import machine

    sys.stdout.write(machine.table())
    return 0


COMMANDS: dict[str, Callable[[Namespace], int]] = {
    "scan": scan, "baseline": baseline, "rules": rules, "rule": rule, "render": render, "host": host,
}  # fmt: skip


def _scan(root: Path, wanted: config.Config) -> Result:
    from stackaudit import scan as corridor
    from stackaudit import waivers

    changed = git.changed_lines(root, wanted.since) if wanted.since else None
    try:
        with Progress(wanted) as progress:
            result = corridor.scan(root, wanted, progress.tell)
    except corridor.NothingToAuditError as error:
        raise UsageError(str(error)) from None
    if changed is not None and wanted.since:
        result = waivers.narrow(result, changed, wanted.since)
    return result


def _gate(result: Result, wanted: config.Config) -> int:
    """1 where something at or above the gate is neither waived nor in the baseline, or the floor is too low."""
    code = 0
    if wanted.fail_on != "never":
        worst = SEVERITIES[: SEVERITIES.index(wanted.fail_on) + 1]
        code = int(any(each.severity in worst and not each.baselined for each in result.findings))
    floor = result.score.score.floor
    if wanted.fail_under is not None and floor is not None and floor < wanted.fail_under:
        complain(f"the score's floor, {floor:g}, is under {wanted.fail_under:g} (fail-under)")
        code = 1
    return code


def _folder(text: str) -> Path:
    root = Path(text)
    if not root.exists():
        raise UsageError(f"{text}: there is no such folder")
    if not root.is_dir():
        raise UsageError(f"{text}: this is a file; give the folder that holds the project")
    return root


def _rules(root: str) -> tuple[Rule, ...]:
    folder = _folder(root)
    wanted, _ = config.load(folder)
    return catalog.load(folder / wanted.rules if wanted.rules else None)


def _read_result(name: str) -> Result:
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{name}: could not be read: {error.strerror}") from None
    try:
        return msgspec.json.decode(data, type=Result)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        way = "write one with: stackaudit scan --output-format json --output-file result.json"
        raise UsageError(f"{name}: this is not a result of stackaudit ({error}); {way}") from None
