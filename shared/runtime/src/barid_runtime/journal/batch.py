"""What passes between a journal, its lanes and its publisher."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from barid_contracts.mail import BodyRef

from . import record
from .device import Device
from .spool import SpoolFile


@dataclass(slots=True, eq=False)
class Waiting:
    """An append on its way. body: the bytes, or the spool file they are copied from. extent: bytes in the pack."""

    mail_id: str
    flags: int
    head: bytes
    table: bytes
    sha256: bytes
    body: bytes | SpoolFile
    size: int
    accounts: tuple[int, ...]
    remotes: tuple[int, ...]
    durable: asyncio.Future[BodyRef]
    extent: int = 0

    def __post_init__(self) -> None:
        lead = record.FIXED + len(self.head) + len(self.table)
        self.extent = lead if self.flags & record.EXTERNAL else lead + self.size


@dataclass(slots=True, eq=False)
class CommittedMail:
    """A durable record. head: its JSON without `ref`. Not frozen: that costs 1.3 µs a mail."""

    mail_id: str
    head: bytes
    ref: BodyRef
    accounts: tuple[int, ...]
    remotes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Committed:
    """A durable batch: the pack's bytes from start to end."""

    pack: str
    start: int
    end: int
    mails: Sequence[CommittedMail]


def write(device: Device, fd: int, parts: Sequence[bytes | SpoolFile], offset: int) -> None:
    """Write a batch's parts one behind the other and return when they are on disk. Blocks; raises OSError."""
    buffers = [part for part in parts if isinstance(part, bytes)]
    if len(buffers) == len(parts):
        device.write_durably(fd, buffers, offset)
        return
    for part in parts:
        if isinstance(part, bytes):
            offset = device.write(fd, [part], offset)
        else:
            device.copy(part.fd, fd, offset, part.size)
            offset += part.size
    device.sync(fd)
