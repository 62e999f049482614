"""What an operator watches of a journal and its publisher: of every service that has one, by its name."""

import os
from pathlib import Path

from ..metrics import Metrics
from .batch import Committed
from .followed import Journal
from .publisher import Publisher

_metrics = Metrics("journal")
_OF = ["service"]
_batches = _metrics.sizes("batch_mails", "Mails that shared a sync, or a PUT", _OF)
_mails = _metrics.told("mails", "Mails made durable", _OF)
_published = _metrics.told("published_mails", "Mails that the bus has taken", _OF)
_backlog = _metrics.gauge("backlog_mails", "Mails durable here that the bus does not know of yet", _OF)
_trouble = _metrics.gauge("trouble", "1 while the journal can't take mail, or could not the last time", _OF)
_puts = _metrics.seconds("put", "From the first try of a PUT to its success", _OF)
_retries = _metrics.told("put_retries", "Tries of PUTs that failed and were followed by another", _OF)
_failures = _metrics.told("put_failures", "PUTs given up: their mail was refused", _OF)
_free = _metrics.gauge("disk_free_bytes", "Free where the journal's local directory is, for who is not root", _OF)
_size = _metrics.gauge("disk_size_bytes", "Size of the file system where the journal's local directory is", _OF)


def expose(journal: Journal, publisher: Publisher, root: Path) -> None:
    """Of this journal from now on, in place of one that its service had before. Costs 1 µs a batch."""
    service = journal.writer
    batches = _batches.labels(service)

    def observe(committed: Committed) -> None:
        batches.observe(len(committed.mails))

    journal.listen(observe)
    _mails.by(service, value=lambda: journal.appended)
    _published.by(service, value=lambda: publisher.published)
    _backlog.labels(service).set_function(lambda: publisher.backlog)
    _trouble.labels(service).set_function(lambda: bool(journal.problem))
    _free.labels(service).set_function(lambda: _disk(root)[0])
    _size.labels(service).set_function(lambda: _disk(root)[1])
    puts = journal.puts
    if puts is not None:
        puts.observe = _puts.labels(service).observe
        _retries.by(service, value=lambda: puts.retries)
        _failures.by(service, value=lambda: puts.failures)


def _disk(root: Path) -> tuple[float, float]:
    """Free and all. The directory is made by the first append; until then what is above it says the same."""
    for path in (root, *root.parents):
        try:
            found = os.statvfs(path)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    return float("nan"), float("nan")
