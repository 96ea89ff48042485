"""Databases, caches and queues whose ports Docker opens to everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.link.containers import Container
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

STORES: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    (r"(.*/)?(postgres|postgis|pgvector|timescaledb(-ha)?)([-_].*)?|.*/postgres(ql)?", "PostgreSQL", (5432,)),
    (r"(.*/)?(pgbouncer|pgcat)([-_].*)?", "PgBouncer", (5432, 6432)),
    (r"(.*/)?(mysql|mariadb|percona)([-_].*)?", "MySQL", (3306,)),
    (r"(.*/)?(redis|valkey|keydb|redis-stack(-server)?|dragonfly)", "Redis", (6379,)),
    (r"(.*/)?memcached", "Memcached", (11211,)),
    (r"(.*/)?rabbitmq", "RabbitMQ", (5672, 15672)),
    (r"(.*/)?(elasticsearch|opensearch)", "Elasticsearch", (9200, 9300)),
    (r"(.*/)?mongo(db)?([-_].*)?", "MongoDB", (27017,)),
    (r"(.*/)?clickhouse-server", "ClickHouse", (8123, 9000)),
)
"""Images of data stores, what people call them, and the ports on which they answer."""
PASSWORDS = frozenset(
    {"POSTGRES_PASSWORD", "MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD", "MARIADB_ROOT_PASSWORD", "MARIADB_PASSWORD"}
    | {"REDIS_PASSWORD", "RABBITMQ_DEFAULT_PASS", "MONGO_INITDB_ROOT_PASSWORD", "ELASTIC_PASSWORD"}
    | {"CLICKHOUSE_PASSWORD"}
)
_FLAGS = re.compile(r"--requirepass\b|--basic[_-]auth\b|--auth\b|--auth_provider\b|--auth-file\b")


def data_store_exposed(stack: Stack) -> Iterator[Verdict]:
    """One site for each port of a data store, or of flower, that a container publishes; one for a store without any."""
    for container in stack.containers:
        if container.audience == "development":
            continue
        store = _store(container)
        if store is None:
            continue
        name, numbers = store
        if not container.ports:
            yield Pass(Site(container.place, f"{container.title}: {name}"))
        for place, port in container.ports:
            site = Site(place, f"{place.path} {container.name}: {name}")
            if isinstance(port, Unknown):
                yield Unsure(site, port.why)
            elif not any(port.value.reaches(number) for number in numbers):
                continue
            elif port.value.is_local:
                yield Pass(site)
            elif container.audience == "unknown":
                yield Unsure(site, container.why)
            else:
                yield _judged(container, site, name, port.value.text)
    yield from _by_hand(stack)


def _by_hand(stack: Stack) -> Iterator[Verdict]:
    """A Redis on the machine itself that was told to let everybody in (`protected-mode no` without a password)."""
    for instance in stack.services.of("redis"):
        protected = instance.given.get("protected-mode")
        if instance.contained or instance.audience == "development" or protected is None:
            continue
        site = Site(instance.setting_place("protected-mode"), f"{instance.name} protected-mode")
        mode, password, bind = (
            instance.on("protected-mode"),
            instance.given.get("requirepass"),
            instance.given.get("bind"),
        )
        if isinstance(mode, Unknown):
            yield Unsure(site, mode.why)
            continue
        addresses = str(bind.value).split() if isinstance(bind, Known) else ["*"]
        local = all(item.lstrip("-").startswith(("127.", "::1", "localhost")) for item in addresses)
        if mode.value or password is not None or "aclfile" in instance.given or local:
            yield Pass(site)
        elif isinstance(bind, Unknown) or instance.open:
            yield Unsure(site, bind.why if isinstance(bind, Unknown) else instance.open)
        else:
            yield Fail(site, {"addresses": " ".join(addresses)}, cause="unprotected")


def _store(container: Container) -> tuple[str, tuple[int, ...]] | None:
    for pattern, name, ports in STORES:
        if re.fullmatch(pattern, container.image):
            return name, ports
    if container.image.endswith("/flower") or "flower" in container.words:
        return "flower", (5555,)
    return None


def _judged(container: Container, site: Site, name: str, port: str) -> Verdict:
    """Open to everybody: with a password that only production knows it takes a guess or a flaw to get in."""
    values = {"name": name, "port": port, "service": container.name, "target": port.rpartition(":")[2]}
    if name == "flower":
        told = any(_FLAGS.match(word) for word in container.words) or "FLOWER_BASIC_AUTH" in container.environment
        return Pass(site) if told else Fail(site, values, cause="flower")
    method = container.environment.get("POSTGRES_HOST_AUTH_METHOD")
    if isinstance(method, Known) and method.value == "trust":
        return Fail(site, values, cause="trust")
    passwords = [value for key, value in container.environment.items() if key in PASSWORDS]
    if any(isinstance(value, Unknown) for value in passwords):
        return Fail(site, values, cause="password")
    if any(isinstance(value, Known) and value.value for value in passwords):
        return Fail(site, values, cause="written")
    return Fail(site, values, cause="" if _asks_nobody(container, name) else "password")


def _asks_nobody(container: Container, name: str) -> bool:
    """Whether a store without a password in its environment lets everybody in.

    The official images of Redis turn its protected mode off, Memcached has no passwords, MongoDB asks for none until a
    root user is named. PostgreSQL and MySQL refuse to start without one, RabbitMQ's guest may log in from its own
    machine only, and Elasticsearch 8 makes one up.
    """
    if name in ("Redis", "Memcached", "MongoDB"):
        return not any(_FLAGS.match(word) or word.endswith(".conf") for word in container.words)
    off = {"xpack.security.enabled": "false", "DISABLE_SECURITY_PLUGIN": "true", "ALLOW_EMPTY_PASSWORD": "yes"}
    told = {key: value for key, value in container.environment.items() if key in off}
    return any(isinstance(value, Known) and str(value.value).lower() == off[key] for key, value in told.items())
