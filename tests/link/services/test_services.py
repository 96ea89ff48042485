"""Which services a repository shows, and with which settings."""

from __future__ import annotations

from typing import Any

import pytest

from stackaudit.config import Config
from stackaudit.discover import kind_of
from stackaudit.facts.files import FileFacts
from stackaudit.link.services import Instance
from stackaudit.link.services.defaults import DEFAULTS
from stackaudit.link.services.images import recognised
from stackaudit.link.stack import Stack
from stackaudit.lower.kinds import reader
from stackaudit.model.values import Known, Unknown


def instances(files: dict[str, str]) -> dict[str, Instance]:
    facts = []
    for path, text in files.items():
        kind = kind_of(path, text.encode())
        assert kind is not None, path
        facts.append(FileFacts(path, kind, reader(kind).lower()(text.encode(), path)))
    return {item.name: item for item in Stack(facts, Config()).services.instances}


def given(instance: Instance) -> dict[str, Any]:
    return {name: getattr(value, "value", value) for name, value in instance.given.items()}


COMPOSE = """
services:
  db:
    image: postgres:16.2-alpine
    command: -c shared_buffers=1GB -c 'max_connections=200'
    shm_size: 256mb
    mem_limit: 4g
  cache:
    image: redis:7
    command: ["redis-server", "--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru", "--save", "60", "1"]
    container_name: shop-cache
  queue:
    image: docker.io/valkey/valkey:8-alpine
    command: sh -c "valkey-server /etc/valkey.conf --requirepass $$PASSWORD"
    volumes:
      - ./redis/valkey.conf:/etc/valkey.conf:ro
  pooler:
    image: edoburu/pgbouncer:1.23.1
    environment:
      POOL_MODE: transaction
      DEFAULT_POOL_SIZE: 30
  backup:
    image: postgres:16
    command: /backup.sh
  web:
    image: shop
    command: gunicorn shop.wsgi
"""


def test_the_services_of_a_compose_file() -> None:
    found = instances({"docker-compose.yml": COMPOSE, "redis/valkey.conf": "maxmemory 1gb\nappendonly yes\n"})
    assert {name: (item.kind, item.audience, item.open) for name, item in found.items()} == {
        "docker-compose.yml db": ("postgres", "production", ""),
        "docker-compose.yml cache": ("redis", "production", ""),
        "docker-compose.yml queue": ("redis", "production", ""),
        "docker-compose.yml pooler": ("pgbouncer", "production", ""),
    }
    db, cache, queue, pooler = found.values()
    assert given(db) == {"shared_buffers": "1GB", "max_connections": "200"}
    assert (db.version, db.memory) == (Known((16, 2)), Known(4 * 1024**3, db.memory.places))
    assert given(cache) == {"maxmemory": "256mb", "maxmemory-policy": "allkeys-lru", "save": "60 1"}
    assert cache.hosts == {"cache", "shop-cache"}
    assert (given(queue)["maxmemory"], given(queue)["appendonly"]) == ("1gb", "yes")
    assert queue.configs == ("redis/valkey.conf",)
    assert (pooler.setting("pool_mode").places[0].path, pooler.number("default_pool_size")) == (
        "docker-compose.yml",
        Known(30.0, pooler.setting("default_pool_size").places),
    )


def test_a_default_has_no_place_and_a_given_value_has() -> None:
    db = instances({"docker-compose.yml": COMPOSE, "redis/valkey.conf": ""})["docker-compose.yml db"]
    assert db.setting("work_mem") == Known("4MB", (), "the default")
    assert (db.size("shared_buffers"), db.setting_place("work_mem")) == (
        Known(1024**3, db.setting("shared_buffers").places),
        db.place,
    )


def test_a_file_that_compose_mounts_is_read_only_where_the_command_names_it() -> None:
    compose = """
services:
  cache:
    image: redis:7
    command: redis-server --appendonly yes
    volumes: ["./redis.conf:/etc/redis/redis.conf"]
"""
    found = instances({"docker-compose.yml": compose, "redis.conf": "maxmemory 1gb\n"})
    assert {name: given(item) for name, item in found.items()} == {"docker-compose.yml cache": {"appendonly": "yes"}}


def test_a_configuration_that_the_repository_does_not_hold_leaves_all_open() -> None:
    compose = "services:\n  db:\n    image: postgres:16\n    command: postgres -c config_file=/etc/postgresql.conf\n"
    db = instances({"compose.yaml": compose})["compose.yaml db"]
    why = "its configuration file /etc/postgresql.conf is not in the repository"
    assert db.setting("fsync") == Unknown(f"fsync of compose.yaml db may be set elsewhere: {why}")


def test_an_image_of_its_own_sets_what_nobody_sees() -> None:
    found = instances({"compose.yaml": "services:\n  db:\n    image: bitnami/postgresql:16\n"})
    assert found["compose.yaml db"].open == "what the image bitnami/postgresql:16 sets by itself is not known"


def test_a_dockerfile_that_copies_a_configuration() -> None:
    files = {
        "compose.yaml": "services:\n  db:\n    build: ./db\n",
        "db/Dockerfile": "FROM postgres:${PG:-17}\nCOPY postgresql.conf /etc/postgresql/postgresql.conf\n"
        'CMD ["postgres", "-c", "config_file=/etc/postgresql/postgresql.conf"]\n',
        "db/postgresql.conf": "include_dir 'conf.d'\nfsync = off\n",
        "db/conf.d/10-memory.conf": "shared_buffers = 2GB\n",
    }
    found = instances(files)
    assert {name: (given(item), item.version) for name, item in found.items()} == {
        "compose.yaml db": ({"shared_buffers": "2GB", "fsync": "off"}, Known((17,)))
    }


def test_units_and_files_without_containers() -> None:
    files = {
        "deploy/redis.service": "[Service]\nExecStart=/usr/bin/redis-server /etc/redis/redis.conf --port 6380\n",
        "deploy/redis.conf": "maxmemory-policy volatile-lru\n",
        "deploy/postgresql.conf": "max_connections = 300\n",
        "deploy/pgbouncer.ini": "[databases]\nshop = host=db pool_size=40\n[pgbouncer]\npool_mode = session\n",
        "deploy/conf.d/tuning.conf": "shared_buffers = 1GB\n",
    }
    found = instances(files)
    assert {name: (item.origin, given(item)) for name, item in found.items()} == {
        "deploy/redis.service redis": ("systemd", {"maxmemory-policy": "volatile-lru", "port": "6380"}),
        "deploy/postgresql.conf": ("file", {"max_connections": "300"}),
        "deploy/conf.d/tuning.conf": ("file", {"shared_buffers": "1GB"}),
        "deploy/pgbouncer.ini": ("file", {"pool_mode": "session"}),
    }
    assert found["deploy/pgbouncer.ini"].databases["shop"] == Known(
        "host=db pool_size=40", found["deploy/pgbouncer.ini"].databases["shop"].places
    )
    assert "rest is not in the repository" in found["deploy/conf.d/tuning.conf"].open


def test_a_file_that_only_changes_the_main_compose_file() -> None:
    files = {
        "docker-compose.yml": "services:\n  db:\n    image: postgres:16\n",
        "docker-compose.prod.yml": "services:\n  db:\n    command: postgres -c max_connections=50\n",
    }
    found = instances(files)
    assert {name: (item.audience, given(item)) for name, item in found.items()} == {
        "docker-compose.prod.yml db": ("production", {"max_connections": "50"})
    }


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("postgres", ("postgres", True, Unknown("the image has no tag"))),
        ("postgres:latest", ("postgres", True, Unknown("the tag latest names no release"))),
        ("registry.example.org:5000/library/postgres:16.1", ("postgres", False, Known((16, 1)))),
        ("pgvector/pgvector:pg17", ("postgres", True, Known((17,)))),
        ("docker.io/library/redis:7.2-alpine@sha256:00", ("redis", True, Known((7, 2)))),
        ("redis/redis-stack-server:7.4.0-v0", ("redis", False, Known((7, 4, 0)))),
        ("edoburu/pgbouncer:v1.24.0-p1", ("pgbouncer", False, Known((1, 24, 0)))),
        ("oliver006/redis_exporter:v1", None),
        ("prodrigestivill/postgres-backup-local", None),
        ("redislabs/redisinsight", None),
    ],
)
def test_which_images_run_what(image: str, told: Any) -> None:
    named = recognised(image)
    assert (named and (named.kind, named.plain, named.version)) == told


RECORDED = {
    "postgres": "shared_buffers=16384 max_connections=100 work_mem=4096 effective_cache_size=524288 random_page_cost=4 "
    "fsync=on full_page_writes=on synchronous_commit=on autovacuum=on statement_timeout=0 "
    "idle_in_transaction_session_timeout=0 lock_timeout=0 log_min_duration_statement=-1 "
    "superuser_reserved_connections=3 max_parallel_workers_per_gather=2 maintenance_work_mem=65536",
    "redis": "maxmemory=0 maxmemory-policy=noeviction appendonly=no",
}
"""`postgres -C NAME` of a new cluster of PostgreSQL 15.15, in its own units; `CONFIG GET NAME` of Redis 7.0.15."""
UNITS = {"shared_buffers": 8192, "effective_cache_size": 8192, "work_mem": 1024, "maintenance_work_mem": 1024}


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_the_defaults_are_those_of_the_programs(kind: Any) -> None:
    here = next(iter(instances({"compose.yaml": f"services:\n  s:\n    image: {kind}:16\n"}).values()))
    for pair in RECORDED[kind].split():
        name, _, value = pair.partition("=")
        if name in UNITS:
            assert here.size(name) == Known(int(value) * UNITS[name], (), "the default"), name
        else:
            assert DEFAULTS[kind][name] == value, name


def test_a_compose_file_whose_containers_hold_the_source_is_a_developers() -> None:
    web = "services:\n  db:\n    image: postgres:16\n  web:\n    build: .\n    command: gunicorn shop.wsgi\n"
    mounted = "services:\n  web:\n    volumes: ['.:/src']\n"
    source = {"shop/wsgi.py": "application = None\n", "Dockerfile": "FROM python:3.13\n"}
    told = {
        "plain": {"docker-compose.yml": web},
        "mounted": {"docker-compose.yml": f"{web}    volumes: ['.:/src']\n"},
        "override": {"docker-compose.yml": web, "docker-compose.override.yml": mounted},
        "production": {
            "docker-compose.yml": web,
            "docker-compose.override.yml": mounted,
            "docker-compose.prod.yml": "services:\n  web:\n    restart: always\n",
        },
    }
    found = {
        name: instances({**source, **files})["docker-compose.yml db"].audience == "development"
        for name, files in told.items()
    }
    assert found == {"plain": False, "mounted": True, "override": True, "production": False}
