"""Who hears the signal that stops a container."""

from __future__ import annotations

import re

from stackaudit.facts.commands import Step
from stackaudit.link.processes.options import Argument
from stackaudit.link.processes.programs import Program, text_of

SIGNALLING = frozenset({"dumb-init"})
"""Wrappers that pass a signal on to every process of their session, not only to their child."""
INITS = frozenset({"tini", "tini-static", "catatonit"})
"""Wrappers that pass it to their child alone."""
_TERM = frozenset({"TERM", "SIGTERM", "INT", "SIGINT"})
_CLEANS = re.compile(r"\s*(rm|echo|printf|kill -0|:)\b")
"""What a trap on EXIT does where it only tidies up."""


def signals_all(words: tuple[Argument, ...], found: Program) -> bool:
    """Whether a wrapper passes signals on to all processes: dumb-init does, tini where it is given -g."""
    if SIGNALLING & set(found.wrappers):
        return True
    before = [text_of(word) for word in words[: max(0, len(words) - len(found.arguments) - 1)]]
    return bool(INITS & set(found.wrappers)) and any(re.fullmatch(r"-\w*g\w*", text) for text in before)


def traps(step: Step) -> bool:
    """Whether a script catches the signal that ends it, and so may pass it on."""
    if len(step.words) < 3 or step.words[0].text != "trap":
        return False
    signals = {word.text for word in step.words[2:]}
    return bool(_TERM & signals) or ("EXIT" in signals and not _CLEANS.match(step.words[1].text))
