"""What Redis 7.0.15 and PgBouncer 1.18 did when they were asked, and what the rules say of the same configuration."""

from __future__ import annotations

from typing import Any

import pytest

from stackaudit.checks.data import pgbouncer_transaction_mode, redis_evicts_broker
from stackaudit.config import Config
from stackaudit.discover import kind_of
from stackaudit.facts.files import FileFacts
from stackaudit.link.stack import Stack
from stackaudit.lower.kinds import reader
from stackaudit.model.verdict import Fail, Pass

MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"


def stack_of(files: dict[str, str]) -> Stack:
    facts = []
    for path, text in {"manage.py": MANAGE, "shop/__init__.py": "", **files}.items():
        kind = kind_of(path, text.encode())
        assert kind is not None
        facts.append(FileFacts(path, kind, reader(kind).lower()(text.encode(), path)))
    return Stack(facts, Config())


FILLED = {
    "allkeys-lru": (0, 0),
    "allkeys-random": (0, 0),
    "noeviction": (100, 1196),
    "volatile-lru": (100, 1196),
    "volatile-ttl": (100, 1196),
}
"""maxmemory 5mb; LPUSH of 100 tasks of 200 bytes, then SET of 2,000 entries of 5,000 bytes without an expiry:
(LLEN of the queue afterwards, writes that failed with "OOM command not allowed when used memory > 'maxmemory'")."""


@pytest.mark.parametrize("policy", FILLED)
def test_a_queue_survives_where_the_rule_says_so(policy: str) -> None:
    files = {
        "shop/celery.py": "from celery import Celery\napp = Celery('shop', broker='redis://queue:6379/0')\n",
        "docker-compose.yml": "services:\n  queue:\n    image: redis:7\n"
        f"    command: redis-server --maxmemory 5mb --maxmemory-policy {policy}\n",
    }
    verdicts = list(redis_evicts_broker(stack_of(files)))
    assert [isinstance(verdict, Pass) for verdict in verdicts] == [FILLED[policy][0] == 100]


CROSSED: dict[str, Any] = {
    "SET work_mem = '64MB'": "the second client's SHOW gave the first one's value",
    "SELECT pg_try_advisory_lock(1)": "both clients were told True",
    "CREATE TEMP TABLE t (i int)": "the second client counted its rows",
    "LISTEN shop": "no NOTIFY ever came",
    "SET LOCAL work_mem = '64MB'": None,
    "SELECT pg_try_advisory_xact_lock(1)": None,
    "CREATE TEMP TABLE t (i int) ON COMMIT DROP": None,
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE": None,
    "UPDATE shop_order SET paid = true": None,
}
"""Two clients behind pool_mode = transaction, autocommit: what the second one saw of the first one's session."""


@pytest.mark.parametrize("statement", CROSSED)
def test_what_crosses_from_client_to_client(statement: str) -> None:
    files = {
        "pgbouncer.ini": "[databases]\nshop = host=db\n[pgbouncer]\npool_mode = transaction\n",
        "shop/sql.py": f"def run(cursor):\n    cursor.execute({statement!r})\n",
    }
    verdicts = list(pgbouncer_transaction_mode(stack_of(files)))
    assert [isinstance(verdict, Fail) for verdict in verdicts] == [CROSSED[statement] is not None]
