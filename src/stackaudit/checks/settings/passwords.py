"""How passwords are stored."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.settings import Settings
from stackaudit.link.settings.lists import Item, items
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Unsure, Verdict

DJANGO = "django.contrib.auth.hashers."
WEAK = ("MD5PasswordHasher", "SHA1PasswordHasher", "UnsaltedMD5PasswordHasher", "UnsaltedSHA1PasswordHasher",
        "CryptPasswordHasher")  # fmt: skip
REMOVED = {
    "CryptPasswordHasher": (5, 0),
    "SHA1PasswordHasher": (5, 1),
    "UnsaltedSHA1PasswordHasher": (5, 1),
    "UnsaltedMD5PasswordHasher": (5, 1),
}
"""The first release without a hasher (release notes of Django 5.0 and 5.1, "Features removed")."""
LIBRARIES = {
    "Argon2PasswordHasher": ("argon2-cffi",),
    "BCryptSHA256PasswordHasher": ("bcrypt",),
    "BCryptPasswordHasher": ("bcrypt",),
}
"""What a hasher imports when it first hashes (the attribute `library` of Django's hashers)."""


def weak_password_hasher(stack: Stack) -> Iterator[Verdict]:
    """The first of PASSWORD_HASHERS, with which new passwords are stored, is slow on purpose and can be imported."""
    settings = stack.settings
    if settings is None or settings.broken or not settings.is_set("PASSWORD_HASHERS"):
        return
    found = items(settings, "PASSWORD_HASHERS")
    site = Site(settings.place("PASSWORD_HASHERS"), "PASSWORD_HASHERS")
    if settings.doubt or not found.all or found.all[0].doubt:
        why = settings.doubt or (found.all[0].doubt if found.all else found.hole or "PASSWORD_HASHERS is empty")
        yield Unsure(site, why)
        return
    first = found.all[0]
    yield _judged(stack, settings, Site(first.place, "PASSWORD_HASHERS"), first)


def _judged(stack: Stack, settings: Settings, site: Site, first: Item) -> Verdict:
    if not first.name.startswith(DJANGO):
        return Unsure(site, f"how {first.name} stores a password is not known")
    name = first.name.removeprefix(DJANGO)
    gone = REMOVED.get(name)
    values = {"name": name, "release": ".".join(map(str, gone or ())), "library": ""}
    if gone is not None and settings.version is not None and settings.version[:2] >= gone:
        return Fail(site, values, cause="removed")
    if name in WEAK:
        return Fail(site, values)
    needed = LIBRARIES.get(name)
    if needed is None:
        return Pass(site)
    if not stack.packages.files:
        return Unsure(site, f"there are no requirements that would tell whether {needed[0]} is installed")
    if any(stack.packages.has(library) for library in needed) or _by_extra(stack, name):
        return Pass(site)
    if not stack.packages.locked:
        return Unsure(site, f"whether another package brings {needed[0]} with it is not known")
    return Fail(site, {**values, "library": needed[0]}, cause="no-library")


def _by_extra(stack: Stack, name: str) -> bool:
    """Whether Django is asked for as `django[argon2]` or `django[bcrypt]`."""
    extra = "argon2" if name.startswith("Argon2") else "bcrypt"
    return any(extra in item.fact.extras for item in stack.packages.declared.get("django", ()))
