from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tomli

from stackaudit import __version__, catalog
from tests.cli.conftest import Run

RULE = "nginx/alias-traversal"
PLACE = "nginx.conf:5:9"
RESULTS = Path(__file__).parent.parent / "fixtures" / "results"


def scan(run: Run, *words: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return run("scan", "shop", "--no-tools", "--no-cache", "--select", RULE, *words, **changes)


def test_findings_give_1_and_the_report_stands_on_stdout_alone(run: Run, project: Path) -> None:
    done = scan(run)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("stackaudit  shop ")
    assert PLACE in done.stdout and RULE in done.stdout
    assert "\x1b" not in done.stdout


def test_a_report_goes_where_it_was_asked_for_though_the_root_is_a_link(run: Run, project: Path) -> None:
    (project.parent / "deep").mkdir()
    link = project.parent / "deep" / "link"
    link.symlink_to(project)
    run("scan", "deep/link", "--no-tools", "--no-cache", "--select", RULE, "--report", "json=out.json")
    assert sorted(path.name for path in project.parent.iterdir()) == ["deep", "out.json", "shop"]


def test_the_gate(run: Run, project: Path) -> None:
    assert scan(run, "--fail-on", "critical").returncode == 1
    assert scan(run, "--fail-on", "never").returncode == 0
    nginx = project / "nginx.conf"
    nginx.write_text("server {\n    ssl_protocols TLSv1.1 TLSv1.2;\n    listen 443 ssl;\n}\n")
    words = ("scan", "shop", "--no-tools", "--no-cache", "--select", "nginx/tls-protocols")
    severity = catalog_severity("nginx/tls-protocols")
    assert severity != "critical"
    assert run(*words, "--fail-on", severity).returncode == 1
    assert run(*words, "--fail-on", "critical").returncode == 0


def catalog_severity(rule: str) -> str:
    return next(each.severity for each in catalog.load() if each.id == rule)


def test_the_floor_can_fail_the_run(run: Run, project: Path) -> None:
    done = scan(run, "--fail-on", "never", "--fail-under", "80")
    assert done.returncode == 1
    assert re.fullmatch(r"stackaudit: the score's floor, \d+, is under 80 \(fail-under\)\n", done.stderr)
    assert scan(run, "--fail-on", "never", "--fail-under", "0").returncode == 0


def test_the_code_does_not_depend_on_the_format(run: Run, project: Path) -> None:
    for name in ("sarif", "html"):
        done = scan(run, "--output-format", name)
        assert (done.returncode, done.stderr) == (1, "")
        assert RULE in done.stdout


def test_one_run_many_documents(run: Run, project: Path, tmp_path: Path) -> None:
    done = scan(run, "--quiet", "--output-file", "a.txt", "--report", "sarif=a.sarif", "--report", "html=shop/a.html")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert RULE in (tmp_path / "a.txt").read_text()
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert (project / "a.html").read_text().startswith("<!doctype html>")


def test_colours_only_where_they_are_wanted(run: Run, project: Path) -> None:
    assert "\x1b[" in scan(run, FORCE_COLOR="1").stdout
    assert "\x1b[" in scan(run, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b[" not in scan(run, FORCE_COLOR="0").stdout
    assert "\x1b[" not in scan(run, "--output-file", "a.txt", FORCE_COLOR="1").stdout


def test_the_width_is_that_of_columns(run: Run, project: Path) -> None:
    assert max(map(len, scan(run, COLUMNS="70").stdout.splitlines())) == 70


def test_waiver_baseline_and_per_file_ignores_pass_the_gate(run: Run, project: Path) -> None:
    config = project / "stackaudit.toml"
    config.write_text(f'[per-file-ignores]\n"*.conf" = ["{RULE}"]\n')
    assert scan(run).returncode == 0
    config.unlink()
    done = run("baseline", "shop", "--no-tools", "--no-cache")
    assert done.returncode == 0 and "accepted in shop/stackaudit-baseline.json" in done.stdout
    assert scan(run).returncode == 1
    assert scan(run, "--baseline", "shop/stackaudit-baseline.json").returncode == 0
    config.write_text('baseline = "stackaudit-baseline.json"\n')
    assert scan(run).returncode == 0
    # What is written anew holds what the old one held.
    assert (
        RULE
        in run("baseline", "shop", "--no-tools", "--no-cache", "--output-file", "new.json").stdout
        + (project.parent / "new.json").read_text()
    )
    config.unlink()
    nginx = project / "nginx.conf"
    nginx.write_text(nginx.read_text().replace("/static/;", f"/static/;  # stackaudit: ignore[{RULE}] a test"))
    done = scan(run, "--output-format", "json")
    assert done.returncode == 0
    assert [item["reason"] for item in json.loads(done.stdout)["waived"]] == ["a test"]


def test_an_ignored_rule_stays_in_the_document_and_in_the_score(run: Run, project: Path) -> None:
    before, after = (
        json.loads(scan(run, *more, "--output-format", "json").stdout) for more in ((), ("--ignore", RULE))
    )
    assert (len(before["findings"]), len(after["findings"]), len(after["waived"])) == (1, 0, 1)
    assert before["score"] == after["score"]


def test_the_command_line_wins_over_the_file(run: Run, project: Path) -> None:
    (project / "stackaudit.toml").write_text('fail-on = "never"\noutput-format = "concise"\n')
    assert scan(run).returncode == 0
    done = scan(run, "--fail-on", "low")
    assert done.returncode == 1
    assert done.stdout.startswith(PLACE)
    (project.parent / "other.toml").write_text('output-format = "json"\n')
    assert scan(run, "--config", "other.toml").stdout.startswith("{")


def test_an_earlier_result_is_drawn_again(run: Run, project: Path, tmp_path: Path) -> None:
    text = scan(run, "--output-format", "json").stdout
    (tmp_path / "r.json").write_text(text)
    done = run("render", "r.json", "--output-format", "concise")
    assert done.returncode == 0 and done.stdout.startswith(PLACE)
    assert run("render", "-", "--output-format", "json", stdin=text).stdout == text


def test_the_same_input_gives_the_same_bytes(run: Run, project: Path) -> None:
    first, second = (scan(run, "--output-format", "json", "--jobs", jobs).stdout for jobs in ("1", "2"))
    assert first == second
    assert str(project.parent) not in first


def test_rules_prints_one_line_for_each(run: Run) -> None:
    done = run("rules")
    lines = [line for line in done.stdout.splitlines() if "/" in line.partition(" ")[0]]
    assert [line.split()[0] for line in lines] == [rule.id for rule in catalog.load()]
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_rule_tells_one_by_its_id_or_its_name(run: Run) -> None:
    done = run("rule", RULE)
    assert done.returncode == 0 and done.stdout.startswith(f"{RULE}\n")
    for heading in ("Why\n", "How to mend it\n", "Example: ", "References\n"):
        assert heading in done.stdout
    assert run("rule", "alias-traversal").stdout == done.stdout
    assert "\x1b[1m" in run("rule", RULE, FORCE_COLOR="1").stdout


def test_host_prints_a_table_that_the_configuration_accepts(run: Run, project: Path) -> None:
    done = run("host")
    assert done.returncode == 0
    table = tomli.loads(done.stdout)["host"]
    assert table["vcpus"] >= 1
    (project / "stackaudit.toml").write_text(done.stdout)
    assert scan(run, "--fail-on", "never").returncode == 0
    (project / "stackaudit.toml").unlink()
    (project.parent / "host.toml").write_text(done.stdout)
    assert scan(run, "--fail-on", "never", "--host", "host.toml").returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["scan", "nowhere"], "stackaudit: nowhere: there is no such folder\n"),
        (
            ["scan", "shop/nginx.conf"],
            "stackaudit: shop/nginx.conf: this is a file; give the folder that holds the project\n",
        ),
        (["scan", "void"], "stackaudit: void: nothing to audit: .*\n"),
        (
            ["scan", "shop", "--select", "nginx/alias-traversl"],
            "stackaudit: `nginx/alias-traversl` is no rule, area or tag; did you mean `nginx/alias-traversal`\\?\n",
        ),
        (
            ["scan", "shop", "--ignore", "ngimx"],
            "stackaudit: `ngimx` is no rule, area or tag; did you mean `nginx`\\?\n",
        ),
        (["scan", "broken"], "stackaudit: broken/stackaudit.toml: unknown key `slect`; did you mean `select`\\?\n"),
        (
            ["scan", "gate"],
            "stackaudit: gate/stackaudit.toml: `fail-on`: `hgh` is none of .*; did you mean `high`\\?\n",
        ),
        (["scan", "shop", "--config", "no.toml"], "stackaudit: no.toml: there is no such configuration file\n"),
        (["scan", "shop", "--host", "no.toml"], "stackaudit: no.toml: there is no such host file .*\n"),
        (
            ["scan", "shop", "--baseline", "no.json"],
            "stackaudit: .*no.json: there is no such baseline; write one with: stackaudit baseline\n",
        ),
        (
            ["scan", "shop", "--output-file", "no/a.txt"],
            "stackaudit: .*no/a.txt: there is no folder .*no; make it first\n",
        ),
        (["scan", "shop", "--output-file", "shop"], "stackaudit: .*shop: this is a folder; name a file in it\n"),
        (
            ["scan", "shop", "--output-format", "sarf"],
            "stackaudit: `sarf` is no output format; did you mean `sarif`\\?\n",
        ),
        (["scan", "shop", "--report", "sarif"], "stackaudit: --report sarif: write it as FORMAT=PATH, .*\n"),
        (["scan", "shop", "--since", "HEAD"], "stackaudit: --since HEAD: shop is not inside a git repository\n"),
        (["scan", "shop", "--jobs", "0"], "stackaudit scan: argument --jobs: '0' is not a number of processes .*\n"),
        (["scan", "shop", "--fail-under", "101"], "stackaudit scan: argument --fail-under: '101' is not a score .*\n"),
        (
            ["scan", "--fail-on", "hihg"],
            "stackaudit scan: .*\\(did you mean `high`\\?\\); see `stackaudit scan --help`\n",
        ),
        (["scan", "--selct", "x"], "stackaudit: unrecognized arguments: --selct .*did you mean `--select`\\?.*\n"),
        (["scna"], "stackaudit: .*\\(did you mean `scan`\\?\\); see `stackaudit --help`\n"),
        (["./shop"], "stackaudit: .*\\(did you mean `stackaudit scan ./shop`\\?\\); .*\n"),
        ([], "stackaudit: the following arguments are required: COMMAND; see `stackaudit --help`\n"),
        (["rule", "alias-traversl"], "stackaudit: there is no rule .*; did you mean `nginx/alias-traversal`\\?\n"),
        (["rule", "nginx"], "stackaudit: `nginx` is an area; its rules are .*\n"),
        (["render", "no.json"], "stackaudit: no.json: could not be read: No such file or directory\n"),
        (["render", "shop/manage.py"], "stackaudit: shop/manage.py: this is not a result of stackaudit .*\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_give_2_and_one_line_with_the_way_out(
    run: Run, project: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "void").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "stackaudit.toml").write_text('fail-on = "hgh"\n')
    (tmp_path / "broken" / "stackaudit.toml").write_text('slect = ["orm"]\n')
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(message, done.stderr), done.stderr


def test_an_internal_error_is_one_line_and_a_traceback_on_demand(run: Run, project: Path, tmp_path: Path) -> None:
    (tmp_path / "crash.py").write_text(
        "import stackaudit.scan\n"
        "def scan(*_):\n    raise RuntimeError('no\\nway')\n"
        "stackaudit.scan.scan = scan\n"
        "from stackaudit.cli import main\n"
        "raise SystemExit(main())\n"
    )
    for more, lines in ((), 1), (("--verbose",), 9):
        done = subprocess.run(
            [sys.executable, "crash.py", "scan", "shop", *more],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (2, "")
        assert "stackaudit: internal error in scan: RuntimeError: no (this is a bug" in done.stderr
        assert len(done.stderr.splitlines()) >= lines
        assert ("Traceback" in done.stderr) == bool(more)
        assert ("--verbose" in done.stderr) != bool(more)


def test_a_reader_that_goes_is_no_error(run: Run, project: Path, tmp_path: Path) -> None:
    for words in ("render big.json --output-format json", "rules", "--help"):
        (tmp_path / "big.json").write_text((RESULTS / "shop.json").read_text())
        command = f"{sys.executable} -m stackaudit {words} 2>errors | head -c 1; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, timeout=60, check=False)
        assert (done.returncode, (tmp_path / "errors").read_text()) == (0, "")


def test_interruption_gives_130_without_a_traceback(project: Path, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import time, stackaudit.scan\n"
        "def scan(*_):\n    print('ready', flush=True)\n    time.sleep(60)\n"
        "stackaudit.scan.scan = scan\n"
        "from stackaudit.cli import main\n"
        "raise SystemExit(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "slow.py", "scan", "shop"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=30)
    assert (child.returncode, errors) == (130, "stackaudit: interrupted\n")


@pytest.mark.parametrize("words", [["--help"], ["scan", "--help"], ["rules"], ["rule", RULE], ["--version"]])
def test_start_up_imports_no_parser(tmp_path: Path, words: list[str]) -> None:
    code = (
        "import sys\nfrom stackaudit.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'libcst', 'rich', 'django', 'crossplane', 'jinja2', 'yaml'} & set(sys.modules)\n"
        "sys.stderr.write(' '.join(sorted(heavy)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""
    assert done.stdout


def test_help_teaches(run: Run) -> None:
    for words in ((), ("scan",), ("rules",), ("rule",), ("render",), ("baseline",), ("host",)):
        done = run(*words, "--help")
        assert (done.returncode, done.stderr) == (0, "")
    told = run("scan", "--help").stdout
    for part in ("examples:", "exit codes:", "formats:", "stackaudit: ignore[", "--report FORMAT=PATH"):
        assert part in told
    assert run("--version").stdout == f"stackaudit {__version__}\n"


def test_every_option_of_the_command_line_is_a_key_of_the_configuration() -> None:
    from msgspec.structs import fields

    from stackaudit.cli.arguments import parser
    from stackaudit.config import Config

    actions = parser()._subparsers._group_actions[0].choices["scan"]._actions  # type: ignore[union-attr,index]
    options = {name.removeprefix("--") for action in actions for name in action.option_strings if name[:2] == "--"}
    keys = {field.encode_name for field in fields(Config)}
    assert options - keys == {"help", "config"}
    # Only what describes the project rather than the run stands in the file alone.
    assert keys - options == {"nginx", "exclude", "include", "per-file-ignores", "rules", "tool-timeout"}


def test_since_shows_what_a_branch_changed(run: Run, project: Path) -> None:
    def git(*words: str) -> None:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(["git", "-C", str(project), *author, *words], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    done = scan(run, "--since", "main", "--output-format", "json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["findings"] == []
    nginx = project / "nginx.conf"
    nginx.write_text(nginx.read_text().replace("/srv/shop/", "/srv/site/"))
    done = scan(run, "--since", "main", "--output-format", "concise")
    assert (done.returncode, done.stdout.startswith(PLACE)) == (1, True)
    done = scan(run, "--since", "nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert "git knows no such revision" in done.stderr
