"""What the project depends on: one function for each rule of `rules/deps/`."""

from stackaudit.checks.deps.unused import unused
from stackaudit.checks.deps.vulnerability import vulnerability

__all__ = ["unused", "vulnerability"]
