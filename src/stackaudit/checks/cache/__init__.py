"""Caches, judged together with the processes that share them, or do not."""

from stackaudit.checks.cache.keys import redis_keys
from stackaudit.checks.cache.local import local_memory_multiprocess, session_in_local_cache
from stackaudit.checks.cache.pages import page_cache_leaks_user

__all__ = ["local_memory_multiprocess", "page_cache_leaks_user", "redis_keys", "session_in_local_cache"]
