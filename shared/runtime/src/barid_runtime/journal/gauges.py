"""What an operator watches of a journal and its publisher."""

from ..metrics import Metrics
from .batch import Committed
from .followed import Journal
from .publisher import Publisher


def expose(metrics: Metrics, journal: Journal, publisher: Publisher) -> None:
    """Register them under the service's name. Once a journal; costs 1 µs a batch."""
    batches = metrics.sizes("journal_batch_mails", "Mails that shared a sync.")

    def observe(committed: Committed) -> None:
        batches.observe(len(committed.mails))

    journal.listen(observe)
    metrics.gauge("journal_mails", "Mails made durable since start.", value=lambda: journal.appended)
    metrics.gauge(
        "journal_trouble", "1 while the journal can't take mail, or could not.", value=lambda: bool(journal.problem)
    )
    metrics.gauge(
        "journal_backlog_mails",
        "Mails durable here that the bus does not know of yet.",
        value=lambda: publisher.backlog,
    )
    metrics.gauge(
        "journal_published_mails", "Mails that the bus has taken since start.", value=lambda: publisher.published
    )
