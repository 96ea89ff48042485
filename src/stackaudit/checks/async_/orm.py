"""Coroutines that ask the database as only synchronous code may."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.link.coroutines import Coroutine, Touch, TouchKind, allows_unsafe
from stackaudit.link.stack import Stack
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict


def sync_orm_in_async(stack: Stack) -> Iterator[Verdict]:
    """One site for each coroutine that runs queries: the first that Django refuses."""
    yield from _judged(stack, "query")


def lazy_relation_in_async(stack: Stack) -> Iterator[Verdict]:
    """One site for each coroutine that follows relations: the first that is not loaded."""
    yield from _judged(stack, "relation")


def _judged(stack: Stack, kind: TouchKind) -> Iterator[Verdict]:
    for coroutine in stack.coroutines:
        touches = [touch for touch in coroutine.touches() if touch.kind == kind]
        if touches:
            yield _verdict(stack, coroutine, touches)


def _verdict(stack: Stack, coroutine: Coroutine, touches: list[Touch]) -> Verdict:
    refused = [touch for touch in touches if not touch.is_fine and not touch.why]
    unsure = [touch for touch in touches if touch.why]
    first = (refused or unsure or touches)[0]
    site = Site(coroutine.body.place(first.node), f"{coroutine.name}: {first.text}")
    if not refused:
        return Unsure(site, first.why) if unsure else Pass(site)
    return Fail(
        site,
        {"access": first.text, "instead": first.instead, "coroutine": coroutine.name.rpartition(".")[2]},
        cause="unsafe" if allows_unsafe(stack) else "",
        related=tuple(Step(coroutine.body.place(touch.node), f"`{touch.text}` too") for touch in refused[1:8]),
    )
