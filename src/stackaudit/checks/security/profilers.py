"""Profilers, metrics and queue monitors that strangers can ask."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.backends import pages
from stackaudit.link.nginx.level import Level
from stackaudit.link.nodes import nodes
from stackaudit.link.settings.lists import items
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

PROFILERS = frozenset(
    {"cProfile.Profile", "profile.Profile", "pyinstrument.Profiler", "pyinstrument.profiler.Profiler", "yappi.start"}
    | {"tracemalloc.start", "cProfile.runctx"}
)
_GUARDS = frozenset(
    {"is_staff", "is_superuser", "has_perm", "has_perms", "DEBUG", "MiddlewareNotUsed", "INTERNAL_IPS"}
    | {"staff_member_required", "user_passes_test", "permission_required", "UserPassesTestMixin"}
    | {"PermissionRequiredMixin", "IsAdminUser", "superuser_required"}
)
_ASKED = frozenset({"GET", "POST", "headers", "META", "COOKIES", "query_params"})
_CLOSED = ("auth_basic", "allow", "deny", "auth_request", "internal", "satisfy", "auth_jwt", "ssl_verify_client")
_METRICS = "django_prometheus.urls"
_FLOWER = re.compile(r"(?i)(^|[^a-z])flower([^a-z]|$)")


def profiler_exposed(stack: Stack) -> Iterator[Verdict]:
    """One site for each profiler that a request can start, each route to metrics, and each way to flower."""
    for found in stack.mentions.named("Profile", "Profiler", "runctx", "start"):
        symbol = meaning(stack, found, found.call.func)
        if symbol is not None and symbol.name in PROFILERS and found.function is not None:
            yield from _profiler(stack, found, symbol.name)
    yield from _metrics(stack)
    yield from _flower(stack)


def _profiler(stack: Stack, found: Found, name: str) -> Iterator[Verdict]:
    """A profiler inside of code that reads the request."""
    body: tuple[py.Stmt, ...] = (found.owner,) if found.owner is not None else _outermost(found)
    words = {node.attr if isinstance(node, py.Attribute) else node.id for node in _names(body)}
    asked = next((node for node in _names(body) if _reads_request(node)), None)
    if asked is None or not _is_used(stack, found):
        return
    site = Site(found.module.place(found.node), f"{found.where} {name}")
    if words & _GUARDS:
        yield Pass(site)
        return
    switches = [
        node.attr for node in _names(body) if isinstance(node, py.Attribute) and dotted(node.value) == "settings"
    ]
    for switch in switches:
        value = stack.production.get(switch) if stack.production is not None else Unknown("there is no settings module")
        if isinstance(value, Unknown):
            yield Unsure(site, value.why)
            return
        if not value.value:
            yield Pass(site)
            return
    step = Step(found.module.place(asked), "the visitor asks for it here")
    yield Fail(site, {"profiler": name.rpartition(".")[0], "where": found.where}, related=(step,))


def _outermost(found: Found) -> tuple[py.Stmt, ...]:
    """The statement of the module in which the call stands: a middleware is often a function inside of a function."""
    return tuple(item for item in found.module.facts.body if item.start <= found.node.start < item.end)


def _names(body: tuple[py.Stmt, ...]) -> Iterator[py.Attribute | py.Name]:
    for node in nodes(body):
        if isinstance(node, (py.Attribute, py.Name)):
            yield node


def _reads_request(node: py.Attribute | py.Name) -> bool:
    return isinstance(node, py.Attribute) and node.attr in _ASKED and dotted(node.value).endswith("request")


def _is_used(stack: Stack, found: Found) -> bool:
    """Whether a middleware is in MIDDLEWARE; what is no middleware is taken for a view."""
    outer = next((item for item in _outermost(found) if isinstance(item, (py.FunctionDef, py.ClassDef))), None)
    body = outer.body if outer is not None else ()
    hooks = {item.name for item in body if isinstance(item, py.FunctionDef)}
    first = outer.params[0].name if isinstance(outer, py.FunctionDef) and outer.params else ""
    is_middleware = bool(hooks & {"__call__", "process_request", "process_view"}) or first == "get_response"
    if not is_middleware or stack.production is None or outer is None:
        return True
    listed = items(stack.production, "MIDDLEWARE")
    tail = f"{found.module.name}.{outer.name}"
    return bool(listed.hole) or any(item.name == tail or tail.endswith(f".{item.name}") for item in listed)


def _metrics(stack: Stack) -> Iterator[Verdict]:
    """django_prometheus under a path that nginx hands on to Django."""
    for module in stack.modules:
        if module.path.rpartition("/")[2] != "urls.py" and not module.name.endswith("urls"):
            continue
        for statement in module.facts.body:
            for node in nodes((statement,)):
                if isinstance(node, py.Call) and (prefix := _includes_metrics(node)) is not None:
                    site = Site(module.place(node), f"{module.name} /{prefix}metrics")
                    yield _route(stack, site, f"/{prefix}metrics", _condition(stack, module, statement))


def _includes_metrics(node: py.Call) -> str | None:
    """The prefix of `path(prefix, include("django_prometheus.urls"))`."""
    if len(node.args) < 2 or dotted(node.func).rpartition(".")[2] not in ("path", "re_path", "url"):
        return None
    inner = node.args[1]
    told = isinstance(inner, py.Call) and inner.args and isinstance(inner.args[0], py.Constant)
    first = node.args[0]
    if not told or not isinstance(inner, py.Call) or not isinstance(inner.args[0], py.Constant):
        return None
    if inner.args[0].value != _METRICS or not isinstance(first, py.Constant):
        return None
    return str(first.value).lstrip("^/")


def _condition(stack: Stack, module: SourceModule, statement: py.Stmt) -> Value[bool]:
    """Whether the route is there: a condition on a setting decides it."""
    if not isinstance(statement, py.If):
        return Known(True)
    test = statement.test
    if isinstance(test, py.Attribute) and dotted(test.value) == "settings" and stack.production is not None:
        value = stack.production.get(test.attr)
        return value if isinstance(value, Unknown) else Known(bool(value.value))
    return Unknown(f"it depends on a condition in {module.path}")


def _route(stack: Stack, site: Site, path: str, there: Value[bool]) -> Verdict:
    if isinstance(there, Known) and not there.value:
        return Pass(site)
    met = False
    for server in stack.nginx.servers:
        door = pages(stack, stack.nginx, server)
        if door is None:
            continue
        found = answer(server, path)
        if isinstance(found, Unknown):
            return Unsure(site, found.why)
        met = True
        end = found.value.fallback or found.value
        if end.kind == "proxy" and not _closed(end.level):
            if isinstance(there, Unknown):
                return Unsure(site, there.why)
            step = Step(end.level.place, f"nginx hands {path} on to Django for everybody")
            return Fail(site, {"path": path}, cause="metrics", related=(step,))
    if not met:
        return Unsure(site, "what stands before Django, and who may ask for this path, is not in the repository")
    return Pass(site)


def _closed(level: Level) -> bool:
    """Whether nginx asks who wants in."""
    for name in _CLOSED:
        found = level.in_force(name)
        words = [word.text for line in found.value.lines for word in line.words] if isinstance(found, Known) else []
        if (name == "deny" and words) or (words and words not in (["off"], ["all"])):
            return True
    return False


def _flower(stack: Stack) -> Iterator[Verdict]:
    """Locations that hand requests to flower."""
    for proxied in stack.nginx.proxied:
        labels = (proxied.target.address, *stack.nginx.addresses(proxied.target))
        if not any(_FLOWER.search(label) or label.endswith(":5555") for label in labels):
            continue
        site = Site(proxied.target.line.place, f"{proxied.location.site.name} flower")
        hosts = {label.partition(":")[0] for label in labels}
        own = [item for item in stack.containers if item.name in hosts or _FLOWER.search(item.name)]
        flags = [word for item in own for word in item.words if re.match(r"--(basic[_-]auth|auth)\b", word)]
        if _closed(proxied.level) or flags or any("FLOWER_BASIC_AUTH" in item.environment for item in own):
            yield Pass(site)
        elif not any("flower" in item.words for item in own):
            yield Unsure(site, "the command that starts flower, and whether it asks for a login, is not known")
        else:
            yield Fail(site, {"path": proxied.location.pattern}, cause="flower")
