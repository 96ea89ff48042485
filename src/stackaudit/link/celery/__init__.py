"""Celery: the application's effective configuration, its tasks, and where they are sent.

`setting` follows what Celery 5.7 does (a test runs it): what `app.conf` is told goes before the arguments of
`Celery(...)`, these before the configuration source, this before the default. With a namespace both
`CELERY_TASK_TIME_LIMIT` and the old `CELERYD_TASK_TIME_LIMIT` count, the new one first; without one Django's settings
only have the old names.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from stackaudit.link.celery.apps import App, chosen
from stackaudit.link.celery.names import SETTINGS
from stackaudit.link.celery.tasks import Task, tasks
from stackaudit.link.celery.transactions import Sent, Transactions
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

__all__ = ["App", "Celery", "Sent", "Task", "Transactions", "resolve"]


@dataclass(frozen=True)
class Celery:
    """`app` is the application that the workers of production run, None where the repository makes none."""

    stack: Stack
    app: App | None = None

    @property
    def used(self) -> bool:
        """Whether the repository has an application or tasks of Celery."""
        return self.app is not None or bool(self.tasks)

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks of the repository, in the order of its files."""
        return tuple(tasks(self.stack))

    @cached_property
    def sent(self) -> tuple[Sent, ...]:
        """Every place that sends a task, with the transaction around it."""
        return tuple(Transactions(self.stack).sent())

    def setting(self, name: str) -> AnyValue:
        """The effective value of a setting by its name of today ("task_time_limit")."""
        default: AnyValue = Known(SETTINGS[name][1], (), "Celery's default")
        if self.app is None:
            return Unknown("the repository makes no Celery application")
        settings = self.stack.settings
        if settings is not None and settings.doubt and self.app.source is settings and name not in self.app.told:
            return Unknown(settings.doubt)
        return self.app.setting(name) or default


def resolve(stack: Stack) -> Celery:
    """Celery as `stack` uses it."""
    return Celery(stack, chosen(stack))
