"""Work outside the database while a transaction is open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from stackaudit.facts import python as py
from stackaudit.link.classes import SourceClass
from stackaudit.link.modules import SourceModule, decorators, dotted
from stackaudit.link.queries.entries import functions
from stackaudit.link.queries.source import text_of
from stackaudit.link.usage.bodies import Body
from stackaudit.model.prose import in_words
from stackaudit.model.values import Known, Unknown
from stackaudit.model.verdict import Fail, Pass, Site, Step, Unsure, Verdict

if TYPE_CHECKING:
    from stackaudit.link.stack import Stack

_VERBS = ("get", "post", "put", "patch", "delete", "head", "options", "request")
_SLOW = frozenset({
    *(f"requests.{verb}" for verb in _VERBS), *(f"httpx.{verb}" for verb in _VERBS), "urllib.request.urlopen",
    "subprocess.run", "subprocess.call", "subprocess.check_call", "subprocess.check_output", "time.sleep",
    "smtplib.SMTP", "smtplib.SMTP_SSL", "ftplib.FTP", "imaplib.IMAP4_SSL", "urllib.request.urlretrieve",
})  # fmt: skip
_MAILS = frozenset({"send_mail", "send_mass_mail", "mail_admins", "mail_managers"})
_STRIPE = ("create", "retrieve", "modify", "capture", "confirm", "cancel", "delete", "list", "save", "refresh")
_SAID = 3
"""So many calls are told one by one."""
_DEEPEST = 3
_SKIPPED = ("migrations/", "/tests")


def slow_call_in_transaction(stack: Stack) -> Iterator[Verdict]:
    """One site for each `atomic` block, and each function that `atomic` decorates."""
    finder = _Finder(stack)
    for module in stack.modules:
        if ("transaction" in module.names or "atomic" in module.names) and not _is_skipped(module.path):
            for node, owner in functions(stack.queries.walk, module):
                prefix = owner.name if isinstance(owner, SourceClass) else module.name
                body = Body(module, node, f"{prefix}.{node.name}", stack.queries.walk.kept)
                for block in _blocks(stack, body):
                    yield finder.judge(body, block)


def _is_skipped(path: str) -> bool:
    return any(part in path for part in _SKIPPED)


def _blocks(stack: Stack, body: Body) -> Iterator[py.With | py.FunctionDef]:
    """The outermost pieces of a function that run in a transaction."""
    if any(_is_atomic(stack, body.module, item) for item in body.node.decorators):
        yield body.node
        return
    for node in body.of_kind(py.With):
        if any(_is_atomic(stack, body.module, item.value) for item in node.items):
            outer = [item for item in body.up(node) if isinstance(item, py.With)]
            if not any(_is_atomic(stack, body.module, part.value) for item in outer for part in item.items):
                yield node


def _is_atomic(stack: Stack, module: SourceModule, node: py.Expr) -> bool:
    if isinstance(node, py.Call):
        if dotted(node.func).endswith("method_decorator") and node.args:
            return _is_atomic(stack, module, node.args[0])
        node = node.func
    name = dotted(node)
    if not name.endswith("atomic"):
        return False
    symbol = stack.modules.resolve(module, name)
    return symbol is not None and symbol.name.startswith("django.db.transaction")


class _Finder:
    """Finds slow calls, also behind the functions that a block calls."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.outside = stack.queries.walk.record.outside
        self.called = stack.queries.walk.record.called
        self.mail = _mail(stack)
        self.known: dict[py.FunctionDef, tuple[Step, ...]] = {}

    def judge(self, body: Body, block: py.With | py.FunctionDef) -> Verdict:
        """One verdict for a block: it fails at the first slow call in it."""
        found = list(self.slow(body.module, block.body, 0))
        given = block.decorators if isinstance(block, py.FunctionDef) else tuple(item.value for item in block.items)
        place = body.place(next(item for item in given if _is_atomic(self.stack, body.module, item)))
        if not found:
            return Pass(Site(place, f"{body.where}: atomic"))
        first = found[0]
        site = Site(first[0].place, f"{body.where}: {first[-1].text}")
        if isinstance(self.mail, str) and all("mail" in way[-1].text for way in found):
            return Unsure(site, self.mail)
        related = (Step(place, "opens the transaction"), *(way[0] for way in found[1:6]))
        fix = self._fix(body.module, block, found)
        return Fail(site, {"call": first[-1].text, "where": body.where}, "", related, first, fix)

    def _fix(self, module: SourceModule, block: py.With | py.FunctionDef, found: list[tuple[Step, ...]]) -> str:
        """What to do with the slow calls of a block, by what the first is and whether the block needs their answers."""
        call, node = found[0][-1].text, self.stack.sources.at(found[0][0].place)
        if call == "time.sleep()":
            return "Leave the block before it waits, and open another one afterwards."
        is_mail = "mail" in call
        alike = [way for way in found if ("mail" in way[-1].text) == is_mail and way[-1].text != "time.sleep()"]
        told = [way for way in alike if self._is_told(module, way)]
        answered = [way for way in alike if way not in told]
        is_written = node is not None and not is_mail and self._writes(module, block, node)
        parts = [self._after(told, is_written)] if told else []
        parts += [self._before(block, answered, is_written)] if answered else []
        return " ".join(parts if found[0] in told else reversed(parts))

    def _is_told(self, module: SourceModule, way: tuple[Step, ...]) -> bool:
        """Whether nothing is done with the answer of a call, which is none on an answer of another one either."""
        node = self.stack.sources.at(way[0].place)
        held = node.func.value if isinstance(node, py.Call) and isinstance(node.func, py.Attribute) else None
        if len(way) == 1 and isinstance(held, py.Name) and held.id not in module.names:
            return False
        return node is not None and isinstance(self.stack.sources.tree(module.path).get(node), py.ExprStmt)

    def _after(self, ways: list[tuple[Step, ...]], is_written: bool) -> str:
        """What to do with calls whose answers nobody needs; `is_written` says that the block wrote before."""
        told = (
            f"Hand {self._names(ways)} to `transaction.on_commit(…)`, or to a task that is started there: then it "
            "waits for nobody's locks, and does not happen where the transaction is rolled back."
        )
        stays = "Where it fails there, what the block wrote stays: if that must not be, call it before any write."
        return f"{told} {stays}" if is_written else told

    def _before(self, block: py.With | py.FunctionDef, ways: list[tuple[Step, ...]], is_written: bool) -> str:
        """What to do with calls whose answers a block needs; `is_written` says that it wrote before."""
        named = self._names(ways)
        own = "so that it holds nothing but its own statements."
        undone = (
            " As it is, the block takes back what it wrote where a call fails; behind it, or in "
            "`transaction.on_commit(…)`, the code has to do that itself."
        )
        if isinstance(block, py.With):
            told = f"Call {named} before the block opens, "
            return f"{told}{own}{undone}" if is_written else f"{told}or after it, {own}"
        around = f"`with transaction.atomic():` around the statements of `{block.name}` that write"
        if is_written:
            return (
                f"Call {named} before anything is written, and in place of the decorator put {around}, below.{undone}"
            )
        return f"In place of the decorator put {around}, and call {named} outside of it."

    def _names(self, ways: list[tuple[Step, ...]]) -> str:
        return in_words(list(dict.fromkeys(f"`{self._name(way)}()`" for way in ways)), most=_SAID)

    def _name(self, way: tuple[Step, ...]) -> str:
        """What the block itself calls on the way to a slow call."""
        node = self.stack.sources.at(way[0].place)
        return text_of(node.func, 60) if isinstance(node, py.Call) else way[-1].text.removesuffix("()")

    def _writes(self, module: SourceModule, block: py.With | py.FunctionDef, call: py.Node) -> bool:
        """Whether a block has written something before a call."""
        before = (node for node in _now(block.body) if isinstance(node, py.Call) and node.end <= call.start)
        return any(is_writing for node in before for _, _, is_writing in self.stack.works.of(module, (node,)).asks)

    def slow(self, module: SourceModule, statements: tuple[py.Stmt, ...], depth: int) -> Iterator[tuple[Step, ...]]:
        """The ways to slow calls from some statements: the calls on the way, the slow one last."""
        answers: set[str] = set()
        for node in _now(statements):
            if isinstance(node, py.Assign) and self.outside.get(node.value, "").startswith("stripe."):
                answers |= {target.id for target in node.targets if isinstance(target, py.Name)}
            if not isinstance(node, py.Call):
                continue
            name = self.outside.get(node, "") or _sending(module, node) or _of_answer(node, answers)
            if name == "time.sleep" and depth:
                continue  # behind a call it is how something else is tried again
            if self.is_slow(name):
                yield (Step(module.place(node), f"{text_of(node.func, 50)}()"),)
            elif node in self.called and depth < _DEEPEST:
                inner = self.of_function(*self.called[node], depth)
                if inner:
                    yield (Step(module.place(node), f"calls `{text_of(node.func, 50)}`"), *inner)

    def of_function(self, module: SourceModule, node: py.FunctionDef, depth: int) -> tuple[Step, ...]:
        """The way to the first slow call that a function makes on every way through it, () for none."""
        if node not in self.known:
            self.known[node] = ()
            if not any(name.rpartition(".")[2] in ("shared_task", "task") for name in decorators(node)):
                self.known[node] = next(self.slow(module, node.body, depth + 1), ())
        return self.known[node]

    def is_slow(self, name: str) -> bool:
        """Whether a call of something outside waits for it."""
        if name.startswith("django.core.mail."):
            return name.rpartition(".")[2] in _MAILS and self.mail is not False
        if name.startswith("stripe."):
            return name.rpartition(".")[2] in _STRIPE
        return name in _SLOW


def _of_answer(call: py.Call, answers: set[str]) -> str:
    """The name of a method of one of `answers`, objects of Stripe, as that of what made them; "" for any other call."""
    func = call.func
    is_one = isinstance(func, py.Attribute) and isinstance(func.value, py.Name) and func.value.id in answers
    return f"stripe.{func.attr}" if is_one and isinstance(func, py.Attribute) else ""


def _now(statements: tuple[py.Stmt, ...]) -> Iterator[py.Node]:
    """The nodes that run now: not those of functions that are only defined or handed to `on_commit`."""
    waiting: list[object] = list(reversed(statements))
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            waiting.extend(reversed(item))
        elif isinstance(item, py.Node) and not isinstance(item, (py.FunctionDef, py.Lambda, py.ClassDef)):
            yield item
            waiting.extend(getattr(item, name) for name in reversed(item.__struct_fields__[2:]))


def _sending(module: SourceModule, call: py.Call) -> str:
    """`EmailMessage(...).send()`: the mail that it is."""
    func = call.func
    if isinstance(func, py.Attribute) and func.attr == "send" and isinstance(func.value, py.Call):
        made = dotted(func.value.func).rpartition(".")[2]
        if made in ("EmailMessage", "EmailMultiAlternatives"):
            return "django.core.mail.send_mail"
    return ""


def _mail(stack: Stack) -> bool | str:
    """Whether sending a mail waits for a mail server, or why that is not known."""
    value = stack.settings.get("EMAIL_BACKEND") if stack.settings is not None else None
    if isinstance(value, Unknown):
        return value.why
    if isinstance(value, Known) and value.value:
        return str(value.value).endswith("smtp.EmailBackend")
    return True
