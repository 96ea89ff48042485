"""What a rule says of one site: pass, fail, or unsure with the reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, first_unknown


@dataclass(frozen=True, slots=True)
class Site:
    """One place that a rule judges.

    `name` is its logical name ("hc.front.views.my_checks: check.project", "server example.org location /static/"): it
    carries the fingerprint, so it holds no line number and survives edits elsewhere in the file.
    """

    place: Place
    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """A place with a sentence: a related location, or one step of a flow."""

    place: Place
    text: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a finding costs a request with `rows` rows; `assumed` says where `rows` came from."""

    queries: int
    rows: int
    assumed: str


@dataclass(frozen=True, slots=True)
class Pass:
    """The site is right."""

    site: Site


@dataclass(frozen=True, slots=True)
class Fail:
    """The site is wrong.

    `values` fill the rule's message and fix; `cause` names the `[cause.<name>]` table of the rule's file that replaces
    its message, severity or fix; `fix` is the exact proposal for this site, where there is one.
    """

    site: Site
    values: Mapping[str, Any] = field(default_factory=dict)
    cause: str = ""
    related: tuple[Step, ...] = ()
    flow: tuple[Step, ...] = ()
    fix: str = ""
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Unsure:
    """The site cannot be judged; `why` completes the sentence "unknown, because ..."."""

    site: Site
    why: str


Verdict: TypeAlias = Pass | Fail | Unsure


def holds(
    site: Site,
    test: Callable[..., bool],
    /,
    *,
    cause: str = "",
    related: tuple[Step, ...] = (),
    fix: str = "",
    **values: Known[Any] | Unknown,
) -> Verdict:
    """Pass where `test(**values)` is true of the known values, Fail where not, Unsure as soon as one is unknown."""
    unknown = first_unknown(*values.values())
    if unknown is not None:
        return Unsure(site, unknown.why)
    known = {name: value.value for name, value in values.items() if isinstance(value, Known)}
    if test(**known):
        return Pass(site)
    return Fail(site, known, cause=cause, related=related, fix=fix)
