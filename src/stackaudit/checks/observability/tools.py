"""What tells somebody how the site is: error trackers, metrics, traces, wherever they are switched on."""

from __future__ import annotations

import msgspec

from stackaudit.link import started
from stackaudit.link.stack import Stack

TRACKERS = (
    "sentry-sdk", "raven", "rollbar", "bugsnag", "honeybadger", "airbrake", "pybrake", "appsignal", "glitchtip",
    "raygun4py",
)  # fmt: skip
TRACERS = (
    "newrelic", "ddtrace", "elastic-apm", "scout-apm", "appsignal", "opentelemetry-distro", "opentelemetry-sdk",
    "opentelemetry-api", "opentelemetry-instrumentation-django", "azure-monitor-opentelemetry", "logfire", "instana",
    "dynatrace", "oneagent-sdk",
)  # fmt: skip
"""Packages that measure how long requests take."""
METRICS = (
    "django-prometheus", "prometheus-client", "starlette-exporter", "statsd", "django-statsd-mozilla", "datadog",
    "django-health-check", "django-watchman", "django-alive", "django-easy-health-check",
)  # fmt: skip
LAUNCHERS = ("ddtrace-run", "opentelemetry-instrument", "newrelic-admin", "elasticapm-run", "logfire run")
"""Commands that put an agent into the process that they start."""
MODULES = (
    "sentry_sdk", "raven", "rollbar", "bugsnag", "honeybadger", "newrelic", "ddtrace", "elasticapm", "scout_apm",
    "opentelemetry", "logfire", "appsignal", "prometheus_client", "django_prometheus", "statsd", "datadog",
)  # fmt: skip


def package(stack: Stack, names: tuple[str, ...]) -> str:
    """The first of `names` that the project depends on, "" where none is."""
    return next((name for name in names if stack.packages.has(name)), "")


def launched(stack: Stack) -> str:
    """The agent that a command line starts the site with, "" where none does."""
    for item in stack.of_kind(*started.KINDS):
        text = msgspec.json.encode(item.facts).decode("utf-8", "replace")
        for name in LAUNCHERS:
            if name in text:
                return name
    return ""


def imported(stack: Stack) -> str:
    """The module of a tracker or of metrics that the code imports, "" where none is."""
    return next((name for name in MODULES if stack.modules.imports(name)), "")
