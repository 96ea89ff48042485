"""nginx configurations inside other files: found, and every word where it stands in the file around it."""

from __future__ import annotations

import pytest

from stackaudit.facts.nginx import Directive, Inline
from stackaudit.lower import dockerfile, shell
from stackaudit.lower.inline import lower, of_heredocs

SERVER = "server {\n    listen 80;\n    return 301 https://$host$uri;\n}\n"


def words(directives: tuple[Directive, ...]) -> list[tuple[str, str]]:
    """Every argument with the placeholder in it, blocks included."""
    found = []
    for directive in directives:
        found += [(word.text, word.hole) for word in directive.args]
        found += words(directive.block or ())
    return found


def places(text: str, inlines: tuple[Inline, ...]) -> list[str]:
    """The text at the place of each directive inside the servers of `inlines`."""
    lines = text.split("\n")
    found = []
    for inline in inlines:
        for server in inline.file.directives:
            for directive in server.block or ():
                region = directive.region
                found.append(lines[region.line - 1][region.column - 1 : region.end_column - 1])
    return found


@pytest.mark.parametrize(
    ("opener", "target"),
    [
        ("COPY <<EOF /etc/nginx/conf.d/default.conf", "/etc/nginx/conf.d/default.conf"),
        ("RUN cat > /etc/nginx/conf.d/app.conf <<'EOF'", "/etc/nginx/conf.d/app.conf"),
        ("RUN cat <<EOF > /etc/nginx/nginx.conf", "/etc/nginx/nginx.conf"),
        ("cat <<EOF | sudo tee /etc/nginx/sites-available/app > /dev/null", "/etc/nginx/sites-available/app"),
        ('sudo tee -a "/etc/nginx/app.conf" <<"EOF"', "/etc/nginx/app.conf"),
        ("tee /etc/nginx/sites-available/$APP >/dev/null <<EOF", ""),
        ("cat >/etc/nginx/a.conf <<-EOF", "/etc/nginx/a.conf"),
    ],
)
def test_where_a_here_document_lands(opener: str, target: str) -> None:
    text = f"# one\n{opener}\n{SERVER}EOF\necho done\n"
    assert [(inline.target, inline.line) for inline in of_heredocs(text)] == [(target, 3)]
    assert places(text, of_heredocs(text)) == ["listen 80", "return 301 https://$host$uri"]


@pytest.mark.parametrize(
    "text",
    [
        f"# cat > a <<EOF\n{SERVER}EOF\n",
        f"cat > a <<EOF\n{SERVER}",
        f"mysql <<EOF\n{SERVER}EOF\n",
        "cat > a.js <<EOF\nserver {\n  port: 80\n}\nEOF\n",
        "cat > settings.py <<EOF\nDEBUG = False\nEOF\n",
        "echo '<<EOF'\n",
    ],
)
def test_what_is_none(text: str) -> None:
    assert of_heredocs(text) == ()


def test_a_shell_replaces_variables_where_the_word_is_not_quoted() -> None:
    body = 'server {\n    server_name $NAME;\n    return 302 https://\\$host$path;\n    root "\\$document_root/a";\n}\n'
    opened = of_heredocs(f"cat > a <<EOF\n{body}EOF\n")[0].file.directives
    assert words(opened) == [
        ("$NAME", "$NAME"),
        ("302", ""),
        ("https://$host$path", "$path"),
        ("$document_root/a", ""),
    ]
    quoted = of_heredocs(f"cat > a <<'EOF'\n{SERVER}EOF\n")[0].file.directives
    assert words(quoted) == [("80", ""), ("301", ""), ("https://$host$uri", "")]


def test_a_here_document_inside_another() -> None:
    text = f"RUN <<SCRIPT\ncat > /etc/nginx/nginx.conf <<'CONF'\n{SERVER}CONF\nSCRIPT\n"
    assert [inline.target for inline in of_heredocs(f"FROM nginx\n{text}")] == ["/etc/nginx/nginx.conf"]


def test_readers_hand_them_on() -> None:
    text = f"cat > /etc/nginx/a.conf <<EOF\n{SERVER}EOF\n"
    built = dockerfile.lower(f"FROM nginx:1.28\nRUN {text}".encode(), "Dockerfile")
    script = shell.lower(text.encode(), "deploy.sh")
    assert [[inline.target for inline in found.nginx] for found in (built, script)] == [["/etc/nginx/a.conf"]] * 2


MANIFEST = """\
apiVersion: v1
kind: ConfigMap
data:
  motd: |
    welcome
  nginx.conf: |-
    server {
      listen {{ .Values.port }};
{{- if .Values.tls }}
      listen 443 ssl;
{{- end }}

      return 301 https://$host$uri;
    }
  next: 1
items:
- "site.conf": |
    server {
      listen 81;
    }
"""


def test_block_texts_of_yaml() -> None:
    found = lower(MANIFEST.encode(), "config.yaml").nginx
    assert [(inline.target, inline.line) for inline in found] == [("nginx.conf", 7), ("site.conf", 18)]
    assert places(MANIFEST, found) == [
        "listen {{ .Values.port }}",
        "listen 443 ssl",
        "return 301 https://$host$uri",
        "listen 81",
    ]
    maybes = [directive.maybe for directive in found[0].file.directives[0].block or ()]
    assert maybes == ["", "{{- if .Values.tls }}", ""]


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends(end: str) -> None:
    found = lower(MANIFEST.replace("\n", end).encode(), "config.yaml").nginx
    assert [inline.line for inline in found] == [7, 18]


def test_a_broken_configuration_costs_itself_alone() -> None:
    deep = "location /a {\n" * 80 + "return 200;\n" + "}\n" * 80
    found = of_heredocs(f"cat > a <<EOF\n{deep}EOF\ncat > b <<EOF\n{SERVER}EOF\n")
    assert [(inline.target, bool(inline.file.directives)) for inline in found] == [("a", False), ("b", True)]
