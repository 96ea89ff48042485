"""The door: `stackaudit COMMAND`. Exit codes: 0 fine, 1 findings at or above the gate, 2 it could not be done."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from argparse import Namespace
from collections.abc import Sequence

from stackaudit.cli.arguments import parser


class UsageError(Exception):
    """What was asked cannot be done; the text names the file or option and the way out."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (that of the process if None) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        gc.disable()  # what the command leaves behind goes with the process
    try:
        # argparse ends by SystemExit, also where it only printed help into a closed pipe.
        options = parser().parse_args(words)
        return _run(options)
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        close_quietly()
        return 0
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            close_quietly()
        if argv is None:
            gc.freeze()  # at its exit Python would look through all of it once more


def close_quietly() -> None:
    """Let the interpreter's own flush at exit find an open stdout after its reader has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"stackaudit: {text}\n")


def _run(options: Namespace) -> int:
    # Parsers and rules are not needed to say --help, hence not imported to say it.
    from stackaudit.cli import commands

    try:
        return commands.COMMANDS[options.command](options)
    except commands.EXPECTED as error:
        complain(str(error))
        return 2
    except BrokenPipeError:
        raise
    except Exception as error:
        if getattr(options, "verbose", False):
            traceback.print_exc()
        last = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error}".split("\n", 1)[0]
        way = "" if getattr(options, "verbose", False) else "; run it again with --verbose for the traceback"
        complain(f"internal error in {last.name}: {told} (this is a bug{way})")
        return 2
