"""Rules on what serves the site: gunicorn, uvicorn and whatever starts them."""

from stackaudit.checks.server.development import development_server
from stackaudit.checks.server.unknown import unknown_setting
from stackaudit.checks.server.worker_classes import worker_class_removed
from stackaudit.checks.server.workers import single_worker

__all__ = ["development_server", "single_worker", "unknown_setting", "worker_class_removed"]
