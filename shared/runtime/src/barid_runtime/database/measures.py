"""What an operator watches of a service's database, by its name (schema, or file). A few µs a transaction."""

from collections.abc import Callable

from ..metrics import Metrics

_metrics = Metrics("database")
_OF = ["database"]
_transactions = _metrics.seconds("transaction", "From the begin of a writing transaction to its commit", _OF)
_works = _metrics.sizes("transaction_works", "Works that shared a writing transaction", _OF)
_pool_waits = _metrics.seconds("pool_wait", "Waiting for a connection that reads (PostgreSQL)", _OF)
_retries = _metrics.counter("retries", "Transactions run again: lost to another replica, or with the connection", _OF)
_unknown = _metrics.counter("unknown_outcomes", "Connections lost at COMMIT: whoever asked asks again", _OF)
_connected = _metrics.gauge("connected", "1 while the connection that writes is there (PostgreSQL)", _OF)


class Measures:
    """Bound to one database."""

    __slots__ = ("_name", "pool_wait", "retries", "transaction", "unknown", "works")

    def __init__(self, name: str) -> None:
        self._name = name
        self.transaction = _transactions.labels(name).observe
        self.works = _works.labels(name).observe
        self.pool_wait = _pool_waits.labels(name).observe
        self.retries = _retries.labels(name).inc
        self.unknown = _unknown.labels(name).inc

    def watch(self, connected: Callable[[], bool]) -> None:
        """Asked at each scrape from now on."""
        _connected.labels(self._name).set_function(connected)
