"""Rules on queries of the Python code."""

from stackaudit.checks.orm.existence import count_as_existence
from stackaudit.checks.orm.loops import (
    n_plus_one_forward,
    n_plus_one_reverse,
    prefetch_bypassed,
    query_in_loop,
    write_in_loop,
)

__all__ = [
    "count_as_existence",
    "n_plus_one_forward",
    "n_plus_one_reverse",
    "prefetch_bypassed",
    "query_in_loop",
    "write_in_loop",
]
