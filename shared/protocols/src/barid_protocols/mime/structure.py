"""From octets to the tree of parts, incrementally, in bounded memory.

How it works: the scanner is either in a header (looking for its blank line) or in a body (looking for the next
delimiter of any multipart that is still open). Both are searches of whole buffers by ``bytes.find``, never a step a
line. A delimiter closes everything opened inside its multipart; then a header begins, or, after the closing
delimiter, the multipart's epilogue.

Invariants:
- The result does not depend on how the message was cut into chunks: nothing is decided before the octets that could
  change the decision are there (``_LOOKAHEAD``).
- The buffer holds at most a chunk, one part's header (``MAX_HEADER_BLOCK`` for the message's own, ``MAX_PART_HEADER``
  else) and a delimiter's length.
- Every octet is searched once per open multipart (at most ``MAX_DEPTH``) and counted for lines once.
- ``len(stack) - 1`` is the depth; each open multipart that was not closed has exactly one ``_Delimiter``.
"""

import re

from barid_protocols.mime.content import MESSAGE, TEXT_PLAIN, boundary_of
from barid_protocols.mime.envelope import build_envelope
from barid_protocols.mime.headers import HeaderBlock, find_blank_line, find_header_end
from barid_protocols.mime.limits import (
    MAX_BOUNDARY,
    MAX_DELIMITER_PADDING,
    MAX_DELIMITER_STEPS,
    MAX_DEPTH,
    MAX_HEADER_BLOCK,
    MAX_PART_HEADER,
    MAX_PARTS,
    MAX_PARTS_HEADERS,
)
from barid_protocols.mime.parts import Part

DELIMITER_REST = re.compile(rb"(--)?+[ \t]{0,%d}+(?:\r?\n|\r?\Z)" % MAX_DELIMITER_PADDING)
"""What may follow a boundary in its line; the group is there if it closes the multipart."""
_LF, _CR = b"\n\r"
_LOOKAHEAD = MAX_DELIMITER_PADDING + 4
_TAIL = MAX_BOUNDARY + _LOOKAHEAD + 8


class _Delimiter:
    """Where the next line of one open multipart's boundary begins (at its preceding LF), searched lazily."""

    __slots__ = ("found", "level", "needle", "searched")

    def __init__(self, boundary: bytes, level: int, position: int) -> None:
        self.needle = b"\n--" + boundary
        self.level = level
        self.found = -1
        self.searched = position


class StructureScanner:
    """``feed`` chunks, then ``finish`` once for the root of the tree. ``header`` is there once the header ended."""

    __slots__ = (
        "_base",
        "_buffer",
        "_counted",
        "_delimiters",
        "_header_text",
        "_in_header",
        "_kept",
        "_line_starts",
        "_lines",
        "_parts",
        "_position",
        "_stack",
        "_steps",
        "header",
        "root",
    )

    def __init__(self) -> None:
        self.root = Part()
        self.header: HeaderBlock | None = None
        self._stack = [self.root]
        self._delimiters: list[_Delimiter] = []
        self._buffer = b""
        self._base = 0  # offset of the buffer's first octet in the message
        self._position = 0  # everything before this offset has been decided
        self._in_header = True
        self._kept: bytes | None = None  # the head of a header that outgrew its limit
        self._lines = 0  # line ends before _counted
        self._counted = 0
        self._line_starts: list[int] = [0]  # of each open part: line ends before its body
        self._parts = 1
        self._header_text = 0
        self._steps = 0

    def feed(self, chunk: bytes) -> None:
        self._buffer = self._buffer + chunk if self._buffer else chunk
        self._advance(final=False)

    def finish(self) -> Part:
        """The root. Nothing may be fed after it."""
        self._advance(final=True)
        self._close_to(0, self._base + len(self._buffer))
        return self.root

    @classmethod
    def scan(cls, message: bytes, header: HeaderBlock, body_start: int) -> Part:
        """The tree of a whole message whose header was read already."""
        scanner = cls()
        scanner._buffer = message
        scanner._open_body(scanner.root, header, body_start)
        return scanner.finish()

    def _advance(self, *, final: bool) -> None:
        while self._read_header(final) if self._in_header else self._skip_body(final):
            pass
        # Once a chunk, not once a part: each forgetting copies what is left. A line end just before can still become
        # the next delimiter's, and the octet before that ends a line or does not.
        if not self._in_header:
            self._drop(self._position - 3)
        elif self._kept is None:
            self._drop(self._stack[-1].header_start - 3)

    # Headers

    def _read_header(self, final: bool) -> bool:
        """Open the body of the part on top of the stack once its header is complete; False if it is not."""
        part = self._stack[-1]
        resumed = self._position > part.header_start
        start = self._position - self._base
        if not resumed and not final and len(self._buffer) - start < 2:
            return False  # could be the CR of an immediate blank line
        # A resumed search begins where a blank line could still be incomplete, which is not where the header begins.
        end = find_blank_line(self._buffer, max(start - 2, 0)) if resumed else find_header_end(self._buffer, start)
        if self._delimiters:
            # A part may end within its header; the LF of its own delimiter line can begin the next one.
            stop = self._base + (end - 1 if end >= 0 else len(self._buffer))
            delimiter, known = self._next_delimiter(max(part.header_start - 1, self._base), stop, final)
            if not known:
                return False
            if delimiter is not None:
                end = max(self._line_end(delimiter.found), part.header_start) - self._base
        if end < 0:
            if not final:
                self._position = max(self._position, self._base + len(self._buffer) - 1)
                self._shorten_header(part)
                return False
            end = len(self._buffer)
        body_start = self._base + end
        self._open_body(part, HeaderBlock(self._header_octets(part, body_start), self._limit(part)), body_start)
        return True

    def _line_end(self, line_feed: int) -> int:
        """Where the line's content ends: before its CR, if it has one."""
        index = line_feed - self._base
        return line_feed - 1 if index > 0 and self._buffer[index - 1] == _CR else line_feed

    def _limit(self, part: Part) -> int:
        return MAX_HEADER_BLOCK if part is self.root else MAX_PART_HEADER

    def _header_octets(self, part: Part, end: int) -> bytes:
        if self._kept is not None:
            return self._kept
        start = part.header_start
        return self._buffer[start - self._base : min(end, start + self._limit(part) + 1) - self._base]

    def _shorten_header(self, part: Part) -> None:
        limit = self._limit(part) + 1
        if self._kept is None:
            start = part.header_start - self._base
            if len(self._buffer) - start <= limit + _TAIL:
                return
            self._kept = self._buffer[start : start + limit]
        self._drop(self._base + len(self._buffer) - _TAIL)

    def _open_body(self, part: Part, block: HeaderBlock, body_start: int) -> None:
        self._kept = None
        self._in_header = False
        self._position = body_start
        part.body_start = body_start
        default = TEXT_PLAIN
        if part is self.root:
            self.header = block
        else:
            self._header_text += len(block.raw)
            parent = self._stack[-2]
            if parent.is_message:
                parent.envelope = build_envelope(block)
            elif parent.content.subtype == b"digest":
                default = MESSAGE
        part.describe(block, default)
        self._line_starts[-1] = self._count_to(body_start)
        if part.is_multipart:
            self._open_multipart(part)
        elif part.is_message:
            if self._full() or len(self._stack) >= MAX_DEPTH:
                part.make_opaque()
            else:
                self._open_child(part, body_start)

    def _open_multipart(self, part: Part) -> None:
        boundary = boundary_of(part.content)
        if boundary is None:
            # Not to be taken apart (RFC 2046 §5.1.1 demands a boundary): shown as text, so that it can be read.
            part.content = TEXT_PLAIN
        elif len(self._stack) >= MAX_DEPTH:
            part.make_opaque()
        else:
            self._delimiters.append(_Delimiter(boundary, len(self._stack) - 1, part.body_start - 1))

    # Bodies

    def _skip_body(self, final: bool) -> bool:
        """Act on the next delimiter; False if there is none to be known of yet."""
        if not self._delimiters:
            self._position = self._base + len(self._buffer)
            return False
        delimiter, known = self._next_delimiter(
            max(self._position - 1, self._base), self._base + len(self._buffer), final
        )
        if delimiter is None:
            if known:
                self._position = max(self._position, self._base + len(self._buffer) - _TAIL)
            return False
        self._cut_at(delimiter)
        return True

    def _next_delimiter(self, start: int, stop: int, final: bool) -> tuple[_Delimiter | None, bool]:
        """The first true delimiter line in ``[start, stop)``; (None, False) if more octets may make one.

        What stands at or after ``stop`` is not judged yet: inner multiparts may open before it.
        """
        searchable = self._base + len(self._buffer)
        while self._delimiters:
            first: _Delimiter | None = None
            # Innermost first, and only a strictly earlier one replaces it: of equal boundaries the inner one counts.
            for delimiter in reversed(self._delimiters):
                if delimiter.found < start and delimiter.searched + len(delimiter.needle) <= searchable:
                    self._search(delimiter, start)
                if delimiter.found >= 0 and (first is None or delimiter.found < first.found):
                    first = delimiter
            if first is None or first.found >= stop:
                return None, True
            rest = first.found + len(first.needle) - self._base
            if not final and len(self._buffer) - rest < _LOOKAHEAD:
                return None, False
            if DELIMITER_REST.match(self._buffer, rest) is not None:
                return first, True
            self._steps += len(self._delimiters)
            if self._steps > MAX_DELIMITER_STEPS:
                self._delimiters.clear()
            else:
                first.searched = first.found + 1
                first.found = -1
        return None, True

    def _search(self, delimiter: _Delimiter, start: int) -> None:
        begin = max(start, delimiter.searched) - self._base
        index = self._buffer.find(delimiter.needle, max(begin, 0))
        if index >= 0:
            delimiter.found = self._base + index
        else:
            delimiter.found = -1
            delimiter.searched = max(delimiter.searched, self._base + len(self._buffer) - len(delimiter.needle) + 1)

    def _cut_at(self, delimiter: _Delimiter) -> None:
        """End all that is inside the delimiter's multipart, and begin its next part or its epilogue."""
        self._steps += len(self._delimiters)
        found = delimiter.found
        match = DELIMITER_REST.match(self._buffer, found + len(delimiter.needle) - self._base)
        assert match is not None
        after = self._base + match.end()
        self._close_to(delimiter.level + 1, self._line_end(found))
        self._position = after
        delimiter.searched = max(found + 1, after - 1)
        delimiter.found = -1
        if match[1] is not None or self._buffer[match.end() - 1] != _LF:
            # At the very end of the message a delimiter opens nothing, closing or not.
            self._delimiters.remove(delimiter)
        else:
            self._open_child(self._stack[-1], after)

    def _open_child(self, parent: Part, start: int) -> None:
        child = Part(header_start=start, body_start=start, end=start)
        parent.children.append(child)
        self._stack.append(child)
        self._line_starts.append(0)
        self._parts += 1
        self._position = start
        self._in_header = True
        if self._full() and parent.is_multipart:
            # One part too many: it holds all that is left.
            child.make_opaque()
            self._delimiters.clear()
            self._line_starts[-1] = self._count_to(start)
            self._in_header = False

    def _full(self) -> bool:
        return self._parts >= MAX_PARTS or self._header_text >= MAX_PARTS_HEADERS or self._steps >= MAX_DELIMITER_STEPS

    def _close_to(self, depth: int, end: int) -> None:
        """Close the open parts above ``depth``; their bodies end at ``end``, or where a header within reaches to."""
        while len(self._stack) > depth:
            part = self._stack.pop()
            lines_before = self._line_starts.pop()
            end = max(end, part.body_start)
            part.end = end
            if end > part.body_start:
                unterminated = self._buffer[end - 1 - self._base] != _LF
                part.lines = self._count_to(end) - lines_before + unterminated
            if part.is_multipart and not part.children:
                _add_missing_child(part)
        self._delimiters = [delimiter for delimiter in self._delimiters if delimiter.level < depth]
        self._in_header = False

    # The buffer

    def _count_to(self, offset: int) -> int:
        """Line ends before ``offset``, which never goes back."""
        if offset > self._counted:
            self._lines += self._buffer.count(b"\n", self._counted - self._base, offset - self._base)
            self._counted = offset
        return self._lines

    def _drop(self, offset: int) -> None:
        """Forget what stands before ``offset``."""
        if offset > self._base:
            self._count_to(offset)
            self._buffer = self._buffer[offset - self._base :]
            self._base = offset


def _add_missing_child(part: Part) -> None:
    """A multipart without parts cannot be said in IMAP (RFC 3501 §9, body-type-mpart): its body becomes one."""
    part.children.append(Part(header_start=part.body_start, body_start=part.body_start, end=part.end, lines=part.lines))
