"""Addresses of services, against the containers that they are used from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.facts.services import Service
from stackaudit.link.processes.model import Process
from stackaudit.link.settings import Settings
from stackaudit.link.settings.servers import aliases, servers, workers
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown, all_defaulted
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]", "0.0.0.0"})
IMAGES = {
    "PostgreSQL": re.compile(r"(^|[/-])(postgres|postgresql|postgis|timescaledb|pgvector)(?![a-z])"),
    "MySQL": re.compile(r"(^|[/-])(mysql|mariadb|percona)(?![a-z])"),
    "Redis": re.compile(r"(^|[/-])(redis|valkey|keydb|dragonfly)(?![a-z])"),
    "Memcached": re.compile(r"(^|[/-])memcached(?![a-z])"),
    "RabbitMQ": re.compile(r"(^|[/-])rabbitmq(?![a-z])"),
}
"""What an image runs, by its name without a tag."""
SCHEMES = {"redis": "Redis", "rediss": "Redis", "amqp": "RabbitMQ", "pyamqp": "RabbitMQ", "amqps": "RabbitMQ"}
BROKERS = ("CELERY_BROKER_URL", "BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_URL", "HUEY_REDIS_URL")
_ADDRESS = re.compile(r"^(?P<scheme>[a-z+]+)://(?:[^@/]*@)?(?P<host>\[[^\]]+\]|[^:/?]*)")
_HOST = re.compile(r"HOST|URL|URI|ADDR|SERVER|DSN")


@dataclass(frozen=True, slots=True)
class Address:
    """Where the settings look for a service: `what` is its kind, `host` the host it names."""

    name: str
    what: str
    host: AnyValue
    place: Place


def service_host(stack: Stack) -> Iterator[Verdict]:
    """Settings of a container name the other containers, and not the container itself."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    here = _containers(stack)
    if not here:
        return
    for address in _addresses(settings):
        for process, services in here:
            verdict = _judged(stack, settings, address, process, services)
            if verdict is not None:
                yield verdict
                break


def _containers(stack: Stack) -> list[tuple[Process, list[Service]]]:
    """The processes of production that run in containers of their own network, with the other services beside them."""
    found: list[tuple[Process, list[Service]]] = []
    for process in (*servers(stack), *workers(stack)):
        item = stack.files.get(process.origin.path)
        if process.origin.kind != "compose" or process.audience != "production" or item is None:
            continue
        if process.origin.option("network_mode") is not None:
            continue
        others = [
            each for each in item.facts.services
            if each.name != process.origin.service and "network_mode" not in each.options
        ]  # fmt: skip
        found.append((process, others))
    return found


def _addresses(settings: Settings) -> Iterator[Address]:
    for alias in aliases(settings):
        engine = settings.at("DATABASES", alias, "ENGINE", default="")
        text = str(engine.value) if isinstance(engine, Known) else ""
        what = "PostgreSQL" if re.search("postgres|postgis", text) else "MySQL" if "mysql" in text else ""
        if what:
            host = settings.at("DATABASES", alias, "HOST", default="")
            place = settings.place_at("DATABASES", alias, "HOST")
            yield Address(f"DATABASES.{alias}.HOST", what, host, place)
    caches = settings.get("CACHES")
    for alias in caches.value if isinstance(caches, Known) and isinstance(caches.value, dict) else ():
        value = settings.at("CACHES", alias, "LOCATION", default="")
        if isinstance(value, Known) and isinstance(value.value, (list, tuple)) and value.value:
            value = value.value[0]
        yield from _of_text(f"CACHES.{alias}.LOCATION", value, settings.place_at("CACHES", alias, "LOCATION"))
    for name in BROKERS:
        if settings.is_set(name):
            yield from _of_text(name, settings.get(name), settings.place(name))
    hosts = (
        settings.at("CHANNEL_LAYERS", "default", "CONFIG", "hosts", 0) if settings.is_set("CHANNEL_LAYERS") else None
    )
    if isinstance(hosts, Known):
        place = settings.place_at("CHANNEL_LAYERS", "default", "CONFIG", "hosts")
        first = hosts.value[0] if isinstance(hosts.value, (list, tuple)) and hosts.value else hosts
        if isinstance(hosts.value, str):
            yield from _of_text("CHANNEL_LAYERS.default", hosts, place)
        elif isinstance(first, Known):
            yield Address("CHANNEL_LAYERS.default", "Redis", first, place)


def _of_text(name: str, value: AnyValue, place: Place) -> Iterator[Address]:
    if not isinstance(value, Known) or not isinstance(value.value, str):
        return
    found = _ADDRESS.match(value.value)
    what = SCHEMES.get(found["scheme"], "") if found is not None else ""
    if found is not None and what:
        yield Address(name, what, Known(found["host"], value.places, value.note), place)


def _judged(
    stack: Stack, settings: Settings, address: Address, process: Process, services: list[Service]
) -> Verdict | None:
    """The verdict on an address as a process sees it; None where no other container runs such a service."""
    meant = next(
        (each for each in services if each.image and IMAGES[address.what].search(_bare(each.image.text))), None
    )
    if meant is None:
        return None
    site = Site(address.place, address.name)
    if settings.doubt:
        return Unsure(site, settings.doubt)
    if isinstance(address.host, Unknown):
        return Unsure(site, address.host.why)
    host = str(address.host.value)
    if host and host not in LOOPBACK:
        return Pass(site)
    variable = _variable(address.host.note)
    outside = _unread(stack, process) if variable else ""
    if outside:
        return Unsure(site, f"{outside}, which is not in the repository, may set {variable}")
    if not host:
        return None  # a socket, which a volume may share
    values = {"name": address.name, "host": host, "service": meant.name, "what": address.what}
    values["process"] = process.origin.service
    values["variable"] = variable
    steps = (
        Step(process.place, f"{process.name} runs in the container {process.origin.service}"),
        Step(Place(process.origin.path, meant.region), f"{address.what} runs in the container {meant.name}"),
    )
    return Fail(site, values, cause="by-default" if variable else "", related=steps)


def _variable(note: str) -> str:
    """The variable whose default an address rests on, "" where it rests on none; of several the one named for hosts."""
    found = all_defaulted(note)
    return next((name for name in found if _HOST.search(name)), found[0] if found else "")


def _bare(image: str) -> str:
    """The name of an image without registry options and tag."""
    return image.partition("@")[0].rpartition(":")[0] or image


def _unread(stack: Stack, process: Process) -> str:
    """A file of variables that the container gets and that the repository does not hold, "" where there is none."""
    item = stack.files[process.origin.path]
    folder = process.origin.path.rpartition("/")[0]
    for service in item.facts.services:
        if service.name == process.origin.service:
            for word in service.env_files:
                path = "/".join(part for part in (folder, word.text.removeprefix("./")) if part)
                if word.holes or path not in stack.files:
                    return str(word.text)
    return ""
