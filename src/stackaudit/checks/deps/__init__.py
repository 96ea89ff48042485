"""What the project depends on: one function for each rule of `rules/deps/`."""

from stackaudit.checks.deps.dev_in_production import dev_in_production
from stackaudit.checks.deps.eol_runtime import eol_runtime
from stackaudit.checks.deps.heavy_import import heavy_import
from stackaudit.checks.deps.superseded import superseded
from stackaudit.checks.deps.unused import unused
from stackaudit.checks.deps.vulnerability import vulnerability

__all__ = ["dev_in_production", "eol_runtime", "heavy_import", "superseded", "unused", "vulnerability"]
