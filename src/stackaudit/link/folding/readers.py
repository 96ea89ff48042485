"""Libraries that read the environment: django-environ, environs, dj-database-url."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stackaudit.link.folding import operators, outside, urls
from stackaudit.link.folding.objects import (
    ROOT,
    External,
    FoldedDict,
    Method,
    Raised,
    Unset,
)
from stackaudit.link.folding.operators import as_plain, noted
from stackaudit.model.values import AnyValue, Known, Unknown, by_default

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine

TRUE_WORDS = {
    "environ": ("true", "on", "ok", "y", "yes", "1"),
    "environs": ("t", "true", "on", "1", "y", "yes"),
    "decouple": ("y", "yes", "t", "true", "on", "1"),
}
"""What each library takes for true, in lower case."""


def boolean(text: str, library: str) -> bool:
    """`text` as a boolean."""
    try:
        return int(text) != 0
    except ValueError:
        return text.lower().strip() in TRUE_WORDS[library]


def _list(text: str, library: str) -> list[str]:
    parts = text.split(",")
    return [part for part in parts if part] if library == "environ" else [part.strip() for part in parts if part]


CASTS: dict[str, Callable[[str, str], Any]] = {
    "str": lambda text, library: text,
    "unicode": lambda text, library: text,
    "bool": boolean,
    "int": lambda text, library: int(text),
    "float": lambda text, library: float(text),
    "list": _list,
    "tuple": lambda text, library: tuple(_list(text, library)),
    "url": lambda text, library: text,
    "path": lambda text, library: text,
}
DATABASE_METHODS = ("db", "db_url", "dj_db_url")
CACHE_METHODS = ("cache", "cache_url", "dj_cache_url")
WRAPPED = ("dj_email_url", "email", "email_url", "search_url", "channels", "channels_url", "dict", "json", "timedelta",
           "date", "datetime", "uuid", "log_level", "enum", "bytes", "decimal", "search")  # fmt: skip


def reading(
    machine: Machine, call: Call, name: str, default: AnyValue | None, cast: str | None, library: str
) -> AnyValue:
    """The value of variable `name` cast as `cast`, or `default` as it is."""
    found = machine.variable(name)
    if isinstance(found, Unset) or (isinstance(found, Known) and found.value is None):
        if default is None:
            unset = Unset(f"the environment variable {name} decides it and the repository does not set it", (), name)
            for kind in ("ImproperlyConfigured", "UndefinedValueError", "EnvError"):
                machine.raised(call.frame, kind, unset)
            return Unknown(unset.why, (call.place,))
        return noted(default, by_default(name))
    if isinstance(found, Unknown):
        return found
    if cast is None:
        return found
    if cast not in CASTS:
        return Unknown(f"the environment variable {name} decides it", (call.place,))
    try:
        return operators.of_plain(CASTS[cast](str(found.value), library), found.places, found.note)
    except ValueError:
        raise Raised("ValueError", f"the environment variable {name} is no {cast}") from None


def cast_name(value: AnyValue | None) -> str | None:
    """The name of a cast given as a type; "?" for any other function."""
    if value is None or (isinstance(value, Known) and value.value is None):
        return None
    if isinstance(value, Known) and isinstance(value.value, External):
        return value.value.name.removeprefix("builtins.")
    return "?"


@dataclass(eq=False, slots=True)
class EnvReader:
    """An `environ.Env` or `environs.Env` object; `schemes` holds django-environ's casts and defaults."""

    reader: str
    schemes: dict[str, AnyValue] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)

    def folded_attribute(self, machine: Machine, owner: Known[Any], name: str) -> AnyValue:
        """`env.name`."""
        if name == "ENVIRON":
            return Known(External("os.environ"))
        return Known(Method(owner, name), owner.places)

    def folded_call(self, machine: Machine, owner: Known[Any], call: Call) -> AnyValue:
        """`env(...)`."""
        return self._read(machine, call, None)

    def folded_method(self, machine: Machine, owner: Known[Any], name: str, call: Call) -> AnyValue:
        """`env.name(...)`."""
        if name == "read_env":
            return Known(None)
        if name == "prefixed":
            prefix = call.first()
            if isinstance(prefix, Known):
                return Known(_Prefixed(self, str(prefix.value)))
            return Unknown("an unknown prefix is used")
        if name in DATABASE_METHODS or name in CACHE_METHODS:
            return self._address(machine, call, name)
        if self.reader == "environ" and name in ("url", "email", "email_url"):
            return self._taken_apart(machine, call, name)
        if name in CASTS:
            return self._read(machine, call, name)
        if name in WRAPPED:
            return self._read(machine, call, "?")
        return Unknown(f"the method {name} of an environment reader decides it", (call.place,))

    def _read(self, machine: Machine, call: Call, method: str | None) -> AnyValue:
        name = call.get(0, "name") or call.keywords.get("var")
        if not isinstance(name, Known) or not isinstance(name.value, str):
            return Unknown("which environment variable is read is not known", (call.place,))
        variable = "".join(self.prefix) + name.value
        default = call.keywords.get("default")
        cast = method
        rest = call.args[1:]
        if self.reader == "environs" or method is not None:
            default = rest[0] if rest else default
        else:
            cast = cast_name(rest[0] if rest else call.keywords.get("cast"))
            default = rest[1] if len(rest) > 1 else default
        if isinstance(default, Known) and isinstance(default.value, External) and "NOTSET" in default.value.name:
            default = None
        if self.reader == "environ":
            scheme = self.schemes.get(variable)
            if scheme is not None:
                cast, default = _of_scheme(scheme, cast, default)
            if cast is None and isinstance(default, Known) and default.value is not None:
                cast = type(default.value).__name__.removeprefix("Folded").lower()
            if cast == "list" and call.keywords.get("cast") is not None:
                cast = "?"
            if isinstance(default, Known) and isinstance(default.value, str) and default.value.startswith("$"):
                return Unknown("another variable stands for its default", (call.place,))
            found = machine.variable(variable)
            if isinstance(found, Known) and str(found.value).startswith("$"):
                return Unknown(f"another variable stands for {variable}", (call.place,))
        elif call.keywords.get("subcast") is not None or call.keywords.get("validate") is not None:
            cast = "?"
        result = reading(machine, call, variable, default, cast, self.reader)
        if method == "path" and isinstance(result, Known) and isinstance(result.value, str):
            return machine.call(Known(External("pathlib.Path")), [result], {}, machine.blank, call.frame)
        return result

    def _taken_apart(self, machine: Machine, call: Call, method: str) -> AnyValue:
        """django-environ takes apart the default as well: `env.email_url("EMAIL_URL", default="smtp://")`."""
        if method != "url" and not call.args and "var" not in call.keywords:
            call.args = [Known("EMAIL_URL")]
        text = self._read(machine, call, "str")
        if method == "url":
            return machine.call(Known(External("urllib.parse.urlparse")), [text], {}, machine.blank, call.frame)
        plain = as_plain(text)
        backend = call.keywords.get("backend")
        found = urls.email(plain) if isinstance(plain, str) and backend is None else None
        if found is not None:
            return operators.of_plain(found, text.places, text.note if isinstance(text, Known) else "")
        why = text.why if isinstance(text, Unknown) else "the address of the mail server is unusual"
        return Known(FoldedDict({name: Unknown(why, text.places) for name in urls.EMAIL}), text.places)

    def _address(self, machine: Machine, call: Call, method: str) -> AnyValue:
        database = method in DATABASE_METHODS
        name = call.get(0, "var") or Known("DATABASE_URL" if database else "CACHE_URL")
        if not isinstance(name, Known):
            return Unknown(name.why, name.places)
        variable = "".join(self.prefix) + str(name.value)
        default = call.get(1, "default")
        scheme = self.schemes.get(variable)
        if scheme is not None and default is None:
            _, default = _of_scheme(scheme, None, None)
        found = machine.variable(variable)
        if isinstance(found, Unset):
            if default is None:
                return open_entry(found.why, {})
            found = noted(default, by_default(variable))
        engine = call.keywords.get("engine") or call.keywords.get("backend")
        if self.reader == "environs":
            if database:
                arguments = {key: item for key, item in call.keywords.items() if key not in ("default", "name")}
                return parse_database(found, arguments, "dj_database_url")
            return Unknown("an address of a cache decides it", (call.place,))
        if database:
            return parse_database(found, {} if engine is None else {"engine": engine}, "environ")
        return parse_cache(machine, found, engine)


@dataclass(eq=False, slots=True)
class _Prefixed:
    """`env.prefixed("X_")` as a context manager."""

    reader: EnvReader
    prefix: str

    def folded_enter(self) -> Callable[[], None]:
        """Enters the context; gives the function that leaves it."""
        self.reader.prefix.append(self.prefix)

        def leave() -> None:
            self.reader.prefix.pop()

        return leave


def _of_scheme(scheme: AnyValue, cast: str | None, default: AnyValue | None) -> tuple[str | None, AnyValue | None]:
    """The cast and default that `environ.Env(NAME=(cast, default))` declares, under those of the call itself."""
    if isinstance(scheme, Known) and isinstance(scheme.value, tuple) and len(scheme.value) == 2:
        declared, fallback = scheme.value
        return cast or cast_name(declared), default if default is not None else fallback
    return cast or cast_name(scheme), default


def open_entry(why: str, entries: dict[str, AnyValue]) -> AnyValue:
    """A dict of which only `entries` are known."""
    found = FoldedDict(entries)
    found.open = why
    return Known(found)


def parse_database(url: AnyValue, arguments: dict[str, AnyValue], library: str) -> AnyValue:
    """A DATABASES entry from an address and the keyword arguments that go with it."""
    extra: dict[str, AnyValue] = {}
    if library == "dj_database_url":
        extra = {
            "CONN_MAX_AGE": arguments.get("conn_max_age", Known(0)),
            "CONN_HEALTH_CHECKS": arguments.get("conn_health_checks", Known(False)),
            "DISABLE_SERVER_SIDE_CURSORS": arguments.get("disable_server_side_cursors", Known(False)),
        }
    engine = arguments.get("engine")
    if isinstance(engine, Unknown) or isinstance(url, Unknown):
        why = url.why if isinstance(url, Unknown) else engine.why if isinstance(engine, Unknown) else ""
        if isinstance(engine, Known) and engine.value is not None:
            extra["ENGINE"] = engine
        return open_entry(why, extra)
    text = as_plain(url)
    if not isinstance(text, str):
        if isinstance(text, dict):
            return url
        return Unknown("the address of the database is no string", url.places)
    rooted = text.replace(ROOT, "/-root-")
    try:
        entry = urls.database(rooted, engine.value if engine else None, library) if text else {}
    except ValueError:
        raise Raised("ValueError", "the address of the database cannot be read") from None
    if entry is None:
        return open_entry("the address of the database is unusual", extra)
    for key, value in entry.items():
        if isinstance(value, str):
            entry[key] = value.replace("/-root-", ROOT).replace("-root-/", f"{ROOT}/".lstrip("/"))
    found = operators.of_plain(entry, url.places, url.note)
    assert isinstance(found, Known)
    if not text:
        return found
    if "OPTIONS" in arguments or "ssl_require" in arguments:
        ssl = arguments.get("ssl_require")
        if isinstance(ssl, Known) and ssl.value:
            options = found.value.setdefault("OPTIONS", Known(FoldedDict()))
            options.value["sslmode"] = Known("require")
        elif isinstance(ssl, Unknown):
            found.value["OPTIONS"] = Unknown(ssl.why, ssl.places)
    if "test_options" in arguments:
        found.value["TEST"] = arguments["test_options"]
    found.value.update(extra)
    return found


def parse_cache(machine: Machine, url: AnyValue, backend: AnyValue | None) -> AnyValue:
    """A CACHES entry from an address."""
    if isinstance(url, Unknown):
        return open_entry(url.why, {} if backend is None else {"BACKEND": backend})
    text = as_plain(url)
    if not isinstance(text, str):
        return url if isinstance(text, dict) else Unknown("the address of the cache is no string", url.places)
    installed = machine.world.installed("django_redis")
    redis = {
        True: "django_redis.cache.RedisCache",
        False: "django.core.cache.backends.redis.RedisCache",
        None: None,
    }[installed]
    entry = urls.cache(text, redis)
    if entry is None:
        return open_entry("the address of the cache is unusual", {})
    found = operators.of_plain(entry, url.places, url.note)
    assert isinstance(found, Known)
    if entry["BACKEND"] is None:
        found.value["BACKEND"] = Unknown("whether django-redis is installed decides it")
    if backend is not None:
        found.value["BACKEND"] = backend
    return found


def _environ_env(machine: Machine, call: Call) -> AnyValue:
    return Known(EnvReader("environ", dict(call.keywords)), (call.place,))


def _environs_env(machine: Machine, call: Call) -> AnyValue:
    return Known(EnvReader("environs"), (call.place,))


def _dj_config(machine: Machine, call: Call) -> AnyValue:
    keywords = dict(call.keywords)
    for index, arg in enumerate(call.args):
        keywords[("env", "default", "engine", "conn_max_age", "conn_health_checks")[min(index, 4)]] = arg
    name = keywords.pop("env", Known("DATABASE_URL"))
    default = keywords.pop("default", None)
    if isinstance(name, Unknown):
        return Unknown(name.why, name.places)
    found = outside.with_default(machine.variable(str(name.value)), str(name.value), default)
    if isinstance(found, Known) and found.value is None:
        return Known(FoldedDict())
    return parse_database(found, keywords, "dj_database_url")


def _dj_parse(machine: Machine, call: Call) -> AnyValue:
    keywords = dict(call.keywords)
    for index, arg in enumerate(call.args[1:]):
        keywords[("engine", "conn_max_age", "conn_health_checks")[min(index, 2)]] = arg
    url = call.get(0, "url") or Unknown("the address of the database is missing")
    if isinstance(url, Unset):
        raised = machine.raised(call.frame, "TypeError", url)
        return parse_database(Unknown(raised.why), keywords, "dj_database_url")
    return parse_database(url, keywords, "dj_database_url")


CALLS: dict[str, outside.Handler] = {
    "environ.Env": _environ_env,
    "environ.FileAwareEnv": _environ_env,
    "environs.Env": _environs_env,
    "environs.FileAwareEnv": _environs_env,
    "environ.Env.read_env": lambda machine, call: Known(None),
    "environs.Env.read_env": lambda machine, call: Known(None),
    "dotenv.load_dotenv": lambda machine, call: Known(True),
    "dotenv.read_dotenv": lambda machine, call: Known(None),
    "dj_database_url.config": _dj_config,
    "dj_database_url.parse": _dj_parse,
}
