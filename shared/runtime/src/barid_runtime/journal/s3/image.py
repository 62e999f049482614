"""A pack made whole before it is written anywhere: header, records, footer. All its records are one batch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from barid_contracts.mail import BodyRef

from .. import record, scan
from ..batch import Committed, CommittedMail, Waiting
from ..footer import TRAILER, decode_entries, decode_trailer, encode_entry, encode_footer
from ..port import BodyCorrupt
from ..spool import SpoolFile


@dataclass(frozen=True, slots=True)
class Image:
    """parts: the bytes, in order. committed: what is told once it is durable."""

    parts: Sequence[bytes | SpoolFile]
    committed: Committed

    @property
    def spools(self) -> list[SpoolFile]:
        return [part for part in self.parts if isinstance(part, SpoolFile)]


def make_image(name: str, batch: Sequence[Waiting], created_ms: int) -> Image:
    """name: the pack's, as in BodyRef.pack."""
    salt = os.urandom(record.SALT)
    parts: list[bytes | SpoolFile] = [record.encode_pack_header(salt, created_ms)]
    entries: list[bytes] = []
    mails: list[CommittedMail] = []
    start = offset = record.PACK_HEADER
    for w in batch:
        lead = record.encode_lead(salt, w.flags, w.mail_id, w.head, w.table, start, w.size, w.sha256)
        parts.append(lead)
        if w.flags & record.EXTERNAL:
            ref = record.object_ref(w.mail_id, w.size)
        else:
            parts.append(w.body)
            ref = BodyRef(pack=name, offset=offset, head=len(lead), size=w.size)
        entries.append(encode_entry(w.mail_id, offset, len(lead), w.size, w.flags, w.accounts, w.remotes))
        mails.append(CommittedMail(w.mail_id, w.head, ref, w.accounts, w.remotes))
        offset += w.extent
    parts.append(encode_footer(b"".join(entries), offset, len(entries)))
    return Image(parts, Committed(name, start, offset, mails))


def join(parts: Sequence[bytes | SpoolFile]) -> bytes:
    """All of it in memory, which is what the client of the store makes of it anyway. Blocks if there are spools."""
    return b"".join([part if isinstance(part, bytes) else os.pread(part.fd, part.size, 0) for part in parts])


def is_whole(data: bytes) -> bool:
    """Whether every byte is as it was written: what was not synced may have holes that its length does not show."""
    trailer = decode_trailer(data[-TRAILER:], len(data))
    if trailer is None:
        return False
    try:
        entries = decode_entries(data[trailer.offset : -TRAILER], trailer)
        found = [each for each in scan.walk_data(data) if isinstance(each, scan.Found)]
        if [each.offset for each in found] != [entry.offset for entry in entries]:
            return False
        for each in found:
            if not each.lead.external:
                record.verify_chunks(each.lead.table, data[each.offset + each.lead.size : each.end])
    except BodyCorrupt:
        return False
    return True
