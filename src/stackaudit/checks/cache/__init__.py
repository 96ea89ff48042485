"""Caches, judged together with the processes that share them, or do not."""

from stackaudit.checks.cache.local import local_memory_multiprocess, session_in_local_cache

__all__ = ["local_memory_multiprocess", "session_in_local_cache"]
