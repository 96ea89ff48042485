"""PostgreSQL, PgBouncer, Redis and Celery: the services that keep what the site knows."""

from stackaudit.checks.data.dispatch import celery_delay_in_atomic

__all__ = ["celery_delay_in_atomic"]
