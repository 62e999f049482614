"""One pack file that is being written: made, written ahead, sealed. Everything here blocks."""

import os
from pathlib import Path

from . import record
from .device import Device
from .footer import encode_footer

PACK_SIZE = 64 * 1024 * 1024
"""Bytes after which a pack is sealed: 15,000 usual mails. Smaller packs die sooner, larger ones cost fewer files."""

WRITE_AHEAD = 8 * 1024 * 1024
"""Bytes of zeros written before a pack's records, a step at a time: the fdatasync of a batch takes 0.31 ms in a zeroed
pack and 0.74 in one that grows (ext4). Every byte is written twice for it, in sequence and outside of any wait."""

WRITE_AHEAD_FROM = 256 * 1024
"""Bytes of content before the first zeros are written: a quiet service's packs never pay for them."""

WRITE_AHEAD_GAP = 1024 * 1024
"""Bytes left unzeroed before the first zeros, for the batches that come while these are written."""


class Pack:
    """position: where the next record goes, and all before it is durable. zeroed: end of the room written ahead."""

    __slots__ = ("count", "entries", "fd", "name", "path", "position", "salt", "zeroed")

    def __init__(self, path: Path, fd: int, salt: bytes) -> None:
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"
        self.fd = fd
        self.salt = salt
        self.position = record.PACK_HEADER
        self.zeroed = record.PACK_HEADER
        self.entries = bytearray()
        self.count = 0

    def add(self, entry: bytes) -> None:
        """Remember a durable record for the footer (60 bytes each)."""
        self.entries += entry
        self.count += 1


def create(device: Device, path: Path, created_ms: int) -> Pack:
    """A new, durable, empty pack. Raises OSError; nothing is left then."""
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    salt = os.urandom(record.SALT)
    try:
        device.write_durably(fd, [record.encode_pack_header(salt, created_ms)], 0)
        device.sync_folder(path.parent)
    except OSError:
        os.close(fd)
        path.unlink(missing_ok=True)
        raise
    return Pack(path, fd, salt)


def seal(device: Device, pack: Pack) -> None:
    """Write the footer and close the file; an empty pack is removed instead.

    Raises OSError: then the pack stays as it is and whoever recovers this folder seals it.
    """
    try:
        if pack.count == 0:
            pack.path.unlink(missing_ok=True)
            return
        write_footer(device, pack.fd, pack.position, bytes(pack.entries), pack.count)
    finally:
        os.close(pack.fd)
        pack.fd = -1


def write_footer(device: Device, fd: int, end: int, entries: bytes, count: int) -> None:
    """The footer is durable before the room behind it is cut off: a crash in between leaves an unsealed pack, whose
    walk ends at the footer."""
    footer = encode_footer(entries, end, count)
    device.write_durably(fd, [footer], end)
    device.truncate(fd, end + len(footer))


def cut_off(device: Device, pack: Pack) -> None:
    """Give up a pack whose sync failed: what stands behind its durable records goes, and nothing follows."""
    try:
        device.truncate(pack.fd, pack.position)
    finally:
        os.close(pack.fd)
        pack.fd = -1
