"""What the files of PostgreSQL, PgBouncer and Redis say, held against what the programs made of the same files.

Recorded from `postgres -C NAME` of PostgreSQL 15.15, `CONFIG GET` of Redis 7.0.15 and the start of PgBouncer 1.18.
"""

from __future__ import annotations

import pytest

from stackaudit.discover import kind_of
from stackaudit.facts.daemons import Directive
from stackaudit.facts.files import Note, UnreadableError
from stackaudit.lower import pgbouncer, postgresql, redisconf
from stackaudit.model.source import Region

POSTGRES = r"""# shop
Shared_Buffers = 256MB   # c
work_mem '4MB'
 random_page_cost=1.1
search_path = '"$user", public'
log_line_prefix = 'it''s %m # not a comment'
statement_timeout 30s
max_connections = 50
max_connections = 60
shop.tenant = 'x'
"""
TOLD_BY_POSTGRES = {
    "shared_buffers": "256MB",  # postgres -C: 32768 pages of 8 kB
    "work_mem": "4MB",  # 4096 kB
    "random_page_cost": "1.1",
    "search_path": '"$user", public',
    "log_line_prefix": "it's %m # not a comment",
    "statement_timeout": "30s",  # 30000 ms
    "max_connections": "60",
    "shop.tenant": "x",
}


def test_a_postgresql_conf() -> None:
    directives = postgresql.lower(POSTGRES.encode(), "postgresql.conf").directives
    assert {each.name: each.values[0] for each in directives} == TOLD_BY_POSTGRES
    assert directives[2] == Directive("random_page_cost", ("1.1",), Region(4, 2, 4, 22))


def test_what_a_template_leaves_open() -> None:
    told = postgresql.lower(b"max_connections = {{ connections }}\nwork_mem = ${WORK_MEM}\nfsync = on\n", "x")
    assert [(each.name, each.refers) for each in told.directives] == [
        ("max_connections", True),
        ("work_mem", True),
        ("fsync", False),
    ]


def test_lines_that_postgresql_would_refuse_are_noted() -> None:
    assert postgresql.lower(b"work_mem =\n= 4MB\n", "x").notes == (
        Note("not a line `name = value`", 1),
        Note("not a line `name = value`", 2),
    )


REDIS = """# comment
  MaxMemory   100mb
maxmemory-policy "allkeys-lru"
save ""
save 900 1
rename-command FLUSHALL ""
requirepass "a b#c"
"""


def test_a_redis_conf() -> None:
    told = redisconf.lower(REDIS.encode(), "redis.conf")
    assert [(each.name, each.values) for each in told.directives] == [
        ("maxmemory", ("100mb",)),
        ("maxmemory-policy", ("allkeys-lru",)),
        ("save", ("",)),
        ("save", ("900", "1")),
        ("rename-command", ("FLUSHALL", "")),
        ("requirepass", ("a b#c",)),
    ]


def test_a_comment_behind_a_value_belongs_to_it() -> None:
    # Redis 7.0: "FATAL CONFIG FILE ERROR ... >>> 'timeout 10 # a comment' wrong number of arguments"
    assert redisconf.split("timeout 10 # a comment") == ["timeout", "10", "#", "a", "comment"]
    assert redisconf.split('requirepass "open') == []


PGBOUNCER = """;c
# c
[databases]
shop = host=127.0.0.1 port=5499 dbname=postgres pool_size=7
* = host=127.0.0.1 port=5499
[pgbouncer]
pool_mode = transaction
default_pool_size = 5 ; comment
%include more.ini
"""


def test_a_pgbouncer_ini() -> None:
    told = pgbouncer.lower(PGBOUNCER.encode(), "pgbouncer.ini")
    assert [(each.section, each.name, each.values[0]) for each in told.directives] == [
        ("databases", "shop", "host=127.0.0.1 port=5499 dbname=postgres pool_size=7"),
        ("databases", "*", "host=127.0.0.1 port=5499"),
        ("pgbouncer", "pool_mode", "transaction"),
        # PgBouncer 1.18: invalid value "5 ; comment" for parameter default_pool_size
        ("pgbouncer", "default_pool_size", "5 ; comment"),
        ("pgbouncer", "%include", "more.ini"),
    ]


@pytest.mark.parametrize("lower", [postgresql.lower, redisconf.lower, pgbouncer.lower])
@pytest.mark.parametrize("data", [b"\xff\xfe", b"a = \0"])
def test_what_is_no_text(lower: object, data: bytes) -> None:
    assert callable(lower)
    with pytest.raises(UnreadableError):
        lower(data, "x")


@pytest.mark.parametrize(
    ("path", "head", "kind"),
    [
        ("deploy/postgresql.conf", b"", "postgresql"),
        ("deploy/conf.d/tuning.conf", b"shared_buffers = 1GB\n", "postgresql"),
        ("pg_hba.conf", b"host all all 127.0.0.1/32 trust\n", None),
        ("redis/redis-cache.conf", b"maxmemory 1gb\n", "redis"),
        ("valkey.conf.j2", b"", "redis"),
        ("pgbouncer/pgbouncer.ini", b"", "pgbouncer"),
        ("pooler/config.ini", b"[databases]\n[pgbouncer]\n", "pgbouncer"),
        ("supervisor/redis.conf", b"[program:redis]\ncommand=redis-server\n", "supervisor"),
        ("nginx/redis.conf", b"upstream redis { server r:6379; }\n", "nginx"),
        ("setup.ini", b"[a]\n", None),
    ],
)
def test_which_files_they_are(path: str, head: bytes, kind: str | None) -> None:
    assert kind_of(path, head) == kind
