"""The journal on a local directory: `PackJournal`.

    <root>/<service>.<incarnation>/000001.pack …   see folder.py; one folder per incarnation, made at its first append
    <root>/objects/<mail_id>                       bodies above OBJECT_ABOVE, each with its chunk table behind it

Small bodies and large ones (above SPOOL_ABOVE) go to packs of their own, so that nobody's small mail waits behind the
sync of somebody's 8 MB.

What is accepted while the bus, or all behind it, is away: everything, until less than DISK_RESERVE is free. The
publisher keeps only a part of that in memory (publisher.py).
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from barid_contracts.mail import Accepted, BodyRef

from ..clock import Clock, SystemClock
from ..logging import get_logger
from . import record
from .batch import Committed, Waiting
from .device import Device, refusal
from .folder import WriterFolder, clear_spool
from .lane import Lane
from .pack import PACK_SIZE, WRITE_AHEAD
from .port import OBJECT_ABOVE, JournalError, JournalFailed, JournalFull, Spool
from .spool import SpoolFile, make_object

ROTATE_AFTER = 15 * 60.0
"""Seconds after which a pack with content is sealed, so that on a quiet system, too, packs get closed and die."""

DISK_RESERVE = 256 * 1024 * 1024
"""Bytes left free: databases, bus and footers must be able to finish what was accepted."""

_MAIL_ID = 26

_LOOK_AGAIN = 1.0
"""Seconds that the last look at the free space holds: at 200 MB/s, less than the reserve passes in them."""

log = get_logger("journal")


class PackJournal:
    """One incarnation's writer. Needs a running loop from its first append on; opens nothing before.

    root: the journal's directory. writer: the service's name. listeners hear of every durable batch, on the loop.
    """

    def __init__(
        self,
        root: Path,
        writer: str,
        clock: Clock | None = None,
        *,
        reserve: int = DISK_RESERVE,
        pack_size: int = PACK_SIZE,
        write_ahead: int = WRITE_AHEAD,
        rotate_after: float = ROTATE_AFTER,
        device: Device | None = None,
    ) -> None:
        self.root = root
        self.writer = writer
        self._clock = clock or SystemClock()
        self._reserve = reserve
        self._pack_size = pack_size
        self._write_ahead = min(write_ahead, pack_size)
        self._rotate_after = rotate_after
        self._device = device or Device()
        self._listeners: list[Callable[[Committed], None]] = []
        self._folder: WriterFolder | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._small: Lane | None = None
        self._large: Lane | None = None
        self._rotation: asyncio.Task[None] | None = None
        self._numbers = 0
        self._spools = 0
        self._looked = -1e9
        self._disk_low = False
        self._closed = False
        self.appended = 0
        """Records made durable."""
        self.batches = 0
        """Syncs they took."""
        self.problem = ""
        """The last thing that went wrong and was not answered by a later success; for readiness."""

    @property
    def folder(self) -> str | None:
        """This incarnation's folder; None before the first append."""
        return self._folder.name if self._folder else None

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

    def _prepare(self, mail: Accepted) -> tuple[Lane, bytes, tuple[int, ...], tuple[int, ...]]:
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
        target = self.root / "objects" / mail.mail_id
        try:
            await spool.in_thread(make_object, self._device, spool, target)
        except OSError as error:
            raise refusal(error) from error
        try:
            ref = await self._small.append(waiting)
        except JournalError:
            # Still the sender's: under its old name again it is discarded, or appended once more.
            with contextlib.suppress(OSError):
                target.rename(spool.path)
            raise
        spool.forget()
        return ref

    def spool(self) -> SpoolFile:
        if self._closed:
            raise JournalFailed("the journal is closed")
        self._check_room()
        if self._small is None:
            self._open()
        assert self._folder is not None and self._executor is not None
        self._spools += 1
        path = self._folder.spool / f"{self._spools:06d}"
        return SpoolFile(self._device, path, self._executor, self._check_room)

    def rotate(self) -> None:
        """Seal the packs that have content."""
        for lane in (self._small, self._large):
            if lane is not None:
                lane.rotate()

    async def close(self) -> None:
        """Commit what waits, seal the packs, let go of the folder. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._rotation is not None:
            self._rotation.cancel()
        for lane in (self._small, self._large):
            if lane is not None:
                await lane.close()
        if self._executor is not None:
            self._executor.shutdown(wait=False)
        if self._folder is not None:
            clear_spool(self._folder.path)
            self._folder.remove_if_empty()
            self._folder.release()

    def _open(self) -> Lane:
        if self._closed:
            raise JournalFailed("the journal is closed")
        try:
            self._folder = WriterFolder.create(self.root, self.writer)
            self._device.sync_folder(self.root)
            self._device.sync_folder(self.root.parent)
        except OSError as error:
            raise refusal(error) from error
        # Two: large messages hash and write here, packs are written ahead and sealed here.
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="journal")
        self._small = self._lane("small")
        self._rotation = asyncio.get_running_loop().create_task(self._rotate_by_age(), name="journal-rotation")
        return self._small

    def _large_lane(self) -> Lane:
        if self._large is None:
            self._large = self._lane("large")
        return self._large

    def _lane(self, name: str) -> Lane:
        assert self._executor is not None
        return Lane(
            name,
            self._device,
            self._executor,
            self._new_pack,
            self._on_commit,
            self._on_trouble,
            pack_size=self._pack_size,
            write_ahead=self._write_ahead,
        )

    def _new_pack(self) -> tuple[Path, int]:
        assert self._folder is not None
        self._numbers += 1
        return self._folder.path / f"{self._numbers:06d}.pack", int(self._clock.now() * 1000)

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
        log.error("journal_trouble", reason=problem, folder=self.folder)

    async def _rotate_by_age(self) -> None:
        while True:
            await self._clock.sleep(self._rotate_after)
            self.rotate()

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
