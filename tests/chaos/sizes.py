"""Both sizes, as far as chaos differs in them: options, what is read afterwards, how long things take."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .bucket_estate import BucketAndTables
from .estate import Estate, Files

QUICK = (
    *("--set", "mailstore.reconcile_seconds=1", "--set", "mailstore.reconcile_grace=2"),
    *("--set", "mailstore.reconcile_grace_at_start=1"),
    *("--set", "relay.retry_first=1", "--set", "relay.retry_most=2"),
)
"""The reconciler looks often and the relay tries again soon: what a killed process left is done while a test waits."""

PUT_SECONDS = 12
PUT_MARGIN = 4
"""Together more than any process stands still (ruin.STANDSTILL): a writer that sleeps longer over a PUT may
refuse what others have delivered. No body is lost by it, but its sender, who tries again, has the mail twice."""

LEASE_SECONDS = 6
"""Less than a process stands still, so that another relay takes over what it has in hand."""

WRITERS = ("smtp_ingress", "mss", "relay", "mailstore")

QUICK_CLUSTER = (
    *QUICK,
    *("--size", "cluster", "--set", f"relay.lease_seconds={LEASE_SECONDS}"),
    *[part for each in WRITERS for part in ("--set", f"{each}.s3_put_seconds={PUT_SECONDS}")],
    *("--set", f"mailstore.s3_put_margin={PUT_MARGIN}"),
)


@dataclass(frozen=True, slots=True)
class Size:
    """quiet_within: seconds. A bus that held messages for a process that was killed gives them to another after 5, a
    lease ends at the relay's next start or runs out, the reconciler looks every second, at packs of a bucket when their
    PUT is surely over."""

    name: str
    options: tuple[str, ...]
    estate: Callable[[Path], Estate]
    quiet_within: float

    def __str__(self) -> str:
        return self.name


EMBEDDED = Size("embedded", QUICK, Files, 45.0)
CLUSTER = Size("cluster", QUICK_CLUSTER, BucketAndTables, 45.0 + PUT_SECONDS + PUT_MARGIN)

SIZES = (EMBEDDED, CLUSTER)


@contextmanager
def open_folder() -> Iterator[Path]:
    """One that is open to the user that root's PostgreSQL runs as; pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="barid-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)
