"""Rules on arithmetic: what runs against what the host has."""

from stackaudit.checks.capacity.asgi import asgi_unbounded_connections
from stackaudit.checks.capacity.connections import db_connections_exceed_max, pool_smaller_than_threads
from stackaudit.checks.capacity.cores import workers_vs_cores
from stackaudit.checks.capacity.memory import memory_overcommit
from stackaudit.checks.capacity.minimum import host_below_minimum
from stackaudit.checks.capacity.redis import redis_maxmemory
from stackaudit.checks.capacity.round_trips import db_rtt_budget

__all__ = [
    "asgi_unbounded_connections",
    "db_connections_exceed_max",
    "db_rtt_budget",
    "host_below_minimum",
    "memory_overcommit",
    "pool_smaller_than_threads",
    "redis_maxmemory",
    "workers_vs_cores",
]
