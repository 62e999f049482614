"""One stored message as the octets that clients see: the account's prefix, then the body in the journal.

Offsets count the prefix. Small bodies are read once and kept while the message is at hand; of large ones only the asked
ranges are read, in slices. Raises JournalError for a body that can't be read, and for a part tree that is no tree.
"""

import json
from collections.abc import AsyncIterator

from barid_contracts.mail import BodyRef
from barid_protocols.mime.headers import find_blank_line, find_header_end
from barid_protocols.mime.sections import PartNode, from_compact, single_part
from barid_runtime.journal.port import BodyCorrupt, BodyMissing, BodyReader

from ..views.summaries import Card

WHOLE = 256 * 1024
"""Octets of a body that are read at once: what the journal reads without a thread."""

PIECE = 64 * 1024
"""Octets of a small message that are written at a time."""

MAX_HEADER = 1024 * 1024
"""Octets of one header that are held to pick fields from it; of a longer one the rest is as if it weren't there."""


class MessageBytes:
    def __init__(self, bodies: BodyReader, card: Card) -> None:
        if card.ref is None:
            raise BodyMissing("the message has no body")
        self._bodies = bodies
        self._ref: BodyRef = card.ref
        self._prefix = card.prefix
        self._parts = card.parts
        self._whole: bytes | None = None
        self._root: PartNode | None = None
        self.mail_id = card.mail_id

    @property
    def size(self) -> int:
        return len(self._prefix) + self._ref.size

    @property
    def prefix(self) -> int:
        """Octets of it."""
        return len(self._prefix)

    @property
    def is_small(self) -> bool:
        return self._ref.size <= WHOLE

    async def read(self, start: int, end: int) -> bytes:
        """A range, held whole."""
        if self.is_small:
            whole = await self._load()
            return whole if start <= 0 and end >= len(whole) else whole[start:end]
        return b"".join([piece async for piece in self.stream(start, end)])

    async def stream(self, start: int, end: int) -> AsyncIterator[bytes]:
        """A range, in slices."""
        if self.is_small:
            whole = await self._load()
            for at in range(start, min(end, len(whole)), PIECE):
                yield whole[at : min(at + PIECE, end)]
            return
        before = len(self._prefix)
        if start < before:
            yield self._prefix[start:end]
        if end > before:
            first = max(start - before, 0)
            async for piece in self._bodies.stream(self._ref, first, end - before - first):
                yield piece

    async def root(self, header: bytes | None = None) -> PartNode:
        """The part tree; its offsets do not count the prefix. header: what describes a message of a single part."""
        if self._root is None:
            if self._parts:
                try:
                    self._root = from_compact(json.loads(self._parts))
                except (ValueError, TypeError) as error:
                    raise BodyCorrupt("the part tree is broken") from error
            else:
                self._root = single_part(await self._header_end(), self._ref.size, header)
        return self._root

    async def _load(self) -> bytes:
        if self._whole is None:
            self._whole = self._prefix + await self._bodies.read(self._ref)
        return self._whole

    async def _header_end(self) -> int:
        """Of the stored body; a message without a blank line is all header."""
        if self.is_small:
            whole = await self._load()
            body = whole[self.prefix :] if self.prefix else whole
            end = find_header_end(body)
            return end if end >= 0 else len(body)
        at = 0
        tail = b""
        async for piece in self._bodies.stream(self._ref):
            window = tail + piece
            end = find_header_end(window) if at == 0 else find_blank_line(window, 0)
            if end >= 0:
                return at - len(tail) + end
            at += len(piece)
            tail = window[-2:]
        return self._ref.size
