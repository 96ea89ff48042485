"""Kubernetes and hosting platforms: what they start, how often, within which limits, and whose image it is."""

from __future__ import annotations

import pytest

from stackaudit.discover import kind_of
from tests.link.processes.test_processes import DOCKERFILE, one, processes, stack_of, value

POD = """
apiVersion: apps/v1
kind: {kind}
metadata: {{name: web}}
spec:
  {spec}
  template:
    spec:
      {pod}
      containers:
      - name: web
        image: registry.example.org/shop:1
        {container}
"""
GUNICORN = 'command: ["gunicorn"], args: [shop.wsgi, -w, "3"]'.replace(", args", "\n        args")


def manifest(container: str = GUNICORN, *, kind: str = "Deployment", spec: str = "", pod: str = "") -> str:
    return POD.format(
        kind=kind, spec=spec or "minReadySeconds: 1", pod=pod or "restartPolicy: Always", container=container
    )


@pytest.mark.parametrize(
    "container",
    [
        GUNICORN,
        'command: [/bin/sh, -c]\n        args: ["exec gunicorn shop.wsgi -w 3"]',
        'command: [sh, -c, "python manage.py check && exec gunicorn shop.wsgi -w 3"]',
        "command: [./run.sh]\n        args: [web]",
        'args: ["./run.sh", "web"]',
        "command: [gunicorn, shop.wsgi]\n        env:\n        - {name: GUNICORN_CMD_ARGS, value: --workers=3}",
        "command: [gunicorn, shop.wsgi, --workers=$(N)]\n        env:\n        - {name: N, value: '3'}",
    ],
)
def test_a_container_starts(container: str) -> None:
    process = one(
        {
            "k8s/web.yaml": manifest(container),
            "Dockerfile": DOCKERFILE,
            "run.sh": '#!/bin/sh\n[ "$1" = web ] && exec gunicorn shop.wsgi -w 3\n',
        }
    )
    assert (process.kind, value(process.setting("workers")), process.audience) == ("gunicorn", 3, "production")
    assert (process.origin.kind, process.origin.service, process.shell) == ("kubernetes", "web", "")


def test_limits_replicas_and_variables() -> None:
    container = """command: [gunicorn, shop.wsgi]
        envFrom: [{configMapRef: {name: shop}}]
        resources: {limits: {cpu: 1500m, memory: 512Mi}}"""
    maps = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata:\n  WEB_CONCURRENCY: '4'\n"
    process = one({"k8s/web.yaml": manifest(container, spec="replicas: 2"), "k8s/config.yaml": maps})
    assert value(process.processes) == 8
    assert (value(process.cpus), value(process.memory)) == (1.5, 512 * 1024**2)
    (alone,) = processes({"k8s/web.yaml": manifest(container)}).all
    assert value(alone.setting("workers")) == "?"


@pytest.mark.parametrize(
    "other",
    [
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nspec:\n  scaleTargetRef: {name: web}\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nreplicas: [{name: web, count: 5}]\n",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 5\n",
        "kind: Kustomization\npatches:\n- patch: |-\n    - {op: replace, path: /spec/replicas, value: 5}\n",
    ],
)
def test_others_decide_the_number(other: str) -> None:
    process = one({"k8s/base/web.yaml": manifest(spec="replicas: 2"), "k8s/overlays/prod/other.yaml": other})
    assert value(process.replicas) == "?"


def test_what_runs_first_and_what_runs_once() -> None:
    pod = "initContainers:\n      - name: migrate\n        command: [python, manage.py, migrate]"
    process = one({"k8s/web.yaml": manifest(pod=pod, spec="replicas: 3")})
    assert [chore.name for chore in process.chores] == ["migrate"]
    job = manifest("command: [gunicorn, shop.wsgi]", kind="Job")
    assert one({"k8s/web.yaml": f"{manifest()}---{job}"}).origin.service == "web"


def test_the_command_of_the_image_is_not_run_where_another_is_given() -> None:
    files = {"k8s/web.yaml": manifest(), "Dockerfile": DOCKERFILE + 'CMD ["gunicorn", "shop.wsgi"]\n'}
    (server,) = processes(files).production_servers
    assert server.origin.kind == "kubernetes"
    # without a command of its own, an image that is called like the code runs what the Dockerfile says
    files = {**files, "k8s/web.yaml": manifest("ports: []", spec="replicas: 2"), "shop/wsgi.py": ""}
    process = one(files)
    assert (process.origin.kind, value(process.replicas)) == ("kubernetes", 2)
    files["k8s/web.yaml"] = files["k8s/web.yaml"].replace("registry.example.org/shop:1", "postgres:17")
    assert one(files).origin.kind == "dockerfile"
    # an example among the documents takes nobody's place
    files["docs/k8s/web.yaml"] = manifest()
    assert {process.origin.path: process.audience for process in processes(files).all} == {
        "Dockerfile": "production",
        "docs/k8s/web.yaml": "development",
    }


FILES = {
    "fly.toml": '[processes]\nweb = "gunicorn shop.wsgi -w 3"\nworker = "celery -A shop worker -c 2"\n',
    "render.yaml": "services:\n- {type: web, name: web, startCommand: gunicorn shop.wsgi -w 3}\n"
    "- {type: cron, name: x, startCommand: gunicorn shop.wsgi -w 9}\n",
    "railway.json": '{"deploy": {"startCommand": "python manage.py check && gunicorn shop.wsgi -w 3"}}',
    "railway.toml": '[deploy]\nstartCommand = "gunicorn shop.wsgi -w 3"\n',
    "nixpacks.toml": "[start]\ncmd = 'gunicorn shop.wsgi -w 3'\n",
    "heroku.yml": "run:\n  web: gunicorn shop.wsgi -w 3\n  release: gunicorn shop.wsgi\n",
    "app.yaml": "runtime: python312\nentrypoint: gunicorn -b :$PORT shop.wsgi -w 3\n",
    ".do/app.yaml": "services:\n- name: web\n  run_command: |\n    gunicorn shop.wsgi -w 3\njobs:\n- run_command: sh\n",
    ".platform.app.yaml": "web:\n  commands: {start: gunicorn -b unix:$SOCKET shop.wsgi -w 3}\n",
    "apprunner.yaml": "run:\n  command: gunicorn shop.wsgi -w 3\n",
}


@pytest.mark.parametrize("path", FILES)
def test_platforms(path: str) -> None:
    stack = stack_of({path: FILES[path], "Dockerfile": DOCKERFILE, "shop/wsgi.py": ""})
    (server,) = stack.processes.production_servers
    assert (server.kind, value(server.setting("workers")), value(server.app)) == ("gunicorn", 3, "shop.wsgi")
    assert (server.origin.kind, server.origin.path, server.audience) == ("platform", path, "production")
    line = FILES[path].splitlines()[server.place.region.line - 1]
    assert line[server.place.region.column - 1 :].startswith("gunicorn")


def test_what_a_platform_builds() -> None:
    fly = '[build]\ndockerfile = "docker/Dockerfile"\n'
    dockerfile = DOCKERFILE + 'CMD ["gunicorn", "shop.wsgi", "-w", "2"]\n'
    process = one({"fly.toml": fly, "docker/Dockerfile": dockerfile})
    assert (process.origin.kind, value(process.setting("workers"))) == ("platform", 2)
    scaled = "services:\n- {type: web, name: w, startCommand: uvicorn a.asgi:a, scaling: {minInstances: 2}}\n"
    assert value(one({"render.yaml": scaled}).replicas) == "?"
    assert value(one({"render.yaml": scaled.replace("scaling: {minInstances: 2}", "numInstances: 2")}).replicas) == 2


def test_helm_is_not_rendered() -> None:
    text = manifest(spec="replicas: {{ .Values.replicas }}")
    assert kind_of("chart/templates/web.yaml", text.encode()) is None


@pytest.mark.parametrize(
    "unfinished",
    [
        "kind: DaemonSet\nmetadata: {name: logs}\n",
        "kind: DaemonSet\nspec: {}\n",
        "apiVersion: serving.knative.dev/v1\nkind: Service\nspec: {traffic: []}\n",
    ],
)
def test_a_workload_without_a_pod_starts_nothing(unfinished: str) -> None:
    beside = manifest().removeprefix("\n")
    process = one({"k8s/all.yaml": f"{unfinished}---\n{beside}", "Dockerfile": DOCKERFILE})
    assert (process.kind, process.origin.path) == ("gunicorn", "k8s/all.yaml")
