"""What a variable of nginx may hold: who has a say in it, and with which characters.

Followed through set, map, geo and the captures of expressions. What a client can put into the built-in variables was
seen on live nginx 1.22.1: only decoded paths (and a password prompt's user name) can hold a line feed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from stackaudit.link.nginx.expressions import BEYOND, EVERY, Alphabet, expression
from stackaudit.link.nginx.level import Level, Line
from stackaudit.link.nginx.servers import modifier_and_pattern
from stackaudit.model.source import Place
from stackaudit.model.values import Known, Unknown, Value

VARIABLE = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
DEEPEST = 6
"""How many variables may lead to each other."""

MOST_TEXTS = 64
"""How many texts a set of constants may hold."""

NOTHING: Alphabet = frozenset()
RAW: Alphabet = frozenset(chr(code) for code in range(0x21, 0x7F)) | {BEYOND}
"""What stands in a request line, not decoded: no blank, no CR, no LF."""

HEADER: Alphabet = RAW | {" ", "\t"}
HOST: Alphabet = RAW - {"/"} - frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_METHOD: Alphabet = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_-")

DECODED = frozenset({"uri", "document_uri", "request_filename", "fastcgi_script_name", "fastcgi_path_info"})
_BY_CLIENT: dict[str, Alphabet] = {
    **dict.fromkeys(DECODED, EVERY),
    **dict.fromkeys(("request_uri", "args", "query_string"), RAW),
    **dict.fromkeys(("proxy_add_x_forwarded_for", "content_type", "request", "http_host"), HEADER),
    "host": HOST,
    "request_method": _METHOD,
    "request_body": EVERY,
    "remote_user": EVERY - {":"},
}
_BY_CLIENT_PREFIXES = {"arg_": RAW, "http_": HEADER, "cookie_": HEADER}
_BY_SERVER = re.compile(
    r"scheme|https|server_\w+|hostname|pid|msec|time_\w+|nginx_version|request_(id|length|time|completion|port)|status"
    r"|connections?\w*|(binary_)?remote_(addr|port)|realip_\w+|proxy_(protocol_\w+|host|port)|upstream_\w+|sent_\w+"
    r"|ssl_\w+|geoip2?_\w+|limit_\w+|document_root|realpath_root|(body_)?bytes_sent|is_args|invalid_referer|gzip_ratio"
    r"|tcpinfo_\w+|uid_\w+|modern_browser|ancient_browser|msie|http[23]|content_length|secure_link\w*|brotli_ratio"
)
_CONSTANTS = {"scheme": ("http", "https"), "is_args": ("", "?")}
_ELSEWHERE = ("set_by_lua", "set_by_lua_block", "set_by_lua_file", "js_set", "perl_set", "set_unescape_uri")
_MAP_OPTIONS = frozenset({"hostnames", "volatile"})


@dataclass(frozen=True)
class Held:
    """What a variable may hold.

    `alphabet` is what a client can put into it, empty where no client has a say. `values` are all the texts that it
    can be where these are constants, None else. `places` are the lines that it went through.
    """

    alphabet: Alphabet = NOTHING
    values: tuple[str, ...] | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Part:
    """A stretch of a word: plain text, or a variable and what it may hold."""

    text: str
    name: str = ""
    held: Value[Held] = field(default_factory=lambda: Known(Held(values=("",))))


def parts(text: str, level: Level, own: str = "", depth: int = 0) -> list[Part]:
    """The plain texts and variables of a word that stands in `level`; `own` is the expression of its own line.

    A name in capitals that nothing sets is taken for a template's: it is no variable when nginx reads the file.
    """
    found: list[Part] = []
    at = 0
    for match in VARIABLE.finditer(text):
        found += _plain(text[at : match.start()])
        written = match[1] or match[2]
        name, rest = (written[:1], written[1:]) if written[0].isdigit() else (written.lower(), "")
        held = _of(name, level, own, depth)
        if isinstance(held, Unknown) and written.isupper():
            found.append(Part(match[0], held=Known(Held())))
        else:
            found += [Part(match[0], name, held), *_plain(rest)]
        at = match.end()
    return [*found, *_plain(text[at:])]


def _plain(text: str) -> list[Part]:
    return [Part(text, held=Known(Held(values=(text,))))] if text else []


def together(pieces: Iterable[Part]) -> Value[Held]:
    """What the whole word may hold."""
    alphabet: Alphabet = NOTHING
    places: tuple[Place, ...] = ()
    options: list[tuple[str, ...]] | None = []
    for part in pieces:
        if isinstance(part.held, Unknown):
            return part.held
        held = part.held.value
        alphabet |= held.alphabet
        places += held.places
        if held.values is None:
            options = None
        elif options is not None:
            options.append(held.values)
    values = None
    if options is not None:
        size = 1
        for option in options:
            size *= len(option)
        if size <= MOST_TEXTS:
            values = tuple(dict.fromkeys("".join(texts) for texts in itertools.product(*options)))
    return Known(Held(alphabet, values, places))


def _of(name: str, level: Level, own: str, depth: int) -> Value[Held]:
    if depth > DEEPEST:
        return Unknown(f"${name} is set by way of too many other variables")
    if name.isdigit():
        return _capture(name, level, own, depth)
    for lookup in (_of_set, _of_map, _of_named_capture):
        found = lookup(name, level, own, depth)
        if found is not None:
            return found
    return _built_in(name, level)


def _word(text: str, level: Level, own: str, depth: int) -> Value[Held]:
    return together(parts(text, level, own, depth + 1))


def _built_in(name: str, level: Level) -> Value[Held]:
    if name in DECODED:
        return Known(_path(level))
    if name == "remote_user" and _asks_for_password(level):
        return Known(Held())
    if name in _CONSTANTS:
        return Known(Held(values=_CONSTANTS[name]))
    alphabet = _BY_CLIENT.get(name)
    if alphabet is None:
        alphabet = next((chars for prefix, chars in _BY_CLIENT_PREFIXES.items() if name.startswith(prefix)), None)
    if alphabet is not None:
        return Known(Held(alphabet))
    if _BY_SERVER.fullmatch(name):
        return Known(Held())
    return Unknown(f"what ${name} holds is not in the repository")


def _asks_for_password(level: Level) -> bool:
    """Whether only users of a password file get here."""
    found = level.in_force("auth_basic")
    return isinstance(found, Known) and bool(found.value.lines) and found.value.lines[-1].words[0].text != "off"


def _path(level: Level) -> Held:
    """The decoded path, as far as the location around narrows it."""
    for outer in level.outward():
        rewritten = any(len(line.words) > 1 for line in outer.lines.get("rewrite", []))
        if rewritten or outer.kind in ("server", "http"):
            break
        words = outer.directive.args if outer.directive is not None and outer.kind == "location" else ()
        if not words or any(word.hole for word in words):
            continue
        modifier, pattern = modifier_and_pattern([word.text for word in words])
        if modifier == "=":
            return Held(values=(pattern,))
        if modifier in ("~", "~*"):
            told = expression(pattern)
            if isinstance(told, Known) and told.value.whole is not None:
                return Held(told.value.whole)
    return Held(EVERY)


def _subject(text: str, level: Level, depth: int) -> Alphabet:
    """The characters that the subject of an expression can hold."""
    held = _word(text, level, "", depth)
    return held.value.alphabet if isinstance(held, Known) else EVERY


def _expressions(level: Level, *, of_ifs: bool = False) -> Iterator[tuple[str, str, Place]]:
    """The expressions matched before what stands in a level runs: pattern, subject and place."""
    words = [word.text for word in level.directive.args] if level.directive is not None else []
    if level.kind == "if" and len(words) >= 3 and words[1] in ("~", "~*"):
        yield words[2], words[0], level.place
    for line in level.lines.get("rewrite", []):
        if len(line.words) == 2 or (len(line.words) > 2 and line.words[2].text == "break"):
            yield line.words[0].text, "$uri", line.place
    for block in level.inside("if") if of_ifs else ():
        yield from _expressions(block)
    if level.kind == "location" and words:
        modifier, pattern = modifier_and_pattern(words)
        if modifier in ("~", "~*"):
            yield pattern, "$document_uri", level.place
    for line in level.lines.get("server_name", []):
        for word in line.words:
            if word.text.startswith("~"):
                yield word.text[1:], "$host", line.place


def _capture(number: str, level: Level, own: str, depth: int) -> Value[Held]:
    """`$1`: of the line's own expression, else of the nearest one around."""
    if own:
        return _group(own, number, EVERY, ())
    for outer in level.outward():
        found = [item for item in _expressions(outer) if "(" in item[0]]
        if found:
            chars_of_all: Alphabet = NOTHING
            places: tuple[Place, ...] = ()
            for pattern, subject, place in found:
                chars = EVERY if subject in ("$uri", "$document_uri") else _subject(subject, outer, depth + 1)
                held = _group(pattern, number, chars, (place,))
                if isinstance(held, Unknown):
                    return held
                chars_of_all |= held.value.alphabet
                places += held.value.places if held.value.alphabet else ()
            return Known(Held(chars_of_all, None, places))
    return Unknown(f"which expression fills ${number} is not in the repository")


def _group(pattern: str, name: str, subject: Alphabet, places: tuple[Place, ...]) -> Value[Held]:
    if name == "0":
        return Known(Held(subject, None, places))
    told = expression(pattern)
    if isinstance(told, Unknown):
        return told
    return Known(Held(told.value.groups.get(name, NOTHING) & subject, None, places))


def _of_named_capture(name: str, level: Level, own: str, depth: int) -> Value[Held] | None:
    marks = (f"?<{name}>", f"?p<{name}>", f"?'{name}'")
    if own and any(mark in own.lower() for mark in marks):
        return _named_group(own, name, EVERY, ())
    for outer in level.outward():
        for pattern, subject, place in _expressions(outer, of_ifs=True):
            if any(mark in pattern.lower() for mark in marks):
                chars = EVERY if subject in ("$uri", "$document_uri") else _subject(subject, outer, depth + 1)
                return _named_group(pattern, name, chars, (place,))
    for block in _blocks(level, "map"):
        for key, lines in block.lines.items():
            if key.startswith("~") and any(mark in key.lower() for mark in marks) and block.directive is not None:
                chars = _subject(block.directive.args[0].text, level, depth + 1)
                return _named_group(key.lstrip("~*"), name, chars, (lines[0].place,))
    return None


def _named_group(pattern: str, name: str, subject: Alphabet, places: tuple[Place, ...]) -> Value[Held]:
    told = expression(pattern)
    if isinstance(told, Unknown):
        return told
    groups = {key.lower(): chars for key, chars in told.value.groups.items()}
    return Known(Held(groups.get(name, NOTHING) & subject, None, places))


def _of_set(name: str, level: Level, own: str, depth: int) -> Value[Held] | None:
    held: list[Held] = []
    for outer in level.outward():
        always = _sets(outer, name)
        sometimes = [(block, line) for block in outer.inside("if") for line in _sets(block, name)]
        for where, line in [*((outer, line) for line in always), *sometimes]:
            if len(line.words) < 2 or line.words[1].hole or line.maybe:
                return Unknown(f"the template decides what ${name} holds", (line.place,))
            if f"${name}" in line.words[1].text.lower():
                return Unknown(f"${name} is built from itself", (line.place,))
            told = _word(line.words[1].text, where, "", depth)
            if isinstance(told, Unknown):
                return told
            held.append(Held(told.value.alphabet, told.value.values, (line.place, *told.value.places)))
        if any(name in _texts(outer.lines.get(how, [])) for how in _ELSEWHERE):
            return Unknown(f"what ${name} holds is computed by a script")
        if name in _texts(outer.lines.get("auth_request_set", [])):
            held.append(Held())
        if always:
            break
    return Known(_either(held)) if held else None


def _texts(lines: Iterable[Line]) -> set[str]:
    return {line.words[0].text.lower().lstrip("$") for line in lines if line.words}


def _sets(level: Level, name: str) -> list[Line]:
    return [
        line for line in level.lines.get("set", []) if line.words and line.words[0].text.lower().lstrip("$") == name
    ]


def _either(held: list[Held]) -> Held:
    alphabet: Alphabet = frozenset().union(*(one.alphabet for one in held))
    places = tuple(place for one in held if one.alphabet or one.values is None for place in one.places)
    values: tuple[str, ...] | None = ()
    for one in held:
        values = None if values is None or one.values is None else tuple(dict.fromkeys((*values, *one.values)))
    return Held(alphabet, values, places or held[0].places)


def _blocks(level: Level, kind: str) -> Iterator[Level]:
    *_, http = level.outward()
    for outer in dict.fromkeys((http, *level.outward())):
        yield from outer.inside(kind)


def _of_map(name: str, level: Level, own: str, depth: int) -> Value[Held] | None:
    for kind in ("map", "geo", "split_clients"):
        for block in _blocks(level, kind):
            words = block.directive.args if block.directive is not None else ()
            if words and words[-1].text.lower() == "$" + name:
                return _of_block(block, kind, level, depth)
    return None


def _of_block(block: Level, kind: str, level: Level, depth: int) -> Value[Held]:
    if block.gaps:
        return Unknown(block.gaps[0].why, (block.gaps[0].place,))
    source = block.directive.args[0].text if block.directive is not None else ""
    held = [] if kind != "map" or "default" in block.lines else [Held(values=("",))]
    for key, lines in block.lines.items():
        if key in _MAP_OPTIONS and not lines[0].words:
            continue
        for line in lines:
            if not line.words or line.words[0].hole:
                return Unknown("the template fills in a value of the map", (line.place,))
            text = line.words[0].text
            if kind != "map" or "$" not in text:
                held.append(Held(values=(text,)))
                continue
            told = _value(key, text, source, level, depth)
            if isinstance(told, Unknown):
                return told
            held.append(Held(told.value.alphabet, told.value.values, (line.place, *told.value.places)))
    return Known(_either(held) if held else Held(values=("",)))


def _value(key: str, text: str, source: str, level: Level, depth: int) -> Value[Held]:
    """A map's value with variables in it; captures are those of its key."""
    *_, http = level.outward()
    if not key.startswith("~"):
        return _word(text, http if source != "$uri" else level, "", depth)
    pattern = key[1:].removeprefix("*")
    held = _word(text, http, pattern, depth)
    if isinstance(held, Unknown):
        return held
    return Known(Held(held.value.alphabet & _subject(source, level, depth + 1), None, held.value.places))
