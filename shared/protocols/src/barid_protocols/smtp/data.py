"""Message data, both ways, by whole reads: transparency (RFC 5321 §4.5.2) and line ends.

Invariants:
- A message ends at CR LF . CR LF and at nothing else, however reads are cut and whatever stands alone around it.
- A chunk never ends inside a CR LF, so CR and LF can be counted chunk by chunk.
- What ``Stuffer`` sends has CR LF line ends only, so no server can find an end of data that we did not mean.

Price for 4 KB: finding the end and stuffed dots 3.7 µs, the kinds of line ends 2.4, NUL 0.3 (counting CR, LF and their
pairs: 9 µs; a regular expression for bare line ends: 88).
"""

from io import IncrementalNewlineDecoder

_END = b"\r\n.\r\n"
_CRLF = b"\r\n"


def has_bare_line_end(data: bytes) -> bool:
    """Whether a CR or an LF stands alone. ``data`` must not begin or end inside a CR LF."""
    # Of what the standard library has in C this alone tells line ends apart in one pass. Latin-1 keeps octets apart.
    decoder = IncrementalNewlineDecoder(None, translate=False)
    decoder.decode(data.decode("latin-1"), final=True)
    return decoder.newlines is not None and decoder.newlines != "\r\n"


def normalise_line_ends(data: bytes) -> bytes:
    """Each bare CR and bare LF becomes CR LF. Linear; ``data`` must not begin or end inside a CR LF."""
    return data.replace(_CRLF, b"\n").replace(b"\r", b"\n").replace(b"\n", _CRLF)


def _held_back(data: bytes) -> int:
    """Length of the end of ``data`` that may yet turn out to begin the end of data or a stuffed dot."""
    if data.endswith(b"\r"):
        return 4 if data.endswith(b"\r\n.\r") else 1
    if data.endswith(b"\n"):
        return 2 if data.endswith(_CRLF) else 0
    return 3 if data.endswith(b"\r\n.") else 0


class DataReader:
    """Finds the end of one message and undoes the dot-stuffing."""

    __slots__ = ("_carry", "_strip")

    def __init__(self) -> None:
        # The CR LF of the DATA line counts as the one before the first line: an empty message is ". CR LF".
        self._carry = _CRLF
        self._strip = True

    def feed(self, data: bytes, start: int) -> tuple[bytes, int]:
        """Take ``data[start:]``. Gives content and the offset in ``data`` behind the end of the message, or -1 if that
        has not come and all was taken."""
        carry = self._carry
        block = carry + (data[start:] if start else data)
        # Most messages hold no stuffed dot, so the first dot that begins a line is the end: one search instead of two.
        dot = block.find(b"\r\n.")
        end = dot if dot < 0 or block.startswith(_END, dot) else block.find(_END, dot)
        if end >= 0:
            content = block[: end + 2]
            after = start - len(carry) + end + len(_END)
        else:
            held = _held_back(block)
            self._carry = block[len(block) - held :] if held else b""
            content = block[: len(block) - held] if held else block
            after = -1
        if 0 <= dot < len(content) - 2:
            # RFC 5321 §4.5.2 deletes any leading dot, not only a doubled one.
            content = content.replace(b"\r\n.", _CRLF)
        if content and self._strip:
            self._strip = False
            content = content[2:]
        return content, after


class Stuffer:
    """The sending side: chunks of any cut in, wire octets out."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = _CRLF

    def feed(self, chunk: bytes) -> bytes:
        """Holds back a CR at the end of ``chunk``, as its LF may follow."""
        tail = self._tail
        held = b""
        if tail.endswith(b"\r"):
            chunk = b"\r" + chunk
            tail = tail[:-1]
        if chunk.endswith(b"\r"):
            chunk = chunk[:-1]
            held = b"\r"
        if has_bare_line_end(chunk):
            chunk = normalise_line_ends(chunk)
        block = tail + chunk
        stuffed = block.replace(b"\r\n.", b"\r\n..") if b"\r\n." in block else block
        self._tail = (stuffed[-2:] if chunk else tail) + held
        return stuffed[len(tail) :]

    def finish(self) -> bytes:
        """The rest and the end of data; adds the last line's CR LF if it lacks one."""
        tail = self._tail
        # A lone CR at the very end is a line end like any other; the message that never began is empty.
        self._tail = _CRLF
        return b".\r\n" if tail == _CRLF else b"\r\n.\r\n"
