"""PostgreSQL, PgBouncer, Redis and Celery: the services that keep what the site knows."""

from stackaudit.checks.data.containers import postgres_container
from stackaudit.checks.data.dispatch import celery_delay_in_atomic
from stackaudit.checks.data.limits import celery_long_tasks, celery_no_time_limit
from stackaudit.checks.data.pgbouncer import pgbouncer_transaction_mode
from stackaudit.checks.data.postgres import postgres_timeouts, postgres_tuning
from stackaudit.checks.data.redis import redis_evicts_broker
from stackaudit.checks.data.workers import (
    celery_beat_duplicated,
    celery_concurrency_default,
    celery_eager_in_production,
)

__all__ = [
    "celery_beat_duplicated",
    "celery_concurrency_default",
    "celery_delay_in_atomic",
    "celery_eager_in_production",
    "celery_long_tasks",
    "celery_no_time_limit",
    "pgbouncer_transaction_mode",
    "postgres_container",
    "postgres_timeouts",
    "postgres_tuning",
    "redis_evicts_broker",
]
