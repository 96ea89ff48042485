"""Files that Django hands out by X-Accel-Redirect once it knows who asks, and that nginx gives to everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from stackaudit.checks.nginx.disclosure import guarded
from stackaudit.checks.nginx.served import media_path
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.facts import python as py
from stackaudit.link.mentions import Found, meaning
from stackaudit.link.modules import bindings, dotted
from stackaudit.link.nginx.answers import answer
from stackaudit.link.nginx.backends import pages
from stackaudit.link.nginx.servers import Location, Server
from stackaudit.link.nodes import nodes
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_HEADER = "x-accel-redirect"
_QUOTING = frozenset(
    {"quote", "urlquote", "iri_to_uri", "filepath_to_uri", "escape_uri_path", "smart_str", "force_str"}
)
_JOINING = frozenset({"join", "urljoin", "safe_join"})
_ASKS_WHO = re.compile(
    r"login|logged|permission|has_perm|(^|_)can_|auth(?!or)|(^|_)user($|_)|UserPasses|(^|_)owner|allowed|forbidden"
    r"|denied|is_staff|token|signed|signature|signer|(^|_)access|password",
    re.IGNORECASE,
)
_DEEPEST = 5
"""How many names, joins and quotations a path may go through."""


@dataclass(frozen=True)
class _HandedOut:
    """Files below `path` that `where` hands out; `asks`: it looks at who asks."""

    path: str
    where: str
    place: Place
    asks: bool


def protected_files_public(stack: Stack) -> Iterator[Verdict]:
    """One site for each location that nginx opens the files from which Django hands out."""
    handed = list(_handed_out(stack))
    yield from once_for_each_place(
        verdict
        for server in stack.nginx.servers
        if handed and pages(stack, stack.nginx, server) is not None
        for each in handed
        for verdict in _judge(stack, server, each)
    )


def _judge(stack: Stack, server: Server, handed: _HandedOut) -> Iterator[Verdict]:
    found = answer(server, handed.path + "x" if handed.path.endswith("/") else handed.path)
    if isinstance(found, Unknown) or found.value.kind != "files":
        return
    location = found.value.location
    if location is None or location.pattern == "/":
        return
    site = Site(location.level.place, f"{location.site.name}: files that Django hands out")
    closed = guarded(location.level)
    if closed == Known(True) or "secure_link" in location.level.lines:
        yield Pass(site)
    elif isinstance(closed, Unknown):
        yield Unsure(site, closed.why)
    elif any(inner.lines.get("return") for inner in location.level.inside("if")):
        yield Unsure(site, "a condition beside it turns some requests away")
    elif not handed.asks:
        yield Unsure(site, f"nothing tells whether {handed.where} looks at who asks")
    else:
        yield Fail(site, _values(location, handed), "media" if _is_media(stack, handed.path) else "", _related(handed))


def _values(location: Location, handed: _HandedOut) -> dict[str, str]:
    return {"path": handed.path, "location": location.title, "view": handed.where}


def _related(handed: _HandedOut) -> tuple[Step, ...]:
    return (Step(handed.place, f"{handed.where} hands them out"),)


def _is_media(stack: Stack, path: str) -> bool:
    return any(path.startswith(media) for media in media_path(stack))


def _handed_out(stack: Stack) -> Iterator[_HandedOut]:
    """What the code sets the header to, and what django-sendfile2 is told to."""
    for found in stack.mentions.written(lambda text: text.lower() == _HEADER):
        if found.function is None:
            continue
        value = _value(found, found.function)
        path = _beginning(stack, found, value, _DEEPEST) if value is not None else ""
        if re.match(r"/[^/]+/", path):
            path = path[: path.rindex("/") + 1] if not _is_whole(value) else path
            yield _HandedOut(path, found.where, found.module.place(found.node), _asks_who(found, found.function))
    settings = stack.production
    backend = settings.get("SENDFILE_BACKEND") if settings is not None else None
    if settings is not None and isinstance(backend, Known) and str(backend.value).endswith("sendfile.backends.nginx"):
        url = settings.get("SENDFILE_URL")
        if isinstance(url, Known) and isinstance(url.value, str) and url.value.strip("/"):
            place = url.places[0] if url.places else backend.places[0]
            yield _HandedOut(f"/{url.value.strip('/')}/", "django-sendfile2", place, asks=True)


def _value(found: Found, function: py.FunctionDef) -> py.Expr | None:
    """What the header is set to: by an item, by a dictionary, or by a method that takes both."""
    for node in nodes(function.body):
        if isinstance(node, py.Assign):
            for target in node.targets:
                if isinstance(target, py.Subscript) and target.index is found.node:
                    return node.value
        elif isinstance(node, py.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is found.node:
                    return value
        elif isinstance(node, py.Call) and len(node.args) == 2 and node.args[0] is found.node:
            return node.args[1]
    return None


def _is_whole(value: py.Expr | None) -> bool:
    return isinstance(value, py.Constant)


def _beginning(stack: Stack, found: Found, expr: py.Expr, depth: int) -> str:
    """The text that a path begins with, as far as the code says it; "" where it does not."""
    if depth == 0:
        return ""
    if isinstance(expr, py.Constant):
        return expr.value if isinstance(expr.value, str) else ""
    if isinstance(expr, py.JoinedStr):
        return _of_pieces(stack, found, expr, depth)
    if isinstance(expr, py.BinOp) and expr.op in ("+", "%"):
        left = _beginning(stack, found, expr.left, depth - 1)
        return left.partition("%")[0] if expr.op == "%" else left
    if isinstance(expr, py.Call):
        name = dotted(expr.func).rpartition(".")[2]
        if isinstance(expr.func, py.Attribute) and expr.func.attr == "format":
            return _beginning(stack, found, expr.func.value, depth - 1).partition("{")[0]
        if name in _JOINING and expr.args:
            first = _beginning(stack, found, expr.args[0], depth - 1)
            return first.rstrip("/") + "/" if first else ""
        return _beginning(stack, found, expr.args[0], depth - 1) if name in _QUOTING and expr.args else ""
    return _of_name(stack, found, expr, depth)


def _of_pieces(stack: Stack, found: Found, expr: py.JoinedStr, depth: int) -> str:
    result = ""
    for piece in expr.values:
        if isinstance(piece, py.FormattedValue):
            text = _beginning(stack, found, piece.value, depth - 1) if not result else ""
            if not text:
                break
            result += text
        elif isinstance(piece, py.Constant):
            result += str(piece.value)
    return result


def _of_name(stack: Stack, found: Found, expr: py.Expr, depth: int) -> str:
    """What a local name, a constant of the module or a setting holds; `.url` of a stored file begins with MEDIA_URL."""
    name = dotted(expr)
    if name.startswith("settings.") and stack.production is not None:
        value = stack.production.get(name.removeprefix("settings."))
        return value.value if isinstance(value, Known) and isinstance(value.value, str) else ""
    if isinstance(expr, py.Attribute) and expr.attr == "url":
        return next(iter(media_path(stack)), "")
    if isinstance(expr, py.Name) and found.function is not None:
        local = bindings(found.function.body)[0].get(expr.id, [])
        values = [each.node for each in local]
        if len(values) == 1 and isinstance(values[0], (py.Constant, py.JoinedStr, py.BinOp, py.Call, py.Attribute)):
            return _beginning(stack, found, values[0], depth - 1)
        if local:
            return ""
    symbol = meaning(stack, found, expr)
    node = symbol.node if symbol is not None and symbol.kind == "value" else None
    return node.value if isinstance(node, py.Constant) and isinstance(node.value, str) else ""


def _asks_who(found: Found, function: py.FunctionDef) -> bool:
    """Whether the function, what decorates it or its class asks for a permission, a user or a signature."""
    around: list[py.Node] = [*function.body, *function.decorators]
    if found.owner is not None:
        around += [*found.owner.bases, *found.owner.body, *found.owner.decorators]
    for node in nodes(around):
        word = node.attr if isinstance(node, py.Attribute) else node.id if isinstance(node, py.Name) else ""
        if word and _ASKS_WHO.search(word):
            return True
    return False
