"""Rules on what serves the site: gunicorn, uvicorn and whatever starts them."""

from stackaudit.checks.server.boot import migrate_on_boot_race
from stackaudit.checks.server.cpu_count import cpu_count_in_container
from stackaudit.checks.server.development import development_server
from stackaudit.checks.server.gevent import gevent_unpatched
from stackaudit.checks.server.heartbeat import heartbeat_on_disk
from stackaudit.checks.server.interface import interface_mismatch
from stackaudit.checks.server.limits import max_requests_jitter, timeout_does_not_bound_requests
from stackaudit.checks.server.preload import preload_fork_hazard
from stackaudit.checks.server.shadowed import setting_shadowed
from stackaudit.checks.server.shutdown import graceful_shutdown_mismatch
from stackaudit.checks.server.signals import signals_not_delivered
from stackaudit.checks.server.supervised import supervision
from stackaudit.checks.server.unknown import unknown_setting
from stackaudit.checks.server.worker_classes import worker_class_removed
from stackaudit.checks.server.workers import single_worker

__all__ = [
    "cpu_count_in_container",
    "development_server",
    "gevent_unpatched",
    "graceful_shutdown_mismatch",
    "heartbeat_on_disk",
    "interface_mismatch",
    "max_requests_jitter",
    "migrate_on_boot_race",
    "preload_fork_hazard",
    "setting_shadowed",
    "signals_not_delivered",
    "single_worker",
    "supervision",
    "timeout_does_not_bound_requests",
    "unknown_setting",
    "worker_class_removed",
]
