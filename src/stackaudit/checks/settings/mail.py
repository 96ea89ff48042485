"""Mail that a request waits for."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.facts import python as ir
from stackaudit.link.modules import SourceModule, decorators, dotted
from stackaudit.link.nodes import nodes
from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import items
from stackaudit.link.settings.servers import servers
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place
from stackaudit.model.values import AnyValue, Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

SMTP = "django.core.mail.backends.smtp.EmailBackend"
SENDERS = frozenset(
    {"send_mail", "send_mass_mail", "mail_admins", "mail_managers", "EmailMessage", "EmailMultiAlternatives"}
)
MODULES = frozenset({"django.core", "django.core.mail", "django.core.mail.message"})
APPS = {
    "allauth.account": "allauth sends its mails from its views",
    "djoser": "djoser sends its mails from its views",
    "registration": "django-registration sends its mails from its views",
    "django_registration": "django-registration sends its mails from its views",
    "dj_rest_auth": "dj-rest-auth sends its mails from its views",
}
HOOKS = frozenset({"form_valid", "form_invalid", "perform_create", "perform_update", "perform_destroy"})
"""Methods of Django's and DRF's views that run in a request, whether they look at it or not."""
_DEEPEST = 3
HERE = frozenset({"localhost", "127.0.0.1", "::1"})
"""A mail server on the same machine takes or refuses mail at once."""
VIEWS = ("django.contrib.auth.views.PasswordResetView", "django.contrib.auth.urls")


def email_blocking(stack: Stack) -> Iterator[Verdict]:
    """Mail that is sent over SMTP in a request gives up after a while."""
    settings = stack.settings
    if settings is None or settings.broken:
        return
    backend, timeout, host, path = _mailer(settings)
    site = Site(settings.place_at(*path), ".".join(path))
    if isinstance(backend, Known) and backend.value != SMTP:
        return
    sender = _sender(stack, settings)
    if sender is None:
        return
    if settings.doubt:
        yield Unsure(site, settings.doubt)
    elif isinstance(backend, Unknown):
        yield Unsure(site, backend.why)
    elif not settings.is_set("EMAIL_BACKEND") and _may_set_backend(stack, settings):
        yield Unsure(site, f"{settings.path} sets EMAIL_BACKEND where a condition holds")
    elif isinstance(host, Known) and str(host.value) in HERE:
        yield Pass(site)
    elif isinstance(timeout, Unknown):
        yield Unsure(site, timeout.why)
    elif timeout.value:
        yield Pass(site)
    else:
        unless = settings.unless(path[0] if len(path) > 1 else "EMAIL_TIMEOUT")
        values = {"setting": _named(path), "harm": _harm(stack), "mail": f"{unless}mail" if unless else "Mail"}
        yield Fail(site, values, related=(sender,))


def _may_set_backend(stack: Stack, settings: Settings) -> bool:
    """Whether the module sets EMAIL_BACKEND in a branch that was not taken, and that is not DEBUG's."""
    module = stack.modules.by_path.get(settings.path)
    branches = (node for node in nodes(module.facts.body if module is not None else ()) if isinstance(node, ir.If))
    return any(
        isinstance(node, ir.Assign) and any(dotted(target) == "EMAIL_BACKEND" for target in node.targets)
        for branch in branches
        if not any(isinstance(name, ir.Name) and name.id == "DEBUG" for name in nodes((branch.test,)))
        for node in nodes((*branch.body, *branch.orelse))
    )


def _harm(stack: Stack) -> str:
    """What a mail server that does not answer holds, by the worker class of production's servers."""
    found = {str(server.worker_class.value) for server in servers(stack) if isinstance(server.worker_class, Known)}
    kinds = {server.kind for server in servers(stack)}
    if kinds == {"gunicorn"} and found == {"sync"}:
        return "holds the worker until gunicorn kills it"
    if kinds == {"gunicorn"} and found == {"gthread"}:
        return "holds a thread of gunicorn for ever, for nothing kills a thread"
    return "holds the request for good (only gunicorn's sync workers are killed for it)"


def _mailer(settings: Settings) -> tuple[AnyValue, AnyValue, AnyValue, tuple[str, ...]]:
    """Backend, timeout and host of the mail server, and where the timeout would stand: MAILERS from Django 6.1 on."""
    if settings.is_set("MAILERS") and (settings.version is None or settings.version[:2] >= (6, 1)):
        options = ("MAILERS", "default", "OPTIONS")
        return (
            settings.at("MAILERS", "default", "BACKEND", default=SMTP),
            settings.at(*options, "timeout", default=None),
            settings.at(*options, "host", default="localhost"),
            (*options, "timeout"),
        )
    path = "EMAIL_TIMEOUT" if settings.is_set("EMAIL_TIMEOUT") else "EMAIL_HOST"
    return settings.get("EMAIL_BACKEND"), settings.get("EMAIL_TIMEOUT"), settings.get("EMAIL_HOST"), (path,)


def _named(path: tuple[str, ...]) -> str:
    return "EMAIL_TIMEOUT" if len(path) == 1 else 'MAILERS["default"]["OPTIONS"]["timeout"]'


def _sender(stack: Stack, settings: Settings) -> Step | None:
    """Something that sends mail while a visitor waits."""
    apps = items(settings, "INSTALLED_APPS")
    for name, told in APPS.items():
        item = apps.within(name)
        if item is not None and not item.doubt:
            return Step(item.place, told)
    for module in stack.modules:
        found = _in_module(stack, module)
        if found is not None:
            return Step(found, "a mail is sent here, in a request")
    return _by_helper(stack)


def _by_helper(stack: Stack) -> Step | None:
    """A request that calls a function which sends mail, or one which calls such a function."""
    helpers: dict[int, ir.FunctionDef] = {}
    for module in stack.modules:
        if _imports_mail(module):
            for function in _functions(module.facts.body):
                if _mail(stack, module, function) is not None:
                    helpers[id(function)] = function
    for _ in range(_DEEPEST if helpers else 0):
        names = {function.name for function in helpers.values()}
        asked: dict[str, list[int]] = {}  # where calls of such names begin: no other function is walked
        for found in stack.mentions.named(*names):
            asked.setdefault(found.module.path, []).append(found.node.start)
        for module in stack.modules:
            starts = asked.get(module.path)
            for function in _functions(module.facts.body) if starts else ():
                if not any(function.start < start < function.end for start in starts or ()):
                    continue
                call = _calls(stack, module, function, helpers, names)
                if call is not None and _has_request(function):
                    return Step(module.place(call), "a request calls what sends a mail here")
                if call is not None:
                    helpers[id(function)] = function
    return None


def _calls(
    stack: Stack, module: SourceModule, function: ir.FunctionDef, helpers: dict[int, ir.FunctionDef], names: set[str]
) -> ir.Call | None:
    for node in nodes(function.body):
        path = dotted(node.func) if isinstance(node, ir.Call) else ""
        if isinstance(node, ir.Call) and path.rpartition(".")[2] in names:
            symbol = stack.modules.resolve(module, path)
            if symbol is not None and id(symbol.node) in helpers:
                return node
    return None


def _functions(body: tuple[ir.Stmt, ...]) -> Iterator[ir.FunctionDef]:
    """Functions and methods of a module; tasks are none of them."""
    for statement in body:
        if isinstance(statement, ir.ClassDef) and not any(dotted(base).endswith("Task") for base in statement.bases):
            yield from _functions(statement.body)
        elif isinstance(statement, ir.FunctionDef) and not any("task" in name for name in decorators(statement)):
            yield statement


def _in_module(stack: Stack, module: SourceModule) -> Place | None:
    """The first mail that a function with a request sends, or Django's own view for forgotten passwords."""
    reset = next((place for place in _routes(stack, module)), None)
    if reset is not None:
        return reset
    if not _imports_mail(module):
        return None
    found = (_mail(stack, module, function) for function in _functions(module.facts.body) if _has_request(function))
    return next((place for place in found if place is not None), None)


def _mail(stack: Stack, module: SourceModule, function: ir.FunctionDef) -> Place | None:
    """The first mail that a function sends."""
    for node in nodes(function.body):
        if isinstance(node, ir.Call) and dotted(node.func).rpartition(".")[2] in SENDERS:
            symbol = stack.modules.resolve(module, dotted(node.func))
            if symbol is not None and symbol.name.startswith("django.core.mail."):
                return module.place(node)
    return None


def _imports_mail(module: SourceModule) -> bool:
    sources = (each.source for binding in module.names.values() for each in binding)
    return any(isinstance(source, ir.ImportFrom) and source.module in MODULES for source in sources)


def _routes(stack: Stack, module: SourceModule) -> Iterator[Place]:
    if "urlpatterns" not in module.names:
        return
    for statement in module.facts.body:
        if not isinstance(statement, (ir.Assign, ir.AugAssign)):
            continue
        for node in nodes((statement,)):
            if isinstance(node, ir.Constant) and node.value == "django.contrib.auth.urls":
                yield module.place(node)
            elif isinstance(node, ir.Attribute) and node.attr == "as_view":
                symbol = stack.modules.resolve(module, dotted(node.value))
                if symbol is not None and symbol.name in VIEWS:
                    yield module.place(node)


def _has_request(function: ir.FunctionDef) -> bool:
    """Whether a function gets a request, reads `self.request`, or is one that views call."""
    takes = any(param.name == "request" for param in function.params[:2]) or function.name in HOOKS
    return takes or any(
        isinstance(node, ir.Attribute) and node.attr == "request" and dotted(node.value) == "self"
        for node in nodes(function.body)
    )
