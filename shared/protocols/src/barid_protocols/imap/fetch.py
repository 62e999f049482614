"""What a FETCH may ask for (RFC 3501 §6.4.5, RFC 3516, RFC 8474, RFC 8970), how each answer is labelled (§7.4.2), and
what the host has to load."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, IntEnum

from barid_protocols.imap import quoting
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import MAX_LIST_ITEMS, Cursor

MAX_PART_DEPTH = 100
"""Numbers in a part path; deeper nesting is flattened when messages are parsed."""


class Attribute(Enum):
    """The items without arguments; the value is both request and label."""

    FLAGS = b"FLAGS"
    UID = b"UID"
    INTERNALDATE = b"INTERNALDATE"
    RFC822_SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    """The body structure without extension data; it never is a section."""
    BODYSTRUCTURE = b"BODYSTRUCTURE"
    MODSEQ = b"MODSEQ"
    EMAILID = b"EMAILID"
    THREADID = b"THREADID"
    PREVIEW = b"PREVIEW"


class Specifier(Enum):
    """What of a part. ``WHOLE`` of the empty path is the message."""

    WHOLE = b""
    HEADER = b"HEADER"
    HEADER_FIELDS = b"HEADER.FIELDS"
    HEADER_FIELDS_NOT = b"HEADER.FIELDS.NOT"
    TEXT = b"TEXT"
    MIME = b"MIME"


@dataclass(frozen=True, slots=True)
class BodySection:
    """``BODY[path.specifier (fields)]<start.length>``.

    ``path`` holds part numbers from 1; ``fields`` are as the client wrote them; ``partial`` is (start, length).
    ``legacy`` is the older name that the client used, and the label of the reply: ``RFC822``, ``RFC822.HEADER``, …
    """

    path: tuple[int, ...] = ()
    specifier: Specifier = Specifier.WHOLE
    fields: tuple[bytes, ...] = ()
    partial: tuple[int, int] | None = None
    peek: bool = False
    legacy: bytes = b""

    @property
    def sets_seen(self) -> bool:
        return not self.peek

    def window(self, size: int) -> tuple[int, int]:
        """The (start, stop) of the asked octets within a section of ``size``; empty when beyond its end."""
        return _window(self.partial, size)


@dataclass(frozen=True, slots=True)
class BinarySection:
    """``BINARY[path]<start.length>``: a part with its transfer encoding undone (RFC 3516 §4.2); the empty path is the
    message, which has none. ``size``: ``BINARY.SIZE[path]``, the number of its octets."""

    path: tuple[int, ...] = ()
    partial: tuple[int, int] | None = None
    peek: bool = False
    size: bool = False

    @property
    def sets_seen(self) -> bool:
        return not (self.peek or self.size)

    def window(self, size: int) -> tuple[int, int]:
        """As of :class:`BodySection`."""
        return _window(self.partial, size)


def _window(partial: tuple[int, int] | None, size: int) -> tuple[int, int]:
    if partial is None:
        return 0, size
    start = min(partial[0], size)
    return start, min(start + partial[1], size)


FetchItem = Attribute | BodySection | BinarySection


class Load(IntEnum):
    """The dearest thing that a set of items needs; each level includes those below."""

    SNAPSHOT = 0
    """UID, flags, MODSEQ: every session has them."""
    SUMMARY = 1
    """Size, dates, envelope, structure: a row of the index."""
    HEADER = 2
    """The header of the message."""
    BYTES = 3
    """Bytes of the body."""


_MACROS: dict[bytes, tuple[FetchItem, ...]] = {
    b"FAST": (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.RFC822_SIZE),
    b"ALL": (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.RFC822_SIZE, Attribute.ENVELOPE),
    b"FULL": (
        Attribute.FLAGS,
        Attribute.INTERNALDATE,
        Attribute.RFC822_SIZE,
        Attribute.ENVELOPE,
        Attribute.BODY,
    ),
}
_WITHOUT_SECTION: dict[bytes, FetchItem] = {
    **{attribute.value: attribute for attribute in Attribute},
    b"RFC822": BodySection(legacy=b"RFC822"),
    b"RFC822.HEADER": BodySection(specifier=Specifier.HEADER, peek=True, legacy=b"RFC822.HEADER"),
    b"RFC822.TEXT": BodySection(specifier=Specifier.TEXT, legacy=b"RFC822.TEXT"),
}
_SNAPSHOT = frozenset({Attribute.FLAGS, Attribute.UID, Attribute.MODSEQ})
_BINARY = frozenset({b"BINARY", b"BINARY.PEEK", b"BINARY.SIZE"})
_NAME = re.compile(rb"[A-Za-z0-9.]+")
_PATH = re.compile(rb"[1-9][0-9]{0,8}(?:\.[1-9][0-9]{0,8})*")
_PARTIAL = re.compile(rb"<([0-9]{1,19})\.([0-9]{1,19})>")
_SPECIFIER = re.compile(rb"[A-Za-z.]+")


def parse_items(cursor: Cursor) -> tuple[FetchItem, ...]:
    """A macro, one item, or a parenthesised list; items asked for twice are given once."""
    if not cursor.accept(b"("):
        return _item_or_macro(cursor)
    items: dict[FetchItem, None] = {}
    while True:
        items[_item(cursor)] = None
        if len(items) > MAX_LIST_ITEMS:
            raise SyntaxProblem("Too many items")
        if not cursor.accept(b" "):
            break
    cursor.expect(b")")
    return tuple(items)


def _item_or_macro(cursor: Cursor) -> tuple[FetchItem, ...]:
    match = _NAME.match(cursor.data, cursor.pos)
    if match is not None and (macro := _MACROS.get(match.group().upper())) is not None:
        cursor.pos = match.end()
        return macro
    return (_item(cursor),)


def _item(cursor: Cursor) -> FetchItem:
    match = _NAME.match(cursor.data, cursor.pos)
    if match is None:
        raise SyntaxProblem("Expected a fetch item")
    name = match.group().upper()
    cursor.pos = match.end()
    if cursor.next_is(b"[") and name in (b"BODY", b"BODY.PEEK"):
        return _section(cursor, peek=name == b"BODY.PEEK")
    if name in _BINARY:
        return _binary(cursor, name)
    item = _WITHOUT_SECTION.get(name)
    if item is None:
        raise SyntaxProblem("Unknown fetch item")
    if item is Attribute.PREVIEW and cursor.accept(b" ("):
        # What is not at hand may be left out then (RFC 8970 §3.2); ours is made on the spot, so it is never left out.
        if cursor.keyword() != b"LAZY":
            raise SyntaxProblem("Unknown preview modifier")
        cursor.expect(b")")
    return item


def _binary(cursor: Cursor, name: bytes) -> BinarySection:
    cursor.expect(b"[")
    path = _path(cursor)
    cursor.expect(b"]")
    size = name == b"BINARY.SIZE"
    return BinarySection(path, None if size else _partial(cursor), name == b"BINARY.PEEK", size)


def _path(cursor: Cursor) -> tuple[int, ...]:
    match = _PATH.match(cursor.data, cursor.pos)
    if match is None:
        return ()
    numbers = match.group().split(b".")
    if len(numbers) > MAX_PART_DEPTH:
        raise SyntaxProblem("Part number is too deep")
    cursor.pos = match.end()
    return tuple(map(int, numbers))


def _section(cursor: Cursor, *, peek: bool) -> BodySection:
    cursor.expect(b"[")
    path = _path(cursor)
    specifier = Specifier.WHOLE
    fields: tuple[bytes, ...] = ()
    if not cursor.next_is(b"]"):
        if path:
            cursor.expect(b".")
        specifier = _specifier(cursor, path)
        if specifier in (Specifier.HEADER_FIELDS, Specifier.HEADER_FIELDS_NOT):
            cursor.space()
            fields = _fields(cursor)
    cursor.expect(b"]")
    return BodySection(path, specifier, fields, _partial(cursor), peek)


def _specifier(cursor: Cursor, path: tuple[int, ...]) -> Specifier:
    match = _SPECIFIER.match(cursor.data, cursor.pos)
    try:
        specifier = Specifier(match.group().upper() if match is not None else None)
    except ValueError:
        raise SyntaxProblem("Unknown section") from None
    if specifier is Specifier.MIME and not path:
        raise SyntaxProblem("MIME needs a part number")
    assert match is not None
    cursor.pos = match.end()
    return specifier


def _fields(cursor: Cursor) -> tuple[bytes, ...]:
    cursor.expect(b"(")
    fields = [cursor.astring()]
    while cursor.accept(b" "):
        fields.append(cursor.astring())
        if len(fields) > MAX_LIST_ITEMS:
            raise SyntaxProblem("Too many header fields")
    cursor.expect(b")")
    return tuple(fields)


def _partial(cursor: Cursor) -> tuple[int, int] | None:
    if not cursor.next_is(b"<"):
        return None
    match = _PARTIAL.match(cursor.data, cursor.pos)
    if match is None or int(match.group(2)) == 0:
        raise SyntaxProblem("Invalid partial range")
    cursor.pos = match.end()
    return int(match.group(1)), int(match.group(2))


def label(item: FetchItem) -> bytes:
    """The name before the value in the response: ``BODY[HEADER.FIELDS (FROM TO)]<0>``."""
    if isinstance(item, Attribute):
        return item.value
    if isinstance(item, BinarySection):
        path = b".".join([b"%d" % number for number in item.path])
        return b"BINARY%b[%b]%b" % (b".SIZE" if item.size else b"", path, _origin(item.partial))
    if item.legacy:
        return item.legacy
    words = [b"%d" % number for number in item.path]
    if item.specifier is not Specifier.WHOLE:
        words.append(item.specifier.value)
    section = b".".join(words)
    if item.fields:
        section += b" (%b)" % b" ".join(map(quoting.astring, item.fields))
    return b"BODY[%b]%b" % (section, _origin(item.partial))


def _origin(partial: tuple[int, int] | None) -> bytes:
    return b"" if partial is None else b"<%d>" % partial[0]


def load_of(items: Iterable[FetchItem]) -> Load:
    """What the host has to load for these items."""
    load = Load.SNAPSHOT
    for item in items:
        if isinstance(item, BodySection):
            header_only = not item.path and item.specifier in (
                Specifier.HEADER,
                Specifier.HEADER_FIELDS,
                Specifier.HEADER_FIELDS_NOT,
            )
            load = max(load, Load.HEADER if header_only else Load.BYTES)
        elif isinstance(item, BinarySection) or item is Attribute.PREVIEW:
            load = Load.BYTES
        elif item not in _SNAPSHOT:
            load = max(load, Load.SUMMARY)
    return load


def sets_seen(items: Iterable[FetchItem]) -> bool:
    r"""Whether the FETCH shall set \Seen (§6.4.5), unless the mailbox is read-only."""
    return any(not isinstance(item, Attribute) and item.sets_seen for item in items)
