"""PostgreSQL, PgBouncer and Redis as the repository shows them: containers, units and configuration files.

`stack.services` holds one `Instance` for each compose service, image, unit and configuration file that stands alone.
A hosted database is none of them: where the repository shows no instance, nothing is said of it.
"""

from __future__ import annotations

from stackaudit.link.services.model import Instance, Kind, Services, reachable
from stackaudit.link.services.resolve import resolve

__all__ = ["Instance", "Kind", "Services", "reachable", "resolve"]
