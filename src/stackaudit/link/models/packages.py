"""The relations that base classes of other packages bring to the models which derive from them.

What else they bring is not told here: such models stay open. A foreign key to ContentType asks once for each row, too:
its manager keeps what it gives, and the key does not ask it (measured with django-polymorphic).

Sources: the models.py of django-polymorphic 4.11, wagtail 8.0 (models/pages.py, i18n.py, locking.py, draft_state.py,
revisions.py and media.py, images, documents, contrib/settings), django-taggit 6.1, django-contrib-comments 2.2
(abstracts.py), django-guardian 3.5, django-oauth-toolkit 3.4, django-otp 1.7, django-rest-knox 5.1,
social-auth-app-django 8.0 and django-auditlog 3.4. Relations from the other side are left out: they have the base's
own name, whichever model derives from it.
"""

from __future__ import annotations

from stackaudit.link.models.contrib import ContribModel, RelationKind

_USER = "AUTH_USER_MODEL"
_TYPE = "contenttypes.ContentType"


def _base(*keys: tuple[str, str], null: tuple[tuple[str, str], ...] = (), kind: RelationKind = "fk") -> ContribModel:
    """A base class by its keys, each with what it leads to ("" where nothing is known of it)."""
    given = [(name, label, False) for name, label in keys] + [(name, label, True) for name, label in null]
    relations = {name: (kind, label, "", is_null) for name, label, is_null in given}
    return ContribModel("", (), relations, abstract=True)


_PAGE = _base(
    ("content_type", _TYPE), ("locale", ""),
    null=(("owner", _USER), ("locked_by", _USER), ("live_revision", ""), ("latest_revision", "")),
)  # fmt: skip
_FILE = _base(("collection", ""), null=(("uploaded_by_user", _USER),))
_OF_CLIENT = _base(("user", _USER), ("application", ""))
_OF_ANY_CLIENT = _base(null=(("user", _USER), ("application", "")))
_ON_ANYTHING = _base(("content_type", _TYPE))

PACKAGED: dict[str, ContribModel] = {
    "polymorphic.models.PolymorphicModel": _base(null=(("polymorphic_ctype", _TYPE),)),
    "wagtail.models.Page": _PAGE,
    "wagtail.models.pages.Page": _PAGE,
    "wagtail.core.models.Page": _PAGE,
    "wagtail.images.models.AbstractImage": _FILE,
    "wagtail.documents.models.AbstractDocument": _FILE,
    "wagtail.contrib.settings.models.BaseSiteSetting": _base(("site", ""), kind="o2o"),
    "taggit.models.TaggedItemBase": _base(("tag", "")),
    "taggit.models.GenericTaggedItemBase": _ON_ANYTHING,
    "taggit.models.GenericUUIDTaggedItemBase": _ON_ANYTHING,
    "django_comments.abstracts.CommentAbstractModel": _base(
        ("content_type", _TYPE), ("site", "sites.Site"), null=(("user", _USER),)
    ),
    "guardian.models.UserObjectPermissionBase": _base(("user", _USER), ("permission", "auth.Permission")),
    "guardian.models.GroupObjectPermissionBase": _base(("group", "auth.Group"), ("permission", "auth.Permission")),
    "oauth2_provider.models.AbstractApplication": _base(null=(("user", _USER),)),
    "oauth2_provider.models.AbstractGrant": _OF_CLIENT,
    "oauth2_provider.models.AbstractRefreshToken": _OF_CLIENT,
    "oauth2_provider.models.AbstractAccessToken": _OF_ANY_CLIENT,
    "oauth2_provider.models.AbstractIDToken": _OF_ANY_CLIENT,
    "django_otp.models.Device": _base(("user", _USER)),
    "knox.models.AbstractAuthToken": _base(("user", _USER)),
    "social_django.models.AbstractUserSocialAuth": _base(("user", _USER)),
    "auditlog.models.AbstractLogEntry": _base(("content_type", _TYPE), null=(("actor", _USER),)),
}
