"""Rules on templates: queries that a page runs while it is rendered."""

from stackaudit.checks.template.rows import n_plus_one

__all__ = ["n_plus_one"]
