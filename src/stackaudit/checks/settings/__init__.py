"""Settings as production sees them, judged together with the servers that run them."""

from stackaudit.checks.settings.connections import conn_max_age_asgi, no_connection_reuse
from stackaudit.checks.settings.debug import debug_true
from stackaudit.checks.settings.pool import pool_misconfigured
from stackaudit.checks.settings.removed import removed_setting_ignored
from stackaudit.checks.settings.secret import secret_key_exposed
from stackaudit.checks.settings.sqlite import sqlite_multiworker
from stackaudit.checks.settings.tools import dev_tools_enabled

__all__ = [
    "conn_max_age_asgi",
    "debug_true",
    "dev_tools_enabled",
    "no_connection_reuse",
    "pool_misconfigured",
    "removed_setting_ignored",
    "secret_key_exposed",
    "sqlite_multiworker",
]
