"""What a dead incarnation left: made durable, cleaned, sealed, and said what of it was not published.

For each pack that is not sealed: sync it (what the dead process wrote may be in the page cache only, and what is
published must not vanish with the next power cut); walk it; look into the bodies of its last batch, the only one that
can be torn; name the torn in the abort list; write the footer. All of it can be done twice.

Torn or rotten? What stands before the last batch was durable, and so was what was published. There a record that can't
be read is rotten: it stays in the footer, as far as it can be read, so that its obligations are not forgotten. Anywhere
else it counts as torn; rot in a last batch that was not published can't be told from it.

Everything here blocks.
"""

import os
from pathlib import Path

from . import record, scan
from .device import Device
from .folder import WriterFolder, aborted_of, add_aborted, clear_spool, packs_of, read_cursor, writer_folders
from .inheritance import Inheritance, Unpublished
from .pack import write_footer
from .port import BodyMissing


def inherit(root: Path, service: str, device: Device) -> list[Inheritance]:
    """Take over the folders of the service's dead incarnations. Folders with nothing left to do are let go at once."""
    inherited: list[Inheritance] = []
    for path in writer_folders(root, service):
        folder = WriterFolder.seize(path)
        if folder is None:
            continue
        try:
            found = _take_stock(folder, device)
        except OSError as error:
            found = Inheritance(folder, notes=[f"{folder.name} can't be recovered now: {error.strerror}"])
        if not found.unpublished:
            folder.remove_if_empty()
            folder.release()
        if found.unpublished or found.notes:
            inherited.append(found)
    return inherited


def _take_stock(folder: WriterFolder, device: Device) -> Inheritance:
    found = Inheritance(folder)
    clear_spool(folder.path)
    cursor = read_cursor(folder.path)
    for path in packs_of(folder.path):
        if path.with_suffix(".closed").exists():
            continue
        try:
            trailer = scan.trailer_of(path)
            end = trailer.offset if trailer else _finish(path, device, found.notes, cursor.get(path.name, 0))
        except (OSError, BodyMissing) as error:
            found.notes.append(f"{folder.name}/{path.name} can't be recovered now: {error}")
            continue
        start = max(cursor.get(path.name, 0), record.PACK_HEADER)
        if end > start:
            found.unpublished.append(Unpublished(f"{folder.name}/{path.name}", start, end))
    return found


def _finish(path: Path, device: Device, notes: list[str], published: int) -> int:
    """Seal a pack that its writer could not; returns where its records end. published: the offset before which the bus
    had all, so that it was durable."""
    name = f"{path.parent.name}/{path.name}"
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(fd)
        aborted = aborted_of(path.parent, path.name)
        sound: list[scan.Found] = []
        damage: list[scan.Damage] = []
        for found in scan.walk(path):
            if isinstance(found, scan.Damage):
                damage.append(found)
            elif found.offset not in aborted:
                sound.append(found)
        last = max([found.lead.batch for found in sound], default=0)
        torn = [
            found
            for found in sound
            if found.lead.batch == last and found.offset >= published and not scan.body_is_sound(path, found)
        ]
        if torn:
            add_aborted(path.parent, path.name, [(found.offset, found.lead.mail_id) for found in torn])
            notes += [f"{name}: mail {found.lead.mail_id} at {found.offset} is torn" for found in torn]
            sound = [found for found in sound if found not in torn]
        end = max(sound[-1].end if sound else record.PACK_HEADER, min(published, os.fstat(fd).st_size))
        notes += [f"{name}: bytes {gap.start} to {gap.end} are damaged" for gap in damage if gap.start < end]
        notes += [
            f"{name}: {gap.end - gap.start} bytes of an unfinished batch are cut off"
            for gap in damage
            if gap.start >= end
        ]
        entries = [scan.entry_of(found) for found in sound]
        for gap in damage:
            if gap.start < max(last, published):
                lost = [
                    entry
                    for entry in scan.damaged_entries(path, gap.start, min(gap.end, end))
                    if entry.offset not in aborted
                ]
                notes += [f"{name}: mail {entry.mail_id} at {entry.offset} can't be read" for entry in lost]
                entries += lost
        if not entries and end == record.PACK_HEADER:
            path.unlink()
            return end
        entries.sort(key=lambda entry: entry.offset)
        try:
            write_footer(device, fd, end, b"".join([entry.encode() for entry in entries]), len(entries))
        except OSError as error:
            # Its mail goes out all the same; whoever comes next tries again.
            notes.append(f"{name} could not be sealed: {error.strerror}")
        return end
    finally:
        os.close(fd)
