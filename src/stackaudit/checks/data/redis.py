"""What Redis does when its memory is full, and whose data that hits."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.host import human
from stackaudit.link.services import Instance
from stackaudit.link.services.clients import Client, Role, redis_clients
from stackaudit.link.stack import Stack
from stackaudit.model.values import Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

KEPT: dict[Role, str] = {
    "broker": "the queues of Celery",
    "results": "the results of Celery",
    "sessions": "the sessions",
    "channels": "the messages of Channels",
}
"""What nobody computes again."""


def redis_evicts_broker(stack: Stack) -> Iterator[Verdict]:
    """What must not be lost lies in a Redis that throws nothing away, and caches in one that does."""
    clients = list(redis_clients(stack))
    shown: set[Client] = set()
    for instance in stack.services.production("redis"):
        own = [client for client in clients if instance in stack.services.at("redis", client.host)]
        shown.update(own)
        if own:
            yield _judged(instance, own)
    for client in clients:
        if client.role == "broker" and client not in shown:
            why = f"how the Redis at {client.host or 'the socket'} is configured is not in the repository"
            yield Unsure(Site(client.place, f"{client.setting}: Redis"), why)


def _judged(instance: Instance, clients: list[Client]) -> Verdict:
    site = Site(instance.setting_place("maxmemory-policy"), f"{instance.name}: maxmemory-policy")
    memory, policy = instance.size("maxmemory"), instance.setting("maxmemory-policy")
    if isinstance(memory, Unknown):
        return Unsure(site, memory.why)
    if isinstance(policy, Unknown):
        return Unsure(site, policy.why)
    if not memory.value:
        return Pass(site)  # without a limit nothing is ever evicted or refused
    told = str(policy.value).lower()
    roles = {client.role for client in clients}
    kept = [role for role in KEPT if role in roles]
    values = {
        "policy": told,
        "memory": human(memory.value),
        "what": " and ".join(KEPT[role] for role in kept),
        "name": instance.name,
    }
    related = tuple(Step(client.place, f"{client.setting} keeps its data there") for client in clients)
    if told.startswith("allkeys") and kept:
        return Fail(site, values, related=related)
    if told.startswith("volatile") and "sessions" in roles and "cache" in roles and len(clients) > 2:
        return Fail(site, {**values, "what": KEPT["sessions"]}, cause="sessions", related=related)
    if told == "noeviction" and "cache" in roles:
        return Fail(site, values, cause="refuses" if not kept else "mixed", related=related)
    return Pass(site)
