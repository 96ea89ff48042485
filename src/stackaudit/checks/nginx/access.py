"""Lists of addresses and passwords that let everybody in, or nobody."""

from __future__ import annotations

from collections.abc import Iterator

from stackaudit.checks.nginx.injection import every_level
from stackaudit.checks.nginx.shared_levels import once_for_each_place
from stackaudit.link.nginx.level import Gap, Level, Line
from stackaudit.link.stack import Stack
from stackaudit.model.values import Known
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

_ANYWHERE = frozenset({"0.0.0.0/0", "::/0", "0/0"})
_NOTHING_TOLD = frozenset({"400", "401", "403", "404", "405", "410", "421", "429", "444", "500", "502", "503"})


def access_control_bypassed(stack: Stack) -> Iterator[Verdict]:
    """One site for each level that says who may come in."""
    yield from once_for_each_place(
        verdict for level, name in every_level(stack.nginx) for verdict in _judge(level, name)
    )


def _judge(level: Level, name: str) -> Iterator[Verdict]:
    rules = _rules(level)
    password = [line for line in level.lines.get("auth_basic", []) if line.words and line.words[0].text != "off"]
    password += [line for line in level.lines.get("auth_request", []) if line.words and line.words[0].text != "off"]
    first = (rules or password)[0] if rules or password else None
    if first is None:
        return
    site = Site(first.place, f"{name} access")
    answered = _answered_before(level)
    if answered is not None:
        status = answered.words[0].text
        if status in _NOTHING_TOLD:
            yield Pass(site)
        else:
            step = Step(answered.place, "answers before anybody is asked")
            yield Fail(site, {"directive": first.name, "status": status}, cause="return", related=(step,))
        return
    if not rules:
        yield Pass(site)
        return
    condition = next((line.maybe for line in rules if line.maybe), "")
    hole = next((word.hole for line in rules for word in line.words if word.hole), "")
    gap = next((gap for gap in level.gaps if gap.may_hold("deny") or gap.may_hold("allow")), None)
    yield _of_list(level, site, rules, _riddle(condition, hole, gap))


def _riddle(condition: str, hole: str, gap: Gap | None) -> str:
    if condition:
        return f"it depends on {condition} of the template"
    if hole:
        return f"the template fills in {hole}"
    return gap.why if gap is not None else ""


def _rules(level: Level) -> list[Line]:
    """allow and deny of one level, in the order of the text: nginx takes the first that fits."""
    lines = [*level.lines.get("allow", []), *level.lines.get("deny", [])]
    if len({line.place.path for line in lines}) > 1:
        return lines if not (level.lines.get("allow") and level.lines.get("deny")) else []
    return sorted(lines, key=lambda line: (line.place.region.line, line.place.region.column))


def _text(line: Line) -> str:
    return line.words[0].text if line.words else ""


def _of_list(level: Level, site: Site, rules: list[Line], riddle: str) -> Verdict:
    everybody = next((index for index, line in enumerate(rules) if _text(line) == "all"), None)
    after = rules[everybody + 1 :] if everybody is not None else []
    dead = [line for line in after if everybody is not None and line.name != rules[everybody].name]
    if dead and everybody is not None:
        related = tuple(Step(line.place, f"{line.name} {_text(line)} is never looked at") for line in dead)
        values = {"first": f"{rules[everybody].name} all", "second": f"{dead[0].name} {_text(dead[0])}"}
        return Fail(site, values, cause="order-open" if rules[0].name == "allow" else "order-shut", related=related)
    if everybody is not None and rules[everybody].name == "deny":
        return _closed(level, site, rules)
    if everybody is not None:
        return _open(level, site, rules[everybody])
    any_suffices = _satisfies_any(level)
    if all(line.name == "allow" for line in rules):
        if riddle:
            return Unsure(site, riddle)
        # with `satisfy any` who is not on the list is still asked for a password
        return Pass(site) if any_suffices and _password(level) else Fail(site, {"allowed": _text(rules[0])})
    outer = _closed_outside(level)
    if outer is not None and not any_suffices:
        step = Step(outer.place, "this deny all no longer holds")
        return Fail(site, {"denied": _text(rules[0])}, cause="replaced", related=(step,))
    return Pass(site)


def _closed(level: Level, site: Site, rules: list[Line]) -> Verdict:
    """A list that ends with deny all: good, unless visitors can say what their address is."""
    if any(line.name == "allow" for line in rules):
        trusted = level.in_force("set_real_ip_from")
        if isinstance(trusted, Known):
            for line in trusted.value.lines:
                if _text(line) in _ANYWHERE:
                    step = Step(line.place, "believes everybody who names an address")
                    return Fail(site, {"trusted": _text(line)}, cause="spoofed", related=(step,))
    return Pass(site)


def _open(level: Level, site: Site, line: Line) -> Verdict:
    """allow all: opens what is closed outside, which is fine, but with `satisfy any` it makes the password void."""
    if _satisfies_any(level) and _password(level):
        return Fail(site, {}, cause="any", related=(Step(line.place, "lets everybody in"),))
    return Pass(site)


def _satisfies_any(level: Level) -> bool:
    found = level.in_force("satisfy")
    return isinstance(found, Known) and bool(found.value.lines) and _text(found.value.lines[-1]) == "any"


def _password(level: Level) -> bool:
    for name in ("auth_basic", "auth_request", "auth_jwt"):
        found = level.in_force(name)
        if isinstance(found, Known) and found.value.lines and _text(found.value.lines[-1]) != "off":
            return True
    return False


def _closed_outside(level: Level) -> Line | None:
    """The `deny all` of the next outer level with a list, where some are allowed before it."""
    for outer in level.outward():
        rules = _rules(outer) if outer is not level else []
        if rules:
            last = rules[-1]
            return last if last.name == "deny" and _text(last) == "all" else None
    return None


def _answered_before(level: Level) -> Line | None:
    """An unconditional `return` of the level: nginx runs it before it asks who comes."""
    lines = level.lines.get("return", [])
    return lines[0] if lines and not lines[0].maybe and lines[0].words else None
