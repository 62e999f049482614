"""The S3 store of a running system, as far as it can fail: between it and the services stands a proxy."""

import random
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from barid_runtime.objects.place import S3Place
from barid_runtime.objects.s3 import Bucket
from barid_testing.faulty_s3 import FaultyS3

from .bucket_estate import BUCKET

PUTS_KNOWN = 200

KNOWN_SECONDS = 1.0
"""To look for it takes some milliseconds."""


class FailingStore:
    """options: of `barid up`, so that its services go by the proxy."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._port: int | None = None
        self._known_until = 0.0
        self._lock = threading.Lock()
        self.proxy = FaultyS3(self._find)
        self.proxy.hang_seconds = 3.0

    def options(self, services: Iterable[str]) -> list[str]:
        url = f"http://127.0.0.1:{self.proxy.port}"
        return [part for each in services for part in ("--set", f"{each}.s3_url={url}")]

    def fails(self, fault: int | str, share: float, rng: random.Random) -> None:
        """From now on, for this share of requests; see FaultyS3."""
        self.proxy.fault = lambda method, path: fault if rng.random() < share else None

    def works(self) -> None:
        self.proxy.fault = lambda method, path: None

    def forget_last(self, count: int) -> list[str]:
        """The last packs that it acknowledged are gone; their keys."""
        prefix = f"/{BUCKET}/packs/"
        found = [path for method, path in self.proxy.requests[-PUTS_KNOWN:] if method == "PUT" and prefix in path]
        keys = [path.partition("?")[0].removeprefix(f"/{BUCKET}/") for path in found[-count:]]
        access, secret = (self._data / "objects" / "keys").read_text().split()
        bucket = Bucket(S3Place(f"http://127.0.0.1:{self._find()}", BUCKET, access, secret), connections=1)
        try:
            there = [key for key in keys if bucket.size(key) is not None]
            bucket.delete(there)
        finally:
            bucket.close()
        return there

    def _find(self) -> int:
        """The server's port: every start has another, which its process was told."""
        with self._lock:
            if self._port is None or time.monotonic() > self._known_until:
                self._port = self._look()
                self._known_until = time.monotonic() + KNOWN_SECONDS
            return self._port

    def _look(self) -> int:
        mine = str(self._data / "objects" / "buckets")
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                arguments = process.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if mine in arguments and "--addr" in arguments:
                return int(arguments[arguments.index("--addr") + 1].rpartition(":")[2])
        raise ConnectionRefusedError("no store")

    def __enter__(self) -> "FailingStore":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.proxy.close()
