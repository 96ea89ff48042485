"""Rules on queries of the Python code."""

from stackaudit.checks.orm.aggregation import python_aggregation
from stackaudit.checks.orm.eager import unused_eager_load
from stackaudit.checks.orm.evaluations import exists_then_evaluate, loads_rows_to_count
from stackaudit.checks.orm.existence import count_as_existence
from stackaudit.checks.orm.imports import import_time_query
from stackaudit.checks.orm.increments import non_atomic_increment
from stackaudit.checks.orm.indexes import duplicate_index, missing_index
from stackaudit.checks.orm.keys import fk_id_dereference
from stackaudit.checks.orm.lookups import query_in_loop
from stackaudit.checks.orm.loops import n_plus_one_forward, n_plus_one_reverse, prefetch_bypassed
from stackaudit.checks.orm.repetition import loop_invariant_query, repeated_evaluation
from stackaudit.checks.orm.streams import iterate_without_iterator
from stackaudit.checks.orm.texts import str_follows_relation
from stackaudit.checks.orm.transactions import slow_call_in_transaction
from stackaudit.checks.orm.unbounded import unbounded_queryset
from stackaudit.checks.orm.writes import write_in_loop

__all__ = [
    "count_as_existence",
    "duplicate_index",
    "exists_then_evaluate",
    "fk_id_dereference",
    "import_time_query",
    "iterate_without_iterator",
    "loads_rows_to_count",
    "loop_invariant_query",
    "missing_index",
    "n_plus_one_forward",
    "n_plus_one_reverse",
    "non_atomic_increment",
    "prefetch_bypassed",
    "python_aggregation",
    "query_in_loop",
    "repeated_evaluation",
    "slow_call_in_transaction",
    "str_follows_relation",
    "unbounded_queryset",
    "unused_eager_load",
    "write_in_loop",
]
