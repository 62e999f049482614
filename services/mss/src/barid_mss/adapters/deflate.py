"""COMPRESS=DEFLATE (RFC 4978): raw deflate in both directions, flushed with every write.

Price: 200 KiB a session that uses it, 15 µs a small write.
"""

import zlib

PIECE = 64 * 1024
"""Octets unpacked at a time: deflate packs a thousand to one, and the reader may have enough before the end."""

_RAW = -15
_MEMORY = 6


class DeflateLayer:
    """What one connection remembers of what went over it."""

    __slots__ = ("_packer", "_unpacker", "_waiting")

    def __init__(self) -> None:
        self._packer = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, _RAW, _MEMORY)
        self._unpacker = zlib.decompressobj(_RAW)
        self._waiting = b""

    def pack(self, data: bytes) -> bytes:
        return self._packer.compress(data) + self._packer.flush(zlib.Z_SYNC_FLUSH)

    def feed(self, data: bytes) -> None:
        """What came; `unpack` gives it."""
        self._waiting += data

    def unpack(self) -> bytes:
        """The next piece; b"" until more came. Raises zlib.error for what is not deflate."""
        if not self._waiting or self._unpacker.eof:
            return b""
        piece = self._unpacker.decompress(self._waiting, PIECE)
        self._waiting = self._unpacker.unconsumed_tail
        return piece
