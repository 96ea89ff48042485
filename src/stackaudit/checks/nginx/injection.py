"""Where a visitor can write header lines of his own, because a variable carries a line feed into them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx import Nginx
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.nginx.variables import DECODED, Held, Part, parts
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_REDIRECTS = frozenset({"301", "302", "303", "307", "308"})
_AS_SENT = ("http_", "cookie_", "upstream_", "sent_", "ssl_", "server_", "proxy_", "request_id", "request_method")
_ONE_LINE = frozenset({"host", "scheme", "remote_addr", "remote_port", "hostname", "is_args", "args"})


@dataclass(frozen=True)
class Written:
    """A word that nginx writes into a header or a request line as it is. `own` is the expression of its own line."""

    line: Line
    text: str
    what: str
    own: str = ""
    cause: str = ""


def crlf_injection(stack: Stack) -> Iterator[Verdict]:
    """One site for each line that writes a variable of the client's, or one of unknown content, into a header."""
    yield from once_for_each_place(
        verdict
        for level, name in every_level(stack.nginx)
        for written in _written(level)
        for verdict in _judge(level, name, written)
    )


def every_level(nginx: Nginx) -> Iterator[tuple[Level, str]]:
    """Every http level, server, location and `if`, with the name that a site rests on."""
    for http in nginx.https:
        yield http, "http"
    for server in nginx.servers:
        yield server.level, server.title
        for location in server.every_location:
            yield location.level, location.site.name
        for outer, title in [
            (server.level, server.title),
            *((location.level, location.site.name) for location in server.every_location),
        ]:
            for kind in ("if", "limit_except"):
                for inner in outer.inside(kind):
                    yield inner, f"{title} {kind}"


def _written(level: Level) -> Iterator[Written]:
    for line in level.lines.get("return", []):
        words = [word.text for word in line.words]
        if words and (words[0] in _REDIRECTS or len(words) == 1):
            yield Written(line, words[-1], "Location")
    for line in level.lines.get("rewrite", []):
        if len(line.words) > 1 and _redirects(line):
            # the captures of its own expression are escaped, other variables are not
            yield Written(line, line.words[1].text, "Location", "escaped")
    for line in level.lines.get("error_page", []):
        if line.words and "://" in line.words[-1].text:
            yield Written(line, line.words[-1].text, "Location")
    for name in ("add_header", "add_trailer"):
        for line in level.lines.get(name, []):
            if len(line.words) > 1:
                yield Written(line, line.words[1].text, line.words[0].text)
    for line in level.lines.get("proxy_set_header", []):
        if len(line.words) > 1:
            yield Written(line, line.words[1].text, line.words[0].text, cause="request")
    for line in level.lines.get("proxy_pass", []):
        if line.words:
            yield Written(line, line.words[0].text, "the request line", cause="request")


def _redirects(line: Line) -> bool:
    flag = line.words[2].text if len(line.words) > 2 else ""
    return flag in ("permanent", "redirect") or line.words[1].text.startswith(("http://", "https://", "$scheme"))


def _judge(level: Level, name: str, written: Written) -> Iterator[Verdict]:
    found = [part for part in parts(written.text, level) if part.name]
    if written.own == "escaped":
        own = {"1", "2", "3", "4", "5", "6", "7", "8", "9"}
        found = [part for part in found if part.name not in own and f"<{part.name}>" not in written.line.words[0].text]
    found = [part for part in found if not _plainly_safe(part) and _by_client(part)]
    if not found:
        return
    site = Site(written.line.place, f"{name} {written.line.name} {written.what}")
    for part in found:
        if isinstance(part.held, Known) and "\n" in part.held.value.alphabet:
            yield Fail(site, _values(written, part), _cause(written, part), related=_way(part.held.value))
            return
    unknown = next((part.held for part in found if isinstance(part.held, Unknown)), None)
    yield Unsure(site, unknown.why) if unknown is not None else Pass(site)


def _plainly_safe(part: Part) -> bool:
    """Whether nobody would look twice at a variable: nginx's own, or a header as it was sent."""
    return part.name in _ONE_LINE or part.name.startswith(_AS_SENT)


def _by_client(part: Part) -> bool:
    """Whether a client has a say in a variable, or nobody knows."""
    return isinstance(part.held, Unknown) or bool(part.held.value.alphabet)


def _cause(written: Written, part: Part) -> str:
    if part.name == "remote_user":
        return "user"
    return written.cause


def _values(written: Written, part: Part) -> dict[str, str]:
    instead = "$request_uri" if part.name in DECODED else "a group that cannot hold a line feed, such as ([\\w/.-]+)"
    return {"variable": part.text, "directive": written.line.name, "header": written.what, "instead": instead}


def _way(held: Held) -> tuple[Step, ...]:
    return tuple(Step(place, "the value comes from here") for place in dict.fromkeys(held.places))
