"""What the admin of a model can be searched by, which decides whether the popup of `autocomplete_fields` works."""

from __future__ import annotations

from stackaudit.link.admin import Admin, Admins
from stackaudit.link.models.model import Model, Relation
from stackaudit.model.prose import in_words

_PREFIXES = "^=@"
_TEXTS = frozenset({"CharField", "TextField", "SlugField", "EmailField"})
_GIVEN = ("username", "name")
"""The columns that Django's own admins of users and groups are searched by."""


def is_searchable(model: Model, admin: Admin | None) -> bool:
    """Whether the admin of a model has `search_fields`, its own or those of Django's admins of users and groups."""
    if admin is None:
        return not model.path and model.name in ("User", "Group")
    option = admin.option("search_fields")
    if option is not None:
        return bool(option.items) or bool(option.open)
    return admin.overrides("get_search_fields") or any(
        base.rpartition(".")[2] in ("UserAdmin", "GroupAdmin") for base in admin.cls.externals
    )


def refused(admin: Admin | None) -> list[tuple[str, Relation]]:
    """The entries of `search_fields` that end at a relation, with it.

    Django's checks let them pass; the first letter that somebody types raises a FieldError. Measured on 5.2: any
    relation, from either side, its column (`library_id`), and any of them behind a prefix (`^library`).
    """
    if admin is None or admin.model is None or admin.overrides("get_search_results"):
        return []
    option = None if admin.overrides("get_search_fields") else admin.option("search_fields")
    found = (
        (item.text, admin.model.ends_at(item.text.lstrip(_PREFIXES)))
        for item in (option.items if option is not None else ())
    )
    return [(text, relation) for text, relation in found if relation is not None]


def in_place(admins: Admins, text: str, relation: Relation) -> str:
    """The entry that searches a column of the rows in place of the relation to them; "" where none is known."""
    column = _text_column(admins, relation.target) if relation.target is not None else ""
    path = text if text.endswith(relation.query_name) else text.removesuffix("_id")
    return f"{path}__{column}" if column else ""


def _text_column(admins: Admins, model: Model) -> str:
    """A column of text: the first that the admin of a model is searched by, or the first that the model has."""
    columns = {name: item for one in model.family() for name, item in one.columns.items()}
    texts = [
        name
        for name, item in columns.items()
        if (name in _GIVEN if item.call is None else item.kind in _TEXTS and item.keyword("choices") is None)
    ]
    admin = admins.of(model)
    option = admin.option("search_fields") if admin is not None else None
    searched = [item.text.lstrip(_PREFIXES) for item in option.items] if option is not None else []
    return next((name for name in (*searched, *texts) if name in texts), "")


def broken(admin: Admin, entries: list[tuple[str, Relation]], instead: list[str]) -> str:
    """The sentence on entries that cannot be searched; `instead` are those to write in their place."""
    if admin.model is not None and admin.is_made:
        where = f"that `register({admin.model.name}, …)` is given"
    else:
        where = f"of {admin.cls.label}"
    kind = "foreign key" if {relation.relation for _, relation in entries} == {"fk"} else "relation"
    found = f"the {kind}{'s' if len(entries) > 1 else ''} {ticked([text for text, _ in entries])}"
    if instead:
        return (
            f"`search_fields` {where} names {found}, which cannot be searched (FieldError): write {ticked(instead)} "
            "there first."
        )
    return f"For `autocomplete_fields` there `search_fields` {where} may not name {found} (FieldError)."


def ticked(names: list[str]) -> str:
    """Names between backticks, in a row."""
    return in_words([f"`{name}`" for name in names])
