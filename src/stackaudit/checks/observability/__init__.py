"""What tells how the site is: errors, metrics, traces and logs."""

from stackaudit.checks.observability.logs import no_latency_in_access_log, rotating_file_handler
from stackaudit.checks.observability.prometheus import prometheus_multiprocess
from stackaudit.checks.observability.sentry import sentry_full_sampling
from stackaudit.checks.observability.telemetry import no_telemetry

__all__ = [
    "no_latency_in_access_log",
    "no_telemetry",
    "prometheus_multiprocess",
    "rotating_file_handler",
    "sentry_full_sampling",
]
