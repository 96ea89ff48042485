"""Rules on asynchronous code (the area `async`; a module cannot have that name)."""

from stackaudit.checks.async_.blocking import blocking_call_in_async, gather_is_serial
from stackaudit.checks.async_.layers import in_memory_channel_layer
from stackaudit.checks.async_.orm import lazy_relation_in_async, sync_orm_in_async
from stackaudit.checks.async_.serving import async_view_under_wsgi, sync_middleware_under_asgi

__all__ = [
    "async_view_under_wsgi",
    "blocking_call_in_async",
    "gather_is_serial",
    "in_memory_channel_layer",
    "lazy_relation_in_async",
    "sync_middleware_under_asgi",
    "sync_orm_in_async",
]
