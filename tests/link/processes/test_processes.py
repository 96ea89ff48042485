from __future__ import annotations

from typing import Any

import pytest

from stackaudit.config import Config, Host
from stackaudit.discover import kind_of
from stackaudit.facts.files import FileFacts, Note, UnreadableError
from stackaudit.link.processes import Process, Processes
from stackaudit.link.stack import Stack
from stackaudit.lower.kinds import reader
from stackaudit.model.values import Known, Unknown, plain

DOCKERFILE = "FROM python:3.13-slim\nWORKDIR /app\nCOPY . .\n"


def stack_of(files: dict[str, str], host: Host | None = None) -> Stack:
    facts = []
    for path, text in files.items():
        kind = kind_of(path, text.encode())
        assert kind is not None, path
        try:
            facts.append(FileFacts(path, kind, reader(kind).lower()(text.encode(), path)))
        except UnreadableError as error:
            facts.append(FileFacts(path, kind, None, Note(error.why, error.line)))
    return Stack(facts, Config(host=host))


def processes(files: dict[str, str], host: Host | None = None) -> Processes:
    return stack_of(files, host).processes


def one(files: dict[str, str]) -> Process:
    (process,) = processes(files).all
    return process


def value(found: Any) -> Any:
    return plain(found) if isinstance(found, Known) else "?"


WRAPPED = [
    "gunicorn app.wsgi -w 3",
    "/srv/venv/bin/gunicorn app.wsgi -w 3",
    "python -m gunicorn app.wsgi -w 3",
    "python3 -u -W ignore -m gunicorn app.wsgi -w 3",
    "poetry run gunicorn app.wsgi -w 3",
    "pipenv run gunicorn app.wsgi -w 3",
    "uv run --no-dev --extra prod gunicorn app.wsgi -w 3",
    "exec dumb-init -- gunicorn app.wsgi -w 3",
    "tini -g -- gunicorn app.wsgi -w 3",
    "gosu app gunicorn app.wsgi -w 3",
    "su-exec app:app gunicorn app.wsgi -w 3",
    "env -u X A=1 B=2 gunicorn app.wsgi -w 3",
    "A=1 gunicorn app.wsgi -w 3",
    "newrelic-admin run-program gunicorn app.wsgi -w 3",
    "ddtrace-run gunicorn app.wsgi -w 3",
    "opentelemetry-instrument --service_name shop gunicorn app.wsgi -w 3",
    "sh -c 'gunicorn app.wsgi -w 3'",
    "bash -lc 'cd /app && exec gunicorn app.wsgi -w 3'",
    "bash -o pipefail -c 'gunicorn app.wsgi -w 3'",
    "wait-for-it db:5432 -t 30 -- gunicorn app.wsgi -w 3",
    "./wait-for-postgres.sh db -- gunicorn app.wsgi -w 3",
    "dockerize -wait tcp://db:5432 -timeout 20s gunicorn app.wsgi -w 3",
    "chpst -u app -e ./env gunicorn app.wsgi -w 3",
    "nice -n 5 gunicorn app.wsgi -w 3",
    "timeout -k 5 60 gunicorn app.wsgi -w 3",
    "doppler run -- gunicorn app.wsgi -w 3",
    "bin/start-nginx gunicorn app.wsgi -w 3",
    "python manage.py migrate && gunicorn app.wsgi -w 3",
    "poetry run newrelic-admin run-program gunicorn app.wsgi -w 3",
]


@pytest.mark.parametrize("line", WRAPPED)
def test_wrappers(line: str) -> None:
    process = one({"Procfile": f"web: {line}\n"})
    assert (process.kind, value(process.app), value(process.setting("workers"))) == ("gunicorn", "app.wsgi", 3)
    region = process.place.region
    assert f"web: {line}"[region.column - 1 : region.end_column - 1].endswith("gunicorn")


KINDS = {
    "uvicorn app.asgi:application --workers 2": ("uvicorn", "asgi", 2, "app.asgi:application"),
    "UVICORN_WORKERS=4 uvicorn app.asgi:a": ("uvicorn", "asgi", 4, "app.asgi:a"),
    "WEB_CONCURRENCY=5 uvicorn app.asgi:a": ("uvicorn", "asgi", 5, "app.asgi:a"),
    "daphne -b 0.0.0.0 -p 8000 app.asgi:application": ("daphne", "asgi", 1, "app.asgi:application"),
    "hypercorn app.asgi:a -w 3": ("hypercorn", "asgi", 3, "app.asgi:a"),
    "GRANIAN_WORKERS=2 granian --interface asginl app.asgi:a": ("granian", "asgi", 2, "app.asgi:a"),
    "granian --interface wsgi app.wsgi:a": ("granian", "wsgi", 1, "app.wsgi:a"),
    "uwsgi --http :8000 --module app.wsgi --processes 4": ("uwsgi", "wsgi", 4, "app.wsgi"),
    "waitress-serve --threads=8 app.wsgi:application": ("waitress", "wsgi", 1, "app.wsgi:application"),
    "mod_wsgi-express start-server app/wsgi.py --processes 2": ("mod_wsgi", "wsgi", 2, "app/wsgi.py"),
    "python manage.py runserver 0.0.0.0:8000": ("runserver", "wsgi", 1, "?"),
    "./manage.py runserver_plus": ("runserver_plus", "wsgi", 1, "?"),
    "django-admin runserver --settings app.s": ("runserver", "wsgi", 1, "?"),
    "celery -A app worker -c 4": ("celery-worker", "", 4, "app"),
    "celery -A app worker --pool threads -c 20": ("celery-worker", "", 1, "app"),
    "celery -A app worker --autoscale=6,2": ("celery-worker", "", 6, "app"),
    "python -m celery -A app beat": ("celery-beat", "", 1, "app"),
    "python manage.py qcluster": ("qcluster", "", 1, "?"),
    "python manage.py rqworker default": ("rq", "", 1, "default"),
    "dramatiq app.tasks": ("dramatiq", "", 1, "app.tasks"),
    "gunicorn app.asgi -k uvicorn_worker.UvicornWorker -w 2": ("gunicorn", "asgi", 2, "app.asgi"),
    "gunicorn app.wsgi -k app.workers.Own -w 2": ("gunicorn", "", 2, "app.wsgi"),
}


@pytest.mark.parametrize("line", KINDS)
def test_kinds(line: str) -> None:
    process = one({"Procfile": f"web: {line}\n"})
    found = (process.kind, process.interface, value(process.setting("workers")), value(process.app))
    assert found == KINDS[line]


@pytest.mark.parametrize(
    "line",
    ["echo gunicorn app", "pip install gunicorn", "pkill gunicorn", "celery -A app flower", "python manage.py migrate"],
)
def test_what_starts_nothing(line: str) -> None:
    assert processes({"Procfile": f"web: {line}\n"}).all == ()


def test_celery_takes_the_hosts_processors() -> None:
    files = {"Procfile": "worker: celery -A app worker\n"}
    assert [value(item.setting("concurrency")) for item in processes(files, Host(vcpus=6)).all] == [6]
    assert [value(item.setting("concurrency")) for item in processes(files).all] == ["?"]


SCRIPT = """\
#!/bin/bash
set -e
WORKERS="${WORKERS:-3}"
serve() {
    exec gunicorn app.wsgi --workers $WORKERS "$@"
}
case "$1" in
    web) shift; serve --threads 2 ;;
    worker) exec celery -A app worker -c 2 ;;
    *) exec "$@" ;;
esac
"""


@pytest.mark.parametrize(
    ("command", "kind", "workers"),
    [
        ('["web"]', "gunicorn", 3),
        ('["worker"]', "celery-worker", 2),
        ('["uvicorn", "app.asgi:a", "--workers", "7"]', "uvicorn", 7),
    ],
)
def test_an_entry_point_and_its_argument(command: str, kind: str, workers: int) -> None:
    files = {
        "Dockerfile": f'{DOCKERFILE}COPY docker/entry /entry\nENTRYPOINT ["/entry"]\nCMD {command}\n',
        "docker/entry": SCRIPT,
    }
    process = one(files)
    assert (process.kind, value(process.setting("workers")), process.shell) == (kind, workers, "")
    assert process.place.path == ("Dockerfile" if kind == "uvicorn" else "docker/entry")


def test_environment_reaches_scripts_from_every_place() -> None:
    files = {
        "Dockerfile": f'{DOCKERFILE}ENV WORKERS=2 THREADS=2 TIMEOUT=20\nCMD ["./start.sh"]\n',
        "start.sh": "#!/bin/sh\nexport TIMEOUT=40\nexec gunicorn a.wsgi -w $WORKERS --threads $THREADS -t $TIMEOUT\n",
        "docker-compose.yml": "services:\n  web:\n    build: .\n    env_file: web.env\n"
        "    environment:\n      THREADS: 4\n",
        "web.env": "WORKERS=5\nTHREADS=9\n",
    }
    process = one(files)
    assert [value(process.setting(name)) for name in ("workers", "threads", "timeout")] == [5, 4, 40]


def test_compose_fills_its_own_variables_only() -> None:
    files = {
        "docker-compose.yml": "services:\n  web:\n    image: x\n"
        "    command: gunicorn a.wsgi -w ${W} --threads ${T:-2}\n"
        "    environment:\n      W: 4\n",
        ".env": "T=8\n",
    }
    process = one(files)
    assert [value(process.setting(name)) for name in ("workers", "threads")] == ["?", 8]


def test_services_merge() -> None:
    files = {
        "docker-compose.yml": "services:\n  web:\n    build: .\n    environment: {A: 1, WEB_CONCURRENCY: 2}\n"
        "    command: python manage.py runserver\n",
        "docker-compose.prod.yml": "services:\n  web:\n    command: gunicorn a.wsgi\n    environment:\n      A: 2\n"
        "    deploy: {replicas: 3}\n  api:\n    extends: {file: docker-compose.yml, service: web}\n"
        "    command: uvicorn a:b\n",
        "Dockerfile": DOCKERFILE,
    }
    found = {(item.origin.path, item.origin.service): item for item in processes(files).all}
    web = found["docker-compose.prod.yml", "web"]
    assert (web.kind, value(web.processes), value(web.environment["A"])) == ("gunicorn", 6, "2")
    assert found["docker-compose.prod.yml", "api"].kind == "uvicorn"
    assert found["docker-compose.yml", "web"].audience == "development"
    assert web.environment["WEB_CONCURRENCY"].places[0].path == "docker-compose.yml"


def test_limits() -> None:
    text = "services:\n  web:\n    image: x\n    command: gunicorn a -w 2\n    cpus: 1.5\n    mem_limit: 512m\n"
    process = one({"compose.yml": text})
    assert (value(process.cpus), value(process.memory)) == (1.5, 512 * 1024**2)


AUDIENCES = {
    "Procfile": ({"Procfile": "web: gunicorn a\n"}, "production"),
    "Procfile.dev": ({"Procfile.dev": "web: gunicorn a\n"}, "development"),
    "a unit": ({"deploy/shop.service": "[Service]\nExecStart=/v/gunicorn a\n"}, "production"),
    "a plain compose file": ({"docker-compose.yml": "services: {web: {image: x, command: gunicorn a}}"}, "production"),
    "local": ({"docker-compose.local.yml": "services: {web: {image: x, command: gunicorn a}}"}, "development"),
    "a folder": ({"compose/local/compose.yml": "services: {web: {image: x, command: gunicorn a}}"}, "development"),
    "below production": ({"dev/production/web.service": "[Service]\nExecStart=/v/gunicorn a\n"}, "production"),
    "below development": (
        {"deploy/dev/compose.yml": "services: {web: {image: x, command: gunicorn a}}"},
        "development",
    ),
    "settings": (
        {"compose.yml": "services: {w: {image: x, command: gunicorn a, environment: {DJANGO_SETTINGS_MODULE: a.dev}}}"},
        "development",
    ),
    "a profile": ({"compose.yml": "services: {w: {image: x, command: gunicorn a, profiles: [dev]}}"}, "development"),
    "a project": ({"compose.yml": "name: shop-dev\nservices: {w: {image: x, command: gunicorn a}}"}, "development"),
    "DEBUG": (
        {"compose.yml": "services: {w: {image: x, command: gunicorn a, environment: {DEBUG: 1}}}"},
        "development",
    ),
    "an image": ({"Dockerfile": f'{DOCKERFILE}CMD ["gunicorn", "a"]\n'}, "production"),
    "an image for developers": ({"Dockerfile.dev": f'{DOCKERFILE}CMD ["gunicorn", "a"]\n'}, "development"),
    "runserver and the source": (
        {"compose.yml": "services: {w: {image: x, command: ./manage.py runserver, volumes: ['.:/a']}}", "m.py": ""},
        "development",
    ),
    "runserver, restarted": (
        {"compose.yml": "services: {w: {image: x, command: ./manage.py runserver, restart: always}}"},
        "production",
    ),
    "runserver": ({"compose.yml": "services: {w: {image: x, command: ./manage.py runserver}}"}, "unknown"),
}


@pytest.mark.parametrize(("files", "audience"), AUDIENCES.values(), ids=AUDIENCES)
def test_audience(files: dict[str, str], audience: str) -> None:
    assert [process.audience for process in processes(files).all] == [audience]


def test_a_development_server_beside_productions() -> None:
    files = {
        "compose.yml": "services: {w: {image: x, command: ./manage.py runserver}}",
        "Procfile": "web: gunicorn a\n",
    }
    assert [item.audience for item in processes(files).all] == ["production", "development"]


def test_web_process_count() -> None:
    def count(files: dict[str, str]) -> Any:
        return value(processes(files).web_process_count)

    assert count({"Procfile": "web: gunicorn a -w 3\n"}) == 3
    assert count({"Procfile": "web: gunicorn a -w 3\napi: gunicorn b -w 2\n"}) == 5
    assert count({"Procfile": "web: gunicorn a\n"}) == "?"
    assert count({"Procfile": "web: python manage.py runserver\n"}) == "?"
    branches = '#!/bin/sh\nif [ "$X" ]; then exec gunicorn a -w 3; else exec gunicorn b -w 3; fi\n'
    assert count({"Dockerfile": f'{DOCKERFILE}CMD ["./start.sh"]\n', "start.sh": branches}) == 3


def test_a_copied_configuration_is_read_and_an_uncopied_one_is_not() -> None:
    files = {
        "Dockerfile": 'FROM python:3.13\nWORKDIR /app\nCOPY shop/ ./\nCMD ["gunicorn", "a"]\n',
        "shop/gunicorn.conf.py": "workers = 4\n",
        "other/gunicorn.conf.py": "workers = 9\n",
    }
    assert value(one(files).setting("workers")) == 4


def test_through_stages() -> None:
    files = {
        "Dockerfile": "FROM python:3.13 AS base\nWORKDIR /app\nCOPY . /src\n"
        'FROM base AS other\nFROM python:3.13\nCOPY --from=base /src /app\nWORKDIR /app\nCMD ["/app/bin/start"]\n',
        "bin/start": "#!/bin/sh\nexec gunicorn a -w 2\n",
    }
    process = one(files)
    assert (process.place.path, value(process.setting("workers"))) == ("bin/start", 2)


@pytest.mark.parametrize(
    "files",
    [
        {"Procfile": "web: ./a.sh\n", "a.sh": "#!/bin/sh\n./b.sh\n", "b.sh": "#!/bin/sh\n./a.sh\n"},
        {"Procfile": "web: ./a.sh\n", "a.sh": "f() { f; }\nf\n"},
        {"Procfile": "web: ./a.sh\n", "a.sh": "f() { g; g; }\ng() { f; f; }\nf\n"},
        {"Procfile": "web: ./a.sh\n", "a.sh": ". ./a.sh\n. ./a.sh\n"},
        {"compose.yml": "services:\n  a:\n    extends: b\n    image: x\n  b:\n    extends: a\n"},
        {"Dockerfile": 'FROM x AS x\nCOPY --from=x /a /a\nCMD ["/a/b.sh"]\n', "b.sh": "exec gunicorn a\n"},
        {"Procfile": "web: A=$B B=$A gunicorn $A\n"},
        {"Procfile": "web: " + "env " * 200 + "gunicorn a\n"},
    ],
    ids=["scripts", "a function", "functions", "sources", "extends", "stages", "variables", "wrappers"],
)
def test_circles_end(files: dict[str, str]) -> None:
    assert len(processes(files).all) <= 1


def test_unknown_words_leave_the_rest_open() -> None:
    process = one({"Procfile": "web: gunicorn $OPTIONS a.wsgi --threads 2\n"})
    assert value(process.setting("threads")) == 2
    timeout = process.setting("timeout")
    assert isinstance(timeout, Unknown)
    assert "OPTIONS" in timeout.why


@pytest.mark.parametrize(
    ("dockerfile", "shell"),
    [
        ("FROM python:3.13-slim\nCMD gunicorn a\n", "sh"),
        ("FROM python:3.13-alpine\nCMD gunicorn a\n", "?"),
        ("FROM rockylinux:9\nCMD gunicorn a\n", ""),
        ("FROM python:3.13-slim\nCMD exec gunicorn a\n", ""),
        ('FROM python:3.13-slim\nCMD ["gunicorn", "a"]\n', ""),
        ('FROM python:3.13-slim\nCMD ["bash", "-c", "x && gunicorn a"]\n', ""),
        ('FROM python:3.13-slim\nCMD ["bash", "-c", "gunicorn a; x"]\n', "bash"),
        ('FROM python:3.13-slim\nCMD ["sh", "-c", "gunicorn a"]\n', "sh"),
    ],
)
def test_the_shell_that_waits(dockerfile: str, shell: str) -> None:
    assert one({"Dockerfile": dockerfile}).shell == shell


@pytest.mark.parametrize("given", ["[1]", "3", "{}", "object()", "dict"])
@pytest.mark.parametrize(
    "name", ["worker_class", "bind", "workers", "wsgi_app", "raw_env", "preload_app", "logconfig_dict"]
)
def test_a_configuration_of_wrong_types(name: str, given: str) -> None:
    process = one({"Procfile": "web: gunicorn a\n", "gunicorn.conf.py": f"{name} = {given}\n"})
    assert isinstance(process.worker_class, (Known, Unknown))
    assert isinstance(process.processes, (Known, Unknown))


def test_a_script_of_the_project_that_is_called_like_the_wrapper_of_images() -> None:
    process = one(
        {
            "Dockerfile": DOCKERFILE + 'ENTRYPOINT ["./docker-entrypoint.sh"]\n',
            "docker-entrypoint.sh": "#!/bin/sh\nexport WORKERS=3\nexec gunicorn app.wsgi -w $WORKERS\n",
        }
    )
    assert value(process.setting("workers")) == 3


def test_a_script_of_that_name_that_runs_what_it_is_given() -> None:
    process = one(
        {
            "Dockerfile": DOCKERFILE
            + 'ENTRYPOINT ["./docker-entrypoint.sh"]\nCMD ["gunicorn", "app.wsgi", "-w", "2"]\n',
            "docker-entrypoint.sh": '#!/bin/sh\nexport DEBUG=1\nexec "$@"\n',
        }
    )
    assert (value(process.setting("workers")), value(process.environment["DEBUG"])) == (2, "1")


def test_uwsgi_sets_variables_itself() -> None:
    process = one(
        {
            "Procfile": "web: uwsgi --ini uwsgi.ini --env STAGE=live\n",
            "uwsgi.ini": "[uwsgi]\nmodule = shop.wsgi\nenv = DJANGO_SETTINGS_MODULE=shop.live\nenv = DEBUG=0\n",
        }
    )
    assert value(process.settings_module) == "shop.live"
    assert [value(process.environment[name]) for name in ("DEBUG", "STAGE")] == ["0", "live"]
