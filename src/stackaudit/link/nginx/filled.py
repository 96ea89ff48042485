"""What fills the templates of nginx: scripts that run envsubst, and the defaults that they give its variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stackaudit.model.source import Place

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_HOLE = re.compile(r"\$\{?(\w+)\}?")


def default_of(stack: Stack, hole: str) -> tuple[str, Place] | None:
    """What `${NAME}` is where the environment does not say, and where that stands; None where no script tells.

    `export NAME="${NAME:-/srv/media}"` in a script that runs envsubst gives it a default.
    """
    name = _HOLE.fullmatch(hole)
    for item in stack.of_kind("shell") if name is not None else ():
        steps = item.facts.steps
        if not any(step.words and step.words[0].text.rpartition("/")[2] == "envsubst" for step in steps):
            continue
        for step in steps:
            for variable in step.assigns:
                if name is None or variable.name != name[1] or variable.value is None or step.conditions:
                    continue
                holes = variable.value.holes
                inner = holes[0].default if len(holes) == 1 and holes[0].name == variable.name else None
                whole = inner is not None and holes[0].start == 0 and holes[0].end == len(variable.value.text)
                text = inner if whole else variable.value if not holes else None
                if text is not None and not text.holes:
                    return text.text, Place(item.path, variable.region)
    return None
