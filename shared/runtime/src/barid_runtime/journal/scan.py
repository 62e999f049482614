"""What stands in the packs, without reading bodies. All of it blocks: call it from a thread.

A sealed pack is known by its footer. Any other is walked from record to record; where no record stands, the walk goes
on at the next place that has the pack's marker and salt and a lead whose checksum holds, and says what it jumped over.
Records of the abort list are passed over everywhere.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from barid_contracts.mail import Accepted, BodyRef

from . import record, salvage
from .folder import aborted_of
from .footer import TRAILER, Entry, Trailer, decode_entries, decode_trailer
from .port import CHUNK, BodyCorrupt, BodyMissing
from .record import Lead

WINDOW = 1024 * 1024
"""Bytes read at a time: a walk over 4 KB bodies is 60 reads a pack instead of 15,000."""

_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """A record whose lead is sound. Its body was not looked at."""

    offset: int
    lead: Lead

    @property
    def end(self) -> int:
        return self.offset + self.lead.extent

    def ref(self, pack: str) -> BodyRef:
        return self.lead.ref(pack, self.offset)

    def event(self, pack: str) -> bytes:
        """JSON of the mail with its `ref`."""
        return record.splice_ref(self.lead.head, self.ref(pack))

    def mail(self, pack: str) -> Accepted:
        return Accepted.model_validate_json(self.event(pack))


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes in the middle of a pack that are no record any more."""

    start: int
    end: int


class _Window:
    """A file seen through a sliding window."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size
        self._start = 0
        self._data = b""

    def get(self, offset: int, size: int) -> bytes:
        """`size` bytes, fewer only at the end of the file."""
        at = offset - self._start
        if at < 0 or at + size > len(self._data):
            self._data = self._read(max(size, WINDOW), offset)
            self._start = offset
            at = 0
        return self._data[at : at + size]

    def _read(self, size: int, offset: int) -> bytes:
        """What the disk can't read is zeros here: damage to those records, not to their neighbours."""
        try:
            return os.pread(self._fd, size, offset)
        except OSError:
            end = min(offset + size, self.size)
            return b"".join([self._page(min(_PAGE, end - at), at) for at in range(offset, end, _PAGE)])

    def _page(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._fd, size, offset)
        except OSError:
            return bytes(size)

    def find(self, needle: bytes, offset: int, end: int) -> int:
        """The next place of `needle` at or after `offset`; -1 if there is none before `end`."""
        while offset < end:
            data = self.get(offset, min(WINDOW, end - offset))
            at = data.find(needle)
            if at >= 0:
                return offset + at
            if len(data) <= len(needle):
                return -1
            offset += len(data) - len(needle) + 1
        return -1


class _Image:
    """A whole pack in memory, seen in the same way."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def get(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]

    def find(self, needle: bytes, offset: int, end: int) -> int:
        return self._data.find(needle, offset, end)


def walk_data(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Found | Damage]:
    """As `walk`, over a whole pack in memory."""
    trailer = decode_trailer(data[-TRAILER:], len(data)) if len(data) >= record.PACK_HEADER + TRAILER else None
    limit = trailer.offset if trailer else len(data)
    return _walk(_Image(data), max(start, record.PACK_HEADER), limit if end is None else min(end, limit))


def walk(path: Path, start: int = 0, end: int | None = None) -> Iterator[Found | Damage]:
    """Records from `start` (a record's offset; 0 is the first) up to `end`, and what is damaged between them.

    Raises BodyMissing if there is no such pack.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BodyMissing(f"no pack {path.name}") from None
    try:
        window = _Window(fd)
        trailer = _trailer(fd, window.size)
        limit = trailer.offset if trailer else window.size
        yield from _walk(window, max(start, record.PACK_HEADER), limit if end is None else min(end, limit))
    finally:
        os.close(fd)


def _walk(window: _Window | _Image, offset: int, limit: int) -> Iterator[Found | Damage]:
    salt = _salt(window)
    while offset < limit:
        found = _record_at(window, offset)
        if found is None:
            onward = None if salt is None else _resume(window, salt, offset + 1, limit)
            if onward is None:
                # Zeros are room written ahead, anything else was torn or is beyond reading.
                if window.get(offset, 1) not in (b"\0", b""):
                    yield Damage(offset, limit)
                return
            yield Damage(offset, onward.offset)
            found = onward
        if found.end > limit:
            yield Damage(found.offset, limit)
            return
        yield found
        offset = found.end


def _salt(window: _Window | _Image) -> bytes | None:
    header = window.get(0, record.PACK_HEADER + record.FIXED)
    salt = record.decode_pack_header(header)
    if salt is None and header[record.PACK_HEADER :].startswith(record.RECORD_MARKER):
        return header[record.PACK_HEADER + 4 : record.PACK_HEADER + 4 + record.SALT]
    return salt


def _record_at(window: _Window | _Image, offset: int) -> Found | None:
    size = record.lead_size(window.get(offset, record.FIXED))
    if size is None:
        return None
    try:
        return Found(offset, record.decode_lead(window.get(offset, size)))
    except BodyCorrupt:
        return None


def _resume(window: _Window | _Image, salt: bytes, offset: int, limit: int) -> Found | None:
    needle = record.RECORD_MARKER + salt
    while (offset := window.find(needle, offset, limit)) >= 0:
        found = _record_at(window, offset)
        if found is not None:
            return found
        offset += 1
    return None


def _trailer(fd: int, size: int) -> Trailer | None:
    if size < record.PACK_HEADER + TRAILER:
        return None
    return decode_trailer(os.pread(fd, TRAILER, size - TRAILER), size)


def trailer_of(path: Path) -> Trailer | None:
    """The pack's trailer; None if it is not sealed. Raises BodyMissing."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BodyMissing(f"no pack {path.name}") from None
    try:
        return _trailer(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def index(path: Path, end: int | None = None) -> list[Entry]:
    """Every record that may count: its name, place and obligations. `end` bounds the walk of a pack in use."""
    aborted = aborted_of(path.parent, path.name)
    trailer = trailer_of(path)
    if trailer is not None:
        try:
            with path.open("rb") as file:
                file.seek(trailer.offset)
                entries = decode_entries(file.read(trailer.size), trailer)
            return [entry for entry in entries if entry.offset not in aborted]
        except BodyCorrupt:
            pass  # the records are still there to be walked
    return [
        entry_of(found) for found in walk(path, end=end) if isinstance(found, Found) and found.offset not in aborted
    ]


def entry_of(found: Found) -> Entry:
    lead = found.lead
    obligations = Accepted.model_validate_json(lead.head).obligations
    return Entry(
        lead.mail_id,
        found.offset,
        lead.size,
        lead.body_size,
        lead.flags,
        tuple([o.n for o in obligations if o.kind == "account"]),
        tuple([o.n for o in obligations if o.kind == "remote"]),
    )


def damaged_entries(path: Path, start: int, end: int) -> list[Entry]:
    """What is still to be read of records between these offsets, where walking found damage. Not verified."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        window = _Window(fd)
        salt = _salt(window)
        return [] if salt is None else list(salvage.damaged_entries(window.get(start, end - start), start, salt))
    finally:
        os.close(fd)


def load(root: Path, pack: str, entries: Iterable[Entry]) -> Iterator[tuple[Accepted, BodyRef]]:
    """The mails of these entries, each with its `ref` set. A record that is damaged by now is left out."""
    try:
        fd = os.open(root / pack, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise BodyMissing(f"no pack {pack}") from None
    try:
        for entry in entries:
            try:
                lead = record.decode_lead(os.pread(fd, entry.lead, entry.offset))
            except (BodyCorrupt, OSError):
                continue  # what the disk can't read is no reason to keep its neighbours back
            mail = Found(entry.offset, lead).mail(pack)
            assert mail.ref is not None
            yield mail, mail.ref
    finally:
        os.close(fd)


def body_is_sound(path: Path, found: Found) -> bool:
    """Read the record's body and compare it with its checksums. An object's is not looked at: it was synced before
    its record was written."""
    if found.lead.external:
        return True
    with path.open("rb") as file:
        file.seek(found.offset + found.lead.size)
        left, chunk = found.lead.body_size, 0
        while left:
            data = file.read(min(CHUNK, left))
            if not data:
                return False
            try:
                record.verify_chunks(found.lead.table, data, chunk)
            except BodyCorrupt:
                return False
            left -= len(data)
            chunk += 1
    return True
