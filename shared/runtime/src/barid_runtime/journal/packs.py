"""The journal on a local directory: `PackJournal`.

<root>/<service>.<incarnation>/000001.pack …   see folder.py; one folder per incarnation, made at its first append
<root>/objects/<mail_id>                       bodies above OBJECT_ABOVE, each with its chunk table behind it
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..clock import Clock
from .appending import DISK_RESERVE, Appending
from .batch import CommittedMail
from .cursor import Cursors
from .device import Device, refusal
from .events import read_slice
from .folder import WriterFolder, clear_spool
from .inheritance import Inheritance
from .lane import Lane
from .pack import PACK_SIZE, WRITE_AHEAD
from .port import JournalFailed
from .recovery import inherit
from .spool import SpoolFile, make_object

ROTATE_AFTER = 15 * 60.0
"""Seconds after which a pack with content is sealed, so that on a quiet system, too, packs get closed and die."""


class PackJournal(Appending):
    """See Appending."""

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
        super().__init__(root, writer, clock, reserve=reserve, device=device)
        self._pack_size = pack_size
        self._write_ahead = min(write_ahead, pack_size)
        self._rotate_after = rotate_after
        self._folder: WriterFolder | None = None
        self._rotation: asyncio.Task[None] | None = None
        self._numbers = 0
        self.cursors = Cursors(root)

    @property
    def folder(self) -> str | None:
        """This incarnation's folder; None before the first append."""
        return self._folder.name if self._folder else None

    async def probe(self) -> None:
        """Nothing: whoever reads the settings made the directory, and a full disk is the first append's to say."""

    def inherit(self) -> list[Inheritance]:
        return inherit(self.root, self.writer, self._device)

    def read_slice(self, pack: str, start: int, end: int) -> tuple[list[CommittedMail], int]:
        return read_slice(self.root, pack, start, end)

    @property
    def _spool_folder(self) -> Path:
        assert self._folder is not None
        return self._folder.spool

    async def _keep_object(self, mail_id: str, spool: SpoolFile) -> Callable[[], None]:
        target = self.root / "objects" / mail_id
        try:
            await spool.in_thread(make_object, self._device, spool, target)
        except OSError as error:
            raise refusal(error) from error

        def give_back() -> None:
            with contextlib.suppress(OSError):
                target.rename(spool.path)

        return give_back

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

    async def _rotate_by_age(self) -> None:
        while True:
            await self._clock.sleep(self._rotate_after)
            self.rotate()
