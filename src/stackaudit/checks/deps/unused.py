"""deps/unused: declared distributions that nothing imports, names or starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stackaudit.checks.deps.loaded import (
    CONSTRAINTS,
    DRIVERS,
    HOSTS,
    NEEDED_BY_NAME,
    NEEDED_BY_STRING,
    PLUGINS,
    STARTED,
    Uses,
    uses,
)
from stackaudit.facts.distributions import MODULES
from stackaudit.link.packages import Declared, Packages
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

_AFFIXES = ("django-", "python-", "py-", "drf-", "djangorestframework-", "py")


def unused(stack: Stack) -> Iterator[Verdict]:
    """One verdict for each distribution that production asks for.

    deptry says what is not imported; what is loaded by name, started, or needed by another one is taken out; what may
    be in use unseen is unknown.
    """
    report, packages = stack.tools.deptry, stack.packages
    suspects = {issue.module.lower().replace("_", "-") for issue in report.issues if issue.code == "DEP002"}
    suspects &= {item.fact.key for item in packages.direct}
    found = uses(stack) if suspects else None
    pulled = _pulled_in(packages)
    hidden = _hidden(stack)
    for item in packages.direct:
        site = Site(item.place, item.fact.key)
        if report.asked and item.fact.key not in report.asked:
            yield Unsure(site, f"{report.source} was not asked about it")
        elif found is None or item.fact.key not in suspects or _used(item, found, packages):
            yield Pass(site)
        else:
            yield _judge(site, item, stack, pulled, hidden)


def _judge(site: Site, item: Declared, stack: Stack, pulled: Mapping[str, str], hidden: str) -> Verdict:
    key = item.fact.key
    if key in pulled:
        return Pass(site)  # it holds the version of what another package needs
    if hidden:
        return Unsure(site, f"{hidden} could not be read and may import it")
    if key in CONSTRAINTS:
        return Unsure(site, "nothing imports it, but it may hold the version of what another package pulls in")
    if key in STARTED:
        return Unsure(site, "nothing imports it and no command here starts it; it may be started from outside")
    if key in DRIVERS:
        return Unsure(site, "nothing imports it, but a URL that only the environment knows may name it")
    if key in stack.tools.deptry.guessed or key not in MODULES:
        return Unsure(site, "nothing imports a module of its name, but which modules it brings is not known here")
    return Fail(site, {"package": item.fact.name, "path": item.path, "line": item.fact.region.line})


def _used(item: Declared, found: Uses, packages: Packages) -> bool:
    key = item.fact.key
    if key == "django" or item.fact.url or key.startswith(PLUGINS) or key.endswith("-stubs"):
        return True
    if key in packages.development:
        return True
    if any(packages.has(host) for host in HOSTS.get(key, "").split()):
        return True
    modules = MODULES.get(key) or _guesses(key)
    if any(found.imports_module(module) or found.names_module(module) for module in modules):
        return True
    if key in found.commands or any(module in found.commands for module in modules):
        return True
    if any(name in found.names and key == needed for name, needed in NEEDED_BY_NAME.items()):
        return True
    prefixes = [prefix for prefix, names in NEEDED_BY_STRING if key in names.split()]
    if not prefixes:
        return False
    return any(text.startswith(tuple(prefixes)) for text in (*found.texts, *found.imports))


def _guesses(key: str) -> tuple[str, ...]:
    """The modules that a distribution of this name would have if it followed one of the customs."""
    names = {key, key.removesuffix("-python"), key.removesuffix("-py"), key.removesuffix("-django")}
    names |= {key.removeprefix(affix) for affix in _AFFIXES}
    names |= {key.replace("-", ""), *(name.replace("-", ".") for name in set(names))}
    return tuple(sorted({name.replace("-", "_") for name in names if len(name) > 1}))


def _pulled_in(packages: Packages) -> dict[str, str]:
    """Distributions that another one of production needs, by what the lock tells."""
    found: dict[str, str] = {}
    for key, items in packages.locked.items():
        for item in items:
            for name in item.fact.dependencies:
                if name != key and item.fact.registry:
                    found.setdefault(name, key)
    for key, declared in packages.declared.items():
        via = [name for one in declared for name in one.fact.via if not name.startswith(("-r ", "-c "))]
        if via and any(packages.has(name) for name in via):
            found.setdefault(key, via[0])
    return found


def _hidden(stack: Stack) -> str:
    """A file of the project's own whose imports nobody could read; "" where there is none."""
    broken = [item.path for item in stack.unread("python")]
    read = {item.path for item in stack.of_kind("python")}
    broken += [path for path in stack.tools.deptry.unread if path not in read and "test" not in path]
    return broken[0] if broken else ""
