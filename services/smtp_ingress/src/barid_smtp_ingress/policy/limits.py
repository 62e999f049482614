"""How much of us one network may take: connections at a time, and guesses at passwords."""

from collections import OrderedDict, deque

from barid_protocols.smtp import Reply

from . import replies

WINDOW = 600.0
"""Seconds in which failed log-ins are counted."""

BLOCK = 600.0
"""Seconds that a network waits once it has failed too often: a guesser gets some 100 tries an hour; a user whose
program has an old password is back within a coffee."""

DELAY_STEP = 0.5
DELAY_MOST = 4.0
"""Seconds that a failed log-in waits for its 535: more with each failure in the window, less than clients' patience."""

MAX_NETWORKS = 20_000
"""Networks with failures that are remembered, about 400 bytes each; the quietest are forgotten first."""


class Connections:
    """Who is connected. `enter` and `leave` come in pairs, unless `enter` refused."""

    def __init__(self, *, overall: int, per_network: int) -> None:
        self._overall = overall
        self._per_network = per_network
        self._count: dict[str, int] = {}
        self.total = 0

    def enter(self, network: str, *, limited: bool) -> Reply | None:
        """None if there is room. limited: this network's own limit counts."""
        if self.total >= self._overall:
            return replies.BUSY
        count = self._count.get(network, 0)
        if limited and count >= self._per_network:
            return replies.TOO_MANY_CONNECTIONS
        self._count[network] = count + 1
        self.total += 1
        return None

    def leave(self, network: str) -> None:
        count = self._count[network] - 1
        self.total -= 1
        if count:
            self._count[network] = count
        else:
            del self._count[network]


class FailedLogins:
    """Failed log-ins by network. `now` is any clock that does not go back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._blocked: dict[str, float] = {}

    def blocked(self, network: str, now: float) -> bool:
        until = self._blocked.get(network)
        if until is None:
            return False
        if now < until:
            return True
        del self._blocked[network]
        return False

    def failed(self, network: str, now: float) -> float:
        """Count one; the seconds that its answer should wait."""
        failures = self._failures.setdefault(network, deque())
        self._failures.move_to_end(network)
        while failures and failures[0] <= now - WINDOW:
            failures.popleft()
        failures.append(now)
        count = len(failures)
        if count >= self._most:
            del self._failures[network]
            self._blocked[network] = now + BLOCK
            if len(self._blocked) > MAX_NETWORKS:
                del self._blocked[next(iter(self._blocked))]
        elif len(self._failures) > MAX_NETWORKS:
            self._failures.popitem(last=False)
        return min(DELAY_STEP * count, DELAY_MOST)
