"""What the walk asks whoever knows more about calls that leave the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from stackaudit.link.classes import SourceClass
from stackaudit.link.queries.values import Instance, Row, Value

if TYPE_CHECKING:
    from stackaudit.link.queries.walk import At


class Hooks(Protocol):
    """What knows more about calls that leave the repository: templates that are rendered, inherited views.

    Each method returns None for what it does not know.
    """

    def external(self, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value | None:
        """A call of an external function by its dotted name."""

    def offers(self, instance: Instance, name: str) -> bool:
        """Whether `inherited` knows the method `name` that an external base class gives to `instance`."""

    def inherited(
        self, instance: Instance, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At
    ) -> Value | None:
        """A call of a method that an external base class gives to `instance`."""

    def serves(self, row: Row, name: str) -> bool:
        """Whether `served` knows the method `name` that an external base class gives to a row."""

    def served(self, row: Row, name: str, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> Value | None:
        """A call of a method that an external base class gives to a row."""

    def constructed(self, cls: SourceClass, args: tuple[Value, ...], keywords: dict[str, Value], at: At) -> None:
        """An object of a class of the repository is made."""
