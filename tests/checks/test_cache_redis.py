"""Which database of Redis a location means, as redis-py 8.1.0 understood it (`redis.connection.parse_url`, recorded).

Also recorded, by hand on redis-server 7.0.15 of Debian 12 with Django 5.2.19: `cache.clear()` of a RedisCache with a
KEY_PREFIX left 0 of 2 tasks in the list "celery" of its database; with maxmemory 3mb, `noeviction` and `volatile-lru`
refused SET with "OOM command not allowed", `allkeys-lru` kept 7436 of 12000 keys; KEYS over a million keys took 0.5 s
without a match and 1.2 s with all, and a PING beside it as long; 50 clients made anew were 50 connections, one none.
"""

from __future__ import annotations

import pytest

from stackaudit.checks.cache.shared import Database, database

PARSED = {
    "redis://redis:6379/0": ("redis:6379", "0"),
    "redis://redis": ("redis:6379", "0"),
    "redis://redis/": ("redis:6379", "0"),
    "redis://redis/3": ("redis:6379", "3"),
    "redis://:secret@redis:6380/2": ("redis:6380", "2"),
    "rediss://redis/1": ("redis:6379", "1"),
    "redis://redis:6379?db=4": ("redis:6379", "4"),
    "redis://redis:6379/1?db=4": ("redis:6379", "4"),
    "unix:///run/redis.sock?db=2": ("/run/redis.sock", "2"),
    "unix:///run/redis.sock": ("/run/redis.sock", "0"),
    "redis://127.0.0.1/1": ("localhost:6379", "1"),
    "redis:///5": ("localhost:6379", "5"),
}


@pytest.mark.parametrize("url", PARSED)
def test_urls(url: str) -> None:
    assert database(url) == Database(*PARSED[url])


def test_the_url_goes_before_the_options() -> None:
    urls = ["redis://redis/3", "redis://redis"]
    assert [database(url, 7) for url in urls] == [Database("redis:6379", "3"), Database("redis:6379", "7")]


def test_what_is_no_redis() -> None:
    assert [database(value) for value in ("amqp://rabbit//", "default", None, 5)] == [None, None, None, None]
