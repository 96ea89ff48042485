"""What becomes of the path on its way through proxy_pass."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx import Proxied
from stackaudit.link.nginx.backends import is_django
from stackaudit.link.nginx.expressions import expression
from stackaudit.link.nginx.variables import RAW, VARIABLE, Held, Part, parts
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_WHOLE_PATH = frozenset({"uri", "document_uri", "request_uri"})
_QUERY_MARK = re.compile(r"\?|\$\{?(?:is_args|args|query_string)\b")
_QUERY = frozenset({"args", "query_string", "request_uri"})


def proxy_traversal(stack: Stack) -> Iterator[Verdict]:
    """One site for each proxy_pass with a path deeper than "/"."""
    yield from once_for_each_place(verdict for proxied in stack.nginx.proxied for verdict in _climbs(proxied))


def proxy_uri(stack: Stack) -> Iterator[Verdict]:
    """One site for each proxy_pass with a path, or with a variable that may bring one."""
    yield from once_for_each_place(verdict for proxied in stack.nginx.proxied for verdict in _joined(stack, proxied))


def _climbs(proxied: Proxied) -> Iterator[Verdict]:
    location, target = proxied.location, proxied.target
    uri = target.uri
    if target.by != "proxy_pass" or uri is None or uri.strip("/") == "" or location.modifier == "@":
        return
    site = Site(target.line.place, f"{location.site.name} proxied path")
    related = (Step(location.level.place, f"the {location.title} that it belongs to"),)
    values = {"path": location.pattern, "uri": uri, "target": target.line.words[0].text}
    if location.modifier == "=" or "internal" in location.level.lines:
        yield Pass(site)
        return
    if location.hole and location.pattern.endswith(location.hole):
        yield Unsure(site, f"the template fills in {location.hole}, and whether that ends with / decides")
        return
    if VARIABLE.search(uri) or VARIABLE.search(target.address):
        yield from _climbs_by_variable(proxied, uri, site, values, related)
    elif not location.is_regex and not location.pattern.endswith("/") and uri.endswith("/"):
        yield Fail(site, values, related=related)
    else:
        yield Pass(site)


def _climbs_by_variable(
    proxied: Proxied, uri: str, site: Site, values: dict[str, str], related: tuple[Step, ...]
) -> Iterator[Verdict]:
    """A path below a folder that a variable completes: dots of its own must not follow the slash."""
    fixed = ""
    for part in parts(_QUERY_MARK.split(uri, maxsplit=1)[0], proxied.level):
        if not part.name:
            fixed += part.text
            continue
        if fixed.rstrip("/").strip("/") == "":
            break  # no folder that anybody could climb out of
        if isinstance(part.held, Unknown):
            yield Unsure(site, part.held.why)
            return
        held = part.held.value
        raw = held.alphabet == RAW and part.name != "request_uri"
        if raw and "." in held.alphabet and "/" in held.alphabet:
            yield Fail(site, {**values, "variable": part.text}, cause="variable", related=related)
            return
        if fixed.endswith("/") and _begins_with_dots(proxied, part.name, held):
            yield Fail(site, {**values, "variable": part.text}, cause="regex", related=related)
            return
        fixed += "x"
    yield Pass(site)


def _begins_with_dots(proxied: Proxied, name: str, held: Held) -> bool:
    """Whether the first group of the location's expression can begin with `..`: no slash stands before it.

    nginx resolves `/../` before it matches, so behind a slash a group never begins with dots and a slash.
    """
    location = proxied.location
    if not location.is_regex or not {".", "/"} <= held.alphabet:
        return False
    group = re.search(r"(?<!\\)\((?:\?P?<(\w+)>|(?!\?))", location.pattern)
    if group is None or name not in ("1", (group[1] or "").lower()):
        return False
    return not location.pattern[: group.start()].endswith("/") and _plain_before(location.pattern)


def _plain_before(pattern: str) -> bool:
    """Whether the text before the first group is plain."""
    told = expression(pattern)
    before = pattern.partition("(")[0].removeprefix("^").replace("\\", "")
    return isinstance(told, Known) and told.value.literal.startswith(before)


def _joined(stack: Stack, proxied: Proxied) -> Iterator[Verdict]:
    location, target = proxied.location, proxied.target
    if target.by != "proxy_pass" or target.line.words[0].hole:
        return
    text = target.line.words[0].text
    variables = [part for part in parts(text, proxied.level) if part.name]
    uri = target.uri if target.uri is not None else _path_in_variable(variables)
    if uri is None or (not variables and location.modifier in ("=", "@")):
        return
    site = Site(target.line.place, f"{location.site.name} proxied path")
    related = (Step(location.level.place, f"the {location.title} that it belongs to"),)
    values = {"path": location.pattern, "uri": uri, "target": text}
    if variables:
        yield _with_variables(stack, proxied, site, values, related)
    elif location.is_regex or location.hole:
        return
    elif not location.pattern.endswith("/") and uri == "/":
        yield Fail(site, values, cause="double-slash", related=related)
    elif location.pattern.endswith("/") and not uri.endswith("/") and "?" not in uri and not uri.endswith("="):
        yield Fail(site, values, cause="glued", related=related)
    else:
        yield Pass(site)


def _path_in_variable(variables: list[Part]) -> str | None:
    """The path that the only value of a variable brings along (`set $app http://app:8000/v1`)."""
    if len(variables) != 1 or isinstance(variables[0].held, Unknown):
        return None
    values = variables[0].held.value.values or ()
    match = re.fullmatch(r"\w+://[^/]+(/.*)", values[0]) if len(values) == 1 else None
    return match[1] if match is not None else None


def _with_variables(
    stack: Stack, proxied: Proxied, site: Site, values: dict[str, str], related: tuple[Step, ...]
) -> Verdict:
    """With a variable anywhere, what is written replaces the whole request line: path and query."""
    uri = values["uri"]
    path, mark, query = uri.partition("?")
    names = {(match[1] or match[2]).lower() for match in VARIABLE.finditer(uri)}
    if proxied.location.modifier == "=" and not names:
        return Pass(site)
    if not names and not mark:
        if any(proxied.level.lines.get(name) for name in ("rewrite",)):
            return Unsure(site, "a rewrite beside it says which paths get here")
        return Fail(site, values, cause="replaced", related=related)
    if names & _QUERY or query or "is_args" in names:
        return Pass(site)
    own = [part for part in parts(path, proxied.level) if part.name and part.name not in _WHOLE_PATH]
    if any(isinstance(part.held, Unknown) for part in own):
        return Unsure(site, next(part.held.why for part in own if isinstance(part.held, Unknown)))
    if any("?" in part.held.value.alphabet and part.name not in _WHOLE_PATH and not part.name.isdigit()
           for part in own if isinstance(part.held, Known) and part.held.value.alphabet == RAW):  # fmt: skip
        return Pass(site)
    if is_django(stack, proxied.target) is not True:
        return Pass(site)  # files and buckets have no use for a query
    return Fail(site, values, cause="query", related=related)
