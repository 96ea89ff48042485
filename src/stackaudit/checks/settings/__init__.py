"""Settings as production sees them, judged together with the servers that run them."""

from stackaudit.checks.settings.connections import conn_max_age_asgi, no_connection_reuse
from stackaudit.checks.settings.containers import service_host
from stackaudit.checks.settings.debug import debug_true
from stackaudit.checks.settings.files import hashed_static_missing
from stackaudit.checks.settings.hosts import allowed_hosts
from stackaudit.checks.settings.mail import email_blocking
from stackaudit.checks.settings.middleware import middleware_order
from stackaudit.checks.settings.origins import csrf_trusted_origins
from stackaudit.checks.settings.passwords import weak_password_hasher
from stackaudit.checks.settings.pool import pool_misconfigured
from stackaudit.checks.settings.pooler import pgbouncer_server_side_cursors
from stackaudit.checks.settings.removed import removed_setting_ignored
from stackaudit.checks.settings.secret import secret_key_exposed
from stackaudit.checks.settings.sessions import session_backend
from stackaudit.checks.settings.sqlite import sqlite_multiworker
from stackaudit.checks.settings.statements import sql_logging
from stackaudit.checks.settings.tasks import tasks_immediate_backend
from stackaudit.checks.settings.tools import dev_tools_enabled
from stackaudit.checks.settings.transactions import atomic_requests

__all__ = [
    "allowed_hosts",
    "atomic_requests",
    "conn_max_age_asgi",
    "csrf_trusted_origins",
    "debug_true",
    "dev_tools_enabled",
    "email_blocking",
    "hashed_static_missing",
    "middleware_order",
    "no_connection_reuse",
    "pgbouncer_server_side_cursors",
    "pool_misconfigured",
    "removed_setting_ignored",
    "secret_key_exposed",
    "service_host",
    "session_backend",
    "sql_logging",
    "sqlite_multiworker",
    "tasks_immediate_backend",
    "weak_password_hasher",
]
