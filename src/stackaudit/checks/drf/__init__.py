"""Rules on APIs made with Django REST framework."""

from stackaudit.checks.drf.rows import method_field_query, n_plus_one

__all__ = ["method_field_query", "n_plus_one"]
