"""What strangers reach, and what they can make the site believe: judged over Django, its servers and nginx together."""

from stackaudit.checks.security.addresses import client_ip_trust
from stackaudit.checks.security.data_stores import data_store_exposed
from stackaudit.checks.security.deploy import deploy_check
from stackaudit.checks.security.origins import cors_any_origin
from stackaudit.checks.security.ports import app_port_exposed
from stackaudit.checks.security.profilers import profiler_exposed
from stackaudit.checks.security.root import runs_as_root
from stackaudit.checks.security.schemes import proxy_ssl_header_spoofable, ssl_redirect_loop

__all__ = [
    "app_port_exposed",
    "client_ip_trust",
    "cors_any_origin",
    "data_store_exposed",
    "deploy_check",
    "profiler_exposed",
    "proxy_ssl_header_spoofable",
    "runs_as_root",
    "ssl_redirect_loop",
]
