"""One mail looked for in the packs that aren't closed: for who asks about a mail that is on its way.

By id: a sealed pack costs the read of its footer (60 bytes a mail) and one search in it; a pack that is being written
is walked, 10 µs a mail. A pack that was last written before the mail got its name can't hold it; of the others the one
that was done with first is the likeliest, so it is looked at first.
By Message-ID: footers don't have it, so all packs are walked, the latest first, and only so far.

All of it blocks: call it from a thread.
"""

from collections.abc import Iterator
from pathlib import Path

from barid_contracts.mail import Accepted

from . import record, scan
from .folder import aborted_of, packs_of, writer_folders
from .port import BodyMissing
from .scan import Found

PACKS_MOST = 1000
"""Packs looked at for an id: 15 million mails in line, and a second of work."""

WALKED_MOST = 256 * 1024 * 1024
"""Bytes of packs walked for a Message-ID: 60,000 usual mails, 0.6 s."""

SLACK = 3600.0
"""Seconds by which the clock of a writer may be ahead of the file system's."""


def find(root: Path, mail_id: str, named: float) -> Accepted | None:
    """The mail with its `ref`. named: epoch seconds of its id."""
    for _, path in sorted(_open_since(root, named - SLACK))[:PACKS_MOST]:
        try:
            found = _in_pack(path, mail_id)
        except (BodyMissing, OSError):
            continue  # it went, or can't be read: its neighbours may
        if found is not None:
            return found.mail(_name(path))
    return None


def find_called(root: Path, message_id: str, most: int) -> list[Accepted]:
    """Those that have this Message-ID, as far as WALKED_MOST goes, the latest pack first."""
    text = in_json(message_id)
    mails: list[Accepted] = []
    left = WALKED_MOST
    for _, path in sorted(_open_since(root, 0.0), reverse=True):
        try:
            left -= path.stat().st_size
            if left < 0:
                break
            for found in _walked(path):
                # To parse each would cost as much again as the walk.
                if text in found.lead.head and (mail := found.mail(_name(path))).message_id == message_id:
                    mails.append(mail)
        except (BodyMissing, OSError):
            continue
        if len(mails) >= most:
            break
    return mails[:most]


def in_json(message_id: str) -> bytes:
    """As it stands in a record's head."""
    return message_id.replace("\\", "\\\\").replace('"', '\\"').encode()


def _open_since(root: Path, since: float) -> Iterator[tuple[float, Path]]:
    """Packs that aren't closed and were written after `since`, with when they were."""
    for folder in writer_folders(root):
        for path in packs_of(folder):
            try:
                written = path.stat().st_mtime
            except FileNotFoundError:
                continue
            if written >= since and not path.with_suffix(".closed").exists():
                yield written, path


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _in_pack(path: Path, mail_id: str) -> Found | None:
    trailer = scan.trailer_of(path)
    start, end = 0, None
    if trailer is not None:
        with path.open("rb") as file:
            file.seek(trailer.offset)
            footer = file.read(trailer.size)
        if record.crc32c(footer) == trailer.checksum:
            if mail_id.encode() not in footer:
                return None
            entry = next((entry for entry in scan.index(path) if entry.mail_id == mail_id), None)
            if entry is None:
                return None
            start, end = entry.offset, entry.offset + entry.lead + (0 if entry.flags & record.EXTERNAL else entry.size)
    return next((found for found in _walked(path, start, end) if found.lead.mail_id == mail_id), None)


def _walked(path: Path, start: int = 0, end: int | None = None) -> Iterator[Found]:
    aborted = aborted_of(path.parent, path.name)
    for found in scan.walk(path, start, end):
        if isinstance(found, Found) and found.offset not in aborted:
            yield found
