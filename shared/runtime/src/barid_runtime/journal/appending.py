"""What every journal does with an append until a lane has it, and with a commit once the lane is done: `Appending`.

Small bodies and large ones (above SPOOL_ABOVE) go to packs of their own, so that nobody's small mail waits behind the
sync of somebody's 8 MB.

What is accepted while the bus, or all behind it, is away: everything, until less than DISK_RESERVE is free. The
publisher keeps only a part of that in memory (publisher.py).
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from barid_contracts.mail import Accepted, BodyRef

from ..clock import Clock, SystemClock
from ..logging import get_logger
from . import record
from .batch import Committed, Waiting
from .device import Device
from .port import OBJECT_ABOVE, JournalError, JournalFailed, JournalFull, Spool
from .puts import Puts
from .spool import SpoolFile

DISK_RESERVE = 256 * 1024 * 1024
"""Bytes left free: databases, bus and footers must be able to finish what was accepted."""

_MAIL_ID = 26

_LOOK_AGAIN = 1.0
"""Seconds that the last look at the free space holds: at 200 MB/s, less than the reserve passes in them."""

log = get_logger("journal")


class Line(Protocol):
    """Where appends wait for what makes them durable."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def submit(self, waiting: Waiting) -> asyncio.Future[BodyRef]:
        """Done when the record is durable, or refused."""

    async def append(self, waiting: Waiting) -> BodyRef:
        """The same; waits for room."""

    def rotate(self) -> None:
        """Seal what has content."""

    async def close(self) -> None:
        """Commit what waits."""


class Appending(ABC):
    """One incarnation's writer. Needs a running loop from its first append on; opens nothing before.

    root: the journal's local directory. writer: the service's name. listeners hear of every durable batch, on the loop.
    """

    def __init__(
        self, root: Path, writer: str, clock: Clock | None, *, reserve: int = DISK_RESERVE, device: Device | None = None
    ) -> None:
        self.root = root
        self.writer = writer
        self._clock = clock or SystemClock()
        self._reserve = reserve
        self._device = device or Device()
        self._listeners: list[Callable[[Committed], None]] = []
        self._executor: ThreadPoolExecutor | None = None
        self._small: Line | None = None
        self._large: Line | None = None
        self._spools = 0
        self._looked = -1e9
        self._disk_low = False
        self._closed = False
        self.appended = 0
        """Records made durable."""
        self.batches = 0
        """Syncs, or PUTs, they took."""
        self.puts: Puts | None = None
        self.problem = ""
        """The last thing that went wrong and was not answered by a later success; for readiness."""

    @abstractmethod
    def _open(self) -> Line:
        """Make the folder, threads and the lane of small bodies. Raises JournalError."""

    @abstractmethod
    def _lane(self, name: str) -> Line: ...

    @property
    @abstractmethod
    def _spool_folder(self) -> Path:
        """Once open."""

    @abstractmethod
    async def _keep_object(self, mail_id: str, spool: SpoolFile) -> Callable[[], None]:
        """Make the spool file an object, durably; returns what gives the file back to its sender. Raises
        JournalError, OSError."""

    def listen(self, listener: Callable[[Committed], None]) -> None:
        self._listeners.append(listener)

    async def append(self, mail: Accepted, body: bytes | Spool) -> BodyRef:
        """See JournalWriter. 30–40 µs of CPU for 4 KB with 20 to 100 at a time, the sync included; 200 alone."""
        if isinstance(body, bytes):
            return await self.submit(mail, body)
        if not isinstance(body, SpoolFile):
            raise TypeError("the spool is another journal's")
        _, head, accounts, remotes = self._prepare(mail)
        return await self._append_spool(mail, body, head, accounts, remotes)

    def submit(self, mail: Accepted, body: bytes) -> asyncio.Future[BodyRef]:
        """See JournalWriter."""
        small, head, accounts, remotes = self._prepare(mail)
        size = len(body)
        if mail.size != size:
            raise ValueError(f"the mail's size is {mail.size}, its body's {size}")
        return small.submit(
            Waiting(
                mail.mail_id,
                0,
                head,
                record.checksums(body),
                record.digest(body),
                body,
                size,
                accounts,
                remotes,
                small.loop.create_future(),
            )
        )

    def _prepare(self, mail: Accepted) -> tuple[Line, bytes, tuple[int, ...], tuple[int, ...]]:
        """The lane of small bodies, the record's head, the numbers of its obligations. Raises JournalError."""
        self._check_room()
        small = self._small or self._open()
        if len(mail.mail_id) != _MAIL_ID or not mail.mail_id.isascii():
            raise ValueError("not a mail_id")  # a batch must not meet it: neighbours share its fate
        head = record.encode_head(mail)
        if len(head) > record.MAX_HEAD:
            raise JournalFailed("the envelope is too large for the journal")
        if mail.obligations:
            if len(mail.obligations) > record.MAX_OBLIGATIONS:
                raise JournalFailed("too many recipients for the journal")
            accounts = tuple([o.n for o in mail.obligations if o.kind == "account"])
            remotes = tuple([o.n for o in mail.obligations if o.kind == "remote"])
        else:
            accounts = remotes = ()
        return small, head, accounts, remotes

    async def _append_spool(
        self, mail: Accepted, spool: SpoolFile, head: bytes, accounts: tuple[int, ...], remotes: tuple[int, ...]
    ) -> BodyRef:
        await spool.finish()
        if mail.size != spool.size:
            raise ValueError(f"the mail's size is {mail.size}, its spool's {spool.size}")
        loop = asyncio.get_running_loop()
        external = spool.size > OBJECT_ABOVE
        waiting = Waiting(
            mail.mail_id,
            record.EXTERNAL if external else 0,
            head,
            b"" if external else spool.table,
            spool.sha256,
            b"" if external else spool,
            spool.size,
            accounts,
            remotes,
            loop.create_future(),
        )
        if not external:
            ref = await self._large_lane().append(waiting)
            await spool.discard()
            return ref
        assert self._small is not None
        give_back = await self._keep_object(mail.mail_id, spool)
        try:
            ref = await self._small.append(waiting)
        except JournalError:
            # Still the sender's: under its old name again it is discarded, or appended once more.
            give_back()
            raise
        spool.forget()
        return ref

    def spool(self) -> SpoolFile:
        if self._closed:
            raise JournalFailed("the journal is closed")
        self._check_room()
        if self._small is None:
            self._open()
        assert self._executor is not None
        self._spools += 1
        path = self._spool_folder / f"{self._spools:06d}"
        return SpoolFile(self._device, path, self._executor, self._check_room)

    def rotate(self) -> None:
        """Seal the packs that have content."""
        for lane in (self._small, self._large):
            if lane is not None:
                lane.rotate()

    def _large_lane(self) -> Line:
        if self._large is None:
            self._large = self._lane("large")
        return self._large

    def _on_commit(self, committed: Committed) -> None:
        self.appended += len(committed.mails)
        self.batches += 1
        self.problem = ""
        for listener in self._listeners:
            try:
                listener(committed)
            except Exception:
                # The mail is durable, and its senders wait for their answer, whatever a listener makes of it.
                log.exception("journal_listener_failed", pack=committed.pack, start=committed.start)

    def _on_trouble(self, problem: str) -> None:
        self.problem = problem
        log.error("journal_trouble", reason=problem, writer=self.writer)

    def _check_room(self) -> None:
        """Raises JournalFull while the disk is low. A system call of 2 µs once a second."""
        now = asyncio.get_running_loop().time()
        if now - self._looked > _LOOK_AGAIN:
            self._looked = now
            try:
                low = self._device.free(self.root if self.root.exists() else self.root.parent) < self._reserve
            except OSError:
                low = False
            if low != self._disk_low:
                self._disk_low = low
                self.problem = "the disk is almost full" if low else ""
                log.warning("journal_disk", low=low, reserve=self._reserve)
        if self._disk_low:
            raise JournalFull("the journal's disk is almost full")
