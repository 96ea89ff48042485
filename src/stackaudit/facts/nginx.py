"""What an nginx configuration file says: its directives as a tree, comments left out."""

from __future__ import annotations

import msgspec

from stackaudit.facts.files import Note
from stackaudit.model.source import Region


class Word(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One word: `text` as nginx reads it (quotes gone, its escapes undone).

    `hole` is the template placeholder inside the word, if there is one (`${DOMAIN}`, `{{ port }}`): the text is not
    what nginx will see. `quoted` words never name a variable prefix or a modifier by accident, so checks may ask.
    """

    text: str
    region: Region
    hole: str = ""
    quoted: bool = False


class Directive(msgspec.Struct, frozen=True, array_like=True):
    """A directive, or an entry of `types`, `map`, `geo`, `split_clients` (its key is the name).

    `region` runs from the name to the last argument (of a block too: its body does not count). `block` is None for a
    simple directive. `hole` is set where the name itself is a placeholder: nobody knows what stands there. `maybe` is
    the template condition (`{% if ssl %}`) that the directive depends on. The parentheses of `if` are gone.
    """

    name: str
    region: Region
    args: tuple[Word, ...] = ()
    block: tuple[Directive, ...] | None = None
    hole: str = ""
    maybe: str = ""


class Nginx(msgspec.Struct, frozen=True):
    """One file."""

    directives: tuple[Directive, ...]
    notes: tuple[Note, ...] = ()


class Inline(msgspec.Struct, frozen=True):
    """A configuration inside another file; its places are those of the file around it.

    `target` is where it lands: a path on the machine, the key of a ConfigMap, "" where a variable hides it. `line` is
    the first of its lines.
    """

    target: str
    line: int
    file: Nginx


class Manifest(msgspec.Struct, frozen=True):
    """A YAML file with configurations in its block texts."""

    nginx: tuple[Inline, ...]
    notes: tuple[Note, ...] = ()
