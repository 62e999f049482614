"""The judgement on a message while it arrives: its size, NUL, and line ends that stand alone.

Invariant: the verdict is that of the first offending octet, so it does not depend on how reads were cut. After it
nothing is kept; the rest is swallowed up to the true end, because the peer goes on sending whatever we think of it.

Lines longer than RFC 5321 §4.5.3.1.6 asks for (1000 octets) are taken as they are: the size bounds them, nothing here
works by lines, and common senders make them.
"""

import re

from barid_protocols.smtp import replies
from barid_protocols.smtp.data import DataReader, has_bare_line_end, normalise_line_ends
from barid_protocols.smtp.replies import Reply

_OFFENCE = re.compile(rb"\0|\r(?!\n)|(?<!\r)\n")
_NUL = re.compile(rb"\0")


class Intake:
    """One message. ``size`` counts what was given out; ``verdict`` is the refusal, once there is one."""

    __slots__ = ("_max_size", "_normalise", "_reader", "size", "verdict")

    def __init__(self, max_size: int, *, normalise: bool) -> None:
        self._reader = DataReader()
        self._max_size = max_size
        self._normalise = normalise
        self.size = 0
        self.verdict: Reply | None = None

    def feed(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Take ``data[start:]``. Gives what is good of it (possibly nothing) and the offset behind the end of the
        message, or -1 if all was taken."""
        content, after = self._reader.feed(data, start)
        if not content or self.verdict is not None:
            return b"", after
        mended = content
        bad = b"\0" in content
        if not bad and has_bare_line_end(content):
            if self._normalise:
                mended = normalise_line_ends(content)
            else:
                bad = True
        size = self.size + len(mended)
        if bad or size > self._max_size:
            self.verdict = self._judge(content)
            return b"", after
        self.size = size
        return mended, after

    def _judge(self, content: bytes) -> Reply:
        offence = (_NUL if self._normalise else _OFFENCE).search(content)
        if offence is None:
            return replies.MESSAGE_TOO_BIG
        before = content[: offence.end()]
        if self._normalise:
            before = normalise_line_ends(before)
        if self.size + len(before) > self._max_size:
            return replies.MESSAGE_TOO_BIG
        return replies.HOLDS_NUL if offence[0] == b"\0" else replies.BARE_LINE_END
