"""Accepted events: made of records, and read back from packs that the publisher is behind in."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from . import scan
from .batch import CommittedMail
from .folder import aborted_of

MAX_PAYLOAD = 700 * 1024
"""Bytes of one message: under the 1 MiB that a bus takes by default, and not more than a consumer likes at once."""

SLICE = 200
"""Mails read at a time from a pack that we are behind in."""


def payloads(events: Sequence[bytes], limit: int = MAX_PAYLOAD) -> Iterator[bytes]:
    """JSON of AcceptedBatch for these mails (each the JSON of an Accepted with its `ref`), split to fit messages."""
    part: list[bytes] = []
    size = 0
    for event in events:
        if part and size + len(event) > limit:
            yield _payload(part)
            part, size = [], 0
        part.append(event)
        size += len(event) + 1
    if part:
        yield _payload(part)


def _payload(events: Iterable[bytes]) -> bytes:
    return b'{"mails":[%s]}' % b",".join(events)


def read_slice(root: Path, pack: str, start: int, end: int) -> tuple[list[CommittedMail], int]:
    """Up to SLICE mails that are owed to somebody, from a pack, and the offset to go on from. Blocks."""
    path = root / pack
    return slice_of(scan.walk(path, start, end), aborted_of(path.parent, path.name), pack, end)


def slice_of(
    walk: Iterable[scan.Found | scan.Damage], aborted: frozenset[int], pack: str, end: int
) -> tuple[list[CommittedMail], int]:
    """The same of a pack that is walked up to `end`. aborted: offsets of records that don't count."""
    mails: list[CommittedMail] = []
    size = 0
    for found in walk:
        if isinstance(found, scan.Damage):
            continue
        if len(mails) == SLICE or (mails and size + len(found.lead.head) > MAX_PAYLOAD):
            return mails, found.offset
        if found.offset in aborted:
            continue
        entry = scan.entry_of(found)
        if entry.accounts or entry.remotes:
            size += len(found.lead.head)
            mails.append(CommittedMail(entry.mail_id, found.lead.head, found.ref(pack), entry.accounts, entry.remotes))
    return mails, end
