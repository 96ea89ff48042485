"""The stack: what the whole deployment is, all facts linked; each view is linked when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.config import Config
from stackaudit.facts import python as py
from stackaudit.facts.files import FileFacts
from stackaudit.facts.tools import ToolFacts
from stackaudit.link import started
from stackaudit.model.rule import Need
from stackaudit.model.values import Known, Unknown

if TYPE_CHECKING:
    from stackaudit.facts.services import Compose
    from stackaudit.link.admin.walk import Changelists
    from stackaudit.link.celery import Celery
    from stackaudit.link.containers import Container
    from stackaudit.link.coroutines import Coroutine
    from stackaudit.link.declared import Declared
    from stackaudit.link.host import HostSpec
    from stackaudit.link.management import Management
    from stackaudit.link.mentions import Mentions
    from stackaudit.link.models import Models
    from stackaudit.link.models.model import Model
    from stackaudit.link.modules import Modules
    from stackaudit.link.nginx import Nginx
    from stackaudit.link.packages import Packages
    from stackaudit.link.pages import Pages
    from stackaudit.link.pages.files import Templates
    from stackaudit.link.processes import Processes
    from stackaudit.link.queries import Queries
    from stackaudit.link.readers import Readers
    from stackaudit.link.serializers.walk import Api
    from stackaudit.link.services import Services
    from stackaudit.link.settings import Settings
    from stackaudit.link.sources import Sources
    from stackaudit.link.usage import Usage
    from stackaudit.link.work import Works

_KINDS: dict[Need, tuple[str, ...]] = {
    "django": ("python",),
    "settings": ("python",),
    "templates": ("template",),
    "nginx": ("nginx",),
    "processes": (*started.KINDS, "uwsgi"),
    "services": ("postgresql", "pgbouncer", "redis", "compose", "systemd", "supervisor", "dockerfile", "procfile"),
    "packages": ("requirements", "pyproject", "pipfile", "setupcfg", "lock"),
}


class Stack:
    """All facts of one repository, linked. `tools` is what pip-audit and deptry said, where they were asked."""

    def __init__(self, files: Iterable[FileFacts], config: Config, tools: ToolFacts | None = None) -> None:
        self.files = {item.path: item for item in files}
        self.config = config
        self.tools = tools or ToolFacts()

    def of_kind(self, *kinds: str) -> list[FileFacts]:
        """The files of `kinds` that were read."""
        return [item for item in self.files.values() if item.kind in kinds and item.unread is None]

    def unread(self, *kinds: str) -> list[FileFacts]:
        """The files of `kinds` that could not be read."""
        return [item for item in self.files.values() if item.kind in kinds and item.unread is not None]

    def unread_for(self, needs: Iterable[Need]) -> list[FileFacts]:
        """The files that could not be read and that a rule with `needs` would have looked at."""
        kinds = {kind for need in needs if need != "settings" for kind in _KINDS.get(need, ())}
        return self.unread(*kinds) if kinds else []

    @cached_property
    def composes(self) -> dict[str, Compose]:
        """The compose files, by their paths."""
        return {item.path: item.facts for item in self.of_kind("compose")}

    @cached_property
    def modules(self) -> Modules:
        """The Python modules, with names resolved across imports."""
        from stackaudit.link.modules import Modules

        return Modules(self.of_kind("python"))

    @cached_property
    def settings(self) -> Settings | None:
        """Django's settings as production sees them; None where there is no settings module."""
        from stackaudit.link import settings

        return settings.resolve(self)

    @cached_property
    def production(self) -> Settings | None:
        """`settings` for what is said of production: every value is unknown where they may not be production's."""
        return self.settings.certain if self.settings is not None else None

    @cached_property
    def models(self) -> Models:
        """The model graph."""
        from stackaudit.link import models

        return models.resolve(self)

    @cached_property
    def queries(self) -> Queries:
        """Every place where the code asks the database, and how often."""
        from stackaudit.link import queries

        return queries.resolve(self)

    @cached_property
    def usage(self) -> Usage:
        """What functions do with the querysets that they make."""
        from stackaudit.link import usage

        return usage.resolve(self)

    @cached_property
    def coroutines(self) -> tuple[Coroutine, ...]:
        """The coroutine functions, and where they touch rows."""
        from stackaudit.link import coroutines

        return coroutines.resolve(self)

    @cached_property
    def sources(self) -> Sources:
        """The modules as trees that can be climbed from what stands at a place."""
        from stackaudit.link.sources import Sources

        return Sources(self.modules)

    @cached_property
    def readers(self) -> Readers:
        """Who runs the code that asks for related rows, beside the loops that repeat it."""
        from stackaudit.link.readers import Readers

        return Readers(self)

    @cached_property
    def works(self) -> Works:
        """What functions do beside what they ask the database."""
        from stackaudit.link.work import Works

        return Works(self)

    @cached_property
    def growing(self) -> frozenset[Model]:
        """The models whose tables grow as long as the site is used."""
        from stackaudit.link.models import growth

        return growth.growing(self.models, self.mentions)

    @cached_property
    def made(self) -> frozenset[Model]:
        """The models whose rows code and forms outside the admin make."""
        from stackaudit.link.models import growth

        return growth.made(self.models, self.mentions)

    @cached_property
    def templates(self) -> Templates:
        """The templates by the names that views use, and the tags and filters that they load."""
        from stackaudit.link.pages.files import Templates

        return Templates(self.of_kind("template"), self.modules)

    @cached_property
    def pages(self) -> Pages:
        """The views with their templates."""
        from stackaudit.link import pages

        return pages.resolve(self)

    @cached_property
    def api(self) -> Api:
        """The API views with their serializers."""
        from stackaudit.link.serializers import walk as serializers_walk

        return serializers_walk.resolve(self)

    @cached_property
    def admin(self) -> Changelists:
        """The admin's classes with their changelists."""
        from stackaudit.link.admin import walk as admin_walk

        return admin_walk.resolve(self)

    @cached_property
    def declared(self) -> Declared:
        """What classes of libraries declare: columns of tables, exports, feeds, search documents, types, choices."""
        from stackaudit.link import declared

        return declared.resolve(self)

    @cached_property
    def nginx(self) -> Nginx:
        """nginx's effective configuration."""
        from stackaudit.link import nginx

        return nginx.resolve(self)

    @cached_property
    def processes(self) -> Processes:
        """What is started, with its effective settings."""
        from stackaudit.link import processes

        return processes.resolve(self)

    @cached_property
    def mentions(self) -> Mentions:
        """What the code calls, writes and imports, by name."""
        return self.models.mentions

    @cached_property
    def management(self) -> Management:
        """The commands of manage.py that the code brings."""
        from stackaudit.link import management

        return management.resolve(self)

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """The services of compose files, with the ports that they publish."""
        from stackaudit.link import containers

        return containers.resolve(self)

    @cached_property
    def services(self) -> Services:
        """PostgreSQL, PgBouncer and Redis as the repository shows them."""
        from stackaudit.link import services

        return services.resolve(self)

    @cached_property
    def celery(self) -> Celery:
        """Celery's configuration and tasks."""
        from stackaudit.link import celery

        return celery.resolve(self)

    @cached_property
    def host(self) -> HostSpec:
        """The machine that it all runs on, as far as it was told."""
        from stackaudit.link import host

        return host.resolve(self)

    @cached_property
    def packages(self) -> Packages:
        """What the project depends on."""
        from stackaudit.link import packages

        return packages.resolve(self)

    def present(self, need: Need) -> Known[bool] | Unknown:
        """Whether the stack has `need`: Known(False) makes a rule not applicable, Unknown makes it unknown."""
        if need == "host":
            return Known(True) if self.config.host else Unknown("there is no [host] table (write one: stackaudit host)")
        if need in ("pip-audit", "deptry"):
            report = self.tools.pip_audit if need == "pip-audit" else self.tools.deptry
            if not self.packages.files:
                return Known(False)
            return Known(True) if report.ran else Unknown(report.why)
        if need == "settings":
            return Known(self.settings is not None)
        if need == "django":
            return self._imports_django()
        kinds = _KINDS[need]
        if self.of_kind(*kinds) or (need == "nginx" and self.nginx.https):  # it may stand inside other files
            return Known(True)
        broken = self.unread(*kinds)
        if broken and broken[0].unread is not None:
            return Unknown(f"{broken[0].path} could not be read: {broken[0].unread.text}")
        return Known(False)

    def _imports_django(self) -> Known[bool] | Unknown:
        if any(_imports(module.facts.body, "django") for module in self.modules):
            return Known(True)
        broken = self.unread("python")
        if broken and broken[0].unread is not None:
            return Unknown(f"{broken[0].path} could not be read: {broken[0].unread.text}")
        return Known(False)


def _imports(body: tuple[py.Stmt, ...], package: str) -> bool:
    """Whether a statement at the top of a module imports from `package`."""
    names = (
        name
        for stmt in body
        if isinstance(stmt, (py.Import, py.ImportFrom))
        for name in ([stmt.module] if isinstance(stmt, py.ImportFrom) else [alias.name for alias in stmt.names])
    )
    return any(name.partition(".")[0] == package for name in names)
