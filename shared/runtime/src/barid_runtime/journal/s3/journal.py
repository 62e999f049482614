"""The journal in a bucket: `BucketJournal`.

States of a pack, and what a crash leaves in each:

    gathering   in memory. Nothing: no 250 was given
    sending     its PUT, and beside it its local copy, are under way. What stands of it in the bucket is whole, and
                counts: its senders may have their mail twice if they try again, as SMTP allows (RFC 5321 §6.1). A copy
                that is not whole is removed; one that is goes to the bucket, if it isn't there, and counts as well
    sent        in the bucket and in its synced copy; 250 was given. The copy is published by the next start of this
                service in this directory; if that is lost too, the reconciler finds the pack by listing
    published   the copy waits in `kept/` for the end of its grace
    refused     tried for `put_seconds`, or its copy could not be written: named in the local abort list, its copy
                removed, named in the bucket's, then 451 is given. Either list suffices. If neither can be written it
                may come back: twice at worst, never lost. What stands of it in the bucket goes if nothing needs it

A directory that dies with its machine (as an emptyDir does) costs nothing but the grace.
"""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from ...clock import Clock
from ...objects.place import S3Place
from ...objects.port import ObjectError, ObjectsRefused, ObjectStore
from .. import record
from ..appending import DISK_RESERVE, Appending, log
from ..batch import CommittedMail, Waiting
from ..device import Device, refusal
from ..events import slice_of
from ..folder import WriterFolder, add_aborted, clear_spool
from ..inheritance import Inheritance
from ..port import BodyMissing, JournalError, JournalFailed
from ..puts import Puts
from ..scan import walk_data
from ..spool import SpoolFile
from . import keys
from .aborts import Aborts
from .copies import KEPT, Copies, FileReader
from .image import Image, join, make_image
from .inheriting import inherit
from .lane import PutLane, refuse
from .progress import PackProgress

CHECK_EVERY = 15.0
"""Seconds between looks at the local copies."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between a PUT that failed and the next try."""

PROBE_SECONDS = 5.0
"""That a start waits for a store that may be there later."""

REACHED = "reachable"
"""An object that needn't be there: whether the store says so is the question."""

_LAST_NUMBER = 999_999

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Shelf:
    """A folder of ours. flights: packs that are under way."""

    folder: WriterFolder
    hour: str
    numbers: int = 0
    flights: int = 0


class BucketJournal(Appending):
    """See Appending. root: of spool files and local copies."""

    def __init__(
        self,
        root: Path,
        writer: str,
        store: ObjectStore,
        place: S3Place,
        clock: Clock | None = None,
        *,
        reserve: int = DISK_RESERVE,
        device: Device | None = None,
    ) -> None:
        super().__init__(root, writer, clock, reserve=reserve, device=device)
        self._store = store
        self._place = place
        self._copies = Copies(root, store, self._device, place.keep)
        self.cursors = PackProgress(self._copies.published)
        self._shelves: list[_Shelf] = []
        self._inherited: dict[str, WriterFolder] = {}
        self._moving = asyncio.Lock()
        self._putters: ThreadPoolExecutor | None = None
        self._aborts: Aborts | None = None
        self._checking: asyncio.Task[None] | None = None
        self._last_read: tuple[str, bytes] = ("", b"")
        self._reaching: asyncio.Task[int | None] | None = None
        self.puts: Puts = Puts(f"{place.url}/{place.bucket}")

    async def close(self) -> None:
        """Send what waits, let go of the folders. Idempotent."""
        if self._closed:
            return
        self._closed = True
        for lane in (self._small, self._large):
            if lane is not None:
                await lane.close()
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
        if self._aborts is not None:
            await self._aborts.close()
        for executor in (self._executor, self._putters):
            if executor is not None:
                executor.shutdown(wait=False)
        for folder in [*(shelf.folder for shelf in self._shelves), *self._inherited.values()]:
            clear_spool(folder.path)
            self._remove_if_empty(folder)
            folder.release()
        self._inherited.clear()

    def inherit(self) -> list[Inheritance]:
        found, held = inherit(self.root, self.writer, self._store, self._copies)
        if self._closed:
            for folder in held:
                folder.release()
            return []
        self._inherited.update({folder.name: folder for folder in held})
        if self._checking is None and self._inherited:  # nothing was appended yet, so nobody looks after them
            try:
                self._copies.check(self._clock.now())
                self._tidy()
            except ObjectError as error:
                log.warning("journal_copies_unchecked", reason=str(error), copies=len(self._copies))
        return found

    async def probe(self) -> None:
        """Whoever has a wrong key should hear it at the start, not from the first mail, two minutes after it came. A
        listing, because its refusal says whether it is the key or the bucket that is wrong."""
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await asyncio.to_thread(self._store.folders, "")
        except ObjectsRefused:
            raise
        except (ObjectError, TimeoutError) as error:
            reason = str(error) or f"{self._place.url}: no answer in {PROBE_SECONDS:.0f} s"
            log.warning("no store yet: mail is refused for now", error=reason)

    async def reach(self) -> None:
        """Returns when the store has answered anything. Raises ObjectError. One question at a time: those that hang
        until their time is over must not fill the pool of threads."""
        if self._reaching is None or self._reaching.done():
            self._reaching = asyncio.create_task(asyncio.to_thread(self._store.size, REACHED))
            self._reaching.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(self._reaching)

    def read_slice(self, pack: str, start: int, end: int) -> tuple[list[CommittedMail], int]:
        name, data = self._last_read
        if name != pack:
            data = self._copies.data(pack) or self._fetch(pack)
        mails, onward = slice_of(walk_data(data, start, end), frozenset(), pack, end)
        self._last_read = ("", b"") if onward >= end else (pack, data)
        return mails, onward

    def _fetch(self, pack: str) -> bytes:
        key = keys.pack_key(pack)
        if key is None:
            raise BodyMissing(f"no pack {pack}")
        try:
            return self._store.get(key)
        except ObjectError as error:
            # Also one that is missing: its copy may bring it back.
            raise OSError(str(error)) from error

    # --- opening

    def _open(self) -> PutLane:
        if self._closed:
            raise JournalFailed("the journal is closed")
        try:
            self._shelves.append(self._new_shelf())
        except OSError as error:
            raise refusal(error) from error
        self._executor = ThreadPoolExecutor(2, thread_name_prefix="journal-copies")
        # Twice: a try that hangs until its time is over must not keep the next one of its pack waiting.
        self._putters = ThreadPoolExecutor(2 * self._place.puts, thread_name_prefix="journal-put")
        self._aborts = Aborts(self._store, self._putters)
        small = self._small = self._lane("small")
        self._checking = asyncio.get_running_loop().create_task(self._check_copies(), name="journal-copies")
        return small

    def _lane(self, name: str) -> PutLane:
        place = self._place
        return PutLane(self._send, self._on_trouble, window=place.window, pack_bytes=place.pack_bytes, puts=place.puts)

    def _new_shelf(self) -> _Shelf:
        folder = WriterFolder.create(self.root, self.writer)
        self._device.sync_folder(self.root)
        self._device.sync_folder(self.root.parent)
        return _Shelf(folder, keys.hour_name(self._clock.now()))

    async def _shelf(self) -> _Shelf:
        """That of this hour. Raises OSError."""
        async with self._moving:
            shelf = self._shelves[-1]
            if shelf.numbers < _LAST_NUMBER and shelf.hour == keys.hour_name(self._clock.now()):
                return shelf
            assert self._executor is not None
            self._shelves.append(await self._in(self._executor, self._new_shelf))
            return self._shelves[-1]

    @property
    def _spool_folder(self) -> Path:
        # The first stays as long as we do, so spools need not move with the hour.
        return self._shelves[0].folder.spool

    # --- sending

    async def _send(self, batch: list[Waiting]) -> None:
        try:
            shelf = await self._shelf()
        except OSError as error:
            refuse(batch, refusal(error))
            return
        shelf.numbers += 1
        shelf.flights += 1
        try:
            name = f"{shelf.folder.name}/{shelf.numbers:06d}.pack"
            image = make_image(name, batch, int(self._clock.now() * 1000))
            try:
                await self._make_durable(name, await self._joined(image))
            except JournalError as failure:
                self._on_trouble(str(failure))
                await self._give_up(shelf.folder, image)
                refuse(batch, failure)
                return
        finally:
            shelf.flights -= 1
        self._copies.sent(name, self._clock.now())
        committed = image.committed
        self.cursors.begin(name, committed.start, committed.end)
        for waiting, mail in zip(batch, committed.mails, strict=True):
            if not waiting.durable.done():
                waiting.durable.set_result(mail.ref)
        self._on_commit(committed)

    async def _joined(self, image: Image) -> bytes:
        spools = image.spools
        if not spools:
            return join(image.parts)
        assert self._executor is not None
        for spool in spools:
            spool.hold()
        try:
            return await self._in(self._executor, join, image.parts)
        except OSError as error:
            raise refusal(error) from error
        finally:
            for spool in spools:
                spool.let_go()

    async def _make_durable(self, name: str, data: bytes) -> None:
        """Raises JournalError."""
        assert self._executor is not None
        key = keys.pack_key(name)
        assert key is not None
        putting = asyncio.ensure_future(self._insist(lambda: self._store.put(key, data)))
        copying = self._in(self._executor, self._copies.write, name, data) if self._place.keep else None
        try:
            if copying is not None:
                await copying
            await putting
        except OSError as error:
            raise refusal(error) from error
        finally:
            putting.cancel()
            await asyncio.gather(putting, return_exceptions=True)

    async def _insist(self, put: Callable[[], None]) -> None:
        """Try until it is done, or `put_seconds` are over. Raises JournalFailed."""
        assert self._putters is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        until = began + self._place.put_seconds
        pause = FIRST_PAUSE
        reason = "the store does not answer"
        while True:
            try:
                async with asyncio.timeout_at(until):
                    await self._in(self._putters, put)
                self.puts.succeeded(self._clock.now(), loop.time() - began)
                return
            except ObjectError as error:
                reason = str(error)
                if reason != self.problem:
                    self._on_trouble(reason)
            except TimeoutError:
                pass
            left = until - loop.time()
            if left < FIRST_PAUSE:
                self.puts.failures += 1
                raise JournalFailed(f"the journal could not be sent: {reason}")
            self.puts.retries += 1
            await asyncio.sleep(min(pause, left / 2))
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _give_up(self, folder: WriterFolder, image: Image) -> None:
        """Name it in both abort lists, so that it doesn't come back."""
        assert self._executor is not None and self._aborts is not None
        name = image.committed.pack
        file = name.rpartition("/")[2]
        records = [(mail.ref.offset, mail.mail_id) for mail in image.committed.mails]
        try:
            await self._in(self._executor, add_aborted, folder.path, file, records)
        except OSError as error:
            self._on_trouble(f"the abort list could not be written: {error.strerror}")
        try:  # whatever became of the list: a copy that it doesn't name would be sent again
            await self._in(self._executor, self._copies.drop, name)
        except OSError as error:
            self._on_trouble(f"the copy of a refused pack could not be removed: {error.strerror}")
        await self._aborts.name(name)

    async def _keep_object(self, mail_id: str, spool: SpoolFile) -> Callable[[], None]:
        trailer = record.encode_object_trailer(spool.table, spool.size, spool.sha256)
        size = spool.size + len(trailer)
        key = f"{keys.OBJECTS}{mail_id}"
        shelf = await self._shelf()
        shelf.flights += 1
        try:
            await spool.in_thread(self._device.write_durably, spool.fd, [trailer], spool.size)
            spool.hold()
            try:
                await self._insist(lambda: self._store.put_stream(key, _stream(spool), size))
            finally:
                spool.let_go()
            if not self._place.keep:
                spool.path.unlink(missing_ok=True)
                return lambda: None
            assert self._executor is not None
            await self._in(
                self._executor, self._copies.keep_object, shelf.folder.path, mail_id, spool.path, self._clock.now()
            )
        except OSError as error:
            raise refusal(error) from error
        finally:
            shelf.flights -= 1
        return lambda: self._copies.give_back(mail_id, spool.path)

    # --- what is behind us

    async def _check_copies(self) -> None:
        while True:
            await self._clock.sleep(CHECK_EVERY)
            try:
                await asyncio.to_thread(self._copies.check, self._clock.now())
                self._tidy()
            except (ObjectError, OSError) as error:
                log.warning("journal_copies_unchecked", reason=str(error), copies=len(self._copies))
            except Exception:
                log.exception("journal_copies_failed")

    def _tidy(self) -> None:
        """Let go of folders that hold nothing any more. The first and the newest are in use."""
        for shelf in self._shelves[1:-1]:
            if not shelf.flights and self._is_done(shelf.folder):
                shelf.folder.release()
                self._shelves.remove(shelf)
        for name, folder in list(self._inherited.items()):
            if self._is_done(folder):
                folder.release()
                del self._inherited[name]

    def _is_done(self, folder: WriterFolder) -> bool:
        if self._copies.holds(folder.name) or (self._aborts is not None and self._aborts.pending(folder.name)):
            return False
        return self._remove_if_empty(folder)

    def _remove_if_empty(self, folder: WriterFolder) -> bool:
        if self._aborts is not None and self._aborts.pending(folder.name):
            return False
        with contextlib.suppress(OSError):
            (folder.path / KEPT).rmdir()
        return not (folder.path / KEPT).exists() and folder.remove_if_empty()

    def _in(self, executor: Executor, function: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """Run in a thread. Who is cancelled leaves it running; what it raises then is no news."""
        try:
            running = asyncio.get_running_loop().run_in_executor(executor, function, *arguments)
        except RuntimeError:
            raise JournalFailed("the journal is closed") from None
        running.add_done_callback(lambda done: done.cancelled() or done.exception())
        return asyncio.shield(running)


def _stream(spool: SpoolFile) -> Any:
    return FileReader(spool.fd)
