"""Settings as production sees them, judged together with the servers that run them."""

from stackaudit.checks.settings.connections import conn_max_age_asgi, no_connection_reuse
from stackaudit.checks.settings.debug import debug_true
from stackaudit.checks.settings.sqlite import sqlite_multiworker

__all__ = ["conn_max_age_asgi", "debug_true", "no_connection_reuse", "sqlite_multiworker"]
