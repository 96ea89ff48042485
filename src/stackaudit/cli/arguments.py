"""What can be asked on the command line, and the help that teaches it. Imports only the standard library and names."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Iterator
from typing import NoReturn

from stackaudit import __version__
from stackaudit.report import FORMATS

GATES = ("critical", "high", "medium", "low", "never")

ABOUT = """\
Audits a Django deployment as a whole: code, settings, templates, nginx, gunicorn or uvicorn, services,
dependencies and the host they share. Reads files only: nothing of what it audits is imported or run."""

EXAMPLES = """\
examples:
  stackaudit scan                          audit the current folder
  stackaudit scan ~/src/shop --no-tools    without pip-audit and deptry
  stackaudit rule orm/n-plus-one-forward   why a rule matters and how to mend it
  stackaudit host >> stackaudit.toml       describe the machine (run it there)

exit codes:
  0  nothing at or above the gate (--fail-on, --fail-under)
  1  findings at or above the gate
  2  wrong usage, a configuration that cannot be read, nothing to audit, or an internal error"""

FORMAT_LIST = "formats:\n" + "\n".join(f"  {name:<10} {about}" for name, about in FORMATS.items())

SCAN_EXAMPLES = f"""\
{FORMAT_LIST}

examples:
  stackaudit scan --fail-on high                       let lesser findings pass
  stackaudit scan --select orm,nginx/alias-traversal   only an area, and one rule more
  stackaudit scan --report sarif=audit.sarif --report html=audit.html
                                                       one run, many documents
  stackaudit scan --since origin/main                  only what this branch changed
  stackaudit scan --baseline stackaudit-baseline.json  only what is new (see `stackaudit baseline`)

Every option can stand in stackaudit.toml, .stackaudit.toml or [tool.stackaudit] of pyproject.toml, without its
leading dashes: fail-on = "high". What the command line says wins.

A finding is accepted by a comment on its line or the line above, and the reason is required:
  # stackaudit: ignore[orm/n-plus-one-forward] at most three rows

exit codes:
  0  nothing at or above the gate (--fail-on, --fail-under)
  1  findings at or above the gate
  2  wrong usage, a configuration that cannot be read, nothing to audit, or an internal error"""


class Parser(argparse.ArgumentParser):
    """argparse with suggestions for what was misspelt."""

    def error(self, message: str) -> NoReturn:
        """One line that names the mistake and the way out; exit code 2."""
        self.exit(2, f"{self.prog}: {message}{self._hint(message)}; see `{self.prog} --help`\n")

    def _all(self) -> Iterator[argparse.ArgumentParser]:
        """This parser and those of its commands: an unknown option is always told by the outermost."""
        yield self
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                yield from action.choices.values()

    def _hint(self, message: str) -> str:
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        choice = re.match(r"argument \S+: invalid choice: '([^']*)'", message)
        if unknown:
            known = [name for each in self._all() for action in each._actions for name in action.option_strings]
            word = unknown[1].partition("=")[0]
        elif choice:
            known = [str(each) for action in self._actions for each in action.choices or ()]
            word = choice[1]
            if word in (".", "..") or "/" in word:
                return f" (did you mean `stackaudit scan {word}`?)"
        else:
            return ""
        near = difflib.get_close_matches(word, known, 1, 0.5)
        return f" (did you mean `{near[0]}`?)" if near else ""


def parser() -> Parser:
    """The parser of the whole command line."""
    top = Parser(
        prog="stackaudit", description=ABOUT, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )  # fmt: skip
    top.add_argument("--version", action="version", version=f"stackaudit {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands", required=True)

    scan = _command(commands, "scan", "audit a folder and report", SCAN_EXAMPLES)
    _root(scan)
    _output(scan)
    _choice(scan)
    _gate(scan)
    _run(scan)
    scan.add_argument("--statistics", action="store_true", help="add a table of what each rule did")
    scan.add_argument("--quiet", action="store_true", help="only what has to be mended; no progress")

    rules = _command(commands, "rules", "one line for each rule", "")
    _root(rules, "the folder whose configuration may name a folder of rules of its own")

    rule = _command(commands, "rule", "one rule: why it matters, how to mend it, examples", "")
    rule.add_argument("id", metavar="ID", help="for instance orm/n-plus-one-forward; the name alone will do")
    rule.add_argument("--output-format", choices=("terminal", "markdown"), default="terminal", help="how it is drawn")
    _root(rule, "the folder whose configuration may name a folder of rules of its own")

    render = _command(
        commands, "render", "draw an earlier result in another format",
        f"{FORMAT_LIST}\n\nexample:\n  stackaudit scan --output-format json > result.json || true\n"
        "  stackaudit render result.json --output-format html --output-file audit.html",
    )  # fmt: skip
    render.add_argument("result", metavar="RESULT.json", help="what --output-format json wrote; - reads stdin")
    _output(render)
    render.add_argument("--statistics", action="store_true", help="add a table of what each rule did")
    render.add_argument("--quiet", action="store_true", help="only what has to be mended")
    render.add_argument("--verbose", action="store_true", help="fold nothing; show tracebacks")

    baseline = _command(
        commands, "baseline", "accept what is there today, so that only new findings fail",
        "The file is to be committed. Its findings still cost score, but no longer fail the run of\n"
        "`stackaudit scan --baseline FILE`, or of any run with `baseline = \"FILE\"` in stackaudit.toml.",
    )  # fmt: skip
    _root(baseline)
    baseline.add_argument("--output-file", metavar="PATH", help="where to write it (stackaudit-baseline.json in ROOT)")
    _choice(baseline)
    _run(baseline)
    baseline.add_argument("--quiet", action="store_true", help="say nothing; no progress")

    host = _command(
        commands, "host", "print this machine as a [host] table",
        "Run it on the machine that serves, and put what it prints into stackaudit.toml:\n"
        "  stackaudit host >> stackaudit.toml",
    )  # fmt: skip
    host.add_argument("--verbose", action="store_true", help="show tracebacks")
    return top


def _command(commands: argparse._SubParsersAction[Parser], name: str, about: str, epilog: str) -> Parser:
    return commands.add_parser(
        name, help=about, description=about[:1].upper() + about[1:] + ".", epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
    )  # fmt: skip


def _root(to: Parser, about: str = "the folder to audit") -> None:
    to.add_argument("root", metavar="ROOT", nargs="?", default=".", help=f"{about} (the current folder)")
    if to.prog.split()[-1] in ("rules", "rule"):
        to.add_argument("--verbose", action="store_true", help="show tracebacks")


def _output(to: Parser) -> None:
    group = to.add_argument_group("output")
    group.add_argument("--output-format", metavar="FORMAT", help="how the report on stdout is drawn (terminal)")
    group.add_argument("--output-file", metavar="PATH", help="write that report to a file instead of stdout")
    group.add_argument(
        "--report", metavar="FORMAT=PATH", action="append", help="write one more report to a file; repeatable"
    )
    group.add_argument(
        "--category",
        metavar="NAME",
        help="keeps the SARIF of several stacks of one repository apart (for instance api)",
    )


def _choice(to: Parser) -> None:
    group = to.add_argument_group("what is judged")
    words = "rules, areas or tags, separated by commas; repeatable"
    group.add_argument("--select", metavar="WORDS", action="append", help=f"judge only these {words}")
    group.add_argument(
        "--ignore",
        metavar="WORDS",
        action="append",
        help=f"do not report these {words}; they still count for the score",
    )
    group.add_argument("--settings", metavar="MODULE", help="the settings module that production runs")
    group.add_argument("--host", metavar="FILE", help="a TOML file with the [host] table (see `stackaudit host`)")
    group.add_argument("--config", metavar="FILE", help="the configuration, instead of the one found in ROOT")


def _gate(to: Parser) -> None:
    group = to.add_argument_group("what fails the run")
    group.add_argument("--fail-on", choices=GATES, help="the least severity that gives exit code 1 (low)")
    group.add_argument(
        "--fail-under", metavar="SCORE", type=_score, help="exit code 1 where the score's floor is lower"
    )
    group.add_argument("--baseline", metavar="FILE", help="what was accepted earlier does not fail the run")
    group.add_argument("--since", metavar="REV", help="only findings on lines that changed since this git revision")


def _run(to: Parser) -> None:
    group = to.add_argument_group("how it runs")
    group.add_argument("--offline", action="store_true", help="ask no server; what needs one is unknown")
    group.add_argument("--no-tools", action="store_true", help="run neither pip-audit nor deptry")
    group.add_argument("--pip-audit-report", metavar="FILE", help="what `pip-audit --format json` wrote")
    group.add_argument("--deptry-report", metavar="FILE", help="what `deptry --json-output FILE` wrote")
    group.add_argument("--jobs", metavar="N", type=_jobs, help="how many processes read files (as many as cores)")
    group.add_argument("--no-cache", action="store_true", help="neither use nor write .stackaudit_cache")
    group.add_argument("--verbose", action="store_true", help="fold nothing; show tracebacks")


def _jobs(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes (1 or more)")
    return int(text)


def _score(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a score (0 to 100)")
    return value
