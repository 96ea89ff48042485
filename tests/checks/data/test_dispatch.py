"""What data/celery-delay-in-atomic says, seen on a real Celery with a broker in memory and two connections."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from stackaudit.checks.data import celery_delay_in_atomic
from stackaudit.model.verdict import Fail
from tests.stacks import stack_of

CHILD = '''
import json, os, sqlite3, sys
import django

os.environ["DJANGO_SETTINGS_MODULE"] = "shop_settings"
django.setup()
from celery import Celery
from django.contrib.contenttypes.models import ContentType
from django.db import connection, models, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

app = Celery("shop", broker="memory://", set_as_current=True)

@app.task
def look(pk): ...

with connection.schema_editor() as editor:
    editor.create_model(ContentType)

def seen():
    """What a worker on another connection finds, and how many messages wait for it."""
    with sqlite3.connect(sys.argv[1]) as other:
        rows = other.execute("select count(*) from django_content_type").fetchone()[0]
    with app.connection_for_read() as broker:
        waiting = broker.default_channel.queue_declare("celery", passive=True).message_count
    return [rows, waiting]

found = {}
with transaction.atomic():
    row = ContentType.objects.create(app_label="a", model="b")
    look.delay(row.pk)
    found["inside"] = seen()
    look.delay_on_commit(row.pk)
    found["on_commit_inside"] = seen()
found["after"] = seen()
try:
    with transaction.atomic():
        row = ContentType.objects.create(app_label="a", model="c")
        look.delay(row.pk)
        look.delay_on_commit(row.pk)
        raise ValueError
except ValueError:
    found["rolled_back"] = seen()
look.delay_on_commit(row.pk)
found["no_transaction"] = seen()
look.apply_async = lambda *args, **options: 1 / 0
try:
    with transaction.atomic():
        try:
            look.delay_on_commit(row.pk)
        except ArithmeticError:
            found["failure"] = "inside"
except ArithmeticError:
    found["failure"] = "below"
held = {}
post_save.connect(lambda **_: held.__setitem__("post_save", connection.in_atomic_block), weak=False)
post_delete.connect(lambda **_: held.__setitem__("post_delete", connection.in_atomic_block), weak=False)
ContentType.objects.create(app_label="a", model="d").delete()
found["held"] = held
print(json.dumps(found))
'''


def test_a_task_overtakes_its_commit(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "shop_settings.py").write_text(
        "import sys\nINSTALLED_APPS = ['django.contrib.contenttypes']\n"
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': sys.argv[1]}}\n"
    )
    run = subprocess.run(
        [sys.executable, "child.py", str(tmp_path / "db.sqlite3")],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(run.stdout) == {
        "inside": [0, 1],
        "on_commit_inside": [0, 1],
        "after": [1, 2],
        "rolled_back": [1, 3],
        "no_transaction": [1, 4],
        "failure": "below",
        "held": {"post_save": False, "post_delete": True},
    }


TASKS = """
from celery import shared_task
from shop.models import Order


@shared_task
def send_receipt(pk):
    Order.objects.get(pk=pk)
"""
PAY = """
from django.db import transaction
from shop.models import Order
from shop.tasks import send_receipt


def pay(request):
"""


@pytest.mark.parametrize(
    ("code", "around"),
    [
        (
            "    with transaction.atomic():\n        try:\n            order = Order.objects.create()\n"
            "            send_receipt.delay(order.pk)\n        except Exception:\n            order.fail()\n",
            " The `except` in line 12 no longer sees a failure to send: put the `try` around the `with`, or send after"
            " it.",
        ),
        (
            "    with transaction.atomic():\n        try:\n            order = Order.objects.create()\n"
            "            send_receipt.delay(order.pk)\n        except ValueError:\n            order.fail()\n",
            "",
        ),
        (
            "    try:\n        with transaction.atomic():\n            order = Order.objects.create()\n"
            "            send_receipt.delay(order.pk)\n    except Exception:\n        order.fail()\n",
            " It is the last statement of the `with` in line 9: below it the commit is through, where no caller holds a"
            " transaction of its own.",
        ),
        (
            "    with transaction.atomic():\n        order = Order.objects.create()\n"
            "        send_receipt.delay(order.pk)\n        order.save()\n",
            "",
        ),
    ],
)
def test_what_stands_around_a_send(code: str, around: str, tmp_path: Path) -> None:
    files = {
        "manage.py": "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n",
        "shop/__init__.py": "",
        "shop/settings.py": "SECRET_KEY = 'x'\nROOT_URLCONF = 'shop.urls'\nINSTALLED_APPS = ['shop']\n",
        "shop/celery.py": "from celery import Celery\n\napp = Celery('shop')\n",
        "shop/models.py": "from django.db import models\n\nclass Order(models.Model):\n    pass\n",
        "shop/tasks.py": TASKS,
        "shop/views.py": PAY + code,
    }
    (found,) = (item for item in celery_delay_in_atomic(stack_of(tmp_path, files)) if isinstance(item, Fail))
    assert found.values["around"] == around
