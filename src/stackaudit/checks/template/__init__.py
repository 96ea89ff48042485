"""Rules on templates: queries that a page runs while it is rendered, and what the engine does for every page."""

from stackaudit.checks.template.engine import cached_loader_missing, context_processor_query
from stackaudit.checks.template.rows import n_plus_one

__all__ = ["cached_loader_missing", "context_processor_query", "n_plus_one"]
