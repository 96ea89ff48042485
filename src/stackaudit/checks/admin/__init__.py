"""Rules on Django's admin."""

from stackaudit.checks.admin.rows import list_display_n_plus_one
from stackaudit.checks.admin.selects import related_select_unbounded

__all__ = ["list_display_n_plus_one", "related_select_unbounded"]
