"""What gunicorn's master opens before its workers part from it."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as py
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import dotted
from stackaudit.link.nodes import chain, is_false, nodes
from stackaudit.link.processes.model import Process, together
from stackaudit.link.queries.source import text_of
from stackaudit.link.queries.table import MANAGERS, method
from stackaudit.link.stack import Stack
from stackaudit.link.startup import Closure, at_start, shares_connection, web_closure
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_OPENED = {
    "MySQLdb.connect": "a connection to MySQL",
    "confluent_kafka.Consumer": "a client of Kafka",
    "confluent_kafka.Producer": "a client of Kafka",
    "grpc.insecure_channel": "a gRPC channel",
    "grpc.secure_channel": "a gRPC channel",
    "kafka.KafkaConsumer": "a client of Kafka",
    "kafka.KafkaProducer": "a client of Kafka",
    "mysql.connector.connect": "a connection to MySQL",
    "pika.BlockingConnection": "a connection to RabbitMQ",
    "psycopg.connect": "a connection to PostgreSQL",
    "psycopg2.connect": "a connection to PostgreSQL",
    "psycopg_pool.ConnectionPool": "a pool of connections to PostgreSQL",
    "pymongo.MongoClient": "a client of MongoDB",
    "pymongo.mongo_client.MongoClient": "a client of MongoDB",
    "pymysql.connect": "a connection to MySQL",
    "socket.create_connection": "a connection",
}
"""What opens a connection when it is called, as the documentation of each says."""
_DJANGO = "Django's database connection"
_DJANGO_OPENED = frozenset({"django.db.connection.cursor", "django.db.connection.ensure_connection"})
_LAZY = {
    "psycopg_pool.ConnectionPool": "open",
    "pymongo.MongoClient": "connect",
    "pymongo.mongo_client.MongoClient": "connect",
}
"""The argument whose False puts that off."""
_THREADS = frozenset({
    "threading.Thread", "threading.Timer", "apscheduler.schedulers.background.BackgroundScheduler",
})  # fmt: skip


def preload_fork_hazard(stack: Stack) -> Iterator[Verdict]:
    """One site for each connection that the master opens and each thread that it starts; one where there are none."""
    settings = stack.settings
    servers = [server for server in stack.processes.production_servers if server.kind == "gunicorn"]
    for server in together(servers):
        value = server.setting("preload_app")
        site = Site(server.setting_place("preload_app"), server.name)
        if isinstance(value, Known) and not value.value:
            continue
        if settings is None or settings.broken:
            yield Unsure(site, "what the application imports is not known without its settings")
            continue
        closure = web_closure(stack, settings)
        found = list(_hazards(stack, server, closure))
        if isinstance(value, Unknown):
            if found:
                yield Unsure(site, value.why)
        elif found:
            yield from found
        elif closure.open:
            yield Unsure(site, f"{closure.open}, so what the application imports is open")
        else:
            yield Pass(site)


def _hazards(stack: Stack, server: Process, closure: Closure) -> Iterator[Verdict]:
    hook = _hook(stack, server)
    told = Step(server.setting_place("preload_app"), "loads the application before the workers part")
    seen: set[Place] = set()
    for started in at_start(stack, closure):
        found = started.found
        place = found.module.place(found.node)
        opened, cause = _opened(stack, found)
        if not opened or place in seen:
            continue
        seen.add(place)
        site = Site(place, f"{found.where}: {text_of(found.call.func, 60)}")
        shared = shares_connection(stack, server) if cause == "query" else Known(True)
        if isinstance(shared, Unknown):
            yield Unsure(site, shared.why)
        elif not shared.value or (cause == "query" and hook is not None and _remakes(hook)):
            yield Pass(site)
        elif hook is not None:
            yield Unsure(site, "post_fork may make it anew in each worker")
        else:
            values = {"what": opened, "call": text_of(found.call, 70)}
            flow = (*started.flow, Step(place, "runs in the master"))
            yield Fail(site, values, cause, related=(told,), flow=flow)


def _hook(stack: Stack, server: Process) -> py.FunctionDef | None:
    """The function that gunicorn calls in each worker after the fork."""
    module = next((module for module in stack.modules if module.path == server.config_path), None)
    bound = module.names.get("post_fork") if module is not None else None
    node = bound[-1].node if bound else None
    return node if isinstance(node, py.FunctionDef) else None


def _remakes(hook: py.FunctionDef) -> bool:
    """Whether a hook closes Django's connections, so that each worker opens its own."""
    calls = (node for node in nodes(hook.body) if isinstance(node, py.Call))
    return any(dotted(call.func).rpartition(".")[2] in ("close_all", "close") for call in calls)


def _opened(stack: Stack, found: Found) -> tuple[str, str]:
    """What a call opens, and the cause; "" where it opens nothing that workers must not share."""
    call = found.call
    symbol = meaning(stack, found, call.func)
    name = symbol.name if symbol is not None and symbol.kind == "external" else ""
    if name in _DJANGO_OPENED:
        return _DJANGO, "query"
    if name in _OPENED:
        lazy = next((item.value for item in call.keywords if item.name and item.name == _LAZY.get(name)), None)
        return ("", "") if is_false(lazy) else (_OPENED[name], "")
    if name in _THREADS:
        return (name.rpartition(".")[2], "thread") if _is_started(found) else ("", "")
    if found.function is not None and _asks(stack, found):
        return _DJANGO, "query"
    return "", ""


def _asks(stack: Stack, found: Found) -> bool:
    """Whether a call is the last of a chain that begins with a model's manager, and runs a query."""
    func = found.call.func
    row = method(func.attr) if isinstance(func, py.Attribute) else None
    if row is None or row.runs == "never":
        return False
    manager = next((part for part in chain(func) if isinstance(part, py.Attribute) and part.attr in MANAGERS), None)
    symbol = meaning(stack, found, manager.value) if manager is not None else None
    if symbol is None or symbol.module is None or not isinstance(symbol.node, py.ClassDef):
        return False
    return stack.models.of_class(stack.models.classes.build(symbol.module, symbol.node)) is not None


def _is_started(found: Found) -> bool:
    """Whether what a call makes is started in the same body."""
    body = found.function.body if found.function is not None else found.module.facts.body
    names = {
        dotted(target)
        for node in nodes(body)
        if isinstance(node, py.Assign) and node.value is found.node
        for target in node.targets
    }
    starts = (
        node.func.value
        for node in nodes(body)
        if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) and node.func.attr == "start"
    )
    return any(holder is found.node or (dotted(holder) in names and bool(dotted(holder))) for holder in starts)
