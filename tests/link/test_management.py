"""Which commands of manage.py a stack runs itself, and which make up data."""

from __future__ import annotations

from pathlib import Path

from stackaudit.link.management import Management
from tests.stacks import stack_of

COMMAND = (
    "from django.core.management.base import BaseCommand\n\nclass Command(BaseCommand):\n    help = '{name} shops'\n"
)
FILES = {
    "crontab": "0 3 * * * shop manage.py scheduled\n@reboot shop sh -c 'manage.py nested'\n",
    "Procfile": "worker: python manage.py long_running\n",
    "Dockerfile": 'FROM python\nRUN python manage.py built\nCMD ["python", "manage.py", "served"]\n',
    "docker-compose.yml": "services:\n  clock:\n    image: shop\n    command: manage.py composed\n",
    "deploy/shop.service": "[Service]\nExecStart=/srv/manage.py daemon\n",
    "uwsgi.ini": "[uwsgi]\nattach-daemon = ./manage.py attached --loop\n",
    "bin/entrypoint": "#!/bin/sh\npython manage.py entered && exec gunicorn shop.wsgi\n",
    "bin/typed": '#!/bin/sh\nexec python manage.py typed "$@"\n',
    "bin/touched": '#!/bin/sh\nexec python manage.py touched "$@"\n',
    "bin/passed": '#!/bin/sh\nexec python manage.py passed "$@"\n',
    "bin/passed-on": '#!/bin/sh\n/srv/bin/passed --all "$@"\n',
    "bin/nightly": "#!/bin/sh\nchmod +x bin/touched\nbin/passed-on\npython manage.py plain\n",
    "etc/s6-overlay/s6-rc.d/shop/run": '#!/bin/sh\nexec python manage.py serviced "$@"\n',
    "pyproject.toml": (
        '[project]\nname = "shop"\nversion = "1"\ndependencies = ["django==5.2", "rich"]\n'
        '[project.optional-dependencies]\nmaps = ["shapely"]\n[dependency-groups]\ndev = ["rich", "ipdb"]\n'
    ),
    "shop/__init__.py": "",
    "shop/tasks.py": """
import os, subprocess, sys
from celery import shared_task
from django.core.management import call_command

CRONJOBS = [("*/5 * * * *", "django.core.management.call_command", ["listed"])]

@shared_task
def nightly():
    call_command("called --fast")
    subprocess.run([sys.executable, "-m", "django", "ran", "5.2"], check=True)
    subprocess.check_call(["python", "manage.py", "checked"])
    os.system("python manage.py in_a_line")
    line = ["django-admin", "of_a_name"]
    subprocess.Popen(line)
""",
    "shop/views.py": "from shop.management.commands.imported import Command\n",
    "shop/management/commands/with_base.py": "from shop.management.commands.base import Command\n",
    "shop/management/commands/invents.py": "from faker import Faker\n",
    "shop/management/commands/throws_dice.py": "import random\nDICE = random.randint(1, 6), random.choice('ab')\n",
    "shop/management/commands/waits.py": "import random, time\ntime.sleep(random.random())\n",
    "shop/management/commands/may_debug.py": "try:\n    import ipdb\nexcept ImportError:\n    ipdb = None\n",
    "shop/management/commands/makes_parts.py": "from factory import Part\n",
    "factory/__init__.py": "class Part:\n    pass\n",
    "shop/management/commands/debugs.py": "import ipdb\n",
    "shop/management/commands/draws_maps.py": "import shapely\n",
    "shop/management/commands/prints.py": "import rich\n",
    "shop/management/commands/repeats.py": (
        'from django.core.management import call_command\nfor pk in range(3):\n    call_command("repeated", pk=pk)\n'
    ),
    "shop/management/commands/scheduled.py": (
        "from .base_of_scheduled import Command\nfrom django.core.management import call_command\n"
        'call_command("called_by_scheduled")\n'
    ),
    "shop/prices.py": "import random\nimport ipdb\n",
    "shop/checks.py": """
'manage.py documented'
import importlib, logging, subprocess
from django.core.checks import Warning
from django.core.management.base import CommandError
from django.utils.translation import gettext as _

logger = logging.getLogger(__name__)
LINE = "manage.py unsaid"

def look(self, line):
    "Run manage.py documented first."
    logger.warning("see manage.py logged for %s", self)
    print(f"{self}: manage.py printed")
    self.stdout.write(self.style.SUCCESS("now manage.py styled"))
    importlib.import_module("shop.management.commands._loaded_late")
    if not self:
        raise CommandError(_("run manage.py raised") + line)
    return [Warning("wrong", hint='List them with "manage.py hinted --all"', id="shop.W1")]
""",
    "shop/management/commands/explains.py": (
        "from ._parts import Command as Base\n\nclass Command(Base):\n    help = 'after manage.py helped'\n"
    ),
    "shop/management/commands/has_options.py": (
        "from optparse import make_option\nfrom django.core.management.base import BaseCommand\n\n"
        "class Command(BaseCommand):\n    option_list = BaseCommand.option_list + (make_option('--x'),)\n"
    ),
    "shop/management/commands/own_options.py": (
        "from django.core.management import base\n\nclass BaseCommand(base.BaseCommand):\n    option_list = ()\n\n"
        "class Command(BaseCommand):\n    option_list = BaseCommand.option_list + ('--x',)\n"
    ),
}
NAMES = (
    "nested", "long_running", "built", "served", "composed", "daemon", "attached", "entered", "listed", "called",
    "imported", "base", "base_of_scheduled", "by_hand", "_switched_off", "repeated",
    "called_by_scheduled", "typed", "touched", "passed", "plain", "serviced", "ran", "checked", "in_a_line",
    "of_a_name", "hinted", "raised", "logged", "printed", "documented", "styled", "helped", "unsaid", "_parts",
    "_loaded_late",
)  # fmt: skip


def resolved(root: Path) -> Management:
    """The commands of the files above."""
    files = {f"shop/management/commands/{name}.py": COMMAND.format(name=name) for name in NAMES} | FILES
    return stack_of(root, files).management


def test_commands(tmp_path: Path) -> None:
    management = resolved(tmp_path)
    folder = "shop/management/commands/"
    assert {path.removeprefix(folder).removesuffix(".py") for path in management.by_hand} == {
        "by_hand", "_switched_off", "base", "with_base", "invents", "throws_dice", "debugs", "draws_maps", "prints",
        "waits", "may_debug", "makes_parts", "repeats", "repeated", "typed", "touched",
        "hinted", "raised", "logged", "printed", "documented", "styled", "helped", "explains", "_parts", "_loaded_late",
        "has_options", "own_options",
    }  # fmt: skip
    assert management.dead == {f"{folder}{name}.py" for name in ("_switched_off", "has_options")}
    assert management.samples == {f"{folder}{name}.py" for name in ("invents", "throws_dice", "debugs")}
