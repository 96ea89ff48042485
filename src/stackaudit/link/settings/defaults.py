"""Django's own defaults (`django/conf/global_settings.py`) as a table, since nothing here may import Django.

A test holds it to the Django that is installed.
"""

from __future__ import annotations

from typing import Any

SERIES = (5, 2)
"""The release series that `DEFAULTS` belongs to."""

UNLISTED = frozenset({"LANGUAGES", "LANGUAGES_BIDI"})
"""Settings whose defaults are long lists that no rule needs."""

DEFAULTS: dict[str, Any] = {
    "ABSOLUTE_URL_OVERRIDES": {},
    "ADMINS": [],
    "ALLOWED_HOSTS": [],
    "APPEND_SLASH": True,
    "AUTHENTICATION_BACKENDS": ["django.contrib.auth.backends.ModelBackend"],
    "AUTH_PASSWORD_VALIDATORS": [],
    "AUTH_USER_MODEL": "auth.User",
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    "CACHE_MIDDLEWARE_ALIAS": "default",
    "CACHE_MIDDLEWARE_KEY_PREFIX": "",
    "CACHE_MIDDLEWARE_SECONDS": 600,
    "CSRF_COOKIE_AGE": 31449600,
    "CSRF_COOKIE_DOMAIN": None,
    "CSRF_COOKIE_HTTPONLY": False,
    "CSRF_COOKIE_NAME": "csrftoken",
    "CSRF_COOKIE_PATH": "/",
    "CSRF_COOKIE_SAMESITE": "Lax",
    "CSRF_COOKIE_SECURE": False,
    "CSRF_FAILURE_VIEW": "django.views.csrf.csrf_failure",
    "CSRF_HEADER_NAME": "HTTP_X_CSRFTOKEN",
    "CSRF_TRUSTED_ORIGINS": [],
    "CSRF_USE_SESSIONS": False,
    "DATABASES": {},
    "DATABASE_ROUTERS": [],
    "DATA_UPLOAD_MAX_MEMORY_SIZE": 2621440,
    "DATA_UPLOAD_MAX_NUMBER_FIELDS": 1000,
    "DATA_UPLOAD_MAX_NUMBER_FILES": 100,
    "DATETIME_FORMAT": "N j, Y, P",
    "DATETIME_INPUT_FORMATS": [
        "%Y-%m-%d %H:%M:%S",
        "%Y-%m-%d %H:%M:%S.%f",
        "%Y-%m-%d %H:%M",
        "%m/%d/%Y %H:%M:%S",
        "%m/%d/%Y %H:%M:%S.%f",
        "%m/%d/%Y %H:%M",
        "%m/%d/%y %H:%M:%S",
        "%m/%d/%y %H:%M:%S.%f",
        "%m/%d/%y %H:%M",
    ],
    "DATE_FORMAT": "N j, Y",
    "DATE_INPUT_FORMATS": [
        "%Y-%m-%d",
        "%m/%d/%Y",
        "%m/%d/%y",
        "%b %d %Y",
        "%b %d, %Y",
        "%d %b %Y",
        "%d %b, %Y",
        "%B %d %Y",
        "%B %d, %Y",
        "%d %B %Y",
        "%d %B, %Y",
    ],
    "DEBUG": False,
    "DEBUG_PROPAGATE_EXCEPTIONS": False,
    "DECIMAL_SEPARATOR": ".",
    "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
    "DEFAULT_CHARSET": "utf-8",
    "DEFAULT_EXCEPTION_REPORTER": "django.views.debug.ExceptionReporter",
    "DEFAULT_EXCEPTION_REPORTER_FILTER": "django.views.debug.SafeExceptionReporterFilter",
    "DEFAULT_FROM_EMAIL": "webmaster@localhost",
    "DEFAULT_INDEX_TABLESPACE": "",
    "DEFAULT_TABLESPACE": "",
    "DISALLOWED_USER_AGENTS": [],
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    "EMAIL_HOST": "localhost",
    "EMAIL_HOST_PASSWORD": "",
    "EMAIL_HOST_USER": "",
    "EMAIL_PORT": 25,
    "EMAIL_SSL_CERTFILE": None,
    "EMAIL_SSL_KEYFILE": None,
    "EMAIL_SUBJECT_PREFIX": "[Django] ",
    "EMAIL_TIMEOUT": None,
    "EMAIL_USE_LOCALTIME": False,
    "EMAIL_USE_SSL": False,
    "EMAIL_USE_TLS": False,
    "FILE_UPLOAD_DIRECTORY_PERMISSIONS": None,
    "FILE_UPLOAD_HANDLERS": [
        "django.core.files.uploadhandler.MemoryFileUploadHandler",
        "django.core.files.uploadhandler.TemporaryFileUploadHandler",
    ],
    "FILE_UPLOAD_MAX_MEMORY_SIZE": 2621440,
    "FILE_UPLOAD_PERMISSIONS": 420,
    "FILE_UPLOAD_TEMP_DIR": None,
    "FIRST_DAY_OF_WEEK": 0,
    "FIXTURE_DIRS": [],
    "FORCE_SCRIPT_NAME": None,
    "FORMAT_MODULE_PATH": None,
    "FORMS_URLFIELD_ASSUME_HTTPS": False,
    "FORM_RENDERER": "django.forms.renderers.DjangoTemplates",
    "IGNORABLE_404_URLS": [],
    "INSTALLED_APPS": [],
    "INTERNAL_IPS": [],
    "LANGUAGE_CODE": "en-us",
    "LANGUAGE_COOKIE_AGE": None,
    "LANGUAGE_COOKIE_DOMAIN": None,
    "LANGUAGE_COOKIE_HTTPONLY": False,
    "LANGUAGE_COOKIE_NAME": "django_language",
    "LANGUAGE_COOKIE_PATH": "/",
    "LANGUAGE_COOKIE_SAMESITE": None,
    "LANGUAGE_COOKIE_SECURE": False,
    "LOCALE_PATHS": [],
    "LOGGING": {},
    "LOGGING_CONFIG": "logging.config.dictConfig",
    "LOGIN_REDIRECT_URL": "/accounts/profile/",
    "LOGIN_URL": "/accounts/login/",
    "LOGOUT_REDIRECT_URL": None,
    "MANAGERS": [],
    "MEDIA_ROOT": "",
    "MEDIA_URL": "",
    "MESSAGE_STORAGE": "django.contrib.messages.storage.fallback.FallbackStorage",
    "MIDDLEWARE": [],
    "MIGRATION_MODULES": {},
    "MONTH_DAY_FORMAT": "F j",
    "NUMBER_GROUPING": 0,
    "PASSWORD_HASHERS": [
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
        "django.contrib.auth.hashers.ScryptPasswordHasher",
    ],
    "PASSWORD_RESET_TIMEOUT": 259200,
    "PREPEND_WWW": False,
    "SECRET_KEY": "",
    "SECRET_KEY_FALLBACKS": [],
    "SECURE_CONTENT_TYPE_NOSNIFF": True,
    "SECURE_CROSS_ORIGIN_OPENER_POLICY": "same-origin",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": False,
    "SECURE_HSTS_PRELOAD": False,
    "SECURE_HSTS_SECONDS": 0,
    "SECURE_PROXY_SSL_HEADER": None,
    "SECURE_REDIRECT_EXEMPT": [],
    "SECURE_REFERRER_POLICY": "same-origin",
    "SECURE_SSL_HOST": None,
    "SECURE_SSL_REDIRECT": False,
    "SERVER_EMAIL": "root@localhost",
    "SESSION_CACHE_ALIAS": "default",
    "SESSION_COOKIE_AGE": 1209600,
    "SESSION_COOKIE_DOMAIN": None,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_NAME": "sessionid",
    "SESSION_COOKIE_PATH": "/",
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SESSION_COOKIE_SECURE": False,
    "SESSION_ENGINE": "django.contrib.sessions.backends.db",
    "SESSION_EXPIRE_AT_BROWSER_CLOSE": False,
    "SESSION_FILE_PATH": None,
    "SESSION_SAVE_EVERY_REQUEST": False,
    "SESSION_SERIALIZER": "django.contrib.sessions.serializers.JSONSerializer",
    "SHORT_DATETIME_FORMAT": "m/d/Y P",
    "SHORT_DATE_FORMAT": "m/d/Y",
    "SIGNED_COOKIE_LEGACY_SALT_FALLBACK": True,
    "SIGNING_BACKEND": "django.core.signing.TimestampSigner",
    "SILENCED_SYSTEM_CHECKS": [],
    "STATICFILES_DIRS": [],
    "STATICFILES_FINDERS": [
        "django.contrib.staticfiles.finders.FileSystemFinder",
        "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    ],
    "STATIC_ROOT": None,
    "STATIC_URL": None,
    "STORAGES": {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
    "TEMPLATES": [],
    "TEST_NON_SERIALIZED_APPS": [],
    "TEST_RUNNER": "django.test.runner.DiscoverRunner",
    "THOUSAND_SEPARATOR": ",",
    "TIME_FORMAT": "P",
    "TIME_INPUT_FORMATS": ["%H:%M:%S", "%H:%M:%S.%f", "%H:%M"],
    "TIME_ZONE": "America/Chicago",
    "USE_I18N": True,
    "USE_THOUSAND_SEPARATOR": False,
    "USE_TZ": True,
    "USE_X_FORWARDED_HOST": False,
    "USE_X_FORWARDED_PORT": False,
    "WSGI_APPLICATION": None,
    "X_FRAME_OPTIONS": "DENY",
    "YEAR_MONTH_FORMAT": "F Y",
}

EARLIER: dict[str, tuple[tuple[int, int], Any]] = {
    "FORMS_URLFIELD_ASSUME_HTTPS": ((5, 0), None),
    "SECURE_CROSS_ORIGIN_OPENER_POLICY": ((4, 0), None),
    "STORAGES": ((4, 2), None),
    "USE_TZ": ((5, 0), False),
    "SECRET_KEY_FALLBACKS": ((4, 1), None),
}
"""The default before a release: (the first release with today's default, the one before; None where there was none)."""

LATER: dict[str, tuple[tuple[int, int], Any]] = {
    "DEFAULT_AUTO_FIELD": ((6, 0), "django.db.models.BigAutoField"),
    "TASKS": ((6, 0), {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}),
    "SECURE_CSP": ((6, 0), {}),
    "SECURE_CSP_REPORT_ONLY": ((6, 0), {}),
    "FORMS_URLFIELD_ASSUME_HTTPS": ((6, 0), True),
    "URLIZE_ASSUME_HTTPS": ((6, 0), False),
}
"""The default from a release on."""


def default(name: str, version: tuple[int, ...] | None) -> tuple[bool, Any, str]:
    """Whether Django has a setting `name`, its default, and why that is unknown ("" where it is known).

    `version` is Django's, None where it is not known.
    """
    if name in UNLISTED:
        return True, None, "it is Django's own list"
    known = name in DEFAULTS
    value = DEFAULTS.get(name)
    for table in (EARLIER, LATER):
        if name not in table:
            continue
        since, other = table[name]
        if version is None:
            return True, None, f"Django {since[0]}.{since[1]} changed its default and Django's version is not known"
        if (version[:2] < since) == (table is EARLIER):
            known, value = other is not None, other
    return known, value, ""
