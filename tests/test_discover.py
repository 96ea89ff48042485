"""The right files are found, under the right kind, whatever the folder looks like."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.discover import Input, discover, kind_of

NGINX = b"server {\n  listen 80;\n}\n"


@pytest.mark.parametrize(
    ("path", "head", "kind"),
    [
        ("manage.py", b"", "python"),
        ("gunicorn.conf.py", b"", "python"),
        ("deploy/nginx.conf.py", NGINX, "python"),
        ("nginx.conf", NGINX, "nginx"),
        ("deploy/shop.conf", NGINX, "nginx"),
        ("etc/sites-available/shop", b"proxy_pass http://app;\n", "nginx"),
        ("nginx/Dockerfile", b"FROM nginx:1.26\n", "dockerfile"),
        ("nginx/default.conf.template", b"# see README\nupstream app {\n", "nginx"),
        ("postgresql.conf", b"shared_buffers = 128MB\n", "postgresql"),
        ("bin/start-nginx", b"#!/bin/bash\nnginx -g 'daemon off;'\n", "shell"),
        ("Procfile", b"", "procfile"),
        ("Procfile.dev", b"", "procfile"),
        ("docker/Dockerfile.prod", b"", "dockerfile"),
        ("web.Dockerfile", b"", "dockerfile"),
        ("docker/Dockerfile.dockerignore", b"", None),
        ("docker-compose.prod.yml", b"", "compose"),
        ("compose.yaml", b"", "compose"),
        ("production.yml", b"volumes:\n  x: {}\n\nservices:\n  web:\n", "compose"),
        (".travis.yml", b"services:\n  - postgresql\n", None),
        ("deploy/web.service", b"", "systemd"),
        ("supervisord.conf", b"[supervisord]\n", "supervisor"),
        ("k8s/web.yaml", b"apiVersion: apps/v1\nkind: Deployment\n", "kubernetes"),
        ("chart/templates/web.yaml", b"kind: Deployment\nmetadata: {name: {{ .Values.name }}}\n", None),
        ("fly.production.toml", b"", "platform"),
        (".do/app.yaml", b"services:\n- name: web\n  run_command: gunicorn a.wsgi\n", "platform"),
        ("app.yaml", b"title: not a platform's\n", None),
        ("conf/worker.ini", b"[program:worker]\n", "supervisor"),
        ("docker/entrypoint", b"#!/usr/bin/env bash\n", "shell"),
        ("docker/start.sh", b"", "shell"),
        ("deploy/crontab", b"", "crontab"),
        ("docker/shop.cron", b"", "crontab"),
        ("deploy/crontab.j2", b"", "crontab"),
        ("docs/cron-jobs.md", b"", None),
        ("requirements.txt", b"", "requirements"),
        ("requirements/base.txt", b"", "requirements"),
        ("requirements-dev.in", b"", "requirements"),
        ("pyproject.toml", b"", "pyproject"),
        ("uv.lock", b"", "lock"),
        ("Pipfile.lock", b"", "lock"),
        ("pylock.toml", b"", "lock"),
        ("Pipfile", b"", "pipfile"),
        ("setup.cfg", b"", "setupcfg"),
        (".env", b"", "dotenv"),
        (".env.production", b"", "dotenv"),
        (".env-prod", b"", "dotenv"),
        ("environment", b"# of compose\nDEBUG=0\nexport HOST=a\n\n", "dotenv"),
        ("environment", b"name: shop\n", None),
        ("config/django.env.prod", b"DEBUG=0\n", "dotenv"),
        (".envs/.production/.django", b"", "dotenv"),
        ("runtime.txt", b"", "runtime"),
        ("shop/templates/shop/list.html", b"", "template"),
        ("shop/templates/mail/order.txt", b"", "template"),
        ("shop/jinja2/list.jinja", b"", "template"),
        ("notes.txt", b"", None),
        ("logo.png", b"\x89PNG", None),
    ],
)  # fmt: skip
def test_kind(path: str, head: bytes, kind: str | None) -> None:
    assert kind_of(path, head) == kind


def write(root: Path, *paths: str, text: str = "") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def found(root: Path, **wishes: list[str]) -> list[str]:
    return [item.path for item in discover(root, **wishes).files]


def test_settings_for_third_party_packages_are_no_vendored_code(tmp_path: Path) -> None:
    write(tmp_path, "shop/settings/third_party/aws.py", "shop/third_party/lib.py")
    assert [item.path for item in discover(tmp_path).files] == ["shop/settings/third_party/aws.py"]


def test_tests_migrations_and_vendored_code_are_left_out_and_said(tmp_path: Path) -> None:
    write(tmp_path, "shop/models.py", "shop/migrations/__init__.py", "shop/migrations/0001.py", "tests/test_a.py")
    write(tmp_path, "shop/tests.py", "vendor/lib.py", "node_modules/x/setup.py", ".git/hooks/a.py", ".venv/x.py")
    inputs = discover(tmp_path)
    assert inputs.files == (Input("shop/models.py", "python"),)
    assert inputs.left_out == {
        "files of tests": 1,
        "folders of migrations": 1,
        "folders of tests": 1,
        "folders of vendored code": 1,
    }


def test_a_virtual_environment_is_known_by_its_mark(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "myenv/pyvenv.cfg", "myenv/lib/x.py")
    assert found(tmp_path) == ["a.py"]


def test_an_application_called_test_is_read(tmp_path: Path) -> None:
    write(tmp_path, "testing/models.py", "testing/views.py", "testing/urls.py")
    assert found(tmp_path) == ["testing/models.py", "testing/urls.py", "testing/views.py"]


def test_what_git_ignores_is_left_out_and_the_inner_file_has_the_last_word(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "build/b.py", "local/settings.py", "local/keep/c.py", ".env")
    write(tmp_path, ".gitignore", text="build/\n.env\nlocal/*.py\n")
    write(tmp_path, "local/keep/.gitignore", text="!c.py\n")
    assert found(tmp_path) == ["a.py", "local/keep/c.py"]


def test_exclude_and_include(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "old/b.py", "shop/migrations/__init__.py", "tests/c.py")
    assert found(tmp_path, exclude=["old/"], include=["tests/"]) == ["a.py", "tests/c.py"]


def test_links(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    write(root, "a.py")
    write(outside, "secret.py")
    (root / "secret.py").symlink_to(outside / "secret.py")
    (root / "folder").symlink_to(outside)
    (root / "circle").symlink_to(root)
    (root / "loop").symlink_to(root / "loop")
    (root / "b.py").symlink_to(root / "a.py")
    inputs = discover(root)
    assert inputs.files == (Input("a.py", "python"),)
    assert inputs.left_out == {
        "links that lead in a circle or nowhere": 1,
        "links that lead out of the repository": 2,
    }
    with pytest.raises(PermissionError, match="leads out of the repository"):
        inputs.read("secret.py")


def test_the_order_is_fixed(tmp_path: Path) -> None:
    write(tmp_path, "b.py", "a/z.py", "a.py", "B.py")
    assert found(tmp_path) == ["B.py", "a.py", "a/z.py", "b.py"]
