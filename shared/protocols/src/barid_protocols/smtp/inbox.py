"""What has been read from the peer and not yet used: lines are cut from it, runs of message data taken.

``buffer[position:]`` is being read; what came while that was under way waits in ``_later``, so a peer that sends one
octet at a time costs no copy of all that came before, and one that fills a read costs no copy at all.
"""

from barid_protocols.smtp.options import MAX_BUFFERED


class Inbox:
    """``overflow`` is set, and input dropped, once more than MAX_BUFFERED octets wait."""

    __slots__ = ("_later", "_scanned", "buffer", "overflow", "position")

    def __init__(self) -> None:
        self.buffer = b""
        self.position = 0
        self.overflow = False
        self._scanned = 0  # no line end stands before this
        self._later = bytearray()

    def __len__(self) -> int:
        return len(self.buffer) - self.position + len(self._later)

    def push(self, data: bytes) -> None:
        if self.position == len(self.buffer) and not self._later:
            self.buffer = data
            self.position = self._scanned = 0
        elif len(self) + len(data) > MAX_BUFFERED:
            self.overflow = True
        else:
            self._later += data

    def clear(self) -> None:
        self.buffer = b""
        self.position = self._scanned = 0
        self._later.clear()

    def seek(self, position: int) -> None:
        self.position = self._scanned = position

    def next_line(self) -> bytes | None:
        """A line with its LF; None if there is none, and then all that waits is in ``buffer``."""
        end = self.buffer.find(b"\n", self._scanned)
        if end < 0:
            self._merge()
            end = self.buffer.find(b"\n", self._scanned)
            if end < 0:
                self._scanned = len(self.buffer)
                return None
        start = self.position
        self.position = self._scanned = end + 1
        return self.buffer[start : end + 1]

    def exhausted(self) -> bool:
        """Whether nothing waits; else ``buffer[position:]`` holds something, now. What has been used is let go of: a
        connection at rest holds nothing."""
        if self.position < len(self.buffer):
            return False
        self.buffer = bytes(self._later)
        self.position = self._scanned = 0
        self._later.clear()
        return not self.buffer

    def _merge(self) -> None:
        """All that waits into ``buffer``."""
        if self.position:
            self._scanned = max(0, self._scanned - self.position)
            self.buffer = self.buffer[self.position :]
            self.position = 0
        if self._later:
            self.buffer += self._later
            self._later.clear()
