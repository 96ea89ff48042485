"""Celery's settings that rules ask for: their names of today, those before Celery 4, their defaults."""

from __future__ import annotations

from typing import Any

SETTINGS: dict[str, tuple[str, Any]] = {
    "beat_schedule": ("CELERYBEAT_SCHEDULE", {}),
    "beat_schedule_filename": ("CELERYBEAT_SCHEDULE_FILENAME", "celerybeat-schedule"),
    "beat_scheduler": ("CELERYBEAT_SCHEDULER", "celery.beat:PersistentScheduler"),
    "broker_transport_options": ("BROKER_TRANSPORT_OPTIONS", {}),
    "broker_url": ("BROKER_URL", None),
    "result_backend": ("CELERY_RESULT_BACKEND", None),
    "result_expires": ("CELERY_TASK_RESULT_EXPIRES", 86_400),
    "task_acks_late": ("CELERY_ACKS_LATE", False),
    "task_always_eager": ("CELERY_ALWAYS_EAGER", False),
    "task_annotations": ("CELERY_ANNOTATIONS", None),
    "task_soft_time_limit": ("CELERYD_TASK_SOFT_TIME_LIMIT", None),
    "task_time_limit": ("CELERYD_TASK_TIME_LIMIT", None),
    "worker_concurrency": ("CELERYD_CONCURRENCY", None),
    "worker_disable_prefetch": ("CELERYD_DISABLE_PREFETCH", False),
    "worker_max_tasks_per_child": ("CELERYD_MAX_TASKS_PER_CHILD", None),
    "worker_pool": ("CELERYD_POOL", "prefork"),
    "worker_prefetch_multiplier": ("CELERYD_PREFETCH_MULTIPLIER", 4),
}
"""Held against `celery.app.defaults` of the installed Celery by a test."""
