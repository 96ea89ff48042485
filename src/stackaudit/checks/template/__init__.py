"""Rules on templates and what their views give them."""

from stackaudit.checks.template.engine import cached_loader_missing
from stackaudit.checks.template.processors import context_processor_query
from stackaudit.checks.template.repeated import repeated_related_query
from stackaudit.checks.template.rows import n_plus_one
from stackaudit.checks.template.turns import loop_invariant_query
from stackaudit.checks.template.unbounded import unbounded_list

__all__ = [
    "cached_loader_missing",
    "context_processor_query",
    "loop_invariant_query",
    "n_plus_one",
    "repeated_related_query",
    "unbounded_list",
]
