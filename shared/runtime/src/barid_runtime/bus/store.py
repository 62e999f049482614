"""The server's JetStream store on disk: whether it is whole, and whether the server can still write to it.

A store that was not closed in order before our own start is thrown away: after a loss of power its streams may be
behind what its consumers believe to have had (it doesn't sync), and then new messages are never delivered. Nothing on
the bus is the only copy of anything: publishers go on from the journal, the reconciler gives what is owed again.
"""

import os
import re
import shutil
from pathlib import Path

IN_ORDER = "closed-in-order"
"""Stands beside the store while it is whole on disk: written after its end, removed before its start."""

_STORE_TROUBLE = re.compile(rb"write error|failed to store|no space left", re.IGNORECASE)
_LOG_READ = 1 << 20
"""Octets of new log that are looked through at most."""


class Store:
    """data: the server's folder, with its store and its log. All of it blocks."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._log = data / "nats.log"
        self._log_seen = 0
        self._ran = False

    def open(self) -> None:
        """Before each start of the server."""
        store = self._data / "jetstream"
        mark = self._data / IN_ORDER
        if not self._ran and store.exists() and not mark.exists():
            shutil.rmtree(store)
        mark.unlink(missing_ok=True)
        _sync(self._data)
        self._ran = True

    def close(self) -> None:
        """After the server's end in order. The mark must not reach the disk before what it vouches for."""
        for path in (self._data / "jetstream").rglob("*"):
            _sync(path)
        mark = self._data / IN_ORDER
        mark.touch()
        _sync(mark)
        _sync(self._data)

    def look_from_here(self) -> None:
        """What the log says of earlier runs is no news."""
        self._log_seen = self._log_size()

    def failed(self) -> bool:
        """Whether the server has complained since the last question that it could not store something.

        A stream whose file met a write error (a full disk) takes nothing more until the server is started again, even
        when there is room by then; publishers just get no answer. The server tells it nowhere but in its log.
        """
        size = self._log_size()
        if size < self._log_seen:  # it began a new log
            self._log_seen = 0
        if size == self._log_seen:
            return False
        try:
            with open(self._log, "rb") as log:
                log.seek(max(self._log_seen, size - _LOG_READ))
                news = log.read(_LOG_READ)
        except OSError:
            return False
        self._log_seen = size
        return _STORE_TROUBLE.search(news) is not None

    def log_tail(self) -> str:
        """For who says why the server did not start."""
        try:
            return " | ".join(self._log.read_text(errors="replace").splitlines()[-3:])
        except OSError:
            return "no log"

    def _log_size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0


def _sync(path: Path) -> None:
    """A file's content, or a folder's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
