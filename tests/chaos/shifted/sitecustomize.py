"""Loaded by Python at its start where PYTHONPATH leads here: `time.time` is what the machine says, and what clocks.py
adds for this process, at once. Time that only goes on (`time.monotonic`, event loops) is left alone, as by a real step
of the clock; so is the time by which requests to the object store are signed."""

import mmap
import os
import struct
import time

_SECONDS = struct.Struct("d")


def _shift() -> None:
    with open(os.environ["CHAOS_CLOCKS"], "rb") as file:
        offsets = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    now, getpid, read, size = time.time, os.getpid, _SECONDS.unpack_from, _SECONDS.size

    def shifted() -> float:
        return now() + float(read(offsets, getpid() * size)[0])

    time.time = shifted
    time.time_ns = lambda: int(shifted() * 1_000_000_000)


if "CHAOS_CLOCKS" in os.environ:
    _shift()
