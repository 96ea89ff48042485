"""django-heroku and its fork django-on-heroku: `django_heroku.settings(locals())`.

What it writes into the settings is core.py of django-heroku 0.3.1 (https://github.com/heroku/django-heroku).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackaudit.link.folding import builtin, outside
from stackaudit.link.folding.objects import FoldedDict, FoldedList, Namespace
from stackaudit.link.folding.operators import truth
from stackaudit.model.values import AnyValue, Known, Unknown

if TYPE_CHECKING:
    from stackaudit.link.folding.calls import Call
    from stackaudit.link.folding.machine import Machine

_OPTIONS = ("db_colors", "databases", "test_runner", "staticfiles", "allowed_hosts", "logging", "secret_key")


def _settings(machine: Machine, call: Call) -> AnyValue:
    given = call.first()
    if not isinstance(given, Known) or not isinstance(given.value, Namespace):
        return Unknown("what django-heroku changes is not known", (call.place,))
    config = given.value

    def wants(option: str) -> bool | Unknown:
        return truth(call.get(_OPTIONS.index(option) + 1, option) or Known(option != "db_colors"))

    def put(option: str, name: str, value: AnyValue) -> None:
        wanted = wants(option)
        if wanted:
            machine.write(config, name, wanted if isinstance(wanted, Unknown) else value)

    def known(value: object) -> AnyValue:
        return Known(value, (call.place,), f"{_NAME}(...)")

    put("databases", "DATABASES", Unknown("django-heroku takes it from $DATABASE_URL", (call.place,)))
    put("staticfiles", "STATIC_ROOT", Unknown("django-heroku places it below BASE_DIR", (call.place,)))
    put("staticfiles", "STATIC_URL", known("/static/"))
    before = config.get("MIDDLEWARE")
    if before is not None:
        added = [known("whitenoise.middleware.WhiteNoiseMiddleware"), *builtin.spread(before)]
        put("staticfiles", "MIDDLEWARE", Known(tuple(added), (*before.places[:3], call.place)))
    put("staticfiles", "STATICFILES_STORAGE", known("whitenoise.storage.CompressedManifestStaticFilesStorage"))
    put("allowed_hosts", "ALLOWED_HOSTS", known(FoldedList([known("*")])))
    put("logging", "LOGGING", _logging(call))
    return Known(None)


def _logging(call: Call) -> AnyValue:
    """Everything goes to the console."""

    def folded(value: object) -> AnyValue:
        if isinstance(value, dict):
            return Known(FoldedDict({key: folded(item) for key, item in value.items()}), (call.place,))
        if isinstance(value, list):
            return Known(FoldedList(folded(item) for item in value), (call.place,))
        return Known(value, (call.place,))

    console = {"level": "INFO", "class": "logging.StreamHandler", "formatter": "simple"}
    loggers = {"testlogger": {"handlers": ["console"], "level": "INFO"}}
    handlers = {"null": {"level": "DEBUG", "class": "logging.NullHandler"}, "console": console}
    return folded({"version": 1, "disable_existing_loggers": False, "handlers": handlers, "loggers": loggers})


_NAME = "django_heroku.settings"
CALLS: dict[str, outside.Handler] = {_NAME: _settings, "django_on_heroku.settings": _settings}
