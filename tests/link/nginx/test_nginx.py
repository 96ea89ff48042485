"""The tree over the files of a repository: includes, fragments, what is implied, and what stays unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackaudit.config import Config
from stackaudit.config import Nginx as NginxWish
from stackaudit.facts.files import FileFacts
from stackaudit.link.nginx import Nginx, resolve
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.choose import choose, compiled, file_of
from stackaudit.link.nginx.include import Includes
from stackaudit.link.nginx.version import Version, at_least, parse
from stackaudit.link.stack import Stack
from stackaudit.lower import compose, dockerfile
from stackaudit.lower.nginx import lower
from stackaudit.model.values import Known, Unknown

LOWERERS = {"compose": compose.lower, "dockerfile": dockerfile.lower}


def nginx(files: dict[str, str], version: str | None = None) -> Nginx:
    facts = []
    for path, text in files.items():
        name = Path(path).name
        kind = "compose" if name.endswith(".yml") else "dockerfile" if name == "Dockerfile" else "nginx"
        facts.append(FileFacts(path, kind, LOWERERS.get(kind, lower)(text.encode(), path)))
    return resolve(Stack(facts, Config(nginx=NginxWish(version=version))))


def value(tree: Nginx, directive: str, server: int = 0) -> str:
    found = tree.servers[server].value(directive)
    return found.value if isinstance(found, Known) else f"unknown: {found.why}"


@pytest.mark.parametrize(
    ("pattern", "main", "including", "paths", "expected"),
    [
        (
            "conf.d/*.conf",
            "nginx/nginx.conf",
            "nginx/nginx.conf",
            ["nginx/conf.d/b.conf", "nginx/conf.d/B.conf"],
            "B b",
        ),
        ("conf.d/*", "nginx.conf", "nginx.conf", ["conf.d/a~", "conf.d/.hidden", "conf.d/x/y"], "a~"),
        ("/etc/nginx/conf.d/*.conf", "nginx/nginx.conf", "nginx/nginx.conf", ["nginx/conf.d/a.conf"], "a"),
        ("/etc/nginx/sites-enabled/*", "nginx.conf", "nginx.conf", ["sites-available/app"], "app"),
        ("snippets/tls.conf", "sites-available/app", "sites-available/app", ["snippets/tls.conf"], "tls"),
        ("/etc/nginx/conf.d/locations", "nginx/app.conf", "nginx/app.conf", ["nginx/locations"], "locations"),
        ("/etc/nginx/app.conf", "a/main.conf", "a/main.conf", ["x/app.conf", "y/app.conf"], ""),
        ("conf.d/app.conf", "nginx.conf", "nginx.conf", ["conf.d/app.conf.j2"], "app"),
        ("/etc/passwd", "nginx.conf", "nginx.conf", ["nginx.conf"], ""),
        ("../../../etc/passwd", "nginx.conf", "nginx.conf", ["nginx.conf"], ""),
    ],
)
def test_includes(pattern: str, main: str, including: str, paths: list[str], expected: str) -> None:
    found = Includes(paths, {}).find(pattern, main, including)
    assert " ".join(Path(path).name.partition(".")[0] for path in found) == expected


def test_inner_levels_replace_and_lines_of_one_level_add_up() -> None:
    tree = nginx(
        {
            "nginx.conf": """http { gzip_types text/css; ssl_protocols TLSv1; add_header A 1;
            server { gzip_types a/b; gzip_types c/d; location / { add_header B 1; if ($x) { add_header C 1; } } } }"""
        }
    )
    server = tree.servers[0].level
    types = server.all_words("gzip_types", tree.version)
    assert isinstance(types, Known) and types.value == ("a/b", "c/d")
    location = tree.locations[0].level
    assert [names(level) for level in (server, location, location.inside("if")[0])] == ["A", "B", "C"]


def names(level: object) -> str:
    found = level.in_force("add_header").value  # type: ignore[attr-defined]
    return " ".join(line.words[0].text for line in found.lines)


def test_a_fragment_knows_nothing_of_its_http_block() -> None:
    tree = nginx({"sites-available/app": "server { gzip_vary on; }"})
    assert value(tree, "gzip_vary") == "on"
    assert value(tree, "gzip") == "unknown: the http block that includes sites-available/app is not in the repository"


def test_a_main_file_that_includes_it_tells() -> None:
    main = "http { gzip on; include /etc/nginx/conf.d/*.conf; }"
    tree = nginx({"nginx/nginx.conf": main, "nginx/conf.d/app.conf": "server { listen 80; }"})
    assert (len(tree.https), value(tree, "gzip")) == (1, "on")


def test_neighbours_of_a_fragment_that_hold_only_http_directives_belong_to_it() -> None:
    tree = nginx({"conf.d/gzip.conf": "gzip on;", "conf.d/app.conf": "server { listen 80; }"})
    assert value(tree, "gzip") == "on"


def test_the_official_image_brings_its_own_main_file_and_a_version() -> None:
    files = {
        "compose.yml": "services:\n  proxy:\n    image: nginx:1.28.0-alpine\n    volumes:\n"
        "      - ./proxy/app.conf:/etc/nginx/conf.d/default.conf:ro\n",
        "proxy/app.conf": "server { listen 80; }",
    }
    tree = nginx(files)
    assert (value(tree, "gzip"), value(tree, "sendfile"), tree.version) == (
        "off",
        "on",
        Known(Version((1, 28, 0)), note="tag of the nginx image"),
    )


def test_a_dockerfile_tells_where_an_include_lies() -> None:
    files = {
        "web/Dockerfile": "FROM nginx:1.27\nCOPY main.conf /etc/nginx/nginx.conf\nCOPY sites/ /etc/nginx/active/\n",
        "web/main.conf": "http { include active/*.conf; }",
        "web/sites/app.conf": "server { listen 8080; }",
    }
    assert [server.title for server in nginx(files).servers] == ["server _ (8080)"]


def test_files_that_include_each_other_end() -> None:
    tree = nginx({"a.conf": "server { include b.conf; }", "b.conf": "include b.conf; include a.conf; gzip on;"})
    assert value(tree, "gzip") == "on"


def test_what_a_template_decides_is_unknown() -> None:
    tree = nginx({"nginx.conf": "http { server { {% if fast %} gzip on; {% endif %} expires ${LIFE}; } }"})
    assert value(tree, "gzip") == "unknown: it depends on {% if fast %} of the template"
    assert value(tree, "expires") == "unknown: the template fills in ${LIFE}"


def test_well_known_files_are_known() -> None:
    tree = nginx({"app.conf": "server { listen 443 ssl; include /etc/letsencrypt/options-ssl-nginx.conf; }"})
    assert value(tree, "ssl_protocols") == "TLSv1.2"
    assert tree.servers[0].level.gaps == []


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/static/a.css", "/srv/static/a.css"),
        ("/img/a.png", "/srv/pictures/a.png"),
        ("/other/x", "/www/other/x"),
        ("/exact", "/srv/one.txt"),
    ],
)
def test_files_of_paths(path: str, expected: str) -> None:
    text = """http { server { root /www;
        location /static/ { alias /srv/static/; }
        location ~ ^/img/(?<name>.*)$ { alias /srv/pictures/$name; }
        location = /exact { alias /srv/one.txt; } } }"""
    choice = choose(nginx({"nginx.conf": text}).servers[0], path)
    assert isinstance(choice, Known)
    assert file_of(choice.value, path) == Known(expected)


def test_try_files_falls_back_to_the_application() -> None:
    text = "http { server { location / { try_files $uri @app; } location @app { proxy_pass http://app; } } }"
    found = answer(nginx({"nginx.conf": text}).servers[0], "/")
    assert isinstance(found, Known)
    fallback = found.value.fallback
    assert (found.value.kind, fallback.target.address if fallback and fallback.target else "") == ("files", "app")


def test_expressions_that_might_run_away_are_not_run() -> None:
    assert isinstance(compiled("^(a+)+$", ignore_case=False), Unknown)
    assert isinstance(compiled("(?i", ignore_case=False), Unknown)
    assert isinstance(compiled(r"\.(css|js)$", ignore_case=True), Known)


@pytest.mark.parametrize(
    ("text", "gate", "expected"),
    [
        ("1.25.3", (1, 25, 1), True),
        ("1.25", (1, 25, 1), None),
        ("1.24", (1, 25, 1), False),
        ("1.30", (1, 29, 7), True),
        ("latest", (1, 25, 1), None),
    ],
)
def test_versions(text: str, gate: tuple[int, ...], expected: bool | None) -> None:
    version = parse(text + "-alpine")
    assert at_least(Known(version) if version else Unknown("it is not told"), gate) is expected
