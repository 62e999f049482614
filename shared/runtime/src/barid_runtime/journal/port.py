"""The journal as services see it: bytes are written once, durably, and read by reference.

JournalError              the root
├── JournalFull           no space: 452, and the next try may work; nothing was kept
├── JournalFailed         the write or its sync failed: 451; the record is in the abort list, it will not come back
├── BodyUnavailable       the store of bodies does not answer now; the body may well be there
├── BodyMissing           no such pack or record
└── BodyCorrupt           checksums do not match: this body is lost, its neighbours are not
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from barid_contracts.mail import Accepted, BodyRef

SPOOL_ABOVE = 256 * 1024
"""Bytes of a message held in memory while it arrives; more goes to a spool file, so that memory is bounded."""

OBJECT_ABOVE = 8 * 1024 * 1024
"""Bytes of a message above which it gets a file of its own: packs stay small enough to die young."""

CHUNK = 64 * 1024
"""Bytes under one checksum, and the most that is read or sent at a time."""


class JournalError(Exception):
    """Anything that made a body unwritable or unreadable."""


class JournalFull(JournalError):
    """No space left."""


class JournalFailed(JournalError):
    """The write could not be made durable."""


class BodyUnavailable(JournalError):
    """It can't be read now; try again later."""


class BodyMissing(JournalError):
    """The reference leads nowhere."""


class BodyCorrupt(JournalError):
    """What stands there is not what was written."""


class Spool(Protocol):
    """A large body on its way in. Its checksums are made as it passes."""

    @property
    def size(self) -> int: ...

    async def write(self, chunk: bytes) -> None:
        """Raises JournalFull, JournalFailed."""

    async def discard(self) -> None:
        """Forget it; harmless after it was appended."""


class JournalWriter(Protocol):
    """One writer per process incarnation; its packs are created exclusively and never reopened."""

    async def append(self, mail: Accepted, body: bytes | Spool) -> BodyRef:
        """Write the record (`mail.ref` is ignored, `mail.size` must be the body's) and return when it is durable.

        Many appends share one sync. What has obligations is published after that, by the publisher.
        """

    def submit(self, mail: Accepted, body: bytes) -> asyncio.Future[BodyRef]:
        """The same for a body in memory and for who has a callback rather than a task: nothing runs per append, and
        all futures of a sync are done in one turn of the loop. Raises what is known at once, as JournalFull."""

    def spool(self) -> Spool:
        """Room for a body above SPOOL_ABOVE. Raises JournalFull, JournalFailed."""

    async def close(self) -> None:
        """Seal the open pack. After it all else raises JournalFailed. Idempotent."""


class BodyReader(Protocol):
    """Reads verify checksums. Raise BodyMissing, BodyCorrupt, BodyUnavailable."""

    async def read(self, ref: BodyRef) -> bytes:
        """The whole body. For bodies that may be large, stream."""

    def stream(self, ref: BodyRef, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Slices of at most CHUNK bytes of the range."""
