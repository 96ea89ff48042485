"""Idioms of deployments: drop-ins, scripts of images, supervisor in a container, uWSGI's other formats, open words."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from stackaudit.checks.server import development_server
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail
from tests.link.processes.test_processes import DOCKERFILE, one, processes, stack_of, value

UNIT = "[Service]\nWorkingDirectory=/srv\nExecStart=/venv/bin/gunicorn shop.wsgi\nTimeoutStopSec=60\n"


def test_a_drop_in_changes_its_unit() -> None:
    drop_in = "[Service]\nExecStart=\nExecStart=/venv/bin/gunicorn shop.wsgi -w 4\nRestart=always\n"
    process = one({"deploy/shop.service": UNIT, "deploy/shop.service.d/workers.conf": drop_in})
    assert (value(process.setting("workers")), process.place.path) == (4, "deploy/shop.service.d/workers.conf")
    assert (process.origin.path, process.origin.service) == ("deploy/shop.service", "shop")
    told = [process.origin.option(f"Service.{key}") for key in ("Restart", "TimeoutStopSec", "WorkingDirectory")]
    assert [value(item) for item in told] == ["always", "60", "/srv"]
    variable = "[Service]\nEnvironment=WEB_CONCURRENCY=6\n"
    files = {"systemd/shop.service": UNIT, "etc/systemd/system/shop.service.d/env.conf": variable}
    assert value(one(files).setting("workers")) == 6


SCRIPT = """#!/bin/sh
run() {
  if [ -n "${WRAPPER:-}" ]; then exec $WRAPPER "$@"; else exec "$@"; fi
}
if [ "$1" = web ]; then run gunicorn shop.wsgi -w "${WORKERS:-3}"; else run "$@"; fi
"""


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ('ENTRYPOINT ["./docker-entrypoint.sh"]\nCMD ["web"]\n', "docker-entrypoint.sh"),
        ('COPY bin/serve.bash /usr/local/bin/serve\nENTRYPOINT ["serve"]\nCMD ["web"]\n', "bin/serve.bash"),
        ("COPY bin/serve.bash /usr/bin/serve\nCMD exec serve web\n", "bin/serve.bash"),
        ('ENTRYPOINT ["tini", "--", "/app/docker-entrypoint.sh"]\nCMD ["gunicorn", "a", "-w", "3"]\n', "Dockerfile"),
    ],
)
def test_scripts_of_the_image(lines: str, path: str) -> None:
    files = {"Dockerfile": DOCKERFILE + lines, "docker-entrypoint.sh": SCRIPT, "bin/serve.bash": SCRIPT}
    process = one(files)
    assert (process.kind, value(process.setting("workers")), process.place.path) == ("gunicorn", 3, path)


@pytest.mark.skipif(shutil.which("sh") is None, reason="needs a shell")
def test_the_script_as_a_shell_runs_it(tmp_path: Path) -> None:
    """The same script with a gunicorn that prints what it is given."""
    script, stub = tmp_path / "run.sh", tmp_path / "gunicorn"
    script.write_text(SCRIPT, encoding="utf-8")
    stub.write_text('#!/bin/sh\necho "$@"\n', encoding="utf-8")
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", script, "web"], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "shop.wsgi -w 3\n"


def test_supervisor_runs_in_the_image_that_holds_its_file() -> None:
    files = {
        "Dockerfile": DOCKERFILE
        + "ENV GUNICORN_CMD_ARGS=--threads=2\nCOPY deploy/shop.bash /usr/local/bin/shop\n"
        + 'COPY deploy/supervisor /etc/supervisor\nCMD ["supervisord", "-n"]\n',
        "deploy/shop.bash": '#!/bin/bash\nif [ "$1" == "web" ]; then exec gunicorn shop.wsgi -w 2; fi\n',
        "deploy/supervisor/web.conf": "[program:web]\ncommand=shop web\n",
    }
    process = one(files)
    assert (process.origin.kind, process.origin.service, process.audience) == ("supervisor", "web", "production")
    assert (value(process.setting("workers")), value(process.setting("threads"))) == (2, 2)


def test_s6_services_by_where_they_are_copied() -> None:
    files = {
        "Dockerfile": DOCKERFILE + 'COPY docker/s6/ /etc/services.d/\nENTRYPOINT ["/init"]\n',
        "docker/s6/web/run": "#!/usr/bin/with-contenv bash\nexec s6-setuidgid app gunicorn shop.wsgi -w 2\n",
    }
    process = one(files)
    assert (process.kind, value(process.setting("workers")), process.supervised) == ("gunicorn", 2, True)


UWSGI = {
    "uwsgi.yaml": "uwsgi:\n  module: shop.wsgi\n  processes: 4\n",
    "uwsgi.xml": "<uwsgi>\n  <module>shop.wsgi</module>\n  <master/>\n  <processes>4</processes>\n</uwsgi>\n",
    "uwsgi.ini": "[uwsgi]\nmodule = shop.wsgi\nprocesses = 4\n",
}


@pytest.mark.parametrize("option", ["--ini {}", "--yaml {}", "--xml={}", "{}", "/app/{}:uwsgi"])
@pytest.mark.parametrize("path", UWSGI)
def test_files_of_uwsgi(path: str, option: str) -> None:
    files = {"Dockerfile": f"{DOCKERFILE}CMD uwsgi {option.format(path)}\n", path: UWSGI[path]}
    process = one(files)
    assert (value(process.setting("workers")), value(process.app)) == (4, "shop.wsgi")
    workers = process.setting_place("workers")
    assert UWSGI[path].splitlines()[workers.region.line - 1][workers.region.column - 1 :].startswith("4")
    del files[path]
    assert value(one(files).setting("workers")) == "?"


def test_a_file_of_hypercorn_may_say_more() -> None:
    assert value(one({"Procfile": "web: hypercorn a.asgi:a -c hypercorn.toml\n"}).setting("workers")) == "?"
    assert value(one({"Procfile": "web: hypercorn a.asgi:a -c hypercorn.toml -w 2\n"}).setting("workers")) == 2


@pytest.mark.parametrize(
    ("line", "workers"),
    [
        ("gunicorn shop.wsgi --bind=0.0.0.0:$PORT", 1),
        ("gunicorn shop.wsgi -b0.0.0.0:$PORT -w 2", 2),
        ("$VENV/bin/gunicorn $NAME.wsgi:application -w 2", 2),
        ("{{ venv }}/bin/python {{ home }}/manage.py run_gunicorn; {{ venv }}/bin/gunicorn a.wsgi", 1),
        ("gunicorn shop.wsgi --workers=$N", "?"),
        ("gunicorn shop.wsgi -w$N", "?"),
        ("gunicorn shop.wsgi $EXTRA", "?"),
        ("gunicorn shop.wsgi --$MORE", "?"),
    ],
)
def test_words_that_are_known_in_part(line: str, workers: object) -> None:
    """What a variable can be is told by the text around it: `--bind=…$PORT` names no number of workers."""
    process = one({"deploy/run.service": f"[Service]\nExecStart=/bin/sh -c '{line}'\n"})
    assert value(process.setting("workers")) == workers


def test_a_trap_that_tidies_up_passes_nothing_on() -> None:
    def shell(trap: str) -> bool:
        script = f"#!/bin/bash\n{trap}\ngunicorn shop.wsgi -w 2\n"
        (process,) = processes({"Dockerfile": DOCKERFILE + 'CMD ["./run.sh"]\n', "run.sh": script}).all
        return process.supervised

    assert not shell("trap 'rm -rf /tmp/metrics' EXIT")
    assert shell("trap stop EXIT")
    assert shell("trap 'kill $(jobs -p)' TERM INT")


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_shell_that_waits_ends_at_once(shell: str) -> None:
    """Why an init before a shell does not help: the shell dies of SIGTERM, and what it waits for is never told."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    script = "sleep 30 & echo $!; wait; true"
    with subprocess.Popen([program, "-c", script], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        child = int(running.stdout.readline())
        running.terminate()
        assert running.wait(5) == -signal.SIGTERM
        os.kill(child, signal.SIGKILL)  # it still runs


def test_what_stands_before_the_shell() -> None:
    def run(entrypoint: str) -> tuple[str, bool, str]:
        files = {"Dockerfile": f"{DOCKERFILE}ENTRYPOINT {entrypoint}\n", "run.sh": "#!/bin/sh\ngunicorn a.wsgi -w 2\n"}
        process = one(files)
        return process.init, process.supervised, process.shell

    assert run('["tini", "--", "./run.sh"]') == ("tini", False, "sh")
    assert run('["tini", "-g", "--", "./run.sh"]') == ("tini", True, "sh")
    assert run('["dumb-init", "./run.sh"]') == ("", True, "sh")
    assert run('["/bin/bash", "./run.sh"]') == ("", False, "bash")


def test_servers_that_scripts_start() -> None:
    """waitress and uvicorn take by name what their command lines take."""
    serve = "from waitress import serve\nfrom shop.wsgi import application\nserve(application, threads={})\n"
    files = {"Procfile": "web: python serve.py\n", "serve.py": serve.format(8), "shop/wsgi.py": "application = 1\n"}
    process = one(files)
    assert (process.kind, value(process.setting("threads")), value(process.app)) == (
        "waitress",
        8,
        "shop.wsgi:application",
    )
    assert (process.place.path, process.place.region.line) == ("serve.py", 3)
    assert value(one({**files, "serve.py": serve.format("N")}).setting("threads")) == "?"
    assert processes({**files, "serve.py": serve.format(8) * 2}).all == ()
    run = 'def main():\n    import uvicorn as server\n    server.run(app="a.asgi:a", workers=4)\n'
    process = one({"Procfile": "web: python -m a.run\n", "a/run.py": run})
    assert (process.kind, value(process.setting("workers")), value(process.app)) == ("uvicorn", 4, "a.asgi:a")


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("python manage.py runserver 0.0.0.0:8000", "`gunicorn shop.wsgi --workers 3 --bind 0.0.0.0:8000`"),
        ("python manage.py runserver 8080", "`gunicorn shop.wsgi --workers 3 --bind 127.0.0.1:8080`"),
        ("python manage.py runserver 0.0.0.0:$PORT", "`gunicorn shop.wsgi --workers 3 --bind 0.0.0.0:$PORT`"),
        ("python manage.py runserver", "`gunicorn shop.wsgi --workers 3`"),
    ],
)
def test_what_takes_the_place_of_runserver_listens_where_it_did(line: str, fix: str) -> None:
    settings = 'SECRET_KEY = "x"\nWSGI_APPLICATION = "shop.wsgi.application"\nINSTALLED_APPS = []\n'
    stack = stack_of({"Procfile": f"web: {line}\n", "shop/settings.py": settings, "shop/wsgi.py": "", "manage.py": ""})
    (verdict,) = development_server(stack)
    assert isinstance(verdict, Fail)
    assert fix == "`gunicorn {app} --workers 3{bind}`".format(**verdict.values)
    assert verdict.values["install"]


def test_a_script_that_nothing_starts_may_be_started() -> None:
    """What a unit on the machine or a platform's dashboard names is told only where nothing else serves."""
    script = "#!/bin/bash\nN=2\ncd /srv\nexec ../bin/gunicorn shop.wsgi -w $N --max-requests 500\n"
    process = one({"bin/gunicorn_start": script})
    assert (process.kind, process.audience, value(process.setting("workers"))) == ("gunicorn", "unknown", 2)
    assert one({"bin/gunicorn_start": script, "Procfile": "web: gunicorn a.wsgi\n"}).origin.kind == "procfile"
    assert one({"bin/gunicorn_start": script, "Procfile": "web: bin/gunicorn_start\n"}).origin.kind == "procfile"
    assert value(one({"start.sh": "gunicorn shop.wsgi\n"}).setting("workers")) == "?"
    assert one({"scripts/start_local.sh": script}).audience == "development"


def test_a_script_sets_what_nothing_has_set() -> None:
    script = '#!/bin/bash\n: "${WORKERS:=3}"\nexec gunicorn shop.wsgi -w $WORKERS\n'
    files = {"Procfile": "web: ./run.sh\n", "run.sh": script}
    workers = one(files).setting("workers")
    assert workers == Known(3, workers.places, "the default of $WORKERS")
    files["Procfile"] = "web: WORKERS=5 ./run.sh\n"
    assert value(one(files).setting("workers")) == 5
