"""What is counted."""

from barid_runtime.metrics import Metrics

from ..ports.hosts import Fate
from ..ports.queue import STATES


class Meters:
    def __init__(self, metrics: Metrics) -> None:
        outcomes = metrics.counter("attempts", "Recipients attempted, by what became of them", ["outcome"])
        self.outcomes = {fate: outcomes.labels(fate.value) for fate in Fate}
        self.queued = metrics.counter("queued", "Recipients taken into the queue")
        self.notices = metrics.counter("notices", "Delivery status notifications made")
        self.lost_leases = metrics.counter("lost_leases", "Results that came too late to be written down")
        depth = metrics.gauge("queue_recipients", "Recipients in the queue, by state", ["state"])
        self.depth = {state: depth.labels(state) for state in STATES}
        self.overdue = metrics.gauge("queue_overdue_seconds", "How long the recipient that is due longest has been so")
        self.captured_copies = metrics.gauge("captured_copies", "Captured mail, one for each recipient")
        self.captured_bytes = metrics.gauge("captured_bytes", "Bytes of captured mail, counted for each recipient")
        self.captured_removed = metrics.counter("captured_removed", "Captured copies removed for their age or number")
        self.forgotten = metrics.counter("forgotten", "Finished mails whose ledger was pruned")
        self.workers = metrics.gauge("workers", "Workers that deliver now")
        self.transaction = metrics.seconds("transaction", "One mail to one host, from MAIL to the last reply")
