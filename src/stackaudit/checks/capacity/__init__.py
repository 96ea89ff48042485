"""Rules on arithmetic: what runs against what the host has."""

from stackaudit.checks.capacity.cores import workers_vs_cores
from stackaudit.checks.capacity.memory import memory_overcommit

__all__ = ["memory_overcommit", "workers_vs_cores"]
