"""What operators see of the sessions. Labels are bound once: an unbound counter costs three times as much."""

from functools import lru_cache

from barid_runtime.metrics import Counter, Histogram, Metrics


class Measures:
    def __init__(self, metrics: Metrics) -> None:
        self.sessions = metrics.gauge("sessions", "Open connections", ["protocol"])
        self.refused = metrics.counter("refused_connections", "Turned away at the door", ["protocol"])
        self.views = metrics.gauge("views", "Mailboxes whose columns are in memory")
        self._commands = metrics.counter("commands", "Commands by outcome", ["protocol", "command", "outcome"])
        self._logins = metrics.counter("logins", "Log-ins by outcome", ["protocol", "outcome"])
        self._seconds = metrics.seconds("command", "From a command's arrival to its answer", ["protocol", "command"])
        self.seconds = lru_cache(maxsize=1024)(self._seconds_of)
        self.command = lru_cache(maxsize=1024)(self._command)

    def _command(self, protocol: str, command: str, outcome: str) -> Counter:
        """`command` must be a name of ours, never what a client sent."""
        return self._commands.labels(protocol, command, outcome)

    def _seconds_of(self, protocol: str, command: str) -> Histogram:
        """As `command`. Not of those that wait for the client (IDLE, APPEND)."""
        return self._seconds.labels(protocol, command)

    def login(self, protocol: str, outcome: str) -> None:
        self._logins.labels(protocol, outcome).inc()
