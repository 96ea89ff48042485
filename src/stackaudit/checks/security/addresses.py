"""The visitor's address, where the visitor himself may choose it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackaudit.checks.security.keeping import is_only_kept
from stackaudit.checks.security.real_ip import everybody_believed
from stackaudit.facts import python as py
from stackaudit.link import schemes
from stackaudit.link.classes import Classes, SourceClass
from stackaudit.link.mentions import Found
from stackaudit.link.modules import target_names
from stackaudit.link.nginx.backends import django_locations
from stackaudit.link.nodes import nodes
from stackaudit.link.settings import Settings
from stackaudit.link.settings.readers import Readers
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

FORWARDED_FOR = "x-forwarded-for"
_WRITTEN = frozenset({"HTTP_X_FORWARDED_FOR", "X-Forwarded-For", "x-forwarded-for", "X-FORWARDED-FOR"})
_NUMBERS = ("ALLAUTH_TRUSTED_PROXY_COUNT", "AXES_IPWARE_PROXY_COUNT", "AXES_PROXY_COUNT", "IPWARE_PROXY_COUNT")
"""Settings of other packages that hold how many proxies stand before Django."""
_OWN = ("$remote_addr", "$realip_remote_addr", "$proxy_protocol_addr")
_BY_ADDRESS = ("rest_framework.throttling.AnonRateThrottle", "rest_framework.throttling.ScopedRateThrottle")
_NOBODY = "what stands before Django, and who writes X-Forwarded-For there, is not in the repository"


def client_ip_trust(stack: Stack) -> Iterator[Verdict]:
    """One site for each function that takes an end of X-Forwarded-For, one for the throttles of DRF, and nginx's own.

    Those that only keep the address, and decide nothing by it, are one finding.
    """
    kept: list[Verdict] = []
    for found in stack.mentions.written(_WRITTEN.__contains__):
        if found.function is None:
            continue
        taken = _taken(found, found.function)
        if taken is None:
            continue
        end, node = taken
        site = Site(found.module.place(node), f"{found.where} X-Forwarded-For")
        if end == "last":
            yield Pass(site)
        elif is_only_kept(stack, found, node):
            kept.append(_judged(stack, site, "kept"))
        else:
            yield _judged(stack, site, "")
    failed = [verdict for verdict in kept if isinstance(verdict, Fail)]
    yield from (verdict for verdict in kept if not isinstance(verdict, Fail))
    for first in failed[:1]:
        also = tuple(Step(other.site.place, "the same is done here") for other in failed[1:])
        yield replace(first, related=(*first.related, *also))
    yield from _throttles(stack)
    yield from everybody_believed(stack)


def _taken(found: Found, function: py.FunctionDef) -> tuple[str, py.Expr] | None:
    """Which end of the header the function takes ("first", "last"), and where."""
    names: set[str] = set()
    parts: set[str] = set()
    for node in nodes(function.body):
        if isinstance(node, py.Assign) and isinstance(node.targets[0], py.Name):
            if _is_split(node.value, found.node, names):
                parts |= set(target_names(node.targets[0]))
            elif _reads(node.value, found.node, names):
                names |= set(target_names(node.targets[0]))
        elif isinstance(node, py.NamedExpr) and _reads(node.value, found.node, names):
            names |= set(target_names(node.target))
    for node in nodes(function.body):
        if isinstance(node, py.Subscript):
            split = _is_split(node.value, found.node, names) or (
                isinstance(node.value, py.Name) and node.value.id in parts
            )
            end = _end(node.index)
            if split and end:
                return end, node
        elif isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == "pop":
            held = node.func.value
            if isinstance(held, py.Name) and held.id in parts:
                return ("first" if node.args and _end(node.args[0]) == "first" else "last"), node
    return None


def _reads(expr: py.Expr, constant: py.Expr, names: set[str]) -> bool:
    """Whether an expression takes the header: by its constant as a key, or through a name that holds it."""
    for node in nodes((py.ExprStmt(expr.start, expr.end, expr),)):
        if isinstance(node, py.Subscript) and node.index is constant:
            return True
        if isinstance(node, py.Call) and constant in node.args[:1]:
            return True
        if isinstance(node, py.Name) and node.id in names:
            return True
    return False


def _is_split(expr: py.Expr, constant: py.Expr, names: set[str]) -> bool:
    if not (isinstance(expr, py.Call) and isinstance(expr.func, py.Attribute)):
        return False
    comma = expr.args and isinstance(expr.args[0], py.Constant) and str(expr.args[0].value).strip() == ","
    return expr.func.attr in ("split", "partition") and bool(comma) and _reads(expr.func.value, constant, names)


def _end(index: py.Expr) -> str:
    if isinstance(index, py.Constant) and index.value == 0:
        return "first"
    return "last" if isinstance(index, py.UnaryOp) and index.op == "-" else ""


def _judged(stack: Stack, site: Site, cause: str, related: tuple[Step, ...] = (), fix: str = "") -> Verdict:
    line = _written_by_client(stack)
    if isinstance(line, Unknown):
        return Unsure(site, line.why)
    if line.value is None:
        return Pass(site)
    step = Step(line.value, "nginx keeps what the visitor sent in X-Forwarded-For")
    return Fail(site, {}, cause=cause, related=(*related, step), fix=fix)


def _written_by_client(stack: Stack) -> Value[Place | None]:
    """Where the visitor's own X-Forwarded-For goes on to Django; None where nginx always writes it anew."""
    met, doubt = False, ""
    for door, is_django in django_locations(stack):
        if not is_django:
            continue
        met = True
        if door.target.by != "proxy_pass":
            return Known(door.target.line.place)  # uwsgi_pass hands every header of the visitor on
        found = schemes.header(door, FORWARDED_FOR)
        if isinstance(found, Unknown):
            doubt = doubt or found.why
        elif found.value.text not in _OWN:
            return Known(found.value.place)
    if doubt or not met:
        return Unknown(doubt or _NOBODY)
    return Known(None)


def _throttles(stack: Stack) -> Iterator[Verdict]:
    settings = stack.production
    if settings is None or settings.broken:
        return
    use = _use(stack, settings)
    if use is None:
        return
    number = settings.at("REST_FRAMEWORK", "NUM_PROXIES", default=None)
    site = Site(settings.place_at("REST_FRAMEWORK", "NUM_PROXIES"), "REST_FRAMEWORK.NUM_PROXIES")
    if isinstance(number, Unknown):
        yield Unsure(site, number.why)
    elif number.value is not None:
        yield Pass(site)
    else:
        yield _judged(stack, site, "throttles", (use,), _number(stack, settings))


def _number(stack: Stack, settings: Settings) -> str:
    """Where the number of proxies comes from, in settings that installations fill; "" where they are one site's."""
    told = next((name for name in _NUMBERS if settings.is_set(name)), "")
    if told:
        place = settings.place(told)
        return (
            f'`REST_FRAMEWORK["NUM_PROXIES"] = max(1, {told})`, below REST_FRAMEWORK and below {told} '
            f"({place.path}, line {place.region.line}): it is the same number, of all proxies before Django, and the "
            "nginx of the repository is one."
        )
    readers = Readers(stack, settings.path)
    number = readers.number("NUM_PROXIES", 1)
    if not number:
        return ""
    return (
        f'`"NUM_PROXIES": {number}` in REST_FRAMEWORK: the number of all proxies before Django, which each '
        "installation knows. With too small a number everybody behind the outer proxy shares one limit."
    )


def _use(stack: Stack, settings: Settings) -> Step | None:
    """The first place where DRF limits visitors without an account: the settings, or a view.

    Limits of UserRateThrottle count accounts; views ask for one before they count.
    """
    classes = Classes(stack.modules)
    value = settings.at("REST_FRAMEWORK", "DEFAULT_THROTTLE_CLASSES", default=None)
    for item in value.value if isinstance(value, Known) and isinstance(value.value, (list, tuple)) else ():
        if isinstance(item, Known) and _asks_address(_named(stack, str(item.value))):
            return Step((item.places or value.places)[0], "this throttle asks for the visitor's address")
    for module in stack.modules:
        for node in module.facts.body:
            for statement in node.body if isinstance(node, py.ClassDef) else ():
                if isinstance(statement, py.Assign) and isinstance(statement.targets[0], py.Name):
                    named, held = statement.targets[0].id, statement.value
                    elements = held.elts if isinstance(held, (py.List, py.Tuple)) else ()
                    if named == "throttle_classes" and any(
                        _asks_address(classes.resolve(module, element)) for element in elements
                    ):
                        return Step(module.place(statement), "this throttle asks for the visitor's address")
    return None


def _named(stack: Stack, dotted: str) -> SourceClass | str | None:
    """The class that a setting names by its dotted path."""
    home, _, name = dotted.rpartition(".")
    module = stack.modules.find(home)
    return dotted if module is None else Classes(stack.modules).of(stack.modules.member(module, name))


def _asks_address(found: SourceClass | str | None) -> bool:
    if isinstance(found, SourceClass):
        return found.is_a(*_BY_ADDRESS)
    return found in _BY_ADDRESS
