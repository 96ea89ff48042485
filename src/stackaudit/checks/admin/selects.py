"""Form fields and filters of the admin that load a whole related table."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.admin.searching import broken, in_place, is_searchable, refused, ticked
from stackaudit.facts import python as py
from stackaudit.link.admin import Admin, Admins, rendered
from stackaudit.link.models.model import Model, Relation
from stackaudit.link.nodes import is_false, is_true
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_DECIDING = (
    "formfield_for_foreignkey", "formfield_for_manytomany", "formfield_for_dbfield", "get_form", "get_formset", "form",
    "formset", "get_readonly_fields", "get_fields", "get_fieldsets", "get_exclude", "get_autocomplete_fields",
    "get_inlines", "get_inline_instances", "has_module_permission",
)  # fmt: skip
_LIGHT = ("raw_id_fields", "autocomplete_fields", "readonly_fields")
_BEATEN = ("filter_horizontal", "filter_vertical", "radio_fields")


def related_select_unbounded(stack: Stack) -> Iterator[Verdict]:
    """Relations that a change form or an inline renders as a select, against what is known of the related table."""
    grown = _grown(stack)
    for admin in stack.admin.admins:
        if not _is_plain(admin):
            continue
        yield from _form(stack.admin.admins, admin, grown, None)
        yield from _filters(admin, grown)
        for inline in admin.inlines if admin.model is not None else ():
            if _is_plain(inline):
                yield from _form(stack.admin.admins, inline, grown, admin.model)


def _is_plain(admin: Admin) -> bool:
    """Whether nothing but Django's own ModelAdmin and inlines stands behind the class."""
    return not admin.cls.is_open and all(
        base.startswith(("django.contrib.admin.", "django.contrib.contenttypes.admin.", "builtins."))
        for base in admin.cls.externals
    )


def _filters(admin: Admin, grown: set[Model]) -> Iterator[Verdict]:
    """The filters of the changelist that list every row of a related table."""
    option = admin.option("list_filter")
    for item in option.items if option is not None else ():
        relation = admin.model.relation(item.text) if admin.model is not None and item.text else None
        if relation is None or relation.target not in grown or relation.target is None:
            continue
        site = Site(item.place, f"{admin.name}: list_filter {item.text}")
        if any(name.endswith("Filter") for name in item.names):
            yield Pass(site)
        else:
            values = {"admin": admin.label, "field": item.text, "target": relation.target.name}
            yield Fail(site, values, cause="filter")


def _grown(stack: Stack) -> set[Model]:
    """Models that grow with the users: the user model, what a user makes at a time that is kept, and what code makes of
    rows that belong to those, or that each of those has one of.
    """
    user = stack.models.user
    found = {user} if user is not None else set()
    for model in stack.models:
        owned = any(item.relation in ("fk", "o2o") and item.target is user for item in model.relations.values())
        if user is not None and owned and any(is_true(item.keyword("auto_now_add")) for item in model.columns.values()):
            found.add(model)
    owned_by = {model: {item.target for item in model.relations.values() if _belongs(item)} for model in stack.made}
    while more := {model for model in stack.made - found if owned_by[model] & found or model in _paired(found)}:
        found |= more
    return found


def _paired(models: set[Model]) -> set[Model | None]:
    """The models that others have one row of for each of theirs, by a key that is no link to a parent's table."""
    return {
        relation.target
        for model in models
        for relation in model.relations.values()
        if relation.relation == "o2o" and relation.name not in model.parent_links
    }


def _belongs(relation: Relation) -> bool:
    """Whether a relation leads to the row that a row belongs to."""
    return relation.relation in ("fk", "o2o") and not relation.null


def _form(admins: Admins, admin: Admin, grown: set[Model], parent: Model | None) -> Iterator[Verdict]:
    """One verdict for the form of an admin, or of an inline in the form of `parent`."""
    if admin.model is None or any(admin.overrides(name) for name in _DECIDING) or _is_closed(admin):
        return
    relations = list(_selects(admin, admin.model, grown, parent))
    if not relations:
        return
    site = Site(admin.place, f"{admin.name}: selects")
    options = [admin.option(name) for name in _LIGHT]
    light = {name for item in options if item is not None for name in item.names}
    heavy = [item for item in relations if item.name not in light]
    unknown = next((item for item in options if item is not None and item.open), None)
    if not heavy:
        yield Pass(site)
    elif unknown is not None:
        yield Unsure(site, f"{unknown.member.name}: {unknown.open}")
    else:
        related = tuple(
            Step(
                item.owner.module.place(item.call), f"`{item.name}` leads to {item.target.name if item.target else ''}"
            )
            for item in heavy
            if item.owner is not None and item.call is not None
        )
        values = {
            "admin": f"{admin.model.name}" if admin.is_default else admin.label,
            "field": ", ".join(item.name for item in heavy),
            "names": ", ".join(f'"{item.name}"' for item in heavy),
            "target": ", ".join(dict.fromkeys(item.target.name for item in heavy if item.target is not None)),
        }
        cause = "inline" if parent is not None else ""
        yield Fail(site, values, cause=cause, related=related, fix=_lighter(admins, admin, heavy))


def _lighter(admins: Admins, admin: Admin, heavy: list[Relation]) -> str:
    """The options to set, with what they hold already; Django wants the admin of what is completed to be searchable."""
    assert admin.model is not None
    searched: list[str] = []
    others: list[str] = []
    lacking: list[str] = []
    first: list[str] = []
    for item in heavy:
        assert item.target is not None
        other = admins.of(item.target)
        entries = refused(other)
        instead = [in_place(admins, text, relation) for text, relation in entries]
        is_completed = is_searchable(item.target, other) and all(instead)
        (searched if is_completed else others).append(item.name)
        if other is not None and entries:
            first.append(broken(other, entries, instead if is_completed else []))
        elif not is_completed:
            is_made = other is None or other.is_made
            lacking.append(f"an admin of {item.target.name}" if is_made or other is None else other.cls.label)
    told = []
    for option, names in (("autocomplete_fields", searched), ("raw_id_fields", others)):
        held = admin.option(option)
        kept = [item.text for item in held.items if item.text] if held is not None else []
        if names:
            listed = ", ".join(f'"{name}"' for name in dict.fromkeys((*kept, *names)))
            told.append(f"`{option} = [{listed}]`")
    where = f"in {admin.cls.label}"
    if admin.has_options:
        where = f"among the options that `register({admin.model.name}, …)` is given"
    elif admin.is_default:
        where = f"in a ModelAdmin that {admin.model.name} is registered with"
    elif not _have_them(admins, admin, heavy):
        where = f"in a subclass of {admin.cls.label} that {admin.model.name} is registered with"
    sentences = [f"Set {' and '.join(told)} {where}.", *_beaten(admin, heavy), *dict.fromkeys(first)]
    if lacking:
        needed = " and in ".join(dict.fromkeys(lacking))
        sentences.append(f"For `autocomplete_fields` there `search_fields` has to be in {needed}.")
    return " ".join([*sentences, "What nobody changes belongs into `readonly_fields`."])


def _have_them(admins: Admins, admin: Admin, relations: list[Relation]) -> bool:
    """Whether every model whose admin is the class, or derives from it, has the relations: its checks refuse others."""
    models = [other.model for other in admins if admin.cls in other.cls.mro]
    return all(model is not None and model.relation(item.name) is not None for model in models for item in relations)


def _beaten(admin: Admin, heavy: list[Relation]) -> Iterator[str]:
    """What the class says of the same fields that Django no longer looks at then, and that its checks let stand."""
    for name in _BEATEN:
        member = admin.cls.find(name)
        if member is None or member.owner is not admin.cls:
            continue
        keys = member.node.keys if isinstance(member.node, py.Dict) else ()
        option = admin.option(name) if not keys else None
        held = option.names if option is not None else {item.value for item in keys if isinstance(item, py.Constant)}
        both = [item.name for item in heavy if item.name in held]
        if both:
            yield f"Take {ticked(both)} out of `{name}`, which counts for nothing then."


def _selects(admin: Admin, model: Model, grown: set[Model], parent: Model | None) -> Iterator[Relation]:
    """The relations to tables that grow which the form shows."""
    shown = _shown(admin)
    excluded = admin.option("exclude")
    for relation in rendered(model, parent):
        if relation.target not in grown or (shown is not None and relation.name not in shown):
            continue
        if excluded is None or relation.name not in excluded.names:
            yield relation


def _is_closed(admin: Admin) -> bool:
    """Whether nobody may change anything: no form is rendered then."""
    member = admin.cls.find("has_change_permission")
    body = member.node.body if member is not None and isinstance(member.node, py.FunctionDef) else ()
    return bool(body) and isinstance(body[-1], py.Return) and is_false(body[-1].value)


def _shown(admin: Admin) -> set[str] | None:
    """The fields that `fields` or `fieldsets` name, None where all are shown."""
    found = admin.option("fields")
    if found is not None and not found.open:
        return {name for item in found.items for name in (item.text, *item.names)}
    if admin.cls.find("fieldsets") is not None:
        member = admin.cls.find("fieldsets")
        assert member is not None
        return set(_strings(member.node))
    return None


def _strings(node: object) -> Iterator[str]:
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, py.Constant) and isinstance(item.value, str):
            yield item.value
        if hasattr(item, "__struct_fields__"):
            stack.extend(getattr(item, name) for name in item.__struct_fields__)
        elif isinstance(item, tuple):
            stack.extend(item)
