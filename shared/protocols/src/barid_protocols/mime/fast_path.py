"""The tree of a message in memory, for the shapes that nearly all mail has: multiparts of plain parts.

Says exactly what ``StructureScanner`` says, or gives up, so that there is one truth; a property test holds the two
together. 40 µs for two alternatives, where the scanner, which must be able to stop at any octet, takes 100. Its limits
lie well within those of ``limits``, so that it never has to flatten anything.
"""

import re

from barid_protocols.mime.content import TEXT_PLAIN, boundary_of
from barid_protocols.mime.headers import HeaderBlock, find_header_end
from barid_protocols.mime.parts import Part
from barid_protocols.mime.structure import DELIMITER_REST

# Giving up late costs twice; messages beyond these are worth the scanner's price.
_MAX_PARTS = 50
_MAX_PART_HEADER = 2048
_MAX_DEPTH = 4
_MAX_MISSES = 50

_LF, _CR = b"\n\r"


class _GiveUp(Exception):
    """Not a common shape."""


def fill_multipart(message: bytes, root: Part) -> bool:
    """Give ``root``, a described multipart over all of ``message``, its children; False, and none, if it cannot."""
    try:
        root.children = _Reader(message).children(root, ())
    except _GiveUp:
        return False
    return True


class _Reader:
    __slots__ = ("_message", "_misses", "_parts")

    def __init__(self, message: bytes) -> None:
        self._message = message
        self._parts = 0
        self._misses = 0

    def children(self, parent: Part, outer: tuple[bytes, ...]) -> list[Part]:
        boundary = boundary_of(parent.content)
        if boundary is None or boundary in outer or parent.content.subtype == b"digest" or len(outer) >= _MAX_DEPTH:
            raise _GiveUp
        message, limit = self._message, parent.end
        needle = b"\n--" + boundary
        children: list[Part] = []
        match = self._delimiter(needle, parent.body_start - 1, limit)
        while match is not None:
            start = match.end()
            if match[1] is not None or message[start - 1] != _LF:
                break
            match = self._delimiter(needle, start - 1, limit)
            if match is None:
                end = limit
            else:
                end = match.start() - len(needle)
                if message[end - 1] == _CR:
                    end -= 1
            part = self._part(start, end)
            if part.is_multipart:
                part.children = self.children(part, (*outer, boundary))
            children.append(part)
        if not children:
            raise _GiveUp
        return children

    def _part(self, start: int, end: int) -> Part:
        message = self._message
        body_start = find_header_end(message, start)
        self._parts += 1
        if not start <= body_start <= end or body_start - start > _MAX_PART_HEADER or self._parts > _MAX_PARTS:
            raise _GiveUp
        part = Part(start, body_start, end)
        part.describe(HeaderBlock(message[start:body_start]), TEXT_PLAIN)
        if part.is_message:
            raise _GiveUp
        if end > body_start:
            part.lines = message.count(b"\n", body_start, end) + (message[end - 1] != _LF)
        return part

    def _delimiter(self, needle: bytes, start: int, limit: int) -> re.Match[bytes] | None:
        """What follows the boundary in the next delimiter line."""
        message = self._message
        found = message.find(needle, start, limit)
        while found >= 0:
            match = DELIMITER_REST.match(message, found + len(needle))
            if match is not None:
                return match
            self._misses += 1
            if self._misses > _MAX_MISSES:
                raise _GiveUp
            found = message.find(needle, found + 1, limit)
        return None
