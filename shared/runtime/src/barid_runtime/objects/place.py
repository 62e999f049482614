"""Which bucket, and how it is used. No driver is imported for it."""

from dataclasses import dataclass, field
from pathlib import Path

WINDOW = 0.1
"""Seconds that mail is gathered for one PUT: at $5 a million PUTs, $130 a month and writer at most."""

PACK_BYTES = 8 * 1024 * 1024
"""Bytes that make a PUT go before its window is over: 45 ms of it are the bytes, so more would gain little."""

KEEP = 900.0
"""Seconds that the local copy of a pack stays. Many stores answer before the object is on any disk; what they lose,
they lose within the minutes of a restart."""

KEEP_MOST = 3600.0
"""Seconds: nothing in the bucket is deleted younger than twice this, so that no copy brings a deleted pack back."""

PUT_SECONDS = 120.0
"""Seconds that a PUT is tried again before its mail is refused: a store that restarts is back by then, and clients wait
ten minutes for the answer to DATA (RFC 5321 §4.5.3.2.6)."""

PUT_MARGIN = 60.0
"""Seconds beyond the deadline of a PUT before its pack is looked at by others: by then it is marked if it was refused,
also where the store's clock and ours differ, or its writer stood still for a while."""

PUTS = 4
"""PUTs of a process under way at once: at 50 ms each, eighty a second."""

CACHE = 64 * 1024 * 1024
"""Bytes of bodies that were read lately, kept in memory."""


@dataclass(frozen=True, slots=True)
class S3Place:
    """url: scheme, host and port. window, keep, put_seconds, put_margin: seconds; keep 0 keeps no copies.
    ca: PEM of the authorities that are trusted instead of the system's."""

    url: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = "us-east-1"
    window: float = WINDOW
    pack_bytes: int = PACK_BYTES
    keep: float = KEEP
    put_seconds: float = PUT_SECONDS
    puts: int = PUTS
    cache: int = CACHE
    put_margin: float = PUT_MARGIN
    ca: Path | None = None
