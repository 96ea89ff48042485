"""What strangers reach, and what they can make the site believe: judged over Django, its servers and nginx together."""

from stackaudit.checks.security.data_stores import data_store_exposed
from stackaudit.checks.security.ports import app_port_exposed
from stackaudit.checks.security.root import runs_as_root

__all__ = ["app_port_exposed", "data_store_exposed", "runs_as_root"]
