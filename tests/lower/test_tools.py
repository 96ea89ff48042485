"""The real pip-audit against a vulnerability service on loopback, the real deptry, and recorded reports of both."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stackaudit.facts.tools import (
    Advisory,
    Audited,
    AuditReport,
    DeptryIssue,
    DeptryReport,
    Pin,
    Skipped,
    ToolFacts,
)
from stackaudit.lower import tools_audit
from stackaudit.lower.tools import gather
from stackaudit.lower.tools_audit import audit, read_audit
from stackaudit.lower.tools_child import run
from stackaudit.lower.tools_deptry import read_deptry, unused
from stackaudit.model.source import Region

FIXTURES = Path(__file__).parent.parent / "fixtures" / "tools"
Answer = Callable[[dict[str, Any]], tuple[int, bytes]]


def pin(name: str, version: str) -> Pin:
    return Pin(name, version, "requirements.txt", Region(1, 1, 1, 2))


@contextmanager
def service(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """An OSV on loopback that `answer` speaks for; gives the questions that were asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(question)
            status, body = answer(question)
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                pass  # the client was killed while it waited

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("PIP_AUDIT_VULNERABILITY_SERVICE", "osv")
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", f"http://127.0.0.1:{server.server_port}/v1/query")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def advisory(question: dict[str, Any]) -> tuple[int, bytes]:
    """Django has a flaw under two names, everything else has none."""
    if question["package"]["name"] != "django":
        return 200, b"{}"
    affected = [
        {
            "package": {"name": "django", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "5.2"}, {"fixed": "5.2.6"}]}],
        }
    ]
    vulnerabilities = [
        {"id": "PYSEC-1", "aliases": ["CVE-1", "GHSA-1"], "summary": "a flaw", "affected": affected},
        {"id": "GHSA-1", "aliases": ["CVE-1"], "summary": "a flaw", "affected": affected},
    ]
    return 200, json.dumps({"vulns": vulnerabilities}).encode()


def test_pip_audit_asks_about_the_pins_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(advisory, monkeypatch) as asked:
        report = audit([pin("django", "5.2.4"), pin("gunicorn", "23.0.0")], timeout=60)
    assert sorted((item["package"]["name"], item["version"]) for item in asked) == [
        ("django", "5.2.4"),
        ("gunicorn", "23.0.0"),
    ]
    assert report == AuditReport(
        ran=True,
        why="",
        source="pip-audit",
        audited=(
            Audited("django", "5.2.4", (Advisory("PYSEC-1", ("CVE-1", "GHSA-1"), ("5.2.6",), "a flaw"),)),
            Audited("gunicorn", "23.0.0"),
        ),
    )


def test_a_package_pinned_twice_is_asked_about_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(advisory, monkeypatch) as asked:
        pins = [pin("a", "1"), pin("a", "2"), pin("a", "1"), pin("b", "not a version"), pin("../c", "1")]
        report = audit(pins, timeout=60)
    assert sorted(item["version"] for item in asked) == ["1", "2"]
    assert [(item.name, item.version) for item in report.audited] == [("a", "1"), ("a", "2")]
    assert report.skipped == (
        Skipped("b", "not a version is not a version that pip-audit can read"),
        Skipped("../c", "1 is not a version that pip-audit can read"),
    )


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, b"", "pip-audit's vulnerability service answered with HTTP 500"),
        (429, b"slow down", "pip-audit's vulnerability service answered with HTTP 429"),
        (200, b"<html>sign in</html>", "pip-audit's vulnerability service answered with something that is not JSON"),
    ],
)
def test_a_service_that_fails_leaves_everything_unknown(
    status: int, body: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(lambda _: (status, body), monkeypatch):
        assert audit([pin("django", "5.2.4")], timeout=60) == AuditReport(why=why)


def test_an_answer_of_another_shape_leaves_everything_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(lambda _: (200, b'{"vulns": 3}'), monkeypatch):
        report = audit([pin("django", "5.2.4")], timeout=60)
    assert (report.ran, report.audited) == (False, ())
    assert report.why.startswith("pip-audit failed: ")


def test_a_service_that_nobody_answers_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with service(advisory, monkeypatch):
        gone = os.environ["PIP_AUDIT_OSV_URL"]
    monkeypatch.setenv("PIP_AUDIT_OSV_URL", gone)
    report = audit([pin("django", "5.2.4")], timeout=60)
    assert report == AuditReport(why="pip-audit could not reach its vulnerability service (127.0.0.1)")


def test_an_index_that_knows_nothing_is_not_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(pins: list[Pin], **_: object) -> AuditReport:
        return AuditReport(ran=True, skipped=tuple(Skipped(item.name, tools_audit.ABSENT) for item in pins))

    monkeypatch.setattr(tools_audit, "_ask", ask)
    few, many = [pin("a", "1"), pin("b", "1")], [pin("a", "1"), pin("b", "1"), pin("c", "1")]
    assert [item.name for item in audit(few, timeout=9).skipped] == ["a", "b"]
    assert audit(many, timeout=9) == AuditReport(
        why="what answers pip-audit for PyPI here knows none of the pinned packages"
    )


def test_the_time_limit_ends_a_slow_service(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slowly(_: dict[str, Any]) -> tuple[int, bytes]:
        release.wait(30)
        return 200, b"{}"

    with service(slowly, monkeypatch):
        report = audit([pin("django", "5.2.4")], timeout=3)
        release.set()
    assert report == AuditReport(why="pip-audit was stopped after 3 s (tool-timeout)")


def test_modules_of_the_repository_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "deptry").mkdir()
    (tmp_path / "deptry" / "__main__.py").write_text("open('ran', 'w').close()\n")
    (tmp_path / "deptry" / "__init__.py").write_text("open('ran', 'w').close()\n")
    (tmp_path / "sitecustomize.py").write_text("open('ran', 'w').close()\n")
    assert unused(tmp_path, ["Django"], timeout=60).ran
    assert not (tmp_path / "ran").exists()


def test_a_program_that_does_not_exist_says_so(tmp_path: Path) -> None:
    ended = run("no_such_module", [], cwd=tmp_path, scratch=tmp_path, timeout=20)
    assert (ended.code, "No module named no_such_module" in ended.errors) == (1, True)


def test_deptry_is_asked_about_the_declared_distributions(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "0"\ndependencies = ["other"]\n')
    (tmp_path / "shop.py").write_text("import environ\nfrom PIL import Image\nimport requests\n")
    (tmp_path / "broken.py").write_text("def (:\n")
    report = unused(tmp_path, ["Pillow", "django-environ", "xlwt", "shop-payments"], timeout=60)
    assert report == DeptryReport(
        ran=True,
        why="",
        source="deptry",
        issues=(
            DeptryIssue("DEP002", "shop-payments"),
            DeptryIssue("DEP002", "xlwt"),
            DeptryIssue(report.issues[2].code, "requests", "shop.py", 3),
        ),
        asked=("django-environ", "pillow", "shop-payments", "xlwt"),
        guessed=("shop-payments",),
        unread=("broken.py",),
    )


def test_recorded_reports() -> None:
    assert read_audit(FIXTURES / "pip-audit.json") == AuditReport(
        ran=True,
        why="",
        source="pip-audit.json",
        audited=(
            Audited("gunicorn", "23.0.0"),
            Audited(
                "django",
                "5.2.4",
                (
                    Advisory(
                        "PYSEC-2025-105",
                        ("CVE-2025-57833", "GHSA-6w2r-r2m5-xq5w"),
                        ("4.2.24", "5.1.12", "5.2.6"),
                        "FilteredRelation was subject to SQL injection in column aliases.",
                    ),
                ),
            ),
        ),
        skipped=(
            Skipped(
                "shop-payments",
                "PyPI does not know this version, so pip-audit skipped it (a private package, or an index in between)",
            ),
            Skipped("other", "pip-audit skipped it: requirement marked as editable"),
        ),
    )
    assert read_audit(FIXTURES / "pip-audit-2.0.json").audited == (
        Audited("gunicorn", "20.0.4", (Advisory("PYSEC-2024-1", (), ("22.0.0",)),)),
    )
    assert read_deptry(FIXTURES / "deptry.json") == DeptryReport(
        ran=True,
        why="",
        source="deptry.json",
        issues=(
            DeptryIssue("DEP002", "xlwt", "requirements.txt"),
            DeptryIssue("DEP001", "environ", "shop/settings.py", 3),
        ),
    )


@pytest.mark.parametrize("data", [b"", b"{", b"3", b'{"dependencies": 3}', b"[" * 9999, b"\xff\xfe", b'[{"name": 1}]'])
def test_reports_that_are_none(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(data)
    assert read_audit(path) == AuditReport(why="report.json is not a report that `pip-audit -f json` writes")
    assert read_deptry(path) == DeptryReport(why="report.json is not a report that `deptry --json-output` writes")


def test_reports_that_are_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "report.json"
    assert gather(tmp_path, [], [], pip_audit_report=missing, deptry_report=missing) == ToolFacts(
        AuditReport(why="the pip-audit report report.json could not be read: No such file or directory"),
        DeptryReport(why="the deptry report report.json could not be read: No such file or directory"),
    )


def test_nothing_runs_where_nothing_may(tmp_path: Path) -> None:
    told: list[str] = []
    pins = [pin("django", "5.2.4")]
    disabled = gather(tmp_path, pins, ["django"], enabled=False, progress=told.append)
    assert (disabled.pip_audit.why, disabled.deptry.why, told) == (
        "pip-audit was not run: --no-tools",
        "deptry was not run: --no-tools",
        [],
    )
    offline = gather(tmp_path, pins, ["django"], offline=True, progress=told.append)
    assert (offline.pip_audit.ran, offline.deptry.ran, told) == (False, True, ["deptry"])
    assert offline.pip_audit.why == "pip-audit was not run: --offline forbids asking its vulnerability service"


def test_nothing_declared_is_nothing_unknown(tmp_path: Path) -> None:
    nothing = gather(tmp_path, [], [])
    assert (nothing.pip_audit.ran, nothing.deptry.ran) == (True, True)
