"""Models that projects use without defining them, and field and manager classes of well-known packages.

Sources: django/contrib/*/models.py of Django 5.2 and 6.1; the packages' own documentation for the base classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

RelationKind: TypeAlias = Literal["fk", "o2o", "m2m"]


@dataclass(frozen=True, slots=True)
class ContribModel:
    """A model outside the repository: `relations` maps a field to (kind, target label, related name, null).

    An abstract one gives its fields to the models that derive from it. `unique` are the columns of which no two rows
    have the same, beside the key.
    """

    label: str
    columns: tuple[str, ...]
    relations: dict[str, tuple[RelationKind, str, str, bool]] = field(default_factory=dict)
    ordered: bool = False
    abstract: bool = False
    unique: tuple[tuple[str, ...], ...] = ()


_PERMISSIONS: dict[str, tuple[RelationKind, str, str, bool]] = {
    "groups": ("m2m", "auth.Group", "user_set", False),
    "user_permissions": ("m2m", "auth.Permission", "user_set", False),
}
_USER = (
    "password", "last_login", "is_superuser", "username", "first_name", "last_name", "email", "is_staff", "is_active",
    "date_joined",
)  # fmt: skip

CONTRIB: dict[str, ContribModel] = {
    "django.contrib.auth.models.AbstractBaseUser": ContribModel("", ("password", "last_login"), abstract=True),
    "django.contrib.auth.base_user.AbstractBaseUser": ContribModel("", ("password", "last_login"), abstract=True),
    "django.contrib.auth.models.PermissionsMixin": ContribModel("", ("is_superuser",), _PERMISSIONS, abstract=True),
    "django.contrib.auth.models.AbstractUser": ContribModel("", _USER, _PERMISSIONS, abstract=True),
    "django.contrib.auth.models.User": ContribModel("auth.User", _USER, _PERMISSIONS, unique=(("username",),)),
    "django.contrib.auth.models.Group": ContribModel(
        "auth.Group",
        ("name",),
        {"permissions": ("m2m", "auth.Permission", "group_set", False)},
        unique=(("name",),),
    ),
    "django.contrib.auth.models.Permission": ContribModel(
        "auth.Permission",
        ("name", "codename"),
        {"content_type": ("fk", "contenttypes.ContentType", "permission_set", False)},
        ordered=True,
        unique=(("content_type", "codename"),),
    ),
    "django.contrib.contenttypes.models.ContentType": ContribModel(
        "contenttypes.ContentType", ("app_label", "model"), unique=(("app_label", "model"),)
    ),
    "django.contrib.sites.models.Site": ContribModel(
        "sites.Site", ("domain", "name"), ordered=True, unique=(("domain",),)
    ),
    "django.contrib.sessions.models.Session": ContribModel(
        "sessions.Session", ("session_key", "session_data", "expire_date"), unique=(("session_key",),)
    ),
    "django.contrib.admin.models.LogEntry": ContribModel(
        "admin.LogEntry",
        ("action_time", "object_id", "object_repr", "action_flag", "change_message"),
        {
            "user": ("fk", "AUTH_USER_MODEL", "logentry_set", False),
            "content_type": ("fk", "contenttypes.ContentType", "logentry_set", True),
        },
        ordered=True,
    ),
}

# Base classes of models in other packages. Their fields are not known here, so attributes of such models that the
# repository does not define are unknown, never guessed.
MODEL_BASES = frozenset({
    "django.db.models.Model", "auto_prefetch.Model", "django.contrib.gis.db.models.Model",
    "django.contrib.sessions.base_session.AbstractBaseSession", "django.contrib.flatpages.models.FlatPage",
    "model_utils.models.TimeStampedModel", "model_utils.models.UUIDModel", "model_utils.models.TimeFramedModel",
    "model_utils.models.StatusModel", "model_utils.models.SoftDeletableModel", "mptt.models.MPTTModel",
    "treebeard.mp_tree.MP_Node", "treebeard.ns_tree.NS_Node", "treebeard.al_tree.AL_Node",
    "django_extensions.db.models.TimeStampedModel", "django_extensions.db.models.ActivatorModel",
    "django_extensions.db.models.TitleDescriptionModel", "django_extensions.db.models.TitleSlugDescriptionModel",
    "polymorphic.models.PolymorphicModel", "modelcluster.models.ClusterableModel", "parler.models.TranslatableModel",
    "django_lifecycle.LifecycleModel", "django_lifecycle.models.LifecycleModel", "django_lifecycle.LifecycleModelMixin",
    "wagtail.models.Page", "wagtail.models.pages.Page",
    "wagtail.models.Orderable", "wagtail.models.Collection", "wagtail.core.models.Page",
    "wagtail.wagtailcore.models.Page", "wagtail.wagtailcore.models.Orderable",
    "wagtail.core.models.Orderable", "wagtail.images.models.AbstractImage", "wagtail.images.models.AbstractRendition",
    "wagtail.images.models.Image", "wagtail.documents.models.AbstractDocument",
    "wagtail.contrib.settings.models.BaseSetting", "wagtail.contrib.settings.models.BaseSiteSetting",
    "wagtail.contrib.settings.models.BaseGenericSetting", "wagtail.contrib.forms.models.AbstractForm",
    "wagtail.contrib.forms.models.AbstractEmailForm", "wagtail.contrib.forms.models.AbstractFormField",
    "wagtail.wagtailforms.models.AbstractForm", "wagtail.wagtailforms.models.AbstractEmailForm",
    "wagtail.wagtailforms.models.AbstractFormField",
    "taggit.models.TagBase", "taggit.models.GenericTaggedItemBase", "taggit.models.TaggedItemBase",
    "ordered_model.models.OrderedModel", "safedelete.models.SafeDeleteModel", "dirtyfields.DirtyFieldsMixin.Model",
    "guardian.models.UserObjectPermissionBase", "guardian.models.GroupObjectPermissionBase",
    "oauth2_provider.models.AbstractApplication", "cms.models.CMSPlugin", "cms.models.pluginmodel.CMSPlugin",
    "cms.extensions.PageExtension", "django_comments.abstracts.CommentAbstractModel",
})  # fmt: skip

# Models that Wagtail serves with a template of their own, under the names that its releases have for them.
FORM_PAGES = frozenset({"wagtail.contrib.forms.models.AbstractForm", "wagtail.contrib.forms.models.AbstractEmailForm",
                        "wagtail.wagtailforms.models.AbstractForm",
                        "wagtail.wagtailforms.models.AbstractEmailForm"})  # fmt: skip
PAGE = "wagtail.models.Page"
ANY_PAGE = frozenset({PAGE, "wagtail.models.pages.Page", "wagtail.core.models.Page", "wagtail.wagtailcore.models.Page"})
PAGES = FORM_PAGES | ANY_PAGE

# Only these give a model nothing but what the repository or `django.db.models.Model` defines.
PLAIN_BASES = frozenset({"django.db.models.Model", "django.contrib.gis.db.models.Model", "builtins.object", "abc.ABC"})

FIELD_KINDS: dict[str, Literal["fk", "o2o", "m2m", "generic_fk", "generic"]] = {
    "django.db.models.ForeignKey": "fk",
    "django.contrib.gis.db.models.ForeignKey": "fk",
    "django.db.models.OneToOneField": "o2o",
    "django.contrib.gis.db.models.OneToOneField": "o2o",
    "django.db.models.ManyToManyField": "m2m",
    "django.contrib.gis.db.models.ManyToManyField": "m2m",
    "django.contrib.contenttypes.fields.GenericForeignKey": "generic_fk",
    "django.contrib.contenttypes.generic.GenericForeignKey": "generic_fk",
    "django.contrib.contenttypes.fields.GenericRelation": "generic",
    "django.contrib.contenttypes.generic.GenericRelation": "generic",
    "modelcluster.fields.ParentalKey": "fk",
    "modelcluster.fields.ParentalManyToManyField": "m2m",
    "mptt.models.TreeForeignKey": "fk",
    "mptt.fields.TreeForeignKey": "fk",
    "mptt.models.TreeOneToOneField": "o2o",
    "mptt.models.TreeManyToManyField": "m2m",
    "annoying.fields.AutoOneToOneField": "o2o",
    "sortedm2m.fields.SortedManyToManyField": "m2m",
    "adminsortable.fields.SortableForeignKey": "fk",
    "taggit.managers.TaggableManager": "m2m",
}

AUTO_PREFETCH = "auto_prefetch."
"""django-auto-prefetch: its keys load what the other rows of the same queryset lead to with the first one.

https://github.com/tolomea/django-auto-prefetch
"""
TAG = "taggit.models.Tag"
"""What django-taggit's TaggableManager leads to: a field, whatever its name is.

Measured with 6.1: `prefetch_related("tags")` answers all(), count(), exists() and first(), but neither names() nor
slugs().
"""
TAGS = ("taggit.managers.TaggableManager", "modelcluster.contrib.taggit.ClusterTaggableManager")

MANAGERS = frozenset({"django.db.models.Manager", "django.contrib.auth.models.UserManager",
                      "django.contrib.auth.models.BaseUserManager", "django.contrib.auth.base_user.BaseUserManager",
                      "django.contrib.gis.db.models.Manager", "django.contrib.sites.managers.CurrentSiteManager",
                      "builtins.object"})  # fmt: skip


def canonical(name: str) -> str:
    """The public name of something that Django also offers under the module that defines it."""
    if name.startswith("django.db.models."):
        return "django.db.models." + name.rpartition(".")[2]
    return name
