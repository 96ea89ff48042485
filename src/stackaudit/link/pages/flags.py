"""Names that some class-based views put into their contexts and others do not: flags of templates that views share."""

from __future__ import annotations

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.mentions import Found
from stackaudit.link.models import Models
from stackaudit.link.nodes import nodes
from stackaudit.link.pages.views import kind_of


class Lacking:
    """The names that the context of a view lacks, as a container.

    Other views write such a name, and nothing else does: no function, tag, context processor or URL, and no class that
    the view derives from. Django takes it for false in a condition.
    """

    def __init__(self, models: Models, view: SourceClass) -> None:
        self._models = models
        self._classes = [base for base in view.mro if isinstance(base, SourceClass)]
        self._is_open = view.is_open
        self._known: dict[str, bool] = {}

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str) or self._is_open:
            return False
        if name not in self._known:
            self._known[name] = self._lacks(name)
        return self._known[name]

    def _lacks(self, name: str) -> bool:
        written = self._models.mentions.texts.get(name, ())
        views = [self._view(item) for item in written]
        if not views or any(view is None or view in self._classes for view in views):
            return False
        own = nodes([cls.node for cls in self._classes])
        return not any(isinstance(node, py.Keyword) and node.name == name for node in own)

    def _view(self, found: Found) -> SourceClass | None:
        """The class-based view in whose body a text stands."""
        for stmt in found.module.facts.body:
            if isinstance(stmt, py.ClassDef) and stmt.start <= found.node.start < stmt.end:
                cls = self._models.classes.build(found.module, stmt)
                return cls if kind_of(cls) is not None else None
        return None
