"""The rules: read from the TOML files that ship with the product and from a folder of the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import tomli

from stackaudit.model.rule import Rule

AREAS = (
    "orm", "template", "drf", "admin", "async", "cache", "settings", "security",
    "nginx", "server", "capacity", "data", "deps", "observability",
)  # fmt: skip
"""The areas in the order in which reports show them."""


class CatalogError(Exception):
    """A rule file that cannot be used, or a selection that names no rule; the text names the way out."""


def shipped() -> Path:
    """The folder of the rules: inside the package (a wheel), else beside `src` (an editable install or a checkout)."""
    package = Path(__file__).parent
    for folder in (package / "rules", package.parent.parent / "rules"):
        if folder.is_dir():
            return folder
    raise CatalogError(f"the rules are missing: neither {package / 'rules'} nor a checkout's rules/ is there")


def load(own: Path | None = None) -> tuple[Rule, ...]:
    """Every rule, by area and name. `own` is a folder of the user's rules: only declared checks, names not taken yet.

    Raises CatalogError.
    """
    rules = {rule.id: rule for rule in _read_folder(shipped())}
    if own is not None:
        if not own.is_dir():
            raise CatalogError(f"{own}: there is no such folder of rules")
        for rule in _read_folder(own):
            if rule.id in rules:
                raise CatalogError(f"{own / (rule.id + '.toml')}: {rule.id} ships with stackaudit; choose another name")
            if rule.check is None:
                raise CatalogError(
                    f"{own / (rule.id + '.toml')}: a rule of your own needs a [check] table (see docs/adding-a-rule.md)"
                )
            rules[rule.id] = rule
    return tuple(sorted(rules.values(), key=lambda rule: (_order(rule.area), rule.id)))


def choose(rules: Sequence[Rule], select: Iterable[str], ignore: Iterable[str]) -> tuple[Rule, ...]:
    """The rules that `select` names (all where it is empty) less those that `ignore` names.

    A word is a rule's id, an area or a tag; a rule's own id outweighs a broader word. Raises CatalogError with a
    suggestion for a word that names nothing.
    """
    select, ignore = tuple(select), tuple(ignore)
    known = known_words(rules)
    for word in (*select, *ignore):
        if word not in known:
            near = difflib.get_close_matches(word, sorted(known), 1, 0.5)
            hint = f"did you mean `{near[0]}`?" if near else "`stackaudit rules` lists them"
            raise CatalogError(f"`{word}` is no rule, area or tag; {hint}")

    def wanted(rule: Rule) -> bool:
        if rule.id in ignore:
            return False
        if rule.id in select:
            return True
        broad = {rule.area, *rule.tags}
        return (not select or bool(broad & set(select))) and not broad & set(ignore)

    return tuple(rule for rule in rules if wanted(rule))


def known_words(rules: Iterable[Rule]) -> frozenset[str]:
    """Every word that selects rules: ids, areas and tags."""
    return frozenset(word for rule in rules for word in (rule.id, rule.area, *rule.tags))


def _order(area: str) -> int:
    return AREAS.index(area) if area in AREAS else len(AREAS)


def _read_folder(folder: Path) -> list[Rule]:
    return [_read(path, folder) for path in sorted(folder.glob("*/*.toml"))]


def _read(path: Path, folder: Path) -> Rule:
    try:
        document = tomli.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert({**document, "id": path.relative_to(folder).with_suffix("").as_posix()}, Rule)
    except (tomli.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError, OSError) as error:
        raise CatalogError(f"{path}: this rule cannot be read: {error}") from None
