"""Backends of the cache framework that all processes share."""

from __future__ import annotations

from stackaudit.link.stack import Stack
from stackaudit.model.values import Known


def shared_backends(stack: Stack) -> str:
    """The caches that all processes share, as this release of Django and what is installed allow (Django's docs)."""
    release = stack.packages.django_version
    known = tuple(release.value.release[:2]) if isinstance(release, Known) else None
    redis = "`django.core.cache.backends.redis.RedisCache`"
    if stack.packages.has("django-redis") or (known is not None and known < (4, 0)):
        more = (
            "" if stack.packages.has("django-redis") else " (of the package django-redis: Django has its own since 4.0)"
        )
        redis = f"`django_redis.cache.RedisCache`{more}"
    elif known is None:
        redis += " (Django 4.0 and later)"
    elif not stack.packages.has("redis"):
        redis += " (with the package redis)"
    bare = "" if stack.packages.has("pymemcache") else " (with the package pymemcache)"
    memcached = f"`django.core.cache.backends.memcached.PyMemcacheCache`{bare}, "
    if known is not None and known < (3, 2):
        memcached = ""
    return (
        f"{redis}, {memcached}or `django.core.cache.backends.db.DatabaseCache` where there is nothing but the database "
        "(LOCATION is the name of its table, which `manage.py createcachetable`, beside `migrate`, makes)"
    )
