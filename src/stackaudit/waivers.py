"""What somebody accepted: waiver comments, `per-file-ignores`, ignored rules, and the baseline.

Whatever is accepted stays in the result and in the score; it only leaves the list of findings (waived) or the gate
(baselined). An acceptance that does not work, or that nothing needs any more, is told as a notification.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import msgspec
from pathspec import GitIgnoreSpec

from stackaudit.config import Config, ConfigError
from stackaudit.facts.files import FileFacts
from stackaudit.model.result import Finding, Location, Notification, Open, Result, RuleOutcome, Waived
from stackaudit.model.source import Waiver

BASELINE_NAME = "stackaudit-baseline.json"


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding of the baseline; only `fingerprint` and `count` decide, the rest is for whoever reads the file."""

    fingerprint: str
    rule: str = ""
    path: str = ""
    site: str = ""
    count: int = 1


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The findings that were there when somebody drew the line."""

    schema: Literal["stackaudit-baseline/1"]
    findings: tuple[Accepted, ...]


class Judged(Protocol):
    """What all rules said."""

    @property
    def outcomes(self) -> Sequence[RuleOutcome]:
        """One for each rule."""

    @property
    def findings(self) -> Sequence[Finding]:
        """Every failure, the worst first."""

    @property
    def unknowns(self) -> Sequence[Open]:
        """Every site that could not be judged."""


@dataclass
class Settled:
    """The judgement after everything that was accepted has been taken out of it."""

    outcomes: list[RuleOutcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    waived: list[Waived] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)


def settle(judged: Judged, files: Iterable[FileFacts], config: Config, root: Path, words: Collection[str]) -> Settled:
    """Take out of `judged` what comments, the configuration and the baseline (a path relative to `root`) accept.

    `words` are all rule ids, areas and tags there are, also of rules that did not run. Raises ConfigError where the
    baseline cannot be read.
    """
    named = {outcome.id: {outcome.id, outcome.id.partition("/")[0], *outcome.tags} for outcome in judged.outcomes}
    comments = _Comments(files, named)
    settled = Settled()
    patterns = [
        (pattern, GitIgnoreSpec.from_lines([pattern]), frozenset(rules))
        for pattern, rules in config.per_file_ignores.items()
    ]
    for finding in judged.findings:
        waived = comments.waive(finding) or _by_pattern(finding, patterns, named) or _by_ignore(finding, config, named)
        if waived is None:
            settled.findings.append(finding)
        else:
            settled.waived.append(waived)
    counts = Counter(item.finding.rule for item in settled.waived)
    settled.outcomes = [msgspec.structs.replace(each, waived=counts[each.id]) for each in judged.outcomes]
    settled.notifications = [
        *comments.notifications(judged.outcomes, judged.unknowns, words),
        *_unknown_patterns(config, words),
    ]
    if config.baseline is not None:
        baseline = read_baseline(root / config.baseline)
        settled.findings, notes = mark(settled.findings, baseline, config.baseline)
        settled.notifications += notes
    return settled


def read_baseline(path: Path) -> Baseline:
    """The baseline at `path`. Raises ConfigError with the way out."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Baseline)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such baseline; write one with: stackaudit baseline") from None
    except OSError as error:
        raise ConfigError(f"{path}: the baseline could not be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: this is not a baseline of stackaudit ({error}); write it anew") from None


def baseline_of(result: Result) -> str:
    """The text of a baseline that accepts every finding of `result`."""
    counts = Counter(finding.fingerprint for finding in result.findings)
    firsts = {finding.fingerprint: finding for finding in reversed(result.findings)}
    accepted = [
        Accepted(fingerprint, firsts[fingerprint].rule, firsts[fingerprint].location.path, firsts[fingerprint].site, n)
        for fingerprint, n in counts.items()
    ]
    accepted.sort(key=lambda item: (item.rule, item.path, item.site, item.fingerprint))
    document = msgspec.json.encode(Baseline("stackaudit-baseline/1", tuple(accepted)))
    return msgspec.json.format(document, indent=2).decode() + "\n"


def mark(findings: Sequence[Finding], baseline: Baseline, name: str) -> tuple[list[Finding], list[Notification]]:
    """`findings` with those of the baseline marked, and a note where the baseline holds what is gone."""
    left = Counter({item.fingerprint: 0 for item in baseline.findings})
    for item in baseline.findings:
        left[item.fingerprint] += item.count
    marked = []
    for finding in findings:
        accepted = left[finding.fingerprint] > 0
        if accepted:
            left[finding.fingerprint] -= 1
        marked.append(msgspec.structs.replace(finding, baselined=True) if accepted else finding)
    gone = sum(left.values())
    if not gone:
        return marked, []
    text = f"{gone} of the baseline's findings are gone: write it anew with `stackaudit baseline` to keep them out"
    return marked, [Notification(level="note", text=text, path=name)]


def narrow(result: Result, changed: Mapping[str, Sequence[tuple[int, int]]], revision: str) -> Result:
    """`result` with only those findings that stand, or have a related place, on a changed line, and a note of the rest.

    `changed` maps paths to ranges of lines, both ends included. The score stays that of the whole stack.
    """

    def touched(place: Location) -> bool:
        last = max(_lines(place))
        return any(first <= last and place.line <= end for first, end in changed.get(place.path, ()))

    kept = tuple(
        each for each in result.findings if any(map(touched, (each.location, *(one.location for one in each.related))))
    )
    gone = len(result.findings) - len(kept)
    if not gone:
        return result
    text = f"{gone} finding{'s' if gone > 1 else ''} on lines that did not change since {revision} left out"
    notes = (*result.notifications, Notification(level="note", text=text))
    return msgspec.structs.replace(result, findings=kept, notifications=notes)


class _Comments:
    """The waiver comments of all files, and which of their words were needed."""

    def __init__(self, files: Iterable[FileFacts], named: dict[str, set[str]]) -> None:
        self.named = named
        self.of_line: dict[tuple[str, int], list[Waiver]] = {}
        self.all: list[tuple[str, Waiver]] = []
        self.used: set[tuple[str, int, str]] = set()
        for file in files:
            for waiver in file.waivers:
                self.all.append((file.path, waiver))
                self.of_line.setdefault((file.path, waiver.covers), []).append(waiver)

    def waive(self, finding: Finding) -> Waived | None:
        taken = None
        for line in _lines(finding.location):
            for waiver in self.of_line.get((finding.location.path, line), ()):
                for word in waiver.rules:
                    if word not in self.named.get(finding.rule, {finding.rule}):
                        continue
                    self.used.add((finding.location.path, waiver.line, word))
                    if taken is None and waiver.reason.strip():
                        taken = Waived(finding=finding, reason=waiver.reason.strip(), by="comment")
        return taken

    def notifications(
        self, outcomes: Sequence[RuleOutcome], unknowns: Sequence[Open], words: Collection[str]
    ) -> list[Notification]:
        """What the comments' authors should know: by path and line."""
        notes: list[Notification] = []
        judged = {outcome.id for outcome in outcomes if outcome.status != "unknown" or outcome.judged}
        unsure = {(item.rule, item.location.path, line) for item in unknowns for line in _lines(item.location)}
        for path, waiver in self.all:
            if not waiver.rules:
                text = "this waiver names no rule: write `stackaudit: ignore[area/rule] reason`"
                notes.append(Notification(level="warning", text=text, path=path, line=waiver.line))
                continue
            if not waiver.reason.strip():
                names = ", ".join(waiver.rules)
                text = f"this waiver of {names} has no reason, so it waives nothing: write the reason after the bracket"
                rule = waiver.rules[0] if waiver.rules[0] in self.named else ""
                notes.append(Notification(level="warning", text=text, path=path, line=waiver.line, rule=rule))
            for word in waiver.rules:
                if word not in words:
                    text = f"this waiver names `{word}`, which is no rule; {suggestion(word, words)}"
                    notes.append(Notification(level="warning", text=text, path=path, line=waiver.line))
                    continue
                meant = {rule for rule, names in self.named.items() if word in names}
                # Only a rule that looked at this line can tell that nothing is there to waive.
                looked = meant <= judged and not any((rule, path, waiver.covers) in unsure for rule in meant)
                if meant and looked and (path, waiver.line, word) not in self.used:
                    text = f"nothing to waive here: {word} finds nothing on line {waiver.covers}; remove the waiver"
                    rule = word if word in self.named else ""
                    notes.append(Notification(level="note", text=text, path=path, line=waiver.line, rule=rule))
        return sorted(notes, key=lambda note: (note.path, note.line, note.text))


def suggestion(word: str, words: Collection[str]) -> str:
    """The nearest known word, or where to find them all; a bare rule name finds its area."""
    whole = sorted(known for known in words if known.partition("/")[2] == word)
    near = whole or difflib.get_close_matches(word, sorted(words), 1, 0.5)
    return f"did you mean `{near[0]}`?" if near else "`stackaudit rules` lists them"


def _lines(location: Location) -> set[int]:
    """The lines on which a comment speaks for this place: its first, and the last of a statement over several lines."""
    last = (
        location.end_line - 1 if location.end_column <= 1 and location.end_line > location.line else location.end_line
    )
    return {location.line, max(last, location.line)}


def _by_pattern(
    finding: Finding, patterns: Iterable[tuple[str, GitIgnoreSpec, frozenset[str]]], named: dict[str, set[str]]
) -> Waived | None:
    for pattern, spec, rules in patterns:
        if rules & named.get(finding.rule, {finding.rule}) and spec.match_file(finding.location.path):
            return Waived(finding=finding, reason=f"per-file-ignores of `{pattern}`", by="per-file-ignores")
    return None


def _by_ignore(finding: Finding, config: Config, named: dict[str, set[str]]) -> Waived | None:
    """An ignored rule is judged all the same: its findings stay in the document and in the score.

    A rule's own id outweighs a broader word, as where rules are chosen.
    """
    for word in config.ignore:
        broad = word != finding.rule and word in named.get(finding.rule, ())
        if word == finding.rule or (broad and finding.rule not in config.select):
            return Waived(finding=finding, reason=f"`{word}` is ignored by the configuration", by="ignore")
    return None


def _unknown_patterns(config: Config, words: Collection[str]) -> list[Notification]:
    return [
        Notification(
            level="warning",
            text=f"per-file-ignores of `{pattern}` names `{word}`, which is no rule; {suggestion(word, words)}",
        )
        for pattern, rules in config.per_file_ignores.items()
        for word in rules
        if word not in words
    ]
