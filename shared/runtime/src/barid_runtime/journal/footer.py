"""What stands behind the records of a sealed pack: a line for each, so that nobody need walk them. Pure.

entries    mail_id, offset, lead, size, flags, numbers of its obligations, per sound record
trailer    24 bytes at the very end of the file: `BrdF` … CRC32C over the entries
"""

import struct
from dataclasses import dataclass

from barid_contracts.mail import BodyRef

from . import record
from .port import BodyCorrupt

MARKER = b"BrdF"

_entry = struct.Struct("<26sQIQBHH")
_number = struct.Struct("<I")
_trailer = struct.Struct("<4sIQII")

TRAILER = _trailer.size


@dataclass(frozen=True, slots=True)
class Entry:
    """What a footer says of a record. accounts, remotes: the numbers of its obligations of either kind."""

    mail_id: str
    offset: int
    lead: int
    size: int
    flags: int
    accounts: tuple[int, ...]
    remotes: tuple[int, ...]

    def encode(self) -> bytes:
        return encode_entry(self.mail_id, self.offset, self.lead, self.size, self.flags, self.accounts, self.remotes)

    def ref(self, pack: str) -> BodyRef:
        if self.flags & record.EXTERNAL:
            return record.object_ref(self.mail_id, self.size)
        return BodyRef(pack=pack, offset=self.offset, head=self.lead, size=self.size)


def encode_entry(
    mail_id: str, offset: int, lead: int, size: int, flags: int, accounts: tuple[int, ...], remotes: tuple[int, ...]
) -> bytes:
    """One record's line of the footer; see Entry. Fields rather than an Entry: this is done for every append."""
    numbers = accounts + remotes
    fixed = _entry.pack(mail_id.encode(), offset, lead, size, flags, len(accounts), len(remotes))
    return fixed + (_number.pack(*numbers) if len(numbers) == 1 else struct.pack(f"<{len(numbers)}I", *numbers))


def encode_footer(entries: bytes, offset: int, count: int) -> bytes:
    """offset: where the footer will stand, which is where the records end."""
    return entries + _trailer.pack(MARKER, count, offset, len(entries), record.crc32c(entries))


@dataclass(frozen=True, slots=True)
class Trailer:
    """The end of a sealed pack. offset: the end of its records."""

    count: int
    offset: int
    size: int
    checksum: int


def decode_trailer(data: bytes, file_size: int) -> Trailer | None:
    """None if the pack is not sealed: its last TRAILER bytes are no trailer that fits a file of this size."""
    if len(data) != TRAILER or not data.startswith(MARKER):
        return None
    _, count, offset, size, checksum = _trailer.unpack(data)
    return Trailer(count, offset, size, checksum) if offset + size + TRAILER == file_size else None


def decode_entries(data: bytes, trailer: Trailer) -> list[Entry]:
    """Raises BodyCorrupt; the records themselves may well be sound."""
    if len(data) != trailer.size or record.crc32c(data) != trailer.checksum:
        raise BodyCorrupt("the footer's checksum does not match")
    entries: list[Entry] = []
    at = 0
    for _ in range(trailer.count):
        mail_id, offset, lead, size, flags, accounts, remotes = _entry.unpack_from(data, at)
        at += _entry.size
        numbers = struct.unpack_from(f"<{accounts + remotes}I", data, at)
        at += 4 * len(numbers)
        entries.append(
            Entry(mail_id.decode(), offset, lead, size, flags, tuple(numbers[:accounts]), tuple(numbers[accounts:]))
        )
    return entries
