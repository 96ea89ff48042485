"""Caches, judged together with the processes that share them, or do not."""

from stackaudit.checks.cache.hits import falsy_hit_is_miss
from stackaudit.checks.cache.keys import redis_keys
from stackaudit.checks.cache.lifetimes import no_ttl
from stackaudit.checks.cache.local import local_memory_multiprocess, session_in_local_cache
from stackaudit.checks.cache.pages import page_cache_leaks_user

__all__ = [
    "falsy_hit_is_miss",
    "local_memory_multiprocess",
    "no_ttl",
    "page_cache_leaks_user",
    "redis_keys",
    "session_in_local_cache",
]
