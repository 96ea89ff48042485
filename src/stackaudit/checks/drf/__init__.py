"""Rules on APIs made with Django REST framework."""

from stackaudit.checks.drf.lists import browsable_api, no_pagination
from stackaudit.checks.drf.rows import method_field_query, n_plus_one
from stackaudit.checks.drf.throttles import throttle_local_cache

__all__ = ["browsable_api", "method_field_query", "n_plus_one", "no_pagination", "throttle_local_cache"]
