"""Functions outside of the project: the process's environment, the standard library, Django and what settings use."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, quote_plus, unquote, urljoin, urlparse

from stackaudit.link.folding import attributes, included, operators, pydantic
from stackaudit.link.folding.arguments import plain_arguments
from stackaudit.link.folding.objects import ROOT, ClassObject, FoldedList, Maybe, Method, Namespace, Raised, Unset
from stackaudit.link.folding.operators import merged, noted
from stackaudit.model.values import AnyValue, Known, Unknown, by_default

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine

Handler: TypeAlias = "Callable[[Machine, Call], AnyValue]"


def _getenv(machine: Machine, call: Call) -> AnyValue:
    name = call.get(0, "key")
    default = call.get(1, "default")
    if not isinstance(name, Known) or not isinstance(name.value, str):
        return Unknown(name.why if isinstance(name, Unknown) else "which environment variable is read is not known")
    return with_default(machine.variable(name.value), name.value, default)


def with_default(found: AnyValue, name: str, default: AnyValue | None) -> AnyValue:
    """The value of a variable, or `default` where it is not set."""
    unset = isinstance(found, Unset) or (isinstance(found, Known) and found.value is None)
    if not unset:
        return found
    if default is None or (isinstance(default, Known) and default.value is None):
        return found
    return noted(default, by_default(name))


def _environ_setdefault(machine: Machine, call: Call) -> AnyValue:
    found = _getenv(machine, call)
    name = call.get(0, "key")
    if isinstance(name, Known) and isinstance(name.value, str):
        machine.write(machine.environ, name.value, found)
    return found


def _environ_pop(machine: Machine, call: Call) -> AnyValue:
    found = _getenv(machine, call)
    name = call.get(0, "key")
    if isinstance(name, Known) and isinstance(name.value, str):
        machine.write(machine.environ, name.value, Known(None))
    return found


def _environ_update(machine: Machine, call: Call) -> AnyValue:
    for arg in call.args:
        if isinstance(arg, Known) and isinstance(arg.value, dict):
            for key, value in arg.value.items():
                machine.write(machine.environ, key, value)
    for key, value in call.keywords.items():
        machine.write(machine.environ, key, value)
    return Known(None)


def _vcpus(machine: Machine, call: Call) -> AnyValue:
    return noted(machine.world.vcpus, "the host's vCPUs")


def _same(machine: Machine, call: Call) -> AnyValue:
    """A function that gives back its first argument as far as settings are concerned."""
    return call.first()


def _plain_call(make: Callable[..., Any], *failures: type[Exception]) -> Handler:
    """A pure function over plain arguments, which may fail like any function and in the ways of `failures`."""
    expected: tuple[type[Exception], ...] = (
        TypeError, ValueError, OverflowError, SyntaxError, RecursionError, MemoryError, *failures,
    )  # fmt: skip

    def apply(machine: Machine, call: Call) -> AnyValue:
        plain = plain_arguments(call, machine)
        if isinstance(plain, Unknown):
            return plain
        args, keywords = plain
        try:
            result = make(*args, **keywords)
        except expected as error:
            kind = "ValueError" if isinstance(error, ValueError) else type(error).__name__
            raise Raised(kind, f"a function raises {kind}") from None
        rested = merged(None, *call.args, *call.keywords.values())
        return operators.of_plain(result, rested.places, rested.note)

    return apply


def _loaded(machine: Machine, call: Call) -> AnyValue:
    """What a file holds: `yaml.safe_load(stream)`."""
    source = call.first()
    why = source.why if isinstance(source, Unknown) else ""
    return Unknown(why if "read from" in why else "it is read from a file", (call.place,))


def _of_argument(machine: Machine, call: Call) -> AnyValue:
    """`sys.argv[0].endswith("pytest")`: no part of a server's command line is a command of manage.py."""
    plain = operators.as_plain(call.first())
    given = plain if isinstance(plain, tuple) else (plain,)
    known = attributes.COMMANDS
    if all(isinstance(each, str) and each.rpartition("/")[2].removesuffix(".py") in known for each in given):
        return Known(False, (), "a server's command line is not manage.py's")
    return Unknown("the command line decides it", (call.place,))


def _new_each_time(name: str) -> Handler:
    return lambda machine, call: Unknown(f"{name} makes it anew in each process", (call.place,))


def _unknown(why: str) -> Handler:
    return lambda machine, call: Unknown(why, (call.place,))


def _strtobool(text: str) -> int:
    if text.lower() in ("y", "yes", "t", "true", "on", "1"):
        return 1
    if text.lower() in ("n", "no", "f", "false", "off", "0"):
        return 0
    raise ValueError


def _djp(machine: Machine, call: Call) -> AnyValue:
    """`djp.settings(globals())`: plugins that are installed add apps, middleware and settings of their own."""
    why = "plugins of djp may add to it"
    for arg in call.args:
        if isinstance(arg, Known) and isinstance(arg.value, Namespace):
            for name in ("INSTALLED_APPS", "MIDDLEWARE"):
                held = arg.value.get(name)
                if isinstance(held, Known) and isinstance(held.value, FoldedList):
                    machine.journal.touch(held.value)
                    held.value.append(Maybe(why))
    return Known(None)


def _nothing(machine: Machine, call: Call) -> AnyValue:
    return Known(None)


@dataclass(eq=False, slots=True)
class Partial:
    """`functools.partial(function, ...)`."""

    function: AnyValue
    args: list[AnyValue]
    keywords: dict[str, AnyValue]

    def folded_call(self, machine: Machine, owner: Known[Any], call: Call) -> AnyValue:
        """The function with both groups of arguments."""
        keywords = {**self.keywords, **call.keywords}
        return machine.call(self.function, [*self.args, *call.args], keywords, machine.blank, call.frame)


def _partial(machine: Machine, call: Call) -> AnyValue:
    return Known(Partial(call.first(), call.args[1:], call.keywords), (call.place,))


@dataclass(frozen=True, slots=True)
class Address:
    """What `urlparse` gives for a known address."""

    text: str
    source: Known[Any]

    def folded_attribute(self, machine: Machine, owner: Known[Any], name: str) -> AnyValue:
        """`address.name`."""
        parts = urlparse(self.text)
        if name in ("scheme", "netloc", "path", "params", "query", "fragment"):
            return merged(getattr(parts, name), self.source)
        try:
            if name in ("hostname", "port", "username", "password"):
                return merged(getattr(parts, name), self.source)
        except ValueError:
            raise Raised("ValueError", "a part of an address is odd") from None
        return Known(Method(owner, name), owner.places)

    def folded_method(self, machine: Machine, owner: Known[Any], name: str, call: Call) -> AnyValue:
        """`address.name(...)`."""
        if name == "geturl":
            return merged(urlparse(self.text).geturl(), self.source)
        return Unknown("a part of an address decides it", owner.places)


def _urlparse(machine: Machine, call: Call) -> AnyValue:
    value = call.first()
    if isinstance(value, Unknown):
        return Unknown(value.why, value.places)
    if isinstance(value.value, Address):
        return value
    if not isinstance(value.value, str) or ROOT in value.value or len(call.args) > 1 or call.keywords:
        return Unknown("an address is taken apart", value.places)
    try:
        urlparse(value.value)
    except ValueError:
        raise Raised("ValueError", "an address cannot be read") from None
    return Known(Address(value.value, value), value.places)


RANDOM = (
    "secrets.token_urlsafe", "secrets.token_hex", "secrets.token_bytes", "secrets.choice", "uuid.uuid4", "uuid.uuid1",
    "random.choice", "random.randint", "random.SystemRandom", "os.urandom", "random.random",
    "django.core.management.utils.get_random_secret_key", "django.utils.crypto.get_random_string",
)  # fmt: skip
LAZY = (
    "gettext_lazy", "gettext", "ugettext_lazy", "ugettext", "gettext_noop", "pgettext_lazy", "ugettext_noop",
)  # fmt: skip
MACHINE = (
    "socket.gethostname", "socket.getfqdn", "platform.node", "getpass.getuser", "os.uname",
    "os.getuid", "socket.gethostbyname", "socket.gethostbyname_ex", "os.getlogin", "time.time", "os.getpid",
)  # fmt: skip

CALLS: dict[str, Handler] = {
    "os.getenv": _getenv,
    "os.environ.get": _getenv,
    "os.environ.setdefault": _environ_setdefault,
    "os.environ.pop": _environ_pop,
    "os.environ.update": _environ_update,
    "multiprocessing.cpu_count": _vcpus,
    "os.cpu_count": _vcpus,
    "psutil.cpu_count": _vcpus,
    "os.process_cpu_count": _vcpus,
    "datetime.timedelta": _plain_call(timedelta),
    "json.loads": _plain_call(json.loads),
    "json.dumps": _plain_call(json.dumps),
    "json.load": _loaded,
    "yaml.safe_load": _loaded,
    "yaml.load": _loaded,
    "yaml.full_load": _loaded,
    "tomllib.load": _loaded,
    "tomli.load": _loaded,
    "toml.load": _loaded,
    "platform.system": lambda machine, call: Known("Linux"),
    "sys.argv[].endswith": _of_argument,
    "sys.argv[].startswith": _of_argument,
    "math.floor": _plain_call(math.floor),
    "math.ceil": _plain_call(math.ceil),
    "tempfile.gettempdir": lambda machine, call: with_default(machine.variable("TMPDIR"), "TMPDIR", Known("/tmp")),
    "ast.literal_eval": _plain_call(ast.literal_eval),
    "urllib.parse.urlparse": _urlparse,
    "urllib.parse.urlsplit": _urlparse,
    "functools.partial": _partial,
    "urllib.parse.quote": _plain_call(quote),
    "urllib.parse.quote_plus": _plain_call(quote_plus),
    "urllib.parse.unquote": _plain_call(unquote),
    "urllib.parse.urljoin": _plain_call(urljoin),
    "requests.utils.quote": _plain_call(quote),
    "requests.compat.quote": _plain_call(quote),
    "distutils.util.strtobool": _plain_call(_strtobool),
    "setuptools._distutils.util.strtobool": _plain_call(_strtobool),
    "django.utils.encoding.force_str": _same,
    "djp.settings": _djp,
    "split_settings.tools.include": included.include,
    "split_settings.tools.optional": included.optional,
    "dynaconf.DjangoDynaconf": included.dynaconf,
    "dynaconf.contrib.DjangoDynaconf": included.dynaconf,
    "dynaconf.contrib.django_dynaconf_v2.DjangoDynaconf": included.dynaconf,
    "sys.path.insert": _nothing,
    "sys.path.append": _nothing,
    "warnings.warn": _nothing,
    "os.makedirs": _nothing,
    "mimetypes.add_type": _nothing,
    **{name: _new_each_time(name.rpartition(".")[2]) for name in RANDOM},
    **{f"django.utils.translation.{name}": _same for name in LAZY},
    **{name: _unknown("the machine that it runs on decides it") for name in MACHINE},
}

CLASSES: dict[str, Callable[[Machine, ClassObject, Known[Any], Call], AnyValue]] = {
    "pydantic_settings.BaseSettings": pydantic.settings,
    "pydantic_settings.main.BaseSettings": pydantic.settings,
    "pydantic.BaseSettings": pydantic.settings,
    "pydantic.v1.BaseSettings": pydantic.settings,
    "pydantic.BaseModel": pydantic.model,
    "pydantic.main.BaseModel": pydantic.model,
}
"""Classes outside of the project whose subclasses are made in a known way, by name."""
