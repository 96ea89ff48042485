"""What data/celery-delay-in-atomic says, seen on a real Celery with a broker in memory and two connections."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
        "held": {"post_save": False, "post_delete": True},
    }
