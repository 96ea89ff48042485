"""How settings are to name the hosts of a site that many run, each under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.processes.audience import of_path as audience_of
from stackaudit.link.settings import Settings
from stackaudit.link.settings.readers import Readers
from stackaudit.link.stack import Stack


def by_installation(stack: Stack, settings: Settings, default: str) -> str:
    """A fix that names the hosts of each installation, "" where the settings that win do not read the environment.

    `default` is the variable whose default lets every name in, "" where there is none.
    """
    readers = Readers(stack, settings.path)
    inside = _health_checks(stack)
    named, imported = _name(readers)
    told = f" {' and '.join(inside)} is what a health check of the repository asks for." if inside else ""
    if default:
        if not named:
            return _without_default(stack, settings, default)
        reading = Readers(stack, settings.place("ALLOWED_HOSTS").path).reading("ALLOWED_HOSTS", default)
        if reading is not None and reading.is_text:
            parts = ",".join([f"{{{named}}}", *inside])
            held = f'f"{parts}"' if inside else named
        else:
            held = _list(named, *map(_quoted, inside))
        return (
            f"Make the default of {default} `{held}`{imported} instead of every name: installations that set the "
            f"variable stay as they are.{told}"
        )
    listing = readers.listing("ALLOWED_HOSTS")
    if named:
        below = readers.site or readers.domain
        own = inside or ["localhost", "127.0.0.1"]
        more = [f"*({listing})" if " or " in listing else f"*{listing}"] if listing else []
        by = (
            f", by {readers.variable('ALLOWED_HOSTS')}: an installation that left {below} as it is, or serves more "
            "names, has to set that first"
        )
        return (
            f"Each installation has names of its own, and {below} knows the first: `ALLOWED_HOSTS = "
            f"{_list(named, *map(_quoted, own), *more)}`{imported} in {settings.path}, below {below}. What health "
            f"checks and other services ask for by name belongs to the list too{by if listing else ''}.{told}"
        )
    if not listing:
        return ""
    added = f" + {_list(*map(_quoted, inside))}" if inside else ""
    return (
        f"Read the names of each installation as the other settings of {settings.path} are read: `ALLOWED_HOSTS = "
        f"{listing}{added}`. Installations have to set the variable first; until then Django answers 400.{told}"
    )


def _name(readers: Readers) -> tuple[str, str]:
    """An expression for the name of the site without a port, and what has to be imported for it, in words."""
    if readers.site:
        return f"urlsplit({readers.site}).hostname", " (`from urllib.parse import urlsplit`)"
    if readers.domain and readers.may_hold_port(readers.domain):
        imported = " (`from django.http.request import split_domain_port`, for it may hold a port)"
        return f"split_domain_port({readers.domain})[0]", imported
    return readers.domain, ""


def _without_default(stack: Stack, settings: Settings, variable: str) -> str:
    """How to do without a default that the repository's own deployment, or what is added below, lives by."""
    named = [item.path for item in stack.of_kind("compose", "dotenv") if variable in repr(item.facts)]
    composed = [item.path for item in stack.of_kind("compose") if audience_of(item.path)[0] != "development"]
    added, other = _added(stack, settings), _appended(stack, settings, variable)
    shipped = not named and bool(composed)
    if not added and not shipped and other is None:
        return ""
    rest = f"all but {' and '.join(added)}" if added else "every name"
    others = f" and {len(composed) - 1} more do" if len(composed) > 1 else " does"
    first = f"({composed[0]}{others} not set it) " if shipped else ""
    then, without = "it no default, or an empty one", "does not set it"
    if other is not None:
        first += f"or {other[0]}, whose host line {other[1]} adds (it does not help beside '*'), "
        then, without = f"{variable} an empty default", "sets neither"
    return (
        f"Set {variable} to the names of the site {first}first, with what health checks ask for (localhost, an "
        f"IP address); then give {then}. An installation that {without} "
        f"answers 400 to {rest} from then on. Where that is no choice, accept this with the reason."
    )


def _added(stack: Stack, settings: Settings) -> list[str]:
    """The names that `ALLOWED_HOSTS.append("localhost")` and the like add below the assignment."""
    path = settings.place("ALLOWED_HOSTS").path
    return [
        str(argument.value)
        for found in stack.mentions.named("append")
        if found.module.path == path and dotted(found.call.func) == "ALLOWED_HOSTS.append"
        for argument in found.call.args
        if isinstance(argument, py.Constant)
    ]


def _appended(stack: Stack, settings: Settings, variable: str) -> tuple[str, int] | None:
    """Another variable from which the settings add a name to ALLOWED_HOSTS further down, and in which line they do."""
    readers = Readers(stack, settings.place("ALLOWED_HOSTS").path)
    module = readers.module
    for found in stack.mentions.named("append", "extend") if module is not None else ():
        if found.module is not module or dotted(found.call.func).rpartition(".")[0] != "ALLOWED_HOSTS":
            continue
        names = {node.id for node in nodes(found.call.args) if isinstance(node, py.Name)}
        body = found.function.body if found.function is not None else module.facts.body
        for expr in (*found.call.args, *_assigned(body, names)):
            for reading in readers.readings(expr):
                if reading.variable != variable:
                    return reading.variable, module.place(found.call).region.line
    return None


def _assigned(body: tuple[py.Stmt, ...], names: set[str]) -> Iterator[py.Expr]:
    """What some names are assigned."""
    for node in nodes(body):
        targets = node.targets if isinstance(node, py.Assign) else ()
        if isinstance(node, py.NamedExpr):
            targets = (node.target,)
        if isinstance(node, (py.Assign, py.NamedExpr)) and names & {dotted(target) for target in targets}:
            yield node.value


def _health_checks(stack: Stack) -> list[str]:
    """The names of the own machine that health checks of containers put into their requests."""
    texts = [
        word.text
        for item in stack.of_kind("dockerfile", "compose")
        for holder in (item.facts.stages if item.kind == "dockerfile" else item.facts.services)
        if holder.healthcheck is not None
        for step in holder.healthcheck.steps
        for word in step.words
    ]
    return [name for name in ("localhost", "127.0.0.1") if any(f"//{name}" in text for text in texts)]


def _list(*items: str) -> str:
    return f"[{', '.join(items)}]"


def _quoted(name: str) -> str:
    return f'"{name}"'
