"""The grammar of shells, as far as it tells which commands run and under which conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from stackaudit.facts.commands import Condition, Text, Variable, Word
from stackaudit.facts.files import UnreadableError
from stackaudit.lower.located import Located
from stackaudit.lower.shellwords import Reader, Token

DEPTH = 60
STEPS = 20_000
TESTS = frozenset({"[", "[[", "test"})
REDIRECTS = frozenset({">", ">>", "<", "<<", "<<-", "<<<", "&>", "&>>", ">&", "<&", ">|", "<>"})
ASSIGNS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_FUNCTION = re.compile(r"[A-Za-z_][\w:.-]*\Z")


@dataclass
class Draft:
    """A step in the making, with the offsets of its source."""

    words: list[Word]
    start: int
    end: int
    assigns: list[Variable] = field(default_factory=list)
    conditions: tuple[Condition, ...] = ()
    background: bool = False
    piped: bool = False
    function: str = ""


def assignment(word: Word) -> Variable:
    """`NAME=value` as a variable."""
    sign = word.text.index("=")
    shift = sign + 1
    holes = tuple(
        type(hole)(hole.start - shift, hole.end - shift, hole.name, hole.default, False, hole.alternative)
        for hole in word.holes
        if hole.start >= shift
    )
    return Variable(word.text[:sign].rstrip("+"), Text(word.text[shift:], holes), word.region)


class Parser:
    """A reader of shell grammar that never refuses: what it does not know it passes over."""

    def __init__(self, source: Located) -> None:
        self.tokens = list(Reader(source).tokens())
        self.source = source
        self.index = 0
        self.drafts: list[Draft] = []
        self.function = ""

    def run(self) -> None:
        """Reads everything; stray closing words are passed over."""
        while self.index < len(self.tokens):
            before = self.index
            self.block(frozenset(), (), 0)
            if self.index == before:
                self.index += 1

    def _peek(self) -> Token | None:
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    def keyword(self, token: Token | None) -> str:
        """The text of a bare word without holes, where it may be a reserved word; else ""."""
        if token is None or token.word is None or not token.bare or token.word.holes:
            return ""
        return token.word.text

    def block(self, until: frozenset[str], conditions: tuple[Condition, ...], depth: int) -> str:
        """Reads commands up to a closing word, passes it and returns it ("" at the end of the text)."""
        if depth > DEPTH:
            raise UnreadableError("nests too deeply")
        while (token := self._peek()) is not None:
            if token.operator in ("\n", ";", "&"):
                self.index += 1
                continue
            name = token.operator or self.keyword(token)
            if name in until:
                self.index += 1
                return name
            before = self.index
            self.and_or(until, conditions, depth)
            if self.index == before:
                if not until:
                    return ""
                self.index += 1
        return ""

    def and_or(self, until: frozenset[str], conditions: tuple[Condition, ...], depth: int) -> list[Condition]:
        """Reads `a && b || c`, up to `;`, `&` or the line's end; returns the conditions that its tests make."""
        first = len(self.drafts)
        guard = conditions
        tests: list[Condition] = []
        while True:
            start = len(self.drafts)
            negated = self.pipeline(until, guard, depth)
            made = self.drafts[start:]
            test = self._test_of(made, negated)
            token = self._peek()
            sign = token.operator if token is not None else ""
            if test is not None and sign != "||":
                tests.append(test)
            if sign not in ("&&", "||"):
                break
            self.index += 1
            while (token := self._peek()) is not None and token.operator == "\n":
                self.index += 1
            if sign == "&&":
                guard = (*guard, test) if test is not None and test.words[0].text in TESTS else guard
            elif test is not None:
                guard = (*conditions, Condition(test.text, test.words, not test.negated))
            else:
                guard = (*conditions, Condition("an earlier command fails"))
        token = self._peek()
        if token is not None and token.operator == "&":
            self.index += 1
            for draft in self.drafts[first:]:
                draft.background = True
        return tests

    def _test_of(self, made: list[Draft], negated: bool) -> Condition | None:
        if len(made) != 1 or not made[0].words:
            return None
        words = tuple(made[0].words)
        return Condition(" ".join(word.text for word in words), words, negated)

    def pipeline(self, until: frozenset[str], conditions: tuple[Condition, ...], depth: int) -> bool:
        """Reads `! a | b`; returns whether it is negated."""
        negated = False
        while self.keyword(self._peek()) in ("!", "time"):
            negated = negated != (self.keyword(self._peek()) == "!")
            self.index += 1
        first = len(self.drafts)
        while True:
            before = self.index
            self.item(until, conditions, depth)
            token = self._peek()
            if token is None or token.operator not in ("|", "|&") or self.index == before:
                return negated
            self.index += 1
            while (token := self._peek()) is not None and token.operator == "\n":
                self.index += 1
            for draft in self.drafts[first:]:
                draft.piped = True
            later = len(self.drafts)
            self.item(until, conditions, depth)
            for draft in self.drafts[later:]:
                draft.piped = True

    def item(self, until: frozenset[str], conditions: tuple[Condition, ...], depth: int) -> None:
        """Reads one simple or compound command."""
        token = self._peek()
        name = token.operator if token is not None and token.operator else self.keyword(token)
        if token is None or (name and name in until):
            return
        match name:
            case "if":
                self.branches(conditions, depth)
            case "while" | "until":
                self.index += 1
                start = token.start
                self.block(frozenset({"do"}), conditions, depth + 1)
                text = self.source.text[start : self.tokens[self.index - 1].start].strip(" \t\r\n;")
                self.block(frozenset({"done"}), (*conditions, Condition(text[:200])), depth + 1)
            case "for" | "select":
                self.loop(conditions, depth)
            case "case":
                self.cases(conditions, depth)
            case "{":
                self.index += 1
                self.block(frozenset({"}"}), conditions, depth + 1)
            case "(":
                self.index += 1
                if self._double("("):
                    self._arithmetic()
                else:
                    self.block(frozenset({")"}), conditions, depth + 1)
            case "function":
                self.index += 1
                self.define(self.keyword(self._peek()), depth)
            case _:
                if self._is_definition():
                    self.define(name, depth)
                elif token.word is not None or token.operator in REDIRECTS:
                    self.simple(conditions)
        self.redirects()

    def _double(self, sign: str) -> bool:
        token = self._peek()
        return token is not None and token.operator == sign and self.tokens[self.index - 1].end == token.start

    def _arithmetic(self) -> None:
        while (token := self._peek()) is not None and token.operator != "\n":
            self.index += 1
            if token.operator == ")" and self._double(")"):
                self.index += 1
                return

    def _is_definition(self) -> bool:
        after = self.tokens[self.index + 1 : self.index + 3]
        return (
            bool(_FUNCTION.match(self.keyword(self._peek())))
            and len(after) == 2
            and after[0].operator == "("
            and after[1].operator == ")"
        )

    def define(self, name: str, depth: int) -> None:
        """Reads the rest of a function's definition, from its name."""
        self.index += 1
        while (token := self._peek()) is not None and token.operator in ("(", ")", "\n"):
            self.index += 1
        outer, self.function = self.function, name or "?"
        first = len(self.drafts)
        self.item(frozenset(), (), depth + 1)
        for draft in self.drafts[first:]:
            draft.function = draft.function or self.function
        self.function = outer

    def branches(self, conditions: tuple[Condition, ...], depth: int) -> None:
        """Reads `if ... then ... elif ... else ... fi`."""
        failed: tuple[Condition, ...] = ()
        word = "if"
        while word in ("if", "elif"):
            self.index += word == "if"
            start = self._peek()
            first = len(self.drafts)
            tests = self.tests((*conditions, *failed), depth)
            end = self.tokens[self.index - 1].start if self.index <= len(self.tokens) else len(self.source.text)
            text = self.source.text[start.start : end].strip(" \t\r\n;")[:200] if start is not None else ""
            if not tests or len(self.drafts) - first != len(tests):
                tests = [Condition(text)]
            word = self.block(frozenset({"elif", "else", "fi"}), (*conditions, *failed, *tests), depth + 1)
            if len(tests) == 1 and tests[0].words:
                only = tests[0]
                failed = (*failed, Condition(only.text, only.words, not only.negated))
            else:
                failed = (*failed, Condition(text, negated=True))
        if word == "else":
            self.block(frozenset({"fi"}), (*conditions, *failed), depth + 1)

    def tests(self, conditions: tuple[Condition, ...], depth: int) -> list[Condition]:
        """Reads the commands between `if` and `then`; returns what must hold."""
        tests: list[Condition] = []
        while (token := self._peek()) is not None:
            if token.operator in ("\n", ";", "&"):
                self.index += 1
                continue
            if self.keyword(token) == "then":
                self.index += 1
                break
            before = self.index
            tests = self.and_or(frozenset({"then"}), conditions, depth + 1)
            if self.index == before:
                self.index += 1
        return tests

    def loop(self, conditions: tuple[Condition, ...], depth: int) -> None:
        """Reads `for name in words; do ... done`."""
        start = self.tokens[self.index].start
        while (token := self._peek()) is not None and self.keyword(token) not in ("do", "{"):
            self.index += 1
        end = token.start if token is not None else len(self.source.text)
        text = self.source.text[start:end].strip(" \t\r\n;")
        self.index += 1
        self.block(frozenset({"done", "}"}), (*conditions, Condition(text[:200])), depth + 1)

    def cases(self, conditions: tuple[Condition, ...], depth: int) -> None:
        """Reads `case word in pattern) ... ;; esac`."""
        self.index += 1
        subject = self._peek()
        self.index += 1
        while (token := self._peek()) is not None and self.keyword(token) != "in":
            self.index += 1
        self.index += 1
        earlier: tuple[Condition, ...] = ()
        while (token := self._peek()) is not None:
            if token.operator in ("\n", ";", ";;", ";&", ";;&", "("):
                self.index += 1
                continue
            if self.keyword(token) == "esac":
                self.index += 1
                return
            patterns: list[Text] = []
            while (token := self._peek()) is not None and token.operator != ")":
                if token.word is not None:
                    patterns.append(Text(token.word.text, token.word.holes))
                if token.operator == "\n":
                    break
                self.index += 1
            self.index += 1
            if subject is None or subject.word is None:
                return
            text = f"{subject.word.text} is {' or '.join(pattern.text for pattern in patterns)}"
            matches = Condition(text, (subject.word,), False, tuple(patterns))
            end = self.block(frozenset({";;", ";&", ";;&", "esac"}), (*conditions, *earlier, matches), depth + 1)
            earlier = (*earlier, Condition(text, (subject.word,), True, tuple(patterns)))
            if end in ("esac", ""):
                return

    def redirects(self) -> None:
        """Passes over `> file`, `2>&1` after a compound command."""
        while (token := self._peek()) is not None and token.operator in REDIRECTS:
            self.index += 1
            after = self._peek()
            if after is not None and after.word is not None:
                self.index += 1

    def simple(self, conditions: tuple[Condition, ...]) -> None:
        """Reads one simple command: assignments, words, redirections."""
        if len(self.drafts) >= STEPS:
            raise UnreadableError(f"holds more than {STEPS} commands")
        token = self.tokens[self.index]
        draft = Draft([], token.start, token.end, conditions=conditions)
        brackets = self.keyword(token) == "[["
        while (token_ := self._peek()) is not None:
            if token_.word is None:
                if token_.operator in REDIRECTS and not brackets:
                    self.index += 1
                    after = self._peek()
                    if token_.operator not in ("<<", "<<-") and after is not None and after.word is not None:
                        self.index += 1
                    continue
                if not brackets or token_.operator == "\n":
                    break
                sign = token_.operator
                draft.words.append(Word(sign, (), self.source.region(token_.start, token_.end)))
            elif not draft.words and ASSIGNS.match(self.source.text, token_.start):
                draft.assigns.append(assignment(token_.word))
            else:
                follows = self.tokens[self.index + 1] if self.index + 1 < len(self.tokens) else None
                if not (
                    token_.word.text.isdigit()
                    and follows is not None
                    and follows.operator in REDIRECTS
                    and follows.start == token_.end
                ):
                    draft.words.append(token_.word)
            draft.end = token_.end
            self.index += 1
            if brackets and self.keyword(token_) == "]]":
                brackets = False
        self.drafts.append(draft)
