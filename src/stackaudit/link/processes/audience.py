"""Who a command runs for: production or developers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stackaudit.facts.services import Stage

if TYPE_CHECKING:
    from stackaudit.link.processes.model import Audience

_DEVELOPMENT = re.compile(
    r"(^|[/._-])(dev|devel|develop|development|local|localdev|debug|tests?|testing|ci|e2e|override|sandbox|devcontainer"
    r"|demo|examples?|samples?|playground|docs?)(?=$|[/._-])"
)
_PRODUCTION = re.compile(r"(^|[/._-])(prod|production|live|staging|selfhost(ed)?)(?=$|[/._-])")
_DEPLOYED = re.compile(r"(^|[/._-])(deploy|deployment|release)(?=$|[/._-])")
_SETTINGS = re.compile(r"(^|[._])(dev|devel|develop|development|local|debug|tests?|testing|ci|docker_dev|dev_docker)$")
_DEBUG = re.compile(
    r"debug|(^|[^a-z])dev(el|elopment)?([^a-z]|$)|reload|(^|[^a-z])local([^a-z]|$)|(^|[^a-z])test", re.IGNORECASE
)

_OFF = re.compile(r"false|!= *.?true|-z |=+ *.?0|!= *.?1", re.IGNORECASE)


def of_path(path: str) -> tuple[Audience, str]:
    """What a file's path says; the word that comes last has the last word."""
    lowered = path.lower()
    found = list(_DEVELOPMENT.finditer(lowered))
    sure = list(_PRODUCTION.finditer(lowered))
    if sure and (not found or sure[-1].start() > found[-1].start()):
        return "production", f"{path} is named for production"
    if found:
        return "development", f"{path} is named for development ({found[-1].group(2)})"
    if _DEPLOYED.search(lowered):
        return "production", f"{path} is named for production"
    return "unknown", ""


def of_settings(module: str) -> tuple[Audience, str]:
    """What the name of a settings module says."""
    if _SETTINGS.search(module):
        return "development", f"it runs with the settings {module}"
    if _PRODUCTION.search(module.replace(".", "/").replace("_", "/")):
        return "production", f"it runs with the settings {module}"
    return "unknown", ""


def of_conditions(conditions: tuple[str, ...]) -> tuple[Audience, str]:
    """What the conditions around a command say: one that asks for DEBUG is a developer's branch, or the other one."""
    for condition in conditions:
        if _DEBUG.search(condition):
            negated = condition.startswith("not (") or re.search(
                r"false|!= *.?true|-z |=+ *.?0", condition, re.IGNORECASE
            )
            if not negated:
                return "development", f"it runs only where {condition}"
    return "unknown", ""


def of_profiles(profiles: tuple[str, ...]) -> tuple[Audience, str]:
    """What a compose service's profiles say."""
    names = [name for name in profiles if _DEVELOPMENT.search(name.lower()) or name in ("tools", "tool")]
    if profiles and len(names) == len(profiles):
        return "development", f"it is in the profile {profiles[0]}"
    return "unknown", ""


def default_stage(stages: Sequence[Stage]) -> int:
    """The stage of a Dockerfile that production runs where nobody names one.

    A build without a target gives the last; where that is called after development, production names another: the one
    called after it, else the last that starts anything.
    """
    last = len(stages) - 1
    if not stages or of_path(stages[last].name)[0] != "development":
        return last
    starting = [
        index
        for index, stage in enumerate(stages)
        if (stage.cmd is not None or stage.entrypoint is not None) and of_path(stage.name)[0] != "development"
    ]
    named = [index for index, stage in enumerate(stages) if of_path(stage.name)[0] == "production"]
    return (named or starting or [last])[-1]
