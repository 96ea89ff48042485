"""What a serializer asks of the rows that it writes out, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from stackaudit.facts import python as py
from stackaudit.link.classes import Member, SourceClass
from stackaudit.link.nodes import nodes
from stackaudit.link.pages import walk as q
from stackaudit.link.queries import access, calls, joining
from stackaudit.link.queries.origins import Loop
from stackaudit.link.queries.values import (
    UNKNOWN,
    Function,
    Instance,
    Mapping,
    Method,
    Other,
    Related,
    Row,
    Rows,
    Seq,
    Value,
)
from stackaudit.link.queries.walk import At, Walk, place_of
from stackaudit.link.serializers import SerialField, Shape, lists
from stackaudit.model.source import Place

DEEPEST = 6
SERVED = Mapping(Other(name="@request"), (("request", Other(name="@request")),))
"""The context of a serializer that a view makes."""
_OF_LINK = (UNKNOWN, Other(name="@request"), UNKNOWN)
"""What `get_url()` is given besides the object: the name of the view, the request, the format."""
_HIT = "@hit"
"""The name of one of the things of which nothing is known that a serializer writes out."""
WRITES_ROW = "to_representation"
ONE = "one object"
"""`Loop.bounded` of the loop that stands for a single object: what is asked of it is asked once."""


class Writer:
    """Serializers at work. `fields` holds each field that was written out, by its place."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.fields: dict[Place, SerialField] = {}
        walk.anchors = self.fields
        self.context = SERVED
        self.lists: dict[str, SerialField] = {}
        """The `to_representation()` of classes of lists, by the names of the functions."""
        self._open: list[Shape] = []
        self._fields_of: dict[Instance, SerialField] = {}
        self._handed: dict[Instance, list[Value]] = {}
        """What the running `to_representation()` of serializers handed to the stock one so far."""
        self._known: dict[tuple[py.FunctionDef, Value], list[Value]] = {}

    def many(self, shape: Shape, rows: Value, at: At, by: str, context: Value = SERVED) -> None:
        """Write out rows through a serializer that was made with `context`, and those nested in it."""
        if isinstance(rows, Row):
            return
        chosen, context = lists.written(self, shape, rows, context)
        for held in chosen:
            known = not isinstance(held, Other) or bool(held.loops)
            if not known and not _shows_known(shape, context):
                continue
            with self._made_with(context), q.each(self.walk, held, place_of(at), by) as row:
                self.row(shape, row if known else Other(row.loops, _HIT))

    @contextmanager
    def handing(self, serializer: Instance) -> Iterator[list[Value]]:
        """What a serializer's own `to_representation()`, which is walked inside, hands to the stock one."""
        handed = self._handed[serializer] = []
        yield handed
        del self._handed[serializer]

    def one(self, shape: Shape, row: Row, at: At, by: str, context: Value = SERVED) -> None:
        """Write out a single object, and the rows nested in it."""
        loop = Loop(place_of(at), len(self.walk.frames), ONE, by, self.walk.guard)
        self.walk.record.single[loop] = row
        self.walk.loops.append(loop)
        with self._made_with(context):
            self.row(shape, replace(row, loop=loop, loops=row.loops | {loop}))
        self.walk.loops.pop()

    def nested(self, shape: Shape, row: Row, context: Value = SERVED) -> None:
        """Write out one row of a loop that is running."""
        with self._made_with(context):
            self.row(shape, row)

    @contextmanager
    def _made_with(self, context: Value) -> Iterator[None]:
        """What is written out inside belongs to a serializer that was made with `context`."""
        before, self.context = self.context, context if isinstance(context, Mapping) else SERVED
        yield
        self.context = before

    @property
    def is_busy(self) -> bool:
        """Whether something is being written out."""
        return bool(self._open)

    def _may_open(self, shape: Shape) -> bool:
        """Whether a serializer is not written out inside itself without an end."""
        return len(self._open) <= DEEPEST and self._open.count(shape) <= 1

    @contextmanager
    def _opened(self, shape: Shape) -> Iterator[None]:
        """The serializer that is written out inside."""
        self._open.append(shape)
        yield
        self._open.pop()

    def row(self, shape: Shape, row: Value) -> None:
        """Write out one row."""
        if not self._may_open(shape):
            return
        serializer = Instance(shape.cls) if shape.cls is not None else None
        if serializer is not None:
            serializer.attributes |= {"context": self.context, "instance": row}
        with self._opened(shape):
            for stock in self._own_row(shape, serializer, row) if serializer is not None else (row,):
                self._stock(shape, stock, serializer)

    def _own_row(self, shape: Shape, serializer: Instance, row: Value) -> Sequence[Value]:
        """Walk a serializer's own `to_representation()`; what it hands to the stock one, which writes the fields."""
        member = serializer.cls.find("to_representation") if shape.to_representation is not None else None
        if member is None or not isinstance(member.node, py.FunctionDef):
            return (row,)
        place = member.owner.module.place(py.Name(member.node.start, member.node.start + 4, "def"))
        self.fields.setdefault(
            place, SerialField("to_representation", "method", (), place, owner=member.owner, method="to_representation")
        )
        function = calls.member(self.walk, serializer, member, place)
        text = f"{shape.label}.to_representation(…)"
        with self.handing(serializer) as handed:
            self._encoded(q.call(self.walk, function, (row,), {}, place, text), place, text)
        known = self._known.setdefault((member.node, row), handed)
        return list(dict.fromkeys(handed or known)) or ((row,) if _calls_super(member.node) else ())

    def stock_row(self, shape: Shape, serializer: Instance, row: Value, context: Value) -> None:
        """`to_representation(row)` of Django REST framework: by `super()` in a serializer's own, or called by hand."""
        frame = self.walk.frame
        if serializer in self._handed and frame.bound is serializer and getattr(frame.node, "name", "") == WRITES_ROW:
            if not isinstance(row, Row) or row.origin is not None:
                self._handed[serializer].append(row)
            else:
                self._handed[serializer].append(UNKNOWN)  # a row of nowhere: what was loaded with it is not known
        elif isinstance(row, Row) and row.loop is not None and row.loop in self.walk.loops:
            if serializer.cls.find("__init__") is not None:
                return  # which of its fields it was made with is not known here
            if self._may_open(shape):
                with self._opened(shape), self._made_with(context):
                    self._stock(shape, row, serializer)

    def _stock(self, shape: Shape, row: Value, serializer: Instance | None) -> None:
        nothing = row == UNKNOWN or (isinstance(row, Other) and row.name == _HIT)
        for item in shape.fields:
            if item.kind == "method" or not nothing:  # a method may read the context
                self.write(item, row, shape, serializer)

    def write(self, item: SerialField, row: Value, shape: Shape, serializer: Instance | None) -> None:
        """Write out one field of one row."""
        place = item.place
        self.fields.setdefault(place, item)
        if item.kind == "method":
            if serializer is not None and (member := serializer.cls.find(item.method)) is not None:
                function = calls.member(self.walk, serializer, member, place)
                text = f"{item.method}(…)"
                self._encoded(q.call(self.walk, function, (row,), {}, place, text), place, text)
        elif item.custom is not None and (item.kind == "custom" or not item.many):
            self._own(item, item.custom, row)
        elif item.kind in ("pk", "link"):
            self.key(item, row)
        elif item.kind != "unknown":
            value = self.source(row, item.source, place)
            if isinstance(value, (Rows, Related)) or (item.many and isinstance(value, Seq)):
                self._list(item, value)
            else:
                self.shown(item, value)

    def _list(self, item: SerialField, rows: Value) -> None:
        """Write out the rows behind a relation of one row."""
        chosen: list[Value] = [rows]
        context: Value = self.context
        if item.shape is not None:
            chosen, context = lists.nested(self, item.shape, rows, context, item.place)
        for held in chosen:
            with self._made_with(context), q.each(self.walk, held, item.place, f"`{item.name}` of each row") as element:
                self.shown(item, element)

    def _encoded(self, value: Value, place: Place, text: str) -> None:
        """What a method leaves to the encoder, which goes through querysets.

        https://github.com/encode/django-rest-framework/blob/master/rest_framework/utils/encoders.py
        """
        for held in value.items if isinstance(value, Mapping) else (("", value),):
            if isinstance(held[1], Rows) and not held[1].evaluated:
                with q.each(self.walk, held[1], place, f"the rows that `{text}` returns"):
                    pass

    def _own(self, item: SerialField, cls: SourceClass, row: Value) -> None:
        """A field with a `get_attribute` of its own, or a `to_representation` or `get_url`.

        With `many=True` the list asks for the value, not the field (measured on DRF 3.18).
        """
        place = item.place
        field = Instance(cls, {"context": Mapping(UNKNOWN)})
        finds = cls.find("get_attribute") if not item.many else None
        shows = cls.find(item.shows) if item.shows else None
        if item.is_key:
            value = self.key(item, row)
        elif finds is None:
            value = self.source(row, item.source, place)
        else:
            self._fields_of[field] = item
            value = self._asked(field, finds, row, place, f"{item.name}.get_attribute(…)")
            del self._fields_of[field]
        if shows is None:
            self.shown(item, value)
        elif item.many:
            with q.each(self.walk, value, place, f"`{item.name}` of each row") as element:
                self._asked(field, shows, element, place, item.name, _OF_LINK if item.shows == "get_url" else ())
        else:
            self._asked(field, shows, value, place, item.name, _OF_LINK if item.shows == "get_url" else ())

    def _asked(
        self, field: Instance, member: Member, value: Value, place: Place, text: str, more: tuple[Value, ...] = ()
    ) -> Value:
        return q.call(self.walk, calls.member(self.walk, field, member, place), (value, *more), {}, place, text)

    def inherited_attribute(self, field: Instance, row: Value) -> Value | None:
        """What `super().get_attribute(row)` gives in a field, None where it is no field that is being written out."""
        item = self._fields_of.get(field)
        if item is None:
            return None
        return self.source(row, item.source, item.place) if item.kind not in ("pk", "link") else Other(row.loops)

    def shown(self, item: SerialField, value: Value) -> None:
        """One related row as the field shows it."""
        if item.kind == "string":
            q.text(self.walk, value, item.place)
        elif item.kind == "slug" and item.slug:
            self.source(value, tuple(item.slug.split("__")), item.place)
        elif item.kind == "nested" and item.shape is not None and isinstance(value, (Row, Instance)):
            with self.walk.step(item.place, f"{item.name} = {item.shape.label}"):
                self.row(item.shape, value)

    def key(self, item: SerialField, row: Value) -> Value:
        """A primary key or hyperlink: the key column of a foreign key is there, unless the queryset left it out."""
        if not item.source:
            return UNKNOWN
        holder = self.source(row, item.source[:-1], item.place)
        name = item.source[-1]
        relation = holder.model.relation(name) if isinstance(holder, Row) else None
        if not item.many and isinstance(holder, Row) and relation is not None and relation.relation in ("fk", "o2o"):
            access.of_column(self.walk, holder, name, name, item.place)
            return Other(row.loops)
        value = self.source(holder, (name,), item.place)
        if isinstance(value, (Rows, Related)):
            with q.each(self.walk, value, item.place, f"`{item.name}` of each row"):
                pass
        return Other(row.loops)

    def source(self, row: Value, source: tuple[str, ...], place: Place) -> Value:
        """Follow a source as `Field.get_attribute` does: attributes, keys, and calls of what can be called."""
        value = row
        for index, part in enumerate(source):
            if isinstance(value, Mapping) and (held := value.get(part)) is not None:
                value = held
            else:
                value = q.attribute(self.walk, value, part, place)
            if isinstance(value, (Function, Method)):
                value = q.call(self.walk, value, (), {}, place, ".".join(source[: index + 1]) + "()")
        return value


def _shows_known(shape: Shape, context: Value) -> bool:
    """Whether a serializer may write out known rows of its context for rows that are not known."""
    own = shape.to_representation is not None or any(item.kind == "method" for item in shape.fields)
    return own and joining.matters(context)


def _calls_super(node: py.FunctionDef) -> bool:
    """Whether a method calls the one above it."""
    return any(
        type(item) is py.Call and type(item.func) is py.Name and item.func.id == "super" for item in nodes((node,))
    )
