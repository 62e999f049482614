"""Zeros before a pack's records, written by a helper thread (pack.py says what they are good for)."""

import asyncio
from concurrent.futures import Executor

from .device import Device
from .pack import WRITE_AHEAD_FROM, WRITE_AHEAD_GAP, Pack


class WriteAhead:
    """Of one lane, which has one pack at a time. step: bytes written at once. All methods run on the loop."""

    def __init__(self, device: Device, executor: Executor, pack_size: int, step: int) -> None:
        self._device = device
        self._executor = executor
        self._pack_size = pack_size
        self._step = step
        self._zeroing: asyncio.Future[None] | None = None
        self._zeroing_from = 0

    async def make_way(self, end: int) -> None:
        """Returns when records may be written up to `end`: zeros that are on their way would overwrite them."""
        if self._zeroing is not None and end > self._zeroing_from:
            await asyncio.wait([self._zeroing])

    async def rest(self) -> None:
        """Returns when no zeros are on their way."""
        if self._zeroing is not None:
            await asyncio.wait([self._zeroing])

    def go_on(self, pack: Pack) -> None:
        """Keep zeros before the records; called between batches only."""
        if (
            self._zeroing is not None
            or pack.position < WRITE_AHEAD_FROM
            or pack.zeroed - pack.position >= self._step / 2
        ):
            return
        # Where there is no room ahead yet a gap is left for the batches that will come before the zeros are written.
        start = max(pack.zeroed, pack.position + WRITE_AHEAD_GAP)
        step = min(self._step, self._pack_size - start)
        if step > 0:
            self._zeroing_from = start
            self._zeroing = asyncio.get_running_loop().run_in_executor(
                self._executor, self._device.zero, pack.fd, start, step
            )
            self._zeroing.add_done_callback(lambda done: self._zeroed(pack, start + step, done))

    def _zeroed(self, pack: Pack, end: int, done: "asyncio.Future[None]") -> None:
        self._zeroing = None
        # A disk without room for zeros is no fault of the pack: its records will find out for themselves.
        if not done.cancelled() and done.exception() is None:
            pack.zeroed = max(pack.zeroed, end)
