"""BINARY[…] of one message (RFC 3516 §4.2): a part with its transfer encoding undone.

A large part is read twice: its decoded size is promised before its first octet is sent, and nobody holds it whole.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from barid_protocols.imap.fetch import BinarySection
from barid_protocols.mime.decode import decode_transfer
from barid_protocols.mime.sections import PartNode, find_part
from barid_protocols.mime.transfer import KNOWN, TransferDecoder

from .message_bytes import MAX_HEADER, WHOLE, MessageBytes
from .sections import NoSuchPart
from .stored_message import StoredMessage


class UnknownEncoding(Exception):
    """Nobody knows how to undo it."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A part too large to hold: where its octets stand, and what they are once decoded. nul: there is a NUL in it."""

    message: MessageBytes
    start: int
    end: int
    encoding: str
    size: int
    nul: bool


async def decoded(section: BinarySection, message: StoredMessage) -> bytes | Decoded:
    """The whole part. Raises NoSuchPart, UnknownEncoding, JournalError."""
    source = await message.bytes()
    if not section.path:
        start, end, encoding = 0, source.size, "binary"
    else:
        node = await _part(section, message, source)
        start, end, encoding = node.body_start + source.prefix, node.end + source.prefix, node.encoding
    if encoding not in KNOWN:
        raise UnknownEncoding(encoding)
    if end - start <= WHOLE:
        return decode_transfer(await source.read(start, end), encoding)
    size, nul = 0, False
    async for piece in _pieces(source, start, end, encoding):
        size += len(piece)
        nul = nul or b"\0" in piece
    return Decoded(source, start, end, encoding, size, nul)


async def pieces_of(found: Decoded, start: int, stop: int) -> AsyncIterator[bytes]:
    """Octets `start` to `stop` of it, decoded."""
    at = 0
    async for piece in _pieces(found.message, found.start, found.end, found.encoding):
        low, high = max(start - at, 0), min(stop - at, len(piece))
        at += len(piece)
        if low < high:
            yield piece[low:high]
        if at >= stop:
            return


async def _part(section: BinarySection, message: StoredMessage, source: MessageBytes) -> PartNode:
    header = await message.header()
    if header is None:
        header = await source.read(0, min(source.size, MAX_HEADER))
    node = find_part(await source.root(header), section.path)
    if node is None:
        raise NoSuchPart
    return node


async def _pieces(source: MessageBytes, start: int, end: int, encoding: str) -> AsyncIterator[bytes]:
    decoder = TransferDecoder(encoding)
    async for octets in source.stream(start, end):
        if piece := decoder.feed(octets):
            yield piece
    if rest := decoder.end():
        yield rest
