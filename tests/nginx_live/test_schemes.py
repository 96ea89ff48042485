"""What a real nginx hands on as X-Forwarded-Proto, against link.schemes: is it nginx's word, or the visitor's?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stackaudit.link import schemes
from stackaudit.model.values import Known
from tests.nginx_live.conftest import Live, Upstream
from tests.stacks import stack_of

MAP = 'map $http_x_forwarded_proto $told {{ default $http_x_forwarded_proto; "" $scheme; }}'
LOCATIONS = {
    "own": "proxy_set_header X-Forwarded-Proto $scheme;",
    "constant": "proxy_set_header X-Forwarded-Proto https;",
    "passed on": "proxy_set_header X-Forwarded-Proto $http_x_forwarded_proto;",
    "not set": "",
    "another header": "proxy_set_header X-Forwarded-Ssl on;",
    "a map": "proxy_set_header X-Forwarded-Proto $told;",
    "a variable": "set $mine $scheme; proxy_set_header X-Forwarded-Proto $mine;",
    "lower case": "proxy_set_header x-forwarded-proto $scheme;",
}
HTTP = """
{map}
server {{
    listen 127.0.0.1:{port};
    location / {{
        {line}
        proxy_pass http://127.0.0.1:{upstream};
    }}
}}
"""


@pytest.mark.parametrize("name", LOCATIONS)
def test_who_writes_the_scheme(name: str, live: Live, upstream: Upstream, port: int, tmp_path: Path) -> None:
    text = HTTP.format(map=MAP.format(), port=port, line=LOCATIONS[name], upstream=upstream.port)
    live.start(text, port)
    headers = json.loads(live.get(port, "/", {"X-Forwarded-Proto": "spoofed"}).body)["headers"]
    seen = [value for key, value in headers if key.lower() == "x-forwarded-proto"]
    stack = stack_of(tmp_path, {"nginx.conf": f"events {{}}\nhttp {{\n{text}\n}}\n"})
    found = schemes.header(stack.nginx.proxied[0], "x-forwarded-proto")
    assert isinstance(found, Known)
    assert (found.value.said in ("passed-on", "nothing")) is (seen == ["spoofed"])
