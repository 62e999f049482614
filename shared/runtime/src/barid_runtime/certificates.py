"""The certificate that listeners show, and its renewal without a restart.

Who renews it writes new files, or turns a symbolic link to them (as Kubernetes does with a secret). A connection that
comes asks for the context, and every LOOK seconds at most the files are looked at: nothing runs in between, and a door
that nobody uses needs no new certificate. A new pair gets a context of its own, so sessions go on with what they have,
and tickets of the old one are worth nothing. A pair that can't be used (half of it is written yet, perhaps) is told to
the log once, the one before goes on, and the next change of a file is looked at again.
"""

import ssl
import time
from collections.abc import Callable
from pathlib import Path

from .logging import get_logger
from .metrics import Metrics
from .tls import TlsError, expiry_of, server_context

LOOK = 10.0
"""Seconds between two looks: two stats, some 5 µs. Certificates are renewed weeks before they expire."""

_expires = Metrics("tls").gauge(
    "certificate_expires_timestamp_seconds", "When the certificate that listeners show expires", ["service"]
)

log = get_logger("tls")

_Seen = tuple[tuple[int, int, int, int], ...]


class Certificates:
    """find: certificate and key, in PEM, asked once. service: whose listeners they are. now: a clock of seconds that
    does not go back."""

    def __init__(
        self, service: str, find: Callable[[], tuple[Path, Path]], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._find = find
        self._now = now
        self._pair: tuple[Path, Path] | None = None
        self._context: ssl.SSLContext | None = None
        self._seen: _Seen = ()
        self._looked_at = 0.0
        self._chain = b""
        self._expiry: float | None = None

    def context(self) -> ssl.SSLContext:
        """For a new connection. The first call raises TlsError if the pair can't be used; later ones raise nothing."""
        now = self._now()
        if self._context is None:
            self._pair = self._find()
            self._seen = _look(*self._pair)
            self._context = self._load(self._pair)
            self._looked_at = now
            _expires.labels(self._service).set_function(self.expires)
        elif now - self._looked_at >= LOOK:
            self._looked_at = now
            self._renew()
        return self._context

    def expires(self) -> float:
        """When the certificate that is shown expires, in epoch seconds. Looks for a new one, too."""
        self.context()
        if self._expiry is None:
            # Read when it is asked for: its price is theirs whose metrics are read.
            self._expiry = expiry_of(self._chain)
        return self._expiry

    def _renew(self) -> None:
        assert self._pair is not None
        try:
            # Seen before they are read: what changes meanwhile is another change, for the next look.
            seen = _look(*self._pair)
            if seen == self._seen:
                return
            self._seen = seen
            self._context = self._load(self._pair)
        except TlsError as error:
            log.warning("new certificate can't be used, the old one goes on", service=self._service, error=str(error))
            return
        log.info("new certificate", service=self._service, certificate=str(self._pair[0]))

    def _load(self, pair: tuple[Path, Path]) -> ssl.SSLContext:
        context = server_context(*pair)
        self._chain = pair[0].read_bytes()
        self._expiry = None
        return context


def _look(*files: Path) -> _Seen:
    """What tells a file from the one before. Of one that is gone: nothing, which is told when it is read."""
    return tuple([_stamp(file) for file in files])


def _stamp(file: Path) -> tuple[int, int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0, 0
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
