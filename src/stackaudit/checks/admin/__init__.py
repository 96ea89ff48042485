"""Rules on Django's admin."""

from stackaudit.checks.admin.rows import list_display_n_plus_one

__all__ = ["list_display_n_plus_one"]
