"""Whether a command of a script runs, as far as its conditions can be decided."""

from __future__ import annotations

from fnmatch import fnmatchcase

from stackaudit.facts.commands import Condition, Word
from stackaudit.link.processes.environment import Environment, expand
from stackaudit.link.processes.options import Argument
from stackaudit.model.values import Known


def decide(condition: Condition, environment: Environment, arguments: tuple[Argument, ...] | None) -> bool | None:
    """True or False where the condition is decided, None where it is not."""
    if not condition.words:
        return None
    held = _case(condition, environment, arguments) if condition.patterns else _test(condition, environment, arguments)
    return held if held is None else held != condition.negated


def _case(condition: Condition, environment: Environment, arguments: tuple[Argument, ...] | None) -> bool | None:
    subject = expand(condition.words[0], environment, arguments)
    if not isinstance(subject, Known):
        return None
    for pattern in condition.patterns:
        value = expand(pattern, environment, arguments)
        if not isinstance(value, Known):
            return None
        if fnmatchcase(subject.value, value.value):
            return True
    return False


def _test(condition: Condition, environment: Environment, arguments: tuple[Argument, ...] | None) -> bool | None:
    words = list(condition.words)
    match words[0].text:
        case "true" | ":":
            return True
        case "false":
            return False
        case "[" | "[[":
            words = words[1:-1] if words[-1].text in ("]", "]]") else words[1:]
        case "test":
            words = words[1:]
        case _:
            return None
    return _expression(words, condition.words[0].text == "[[", environment, arguments)


def _expression(
    words: list[Word], globs: bool, environment: Environment, arguments: tuple[Argument, ...] | None
) -> bool | None:
    for sign in ("||", "-o", "&&", "-a"):
        places = [index for index, word in enumerate(words) if word.text == sign and not word.holes]
        if places:
            left = _expression(words[: places[0]], globs, environment, arguments)
            right = _expression(words[places[0] + 1 :], globs, environment, arguments)
            if sign in ("||", "-o"):
                return True if True in (left, right) else None if None in (left, right) else False
            return False if False in (left, right) else None if None in (left, right) else True
    if words and words[0].text == "!":
        inner = _expression(words[1:], globs, environment, arguments)
        return None if inner is None else not inner
    texts = []
    for word in words:
        value = expand(word, environment, arguments)
        if not isinstance(value, Known):
            return None
        texts.append(value.value)
    return _evaluated(texts, globs)


def _evaluated(texts: list[str], globs: bool) -> bool | None:
    if len(texts) == 1:
        return bool(texts[0])
    if len(texts) == 2:
        return {"-n": bool(texts[1]), "-z": not texts[1]}.get(texts[0])
    if len(texts) != 3:
        return None
    left, sign, right = texts
    if sign in ("=", "==", "!="):
        equal = fnmatchcase(left, right) if globs else left == right
        return equal == (sign != "!=")
    return _compare(left, sign, right) if sign in ("-eq", "-ne", "-gt", "-lt", "-ge", "-le") else None


def _compare(left: str, sign: str, right: str) -> bool | None:
    try:
        one, other = int(left), int(right)
    except ValueError:
        return None
    table = {"-eq": one == other, "-ne": one != other, "-gt": one > other, "-lt": one < other, "-ge": one >= other}
    return table.get(sign, one <= other)
