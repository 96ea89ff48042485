"""A transaction around every request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts import python as ir
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule, callee, dotted
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import aliases
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

HANDLERS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
VIEWS = ("django.views.generic.", "django.views.View")


def atomic_requests(stack: Stack) -> Iterator[Verdict]:
    """ATOMIC_REQUESTS stands where Django reads it, on one database, and no view is async."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    if settings.is_set("ATOMIC_REQUESTS"):
        yield _outside(stack, settings)
    wrapped: list[str] = []
    for alias in aliases(settings):
        value = settings.at("DATABASES", alias, "ATOMIC_REQUESTS", default=False)
        site = Site(settings.place_at("DATABASES", alias, "ATOMIC_REQUESTS"), f"DATABASES.{alias}.ATOMIC_REQUESTS")
        entry = settings.at("DATABASES", alias)
        if isinstance(value, Unknown):
            if not isinstance(entry, Unknown) and "ATOMIC_REQUESTS" in entry.value:
                yield Unsure(site, value.why)
        elif value.value:
            wrapped.append(alias)
            yield _judged(stack, settings, site, alias, wrapped)


def _outside(stack: Stack, settings: Settings) -> Verdict:
    """ATOMIC_REQUESTS as a setting of its own, which Django does not have."""
    site = Site(settings.place("ATOMIC_REQUESTS"), "ATOMIC_REQUESTS")
    value = settings.get("ATOMIC_REQUESTS")
    if isinstance(value, Unknown):
        return Unsure(site, value.why)
    inside = settings.at("DATABASES", "default", "ATOMIC_REQUESTS", default=False)
    if not value.value or (isinstance(inside, Known) and inside.value):
        return Pass(site)
    if isinstance(inside, Unknown):
        return Unsure(site, inside.why)
    sends = any(not sent.late for sent in stack.celery.sent)
    values = {
        "alias": "default",
        "others": "",
        "view": "",
        "file": settings.place("DATABASES").path,
        "tasks": " Tasks that views send would run before the commit then; send them by `transaction.on_commit`."
        if sends
        else "",
    }
    return Fail(site, values, cause="ignored")


def _judged(stack: Stack, settings: Settings, site: Site, alias: str, wrapped: list[str]) -> Verdict:
    if settings.doubt:
        return Unsure(site, settings.doubt)
    values = {"alias": alias, "others": ", ".join(wrapped[:-1]), "view": ""}
    if len(wrapped) > 1:
        return Fail(site, values, cause="several")
    views = [item for item in async_views(stack) if alias not in item.exempt]
    if not views:
        return Pass(site)
    values["view"] = views[0].name
    steps = tuple(Step(item.place, f"{item.name} is async") for item in views[:6])
    return Fail(site, values, cause="async", related=steps)


@dataclass(frozen=True, slots=True)
class AsyncView:
    """A view that Django would have to call in a transaction and cannot; `exempt` are the databases it is kept from."""

    name: str
    place: Place
    exempt: frozenset[str]


def async_views(stack: Stack) -> Iterator[AsyncView]:
    """The async functions that some urlpatterns name, and Django's class-based views with async handlers there."""
    for module in stack.modules:
        if "urlpatterns" not in module.names:
            continue
        for node in _routes(module):
            expr = node.args[1] if len(node.args) > 1 else None
            if isinstance(expr, ir.Call) and isinstance(expr.func, ir.Attribute) and expr.func.attr == "as_view":
                cls = stack.models.classes.resolve(module, expr.func.value)
                if isinstance(cls, SourceClass):
                    yield from _of_class(cls)
                continue
            symbol = stack.modules.resolve(module, dotted(expr))
            if symbol is None or symbol.module is None or not isinstance(symbol.node, ir.FunctionDef):
                continue
            if symbol.node.is_async:
                exempt = _exempt(stack, symbol.module, symbol.node)
                yield AsyncView(symbol.name, symbol.module.place(symbol.node), exempt)


def _routes(module: SourceModule) -> Iterator[ir.Call]:
    for statement in module.facts.body:
        if not isinstance(statement, (ir.Assign, ir.AugAssign, ir.AnnAssign)):
            continue
        items = [statement.value]
        while items:
            item = items.pop()
            if isinstance(item, (ir.List, ir.Tuple)):
                items += item.elts
            elif isinstance(item, ir.BinOp):
                items += [item.left, item.right]
            elif isinstance(item, ir.Call):
                if dotted(item.func).rpartition(".")[2] in ("path", "re_path", "url"):
                    yield item
                else:
                    items += item.args


def _of_class(cls: SourceClass) -> Iterator[AsyncView]:
    if not any(base.startswith(VIEWS) for base in cls.externals):
        return
    for name in sorted(HANDLERS):
        found = cls.find(name)
        if found is not None and isinstance(found.node, ir.FunctionDef) and found.node.is_async:
            yield AsyncView(f"{cls.name}.{name}", found.owner.module.place(found.node), frozenset())
            return


def _exempt(stack: Stack, module: SourceModule, node: ir.FunctionDef) -> frozenset[str]:
    """The databases that `@non_atomic_requests` names; without a name it means the default one."""
    found: set[str] = set()
    for decorator in node.decorators:
        symbol = stack.modules.resolve(module, callee(decorator))
        if symbol is None or symbol.name != "django.db.transaction.non_atomic_requests":
            continue
        given = (
            [*decorator.args, *(each.value for each in decorator.keywords)] if isinstance(decorator, ir.Call) else []
        )
        found |= {str(arg.value) for arg in given if isinstance(arg, ir.Constant)} or {"default"}
    return frozenset(found)
