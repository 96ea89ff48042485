"""Metrics of Prometheus that live in the processes of the site."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.modules import SourceModule, dotted
from stackaudit.link.processes.model import DEVELOPMENT_SERVERS
from stackaudit.link.settings.lists import items
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

VARIABLES = ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir")
PORTS = ("PROMETHEUS_METRICS_EXPORT_PORT_RANGE", "PROMETHEUS_METRICS_EXPORT_PORT")
SERVES = frozenset({"generate_latest", "make_wsgi_app", "make_asgi_app", "start_http_server", "start_wsgi_server"})
UNBOUNDED = frozenset({"path", "path_info", "pk", "id", "username", "email", "session_key"})


def prometheus_multiprocess(stack: Stack) -> Iterator[Verdict]:
    """Prometheus reads the counters of all processes, not of the one that answers."""
    yield from _labels(stack)
    served = _served(stack)
    if served is None:
        return
    place, doubt = served
    site = Site(place, "metrics of several processes")
    if doubt:
        yield Unsure(site, doubt)
        return
    count = stack.processes.web_process_count
    if isinstance(count, Unknown):
        yield Unsure(site, f"how many processes serve the metrics is not known: {count.why}")
        return
    if count.value < 2 or _ports(stack):
        yield Pass(site)
        return
    running = [each for each in stack.processes.production_servers if each.kind not in DEVELOPMENT_SERVERS]
    if any(name in each.environment for each in running for name in VARIABLES) or _set_by_code(stack):
        yield Pass(site)
        return
    steps = tuple(Step(each, f"{count.value} processes") for each in count.places[:1])
    yield Fail(site, {"count": count.value, "label": ""}, related=steps)


def _served(stack: Stack) -> tuple[Place, str] | None:
    """Where the site serves metrics of its own processes, and why it may not ("" where it does)."""
    if stack.production is not None:
        found = items(stack.production, "INSTALLED_APPS").within("django_prometheus")
        if found is not None:
            return found.place, found.doubt
    for module in stack.modules:
        for name, bound in module.names.items():
            for binding in bound:
                source = binding.source
                if isinstance(source, py.ImportFrom) and source.module.startswith("prometheus_client"):
                    written = binding.alias.name if binding.alias is not None else name
                    if written in SERVES:
                        return module.place(source), ""
    return None


def _ports(stack: Stack) -> bool:
    """Whether every process has a port of its own."""
    settings = stack.production
    return settings is not None and any(settings.is_set(name) for name in PORTS)


def _set_by_code(stack: Stack) -> bool:
    """Whether the code or a file of the deployment names the variable."""
    if any(entry.name in VARIABLES for item in stack.of_kind("dotenv") for entry in item.facts.entries if entry.value):
        return True
    return any(stack.mentions.written(VARIABLES.__contains__))


def _labels(stack: Stack) -> Iterator[Verdict]:
    """Labels that take a new value with every visitor or address."""
    for found in stack.mentions.named("labels"):
        module, node = found.module, found.call
        if isinstance(node.func, py.Attribute) and _imports(module):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            wide = next((each for each in given if _is_wide(each)), None)
            site = Site(module.place(node), f"{module.name}: {dotted(node.func.value) or 'metric'}.labels")
            if wide is not None:
                yield Fail(site, {"count": 0, "label": _told(wide)}, cause="labels")


def _imports(module: SourceModule) -> bool:
    return any(
        isinstance(binding.source, py.ImportFrom) and binding.source.module.startswith("prometheus_client")
        for bound in module.names.values()
        for binding in bound
    )


def _is_wide(expr: py.Expr) -> bool:
    if isinstance(expr, py.Call):
        inner = expr.args[0] if expr.args and isinstance(expr.func, py.Name) and expr.func.id == "str" else None
        return dotted(expr.func).endswith(("get_full_path", "build_absolute_uri")) or (
            inner is not None and _is_wide(inner)
        )
    path = dotted(expr)
    return isinstance(expr, py.Attribute) and expr.attr in UNBOUNDED and ("request" in path or "user" in path)


def _told(expr: py.Expr) -> str:
    return dotted(expr) or dotted(expr.func) if isinstance(expr, py.Call) else dotted(expr)
