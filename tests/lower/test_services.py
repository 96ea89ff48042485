"""Dockerfiles, compose files, units, supervisor, uWSGI and Procfiles."""

from __future__ import annotations

import time
from typing import Any

import pytest

from stackaudit.facts.commands import Command, Text
from stackaudit.facts.files import UnreadableError
from stackaudit.facts.services import Build
from stackaudit.lower import compose, crontab, dockerfile, procfile, supervisor, systemd, uwsgi
from stackaudit.model.source import Region


def argv(command: Command | None) -> list[Any]:
    return [] if command is None else [[word.text for word in step.words] for step in command.steps]


DOCKERFILE = b"""\
# syntax=docker/dockerfile:1
ARG PYTHON=3.13
FROM python:${PYTHON}-slim AS base
ENV A=1 \\
    # a comment in between
    B="two words"
ENV OLD value with blanks
WORKDIR /srv
WORKDIR app
FROM base
ARG HOME=/srv/app
COPY --chown=app:app --from=base /srv /srv
COPY ["a b.py", "x/"]
RUN <<EOF
CMD ["no"]
EOF
USER app
EXPOSE 8000/tcp
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s CMD curl -f localhost
ENTRYPOINT ["/entry.sh"]
CMD gunicorn \\
    --bind 0.0.0.0:$PORT \\
    shop.wsgi
"""


def test_dockerfile() -> None:
    first, last = dockerfile.lower(DOCKERFILE, "Dockerfile").stages
    assert (first.name, first.image.text) == ("base", "python:${PYTHON}-slim")
    assert [(item.name, item.value and item.value.text) for item in first.env] == [
        ("A", "1"),
        ("B", "two words"),
        ("OLD", "value with blanks"),
    ]
    assert first.workdir == Text("/srv/app", ())
    assert [(item.name, item.value and item.value.text) for item in last.args] == [
        ("PYTHON", "3.13"),
        ("HOME", "/srv/app"),
    ]
    assert [([source.text for source in item.sources], item.target.text, item.stage) for item in last.copies] == [
        (["/srv"], "/srv", "base"),
        (["a b.py"], "x/", ""),
    ]
    assert (last.user, [word.text for word in last.ports]) == (Text("app", ()), ["8000/tcp"])
    assert last.stop_signal is not None
    assert last.stop_signal.text == "SIGINT"
    assert argv(last.healthcheck) == [["curl", "-f", "localhost"]]
    assert (argv(last.entrypoint), last.entrypoint.shell if last.entrypoint else None) == ([["/entry.sh"]], False)
    assert (argv(last.cmd), last.cmd.shell if last.cmd else None) == (
        [["gunicorn", "--bind", "0.0.0.0:$PORT", "shop.wsgi"]],
        True,
    )


def test_places_in_a_dockerfile() -> None:
    (stage,) = dockerfile.lower(b'FROM x\nCMD ["gunicorn", \\\n  "-w", "\\u0033"]\n', "Dockerfile").stages
    assert stage.cmd is not None
    assert [(word.text, word.region) for word in stage.cmd.steps[0].words] == [
        ("gunicorn", Region(2, 6, 2, 16)),
        ("-w", Region(3, 3, 3, 7)),
        ("3", Region(3, 9, 3, 17)),
    ]


def test_json_that_is_none_runs_in_a_shell() -> None:
    (stage,) = dockerfile.lower(b"FROM x\nCMD ['gunicorn', 'app']\n", "Dockerfile").stages
    assert stage.cmd is not None
    assert stage.cmd.shell


def test_no_variable_is_replaced_in_the_json_form() -> None:
    (stage,) = dockerfile.lower(b'FROM x\nCMD ["gunicorn", "-b", "0.0.0.0:$PORT"]\n', "Dockerfile").stages
    assert stage.cmd is not None
    assert [word.holes for word in stage.cmd.steps[0].words] == [(), (), ()]


COMPOSE = b"""\
name: shop
x-app: &app
  image: shop:1
  env_file: [.env]
  environment:
    A: "1"
services:
  web:
    <<: *app
    build:
      context: ./app
      args: [V=2]
    command: gunicorn -w ${WORKERS:-3} 'a b'
    ports: ["8000:80", {published: 9000, target: 90}]
    volumes: [".:/code", "data:/data", "/tmp"]
    deploy: {replicas: 2, resources: {limits: {cpus: "0.5", memory: 512M}}}
    profiles: [prod]
  worker:
    extends: {file: base.yml, service: job}
    environment: [B=2, C]
    entrypoint: ["sh", "-c", "exec celery $$X"]
    command:
      - --verbose
"""


def test_compose() -> None:
    facts = compose.lower(COMPOSE, "compose.yml")
    web, worker = facts.services
    assert facts.name == "shop"
    assert web.image is not None
    assert (web.image.text, web.region) == ("shop:1", Region(8, 3, 8, 6))
    assert web.build is not None
    assert web.build == Build(Text("./app", ()), args=web.build.args)
    assert argv(web.command) == [["gunicorn", "-w", "${WORKERS:-3}", "a b"]]
    assert web.command is not None
    assert [word.region for word in web.command.steps[0].words] == [
        Region(13, 14, 13, 22),
        Region(13, 23, 13, 25),
        Region(13, 26, 13, 39),
        Region(13, 40, 13, 45),
    ]
    assert [(item.name, item.value and item.value.text) for item in web.environment] == [("A", "1")]
    assert [word.text for word in web.env_files] == [".env"]
    assert [word.text for word in web.ports] == ["8000:80", "9000:90"]
    assert [(item.source.text, item.target) for item in web.mounts] == [(".", "/code"), ("data", "/data"), ("", "/tmp")]
    assert {key: word.text for key, word in web.options.items()} == {
        "deploy.replicas": "2",
        "deploy.resources.limits.cpus": "0.5",
        "deploy.resources.limits.memory": "512M",
    }
    assert web.profiles == ("prod",)
    assert worker.extends is not None
    assert (worker.extends.file, worker.extends.service) == ("base.yml", "job")
    assert [(item.name, item.value and item.value.text) for item in worker.environment] == [("B", "2"), ("C", None)]
    assert worker.entrypoint is not None
    assert [[word.text for word in step.words] for step in worker.entrypoint.steps[0].inner] == [["celery", "$X"]]
    assert argv(worker.command) == [["--verbose"]]


@pytest.mark.parametrize(
    "text",
    [
        'services:\n  web:\n    command: >\n      bash -c "gunicorn\n      app"\n',
        'services:\n  web:\n    command: |\n      bash -c "gunicorn\n      app"\n',
        "services:\n  web:\n    command: 'bash -c \"gunicorn\n      app\"'\n",
    ],
    ids=["folded", "literal", "quoted"],
)
def test_places_in_scalars_of_every_style(text: str) -> None:
    (web,) = compose.lower(text.encode(), "compose.yml").services
    assert web.command is not None
    lines = text.split("\n")
    for step in web.command.steps[0].inner:
        for word in step.words:
            region = word.region
            assert lines[region.line - 1][region.column - 1 : region.end_column - 1] == word.text


def test_a_yaml_bomb_costs_nothing() -> None:
    bomb = "a: &a [x, x]\n"
    for before, name in zip("abcdefghijkl", "bcdefghijklm", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    bomb += "services:\n  web:\n    command: *m\n    volumes: *m\n    environment: *m\n"
    begin = time.monotonic()
    (web,) = compose.lower(bomb.encode(), "compose.yml").services
    assert time.monotonic() - begin < 2
    assert web.name == "web"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"services:\n  web: [", "not YAML: expected the node content, but found '<stream end>'"),
        (b"services: " + b"[" * 2000, "nests too deeply"),
        (b"a: *nobody", "not YAML: found undefined alias 'nobody'"),
        (b"a: &x *x", "not YAML"),
        (b"\xff", "not UTF-8 text"),
    ],
    ids=["broken", "deep", "no anchor", "self", "encoding"],
)
def test_unreadable_compose(data: bytes, why: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        compose.lower(data, "compose.yml")
    assert caught.value.why.startswith(why)


UNIT = b"""\
[Unit]
Description=Shop
[Service]
Environment="A=one two" B=2
EnvironmentFile=-/etc/shop.env
ExecStart=/bin/false
ExecStart=
ExecStart=-@/srv/venv/bin/gunicorn shop --workers 3 \\
    # a comment
    --bind ${BIND} $EXTRA ; /bin/echo done
Restart=always
"""


def test_systemd() -> None:
    unit = systemd.lower(UNIT, "shop.service")
    assert [argv(command) for command in unit.commands] == [
        [["/srv/venv/bin/gunicorn", "--workers", "3", "--bind", "${BIND}", "$EXTRA"]],
        [["/bin/echo", "done"]],
    ]
    assert unit.commands[0].steps[0].words[0].region == Region(8, 13, 8, 35)
    assert [(hole.name, hole.splits) for word in unit.commands[0].steps[0].words for hole in word.holes] == [
        ("BIND", True),
        ("EXTRA", True),
    ]
    assert [(item.name, item.value and item.value.text) for item in unit.environment] == [("A", "one two"), ("B", "2")]
    restart = unit.option("Service", "Restart")
    assert restart is not None
    assert restart.text == "always"


SUPERVISOR = b"""\
[supervisord]
nodaemon=true
[program:web]
command=/srv/bin/gunicorn shop.wsgi ; the site
    --workers %(ENV_WORKERS)s
environment=A="1,2",B=x
directory=/srv/shop
numprocs=2
"""


def test_supervisor() -> None:
    (program,) = supervisor.lower(SUPERVISOR, "supervisord.conf").programs
    assert argv(program.command) == [["/srv/bin/gunicorn", "shop.wsgi", "--workers", "%(ENV_WORKERS)s"]]
    assert program.command is not None
    assert program.command.steps[0].words[3].holes[0].name == "WORKERS"
    assert [(item.name, item.value and item.value.text) for item in program.environment] == [("A", "1,2"), ("B", "x")]
    assert {key: word.text for key, word in program.options.items() if key in ("directory", "numprocs")} == {
        "directory": "/srv/shop",
        "numprocs": "2",
    }


def test_uwsgi() -> None:
    facts = uwsgi.lower(
        b"[uwsgi]\nmaster\nif-env = X\nprocesses = 2\nendif =\nharakiri = $(H)\n[other]\na = 1\n", "uwsgi.ini"
    )
    assert [(item.key, item.value.text, item.conditions) for item in facts.options] == [
        ("master", "true", ()),
        ("processes", "2", ("if-env = X",)),
        ("harakiri", "$(H)", ()),
    ]


def test_procfile() -> None:
    facts = procfile.lower(b"# all\nweb:  gunicorn shop && x\n\nbroken line\nclock:python x.py", "Procfile")
    assert [(entry.name, argv(entry.command), entry.region) for entry in facts.entries] == [
        ("web", [["gunicorn", "shop"], ["x"]], Region(2, 1, 2, 4)),
        ("clock", [["python", "x.py"]], Region(5, 1, 5, 6)),
    ]
    assert [(note.text, note.line) for note in facts.notes] == [("not a line `name: command`", 4)]


def test_crontab() -> None:
    facts = crontab.lower(
        b"# m h dom mon dow\nMAILTO=shop@example.org\n0 3 * * 1-5 manage.py prune --days 7 && manage.py mail\n"
        b"@daily shop /srv/venv/bin/manage.py tidy\n*/5 * * JAN,FEB * cd /srv; ./sync\n# 0 3 * * * manage.py old\n",
        "crontab",
    )
    assert [[word.text for word in step.words] for step in facts.steps] == [
        ["manage.py", "prune", "--days", "7"],
        ["manage.py", "mail"],
        ["shop", "/srv/venv/bin/manage.py", "tidy"],
        ["cd", "/srv"],
        ["./sync"],
    ]
    assert facts.steps[1].region == Region(3, 41, 3, 55)


def test_a_template_whose_tags_shift_a_line() -> None:
    text = (
        "volumes:\n  data: {}\n  {% if redis %}redis: {}{% endif %}\nservices:\n  {%- if web %}\n  web:\n"
        "    image: {{ name }}_web\n    command: gunicorn a\n  {%- endif %}\n"
    )
    (web,) = compose.lower(text.encode(), "compose.yml").services
    assert (web.name, argv(web.command), web.region) == ("web", [["gunicorn", "a"]], Region(6, 3, 6, 6))
