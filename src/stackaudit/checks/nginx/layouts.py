"""Layouts that write a CSRF token into every page: Django sets the cookie of whoever gets one and brings none."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.django_pages import CSRF, middleware
from stackaudit.facts import template as t
from stackaudit.link.pages.files import TemplateFile, flat, parts
from stackaudit.link.pages.inheritance import chain_of
from stackaudit.link.stack import Stack
from stackaudit.model.source import Place


def tokens_of_all(stack: Stack) -> list[Place]:
    """Where the layout of most pages writes the token: the certain place, then those in conditions and blocks.

    A block may be replaced and a condition may ask who is logged in: only what stands outside of both is certain, and
    without such a place nothing is told.
    """
    if CSRF not in (middleware(stack) or ()):
        return []
    children: dict[TemplateFile, int] = {}
    extending = 0
    for file in stack.templates.by_path.values():
        _, *layouts = chain_of(stack.templates, file).files
        extending += bool(layouts)
        for layout in layouts:
            children[layout] = children.get(layout, 0) + 1
    for layout, count in children.items():
        certain = next(filter(_is_token, _certain(layout.tree.nodes)), None)
        if 2 * count > extending and count > 1 and certain is not None and not _extends(layout):
            others = [node for node in flat(layout.tree.nodes) if _is_token(node) and node is not certain]
            return [Place(layout.path, node.region) for node in (certain, *others)]
    return []


def _extends(file: TemplateFile) -> bool:
    """Whether a template renders nothing outside of its blocks."""
    return any(isinstance(node, t.Extends) for node in file.tree.nodes)


def _certain(nodes: tuple[t.Node, ...]) -> Iterator[t.Node]:
    """What is rendered with every page: outside of conditions, loops and blocks."""
    for node in nodes:
        yield node
        if isinstance(node, t.With):
            yield from _certain(node.body)


def _is_token(node: t.Node) -> bool:
    if isinstance(node, t.Tag):
        return node.name == "csrf_token"
    names = {part.name for part in parts(node) if isinstance(part, t.Path)} if isinstance(node, t.Output) else set()
    return bool(names & {"csrf_token", "csrf_input"})
