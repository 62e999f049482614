"""Metrics, thinly over prometheus_client: one place that makes names alike.

Names are `barid_<service>_<what>_<unit>`; of doors that several services have `barid_<door>_…`, with a label that says
whose; counters get `_total`. All of them stand in docs/metrics.md, which is held to what processes export. Labels are
few and bounded (an outcome, a command, a profile); never an address, an account, a peer's name or anything else that a
stranger can choose.

Price: a counter bound to its labels 0.5 µs, unbound 1.5; so bind once (`.labels(…)`) outside the hot path.
"""

from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets for how long things take, from a cached answer to a slow peer."""

SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Buckets for batches."""

FORBIDDEN_LABELS = frozenset({"address", "account", "login", "mail_id", "ip", "peer", "domain", "subject"})

__all__ = ["Counter", "Gauge", "Histogram", "Metrics"]
"""The library's kinds, for annotations: nobody else imports it."""

# A time of birth beside each counter doubles the text of a scrape, and nobody here asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call] # it has no types

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)


class Metrics:
    """The metrics of one service."""

    def __init__(self, service: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._prefix = f"barid_{service}_"
        self._registry = registry

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Counter:
        return Counter(self._prefix + name, help, _checked(labels), registry=self._registry)

    def gauge(
        self, name: str, help: str, labels: Sequence[str] = (), *, value: Callable[[], float] | None = None
    ) -> Gauge:
        """value: asked at each scrape, for what would cost to keep up to date."""
        gauge = Gauge(self._prefix + name, help, _checked(labels), registry=self._registry)
        if value is not None:
            gauge.set_function(value)
        return gauge

    def told(self, name: str, help: str, labels: Sequence[str] = ()) -> "Told":
        """A counter that somebody else counts, asked at each scrape."""
        told = Told(self._prefix + name, help, _checked(labels))
        self._registry.register(told)
        return told

    def seconds(self, name: str, help: str, labels: Sequence[str] = ()) -> Histogram:
        return Histogram(
            f"{self._prefix}{name}_seconds", help, _checked(labels), buckets=SECONDS, registry=self._registry
        )

    def sizes(self, name: str, help: str, labels: Sequence[str] = ()) -> Histogram:
        return Histogram(self._prefix + name, help, _checked(labels), buckets=SIZES, registry=self._registry)


class Told(Collector):
    """A counter whose values are asked at each scrape, by their labels. Costs nothing in between."""

    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        self._name = name
        self._help = help
        self._labels = labels
        self._values: dict[tuple[str, ...], Callable[[], float]] = {}

    def by(self, *labels: str, value: Callable[[], float]) -> None:
        """Who says it for these labels, in place of who did before."""
        assert len(labels) == len(self._labels)
        self._values[labels] = value

    def describe(self) -> Iterator[CounterMetricFamily]:
        yield CounterMetricFamily(self._name, self._help, labels=self._labels)

    def collect(self) -> Iterator[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value())
        yield family


def _checked(labels: Sequence[str]) -> Sequence[str]:
    if wrong := FORBIDDEN_LABELS & set(labels):
        raise ValueError(f"labels without bound, or personal: {', '.join(sorted(wrong))}")
    return labels


def exposition(registry: CollectorRegistry = REGISTRY) -> bytes:
    """The text that Prometheus scrapes."""
    return bytes(generate_latest(registry))
