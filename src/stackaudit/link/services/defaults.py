"""What PostgreSQL, PgBouncer and Redis do where nobody configures them."""

from __future__ import annotations

from stackaudit.model.values import AnyValue, Known, Unknown, Value

DEFAULTS: dict[str, dict[str, str]] = {
    "postgres": {
        "autovacuum": "on",
        "effective_cache_size": "4GB",
        "fsync": "on",
        "full_page_writes": "on",
        "idle_in_transaction_session_timeout": "0",
        "lock_timeout": "0",
        "log_min_duration_statement": "-1",
        "maintenance_work_mem": "64MB",
        "max_connections": "100",
        "max_parallel_workers_per_gather": "2",
        "random_page_cost": "4",
        "reserved_connections": "0",
        "shared_buffers": "128MB",
        "shared_preload_libraries": "",
        "statement_timeout": "0",
        "superuser_reserved_connections": "3",
        "synchronous_commit": "on",
        "work_mem": "4MB",
    },
    "pgbouncer": {
        "default_pool_size": "20",
        "ignore_startup_parameters": "",
        "listen_port": "6432",
        "max_client_conn": "100",
        "max_db_connections": "0",
        "max_user_connections": "0",
        "min_pool_size": "0",
        "pool_mode": "session",
        "reserve_pool_size": "0",
        "server_reset_query": "DISCARD ALL",
        "server_reset_query_always": "0",
    },
    "redis": {
        "appendonly": "no",
        "maxmemory": "0",
        "maxmemory-policy": "noeviction",
        "save": "3600 1 300 100 60 10000",
    },
}
"""Held against `postgres -C` of 15.15, `SHOW CONFIG` of PgBouncer 1.18 and `CONFIG GET` of Redis 7.0."""

PREPARED = ((1, 24), (1, 21))
"""PgBouncer keeps prepared statements by default since the first, can be told to since the second (its changelog)."""


def default(kind: str, name: str, version: Value[tuple[int, ...]]) -> AnyValue:
    """A setting's default as text; Unknown for one that is not in the table or hangs on an untold release."""
    if kind == "pgbouncer" and name == "max_prepared_statements":
        if isinstance(version, Unknown):
            return Unknown("max_prepared_statements is 200 by default since PgBouncer 1.24 and 0 before")
        return Known("200" if version.value[:2] >= PREPARED[0] else "0", (), "PgBouncer's default")
    found = DEFAULTS[kind].get(name)
    return Known(found, (), "the default") if found is not None else Unknown(f"the default of {name} is not known")
