"""Everything the platform wants to know of a message, read once at its door.

``summarize`` is for messages in memory, ``SummaryScanner`` for those that stream to disk; both give the same.
"""

from dataclasses import dataclass

from barid_protocols.mime.addresses import Address
from barid_protocols.mime.bodystructure import build_bodystructure
from barid_protocols.mime.content import TEXT_PLAIN
from barid_protocols.mime.dates import SentDate, parse_date
from barid_protocols.mime.envelope import build_envelope, read_addresses
from barid_protocols.mime.fast_path import fill_multipart
from barid_protocols.mime.headers import HeaderBlock, find_header_end
from barid_protocols.mime.limits import MAX_HEADER_BLOCK
from barid_protocols.mime.parts import Part
from barid_protocols.mime.sections import Compact, to_compact
from barid_protocols.mime.structure import StructureScanner

_COMPOSITE = (b"multipart", b"message")


@dataclass(slots=True)
class Summary:
    """What was read.

    ``size`` and ``body_start`` in octets; ``header`` at most ``MAX_HEADER_BLOCK`` of them (``header.raw`` ends with
    the blank line unless it was cut). ``envelope`` and ``bodystructure`` are IMAP data, ready to send. ``parts`` is
    the compact tree for ``sections``, empty for a message of one part. ``header_from`` holds the addresses of every
    From field; more than one field is a forger's trick, so ``from_count`` tells. ``subject``, ``message_id`` and
    ``date`` are unfolded, undecoded octets, None if the field is missing.
    """

    size: int
    body_start: int
    header: HeaderBlock
    envelope: bytes
    bodystructure: bytes
    parts: Compact
    header_from: tuple[Address, ...]
    from_count: int
    subject: bytes | None
    message_id: bytes | None
    received_count: int
    header_is_8bit: bool
    body_is_8bit: bool
    has_nul: bool

    # What few ask for is read when they do.

    @property
    def sender(self) -> tuple[Address, ...]:
        return read_addresses(self.header, b"sender")[0]

    @property
    def date(self) -> bytes | None:
        return self.header.get(b"date")

    @property
    def header_is_cut(self) -> bool:
        """The header went on beyond what was read: a From or anything else may stand there unseen."""
        return self.body_start > len(self.header.raw)

    @property
    def sent(self) -> SentDate | None:
        """``date``, understood."""
        return parse_date(self.date)


def _summary(size: int, block: HeaderBlock, root: Part, *, header_8bit: bool, body_8bit: bool, nul: bool) -> Summary:
    return Summary(
        size,
        root.body_start,
        block,
        build_envelope(block),
        build_bodystructure(root),
        to_compact(root) if root.children else [],
        read_addresses(block, b"from")[0],
        block.count(b"from"),
        block.get(b"subject"),
        block.get(b"message-id"),
        block.received_count,
        header_8bit,
        body_8bit,
        nul,
    )


def summarize(message: bytes) -> Summary:
    """Never raises, whatever ``message`` holds."""
    body_start = find_header_end(message)
    if body_start < 0:
        body_start = len(message)
    block = HeaderBlock(message[: min(body_start, MAX_HEADER_BLOCK + 1)])
    root = Part(0, body_start, len(message))
    root.describe(block, TEXT_PLAIN)
    if root.content.maintype not in _COMPOSITE or (root.is_multipart and fill_multipart(message, root)):
        root.lines = message.count(b"\n", body_start)
        if len(message) > body_start and not message.endswith(b"\n"):
            root.lines += 1
    else:
        root = StructureScanner.scan(message, block, body_start)
    header_8bit = body_8bit = False
    if not message.isascii():
        header_8bit = not message[:body_start].isascii()
        body_8bit = not message[body_start:].isascii()
    return _summary(len(message), block, root, header_8bit=header_8bit, body_8bit=body_8bit, nul=b"\0" in message)


class SummaryScanner:
    """``feed`` chunks of any size, then ``finish`` once. Holds a chunk and a header at most."""

    __slots__ = ("_body_8bit", "_header_8bit", "_nul", "_size", "_structure")

    def __init__(self) -> None:
        self._structure = StructureScanner()
        self._size = 0
        self._header_8bit = False
        self._body_8bit = False
        self._nul = False

    @property
    def header(self) -> HeaderBlock | None:
        """The message's header, once it is complete."""
        return self._structure.header

    def feed(self, chunk: bytes) -> None:
        structure = self._structure
        structure.feed(chunk)
        start, self._size = self._size, self._size + len(chunk)
        if not self._nul and b"\0" in chunk:
            self._nul = True
        if not chunk.isascii():
            # Where the header ends may lie within this chunk; a blank line itself is ASCII, so its edge is harmless.
            split = structure.root.body_start - start if structure.header is not None else len(chunk)
            split = min(max(split, 0), len(chunk))
            self._header_8bit = self._header_8bit or not chunk[:split].isascii()
            self._body_8bit = self._body_8bit or not chunk[split:].isascii()

    def finish(self) -> Summary:
        root = self._structure.finish()
        block = self._structure.header
        assert block is not None
        return _summary(
            self._size, block, root, header_8bit=self._header_8bit, body_8bit=self._body_8bit, nul=self._nul
        )
