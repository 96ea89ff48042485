"""Caches, judged together with the processes that share them, or do not."""

from stackaudit.checks.cache.clients import redis_client
from stackaudit.checks.cache.hits import falsy_hit_is_miss
from stackaudit.checks.cache.keys import redis_keys
from stackaudit.checks.cache.lifetimes import no_ttl
from stackaudit.checks.cache.local import local_memory_multiprocess, session_in_local_cache
from stackaudit.checks.cache.pages import page_cache_leaks_user
from stackaudit.checks.cache.shared import shared_redis_db
from stackaudit.checks.cache.signals import signal_invalidation_misses_bulk
from stackaudit.checks.cache.unused import not_used

__all__ = [
    "falsy_hit_is_miss",
    "local_memory_multiprocess",
    "no_ttl",
    "not_used",
    "page_cache_leaks_user",
    "redis_client",
    "redis_keys",
    "session_in_local_cache",
    "shared_redis_db",
    "signal_invalidation_misses_bulk",
]
