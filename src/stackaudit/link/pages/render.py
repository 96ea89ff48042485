"""Walks a template with the values of its context, as Django or Jinja2 would render it.

Each access to a row goes through the query walk with the place of the expression, so that a loop over a queryset and
what its body reads meet in one walk, through includes, blocks and tags.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

from msgspec.structs import replace

from stackaudit.facts import template as t
from stackaudit.link.models.model import Model
from stackaudit.link.pages import components, conditions
from stackaudit.link.pages import walk as q
from stackaudit.link.pages.compiled import Compiled
from stackaudit.link.pages.expressions import Expressions, Scope
from stackaudit.link.pages.files import PARTIAL, Library, TemplateFile, Templates
from stackaudit.link.pages.inheritance import Chain, Reads, absolute, chain_of
from stackaudit.link.pages.repeated import Repeats
from stackaudit.link.pages.turns import Turns
from stackaudit.link.pages.views import choices
from stackaudit.link.queries import loops
from stackaudit.link.queries.values import UNKNOWN, Choice, Function, Mapping, Other, Row, Rows, Seq, Value
from stackaudit.link.queries.walk import BUDGET, At, Walk
from stackaudit.model.source import Place, Region

DEEPEST = 12
"""How many templates may include each other; deeper ones are not walked."""
_PARTS = 8
"""So many items of a list that is written out are walked one by one."""
_GROUP = ("grouper", "list")
"""What a group of `{% regroup %}` holds: a named tuple, which `{% for grouper, rows in groups %}` takes apart."""

_QUIET = frozenset(
    {"csrf_token", "load", "now", "static", "trans", "translate", "get_static_prefix", "verbatim", "debug"}
)


class Renderer:
    """Renders templates in a walk, each included one once for each state that decides what it asks for."""

    def __init__(self, walk: Walk, templates: Templates) -> None:
        self.walk = walk
        self.templates = templates
        self.depth = 0
        self.open: list[str] = []
        self.rendered: set[str] = set()
        self.texts: dict[Place, str] = {}
        self.repeats = Repeats(walk)
        self.turns = Turns(walk)
        self.compiling: list[Compiled] = []
        """What renders tags with node classes of their own, the innermost template last."""
        self.lacking: Container[str] = ()
        """Names that are certain not to be in the context of what is being rendered."""
        self._reads = Reads(templates)
        self._known: set[object] = set()

    @contextmanager
    def without(self, lacking: Container[str]) -> Iterator[None]:
        """What is rendered inside has a context of which it is certain that it holds none of the names `lacking`."""
        before, self.lacking = self.lacking, lacking
        try:
            yield
        finally:
            self.lacking = before

    def render(self, name: str, context: dict[str, Value], at: At, text: str = "", included: bool = False) -> bool:
        """Render the template `name`, called (or `included`) at `at`; False where no file has that name."""
        files = self.templates.find(name)
        if self.depth >= DEEPEST or not files:
            return bool(files)
        file = files[0]
        if file.path in self.open and self.open.count(file.path) > 1:
            return True
        state = self._state(file, context) if included else None
        if state in self._known:
            return True
        self.depth += 1
        self.open.append(file.path)
        try:
            with self.walk.step(at, text or f'render "{name}"', file.path, included):
                line = chain_of(self.templates, file)
                self.rendered.update(item.path for item in line.files)
                _File(self, line, Scope([{}, context], lacking=self.lacking)).root()
        finally:
            self.open.pop()
            self.depth -= 1
        if state is not None and self.walk.spent <= BUDGET:
            self._known.add(state)
        return True

    def _state(self, file: TemplateFile, context: dict[str, Value]) -> object:
        """Everything that decides what an included template asks for; None where that cannot be told.

        Pages share most of what they include, and their layouts: what was rendered in one state asks for nothing new in
        the same one (measured on two large projects: a fifth of the time for their pages).
        """
        names = self._reads.of(file)
        if names is None:
            return None
        held = tuple([(name, context[name]) for name in names if name in context])
        lacking = tuple([name for name in names if name in self.lacking])
        walk = self.walk
        running: tuple[object, ...] = (self.turns.is_conditional,)
        if walk.loops:
            running = (*walk.loops, walk.guard, *self.turns.around, self.repeats.branch)
        return file, held, lacking, running, walk.shielded > 0, self.turns.is_kept


class _File(Expressions):
    """One template being rendered, with its parents and blocks."""

    def __init__(self, renderer: Renderer, chain: Chain, scope: Scope) -> None:
        super().__init__(
            renderer.walk, renderer.templates, renderer.texts, renderer.repeats, renderer.turns, chain.root, scope
        )
        self.renderer = renderer
        self.chain = chain
        self.blocks: list[tuple[str, int]] = []

    def root(self) -> None:
        for file in reversed(self.chain.files):
            if file is not self.chain.root and file.tree.language != "django":
                # what Jinja2 does with a template that extends another before it renders that one
                before, self.file = self.file, file
                self.nodes(tuple(node for node in file.tree.nodes if isinstance(node, (t.Import, t.Macro, t.Bind))))
                self.file = before
        self.nodes(self.chain.root.tree.nodes)

    def nodes(self, nodes: tuple[t.Node, ...]) -> None:
        for node in nodes:
            self.node(node)

    def node(self, node: t.Node) -> None:
        match node:
            case t.Output():
                value = self.value(node.value)
                if isinstance(value, Row):
                    q.text(self.walk, value, self.at(node.value.region))
            case t.For():
                self.loop(node)
            case t.If():
                self.condition(node)
            case t.With():
                with self.scope.pushed({item.name: self.bound(item.value) for item in node.bindings}):
                    self.nodes(node.body)
            case t.Bind():
                self.bind(node.targets, self.value(node.value))
            case t.Include():
                self.include(node)
            case t.Component():
                components.render(self, self.renderer, node)
            case t.Block():
                self.block(node)
            case t.Regroup():
                self.regroup(node)
            case t.Cache():
                for arg in node.args:
                    self.value(arg)
                with q.guarded(self.walk), self.turns.kept():
                    self.nodes(node.body)
            case t.Tag():
                self.tag(node)
            case t.Macro():
                self.scope.macros[node.name] = (self.file, node)
            case t.Import():
                self.imported(node)
            case t.Extends():
                pass

    # Tags

    def bind(self, targets: tuple[str, ...], value: Value) -> None:
        if len(targets) == 1:
            self.scope.layers[-1][targets[0]] = value
            return
        items = value.items if isinstance(value, Seq) and value.items is not None else None
        if isinstance(value, Mapping) and tuple(name for name, _ in value.items) == _GROUP:
            items = tuple(item for _, item in value.items)
        for index, name in enumerate(targets):
            if items is not None and len(items) == len(targets):
                self.scope.layers[-1][name] = items[index]
            elif isinstance(value, Seq):
                self.scope.layers[-1][name] = value.element
            else:
                self.scope.layers[-1][name] = Other(value.loops)

    def loop(self, node: t.For) -> None:
        source = self.value(node.iter)
        place = self.at(node.iter.region)
        self.asks(node.iter, source, place)
        if isinstance(node.iter, t.Path) and isinstance(source, Rows):
            self.evaluated(node.iter, source)
        parts = _apart(source)
        with q.guarded(self.walk) if isinstance(source, Choice) else nullcontext():
            for index, part in enumerate(parts):
                with self.repeats.inside(node, index + 1) if len(parts) > 1 else nullcontext():
                    self.turn(node, part, place)
        with q.guarded(self.walk), self.repeats.inside(node, 0):
            self.nodes(node.empty)

    def turn(self, node: t.For, source: Value, place: Place) -> None:
        """The body of a loop, for what `source` hands out."""
        text = f"{{% for {', '.join(node.targets)} in {self.text(node.iter)} %}}"
        with q.each(self.walk, source, place, text) as element, ExitStack() as stack:
            loop = self.walk.loops[-1]
            loop.kept = self.turns.is_kept
            loop.conditional = self.turns.is_for_some(loop, node.iter)
            counter = Other(frozenset({loop}))
            stack.enter_context(self.turns.turning(loop, source))
            stack.enter_context(self.scope.pushed({"forloop": counter, "loop": counter}))
            self.bind(node.targets, element)
            if node.test is not None:
                self.value(node.test)
            if node.test is not None:
                stack.enter_context(self.where(node.test))
            self.nodes(node.body)
            for other in loops.beside(self.walk, source, loop):
                with q.guarded(self.walk):
                    self.bind(node.targets, other)
                    self.nodes(node.body)

    def condition(self, node: t.If) -> None:
        record = self.walk.record
        marks = [len(record)]
        with ExitStack() as tests:
            for index, branch in enumerate(node.branches):
                if branch.test is not None:
                    with q.guarded(self.walk) if index else nullcontext():
                        value = self.value(branch.test)
                        if isinstance(value, Rows) and not value.evaluated:
                            self.run(branch.test, value, self.at(branch.test.region))
                holds = conditions.outcome(self.walk, self.scope, branch.test)
                if branch.test is not None and not _is_always(branch.test):
                    tests.enter_context(self.where(branch.test, holds is None))
                if holds is False:
                    continue
                with q.guarded(self.walk, (id(node), index)), self.repeats.inside(node, index):
                    self.nodes(branch.body)
                marks.append(len(record))
                if holds:
                    return
        if node.branches[-1].test is None:
            record.on_every_branch(marks, self.walk.guard)

    def include(self, node: t.Include) -> None:
        extra = {item.name: self.bound(item.value) for item in node.bindings}
        context = extra if node.only else {**self.scope.flat(), **extra}
        at = self.at(node.region)
        for names in choices(self.value(node.template)):
            for name in (absolute(self.file, name) for name in names):
                if self.renderer.render(name, context, at, f'{{% include "{name}" %}}', included=True):
                    break

    def block(self, node: t.Block) -> None:
        self.definition(node.name, 0, node)

    def definition(self, name: str, index: int, own: t.Block | None = None) -> None:
        """Render the definition of a block that stands at `index`, the most derived being 0."""
        found = self.chain.blocks.get(name, [])
        if index >= len(found) or (name, index) in self.blocks:
            if own is not None and not found:
                self.nodes(own.body)
            return
        file, block = found[index]
        before = self.file
        self.file = file
        self.blocks.append((name, index))
        with self.scope.pushed({}), self.turns.block():
            self.nodes(block.body)
        self.blocks.pop()
        self.file = before

    def above(self) -> None:
        """`{{ block.super }}` and Jinja2's `super()`."""
        if self.blocks:
            name, index = self.blocks[-1]
            self.definition(name, index + 1)

    def regroup(self, node: t.Regroup) -> None:
        source = self.value(node.value)
        place = self.at(node.value.region)
        with q.each(self.walk, source, place, f"{{% regroup {self.text(node.value)} %}}") as element:
            grouper = self.follow(element, (node.by.name, *node.by.parts), self.at(node.by.region))
        inside = replace(source, evaluated=True) if isinstance(source, Rows) else source
        group = Mapping(UNKNOWN, tuple(zip(_GROUP, (grouper, inside), strict=True)))
        self.scope.layers[-1][node.target] = Seq(group)

    def tag(self, node: t.Tag) -> None:
        if node.name in _QUIET:
            return
        library = self.renderer.templates.tag(node.name, self.file)
        if node.name in (PARTIAL, "partial") and library is None:
            self.partial(node)
            return
        args = tuple(self.value(arg) for arg in node.args)
        keywords = {item.name: self.value(item.value) for item in node.keywords}
        if node.name in ("url", "firstof", "cycle", "ifchanged", "querystring") and library is None:
            for arg, value in zip(node.args, args, strict=True):
                if isinstance(value, Row) and node.name != "ifchanged":
                    q.text(self.walk, value, self.at(arg.region))
        if library is not None and library.kind == "compiled" and self.compiled(library, node):
            return
        outcome: Value = UNKNOWN
        if library is not None and library.kind in ("simple", "inclusion"):
            outcome = self.own_tag(library, args, keywords, node.region)
            if library.kind == "inclusion":
                self.inclusion(library, outcome, node.region)
                outcome = UNKNOWN
        if node.target:
            self.scope.layers[-1][node.target] = outcome
        elif isinstance(outcome, Row):
            q.text(self.walk, outcome, self.at(node.region))
        if node.body:
            with self.scope.pushed({item.name: keywords[item.name] for item in node.keywords}):
                self.nodes(node.body)

    def partial(self, node: t.Tag) -> None:
        """`{% partial name %}` renders what is defined under the name; a definition renders itself where it says so."""
        if node.name == PARTIAL:
            self.nodes(node.body if any(word.startswith("inline") for word in node.words[1:]) else ())
            return
        files = self.renderer.templates.by_path
        defined = (files.get(item.path, item).partials for item in self.chain.files)
        found = next((held[node.words[0]] for held in defined if node.words and node.words[0] in held), None)
        if found is not None and self.renderer.depth < DEEPEST:
            self.renderer.depth += 1
            self.nodes(found.tree.nodes)
            self.renderer.depth -= 1

    def compiled(self, library: Library, node: t.Tag) -> bool:
        """Render a tag that has a node class; False where that leaves its body, or cannot be followed."""
        compiled = Compiled(self)
        self.renderer.compiling.append(compiled)
        try:
            return compiled.render(library, node)
        finally:
            self.renderer.compiling.pop()

    def own_tag(self, library: Library, args: tuple[Value, ...], keywords: dict[str, Value], region: Region) -> Value:
        if library.takes_context:
            context = Mapping(UNKNOWN, tuple(self.scope.flat().items()))
            args = (context, *args)
        function = Function(library.module, library.function)
        self.turns.call(function, args, keywords, self.at(region), f"{{% {library.name} %}}")
        return q.call(self.walk, function, args, keywords, self.at(region), f"{{% {library.name} %}}")

    def inclusion(self, library: Library, outcome: Value, region: Region) -> None:
        if library.template and isinstance(outcome, Mapping):
            context = {str(name): value for name, value in outcome.items}
            with self.renderer.without(()):  # the context is the tag's, not the view's
                self.renderer.render(library.template, context, self.at(region), f"{{% {library.name} %}}")

    def imported(self, node: t.Import) -> None:
        if not (isinstance(node.template, t.Literal) and isinstance(node.template.value, str)):
            return
        for file in self.renderer.templates.find(node.template.value)[:1]:
            macros = {item.name: item for item in file.tree.nodes if isinstance(item, t.Macro)}
            for name, alias in node.names:
                if name in macros:
                    self.scope.macros[alias] = (file, macros[name])
            if node.target:
                for name, macro in macros.items():
                    self.scope.macros[f"{node.target}.{name}"] = (file, macro)

    def macro(self, name: str, args: tuple[Value, ...], keywords: dict[str, Value], region: Region) -> None:
        """A call of a macro of Jinja2."""
        file, macro = self.scope.macros[name]
        if len(self.renderer.open) < DEEPEST:
            bound = dict(zip(macro.params, args, strict=False)) | keywords
            self.renderer.open.append(file.path)
            before, self.file = self.file, file
            held = {**dict.fromkeys(macro.params, UNKNOWN), **bound}
            with self.scope.pushed(held), self.walk.step(Place(before.path, region), f"{name}()", file.path):
                self.nodes(macro.body)
            self.file = before
            self.renderer.open.pop()


def _apart(source: Value) -> list[Value]:
    """What a loop goes through: the items of a written list one by one, where they hold rows of several models.

    Tabs, panels and menus come so: `[("Books", books), ("Authors", authors)]`. Of several querysets it is one.
    """
    if isinstance(source, Choice) and isinstance(source.options[0], Rows):
        return list(source.options)
    items = source.items if isinstance(source, Seq) else None
    if items is None or not 1 < len(items) <= _PARTS or len({tuple(_models(item)) for item in items}) == 1:
        return [source]
    return [replace(source, items=(item,)) for item in items]


def _models(value: Value) -> Iterator[Model | None]:
    """The models of the rows that a value is, or that a tuple or dictionary holds."""
    if isinstance(value, (Row, Rows)):
        yield value.model
    elif isinstance(value, (Seq, Mapping)):
        held = (item for _, item in value.items) if isinstance(value, Mapping) else value.items or ()
        yield from (item.model for item in held if isinstance(item, (Row, Rows)))


def _is_always(test: t.Expr) -> bool:
    """Whether the body is rendered on every turn: `{% ifchanged %}` without arguments compares what it renders."""
    return isinstance(test, t.Operation) and test.op == "ifchanged" and not test.operands
