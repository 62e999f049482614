"""Guesses at passwords: how often one network may fail before it waits."""

from collections import OrderedDict, deque

WINDOW = 600.0
"""Seconds in which failed log-ins are counted."""

BLOCK = 600.0
"""Seconds that a network waits once it has failed too often: a guesser gets some 100 tries an hour; a user whose
program has an old password is back within a coffee."""

DELAY_STEP = 0.5
DELAY_MOST = 4.0
"""Seconds that a failed log-in waits for its answer: more with each failure in the window, less than clients'
patience."""

MAX_NETWORKS = 20_000
"""Networks with failures that are remembered, about 400 bytes each; the quietest are forgotten first."""


class FailedLogins:
    """Failed log-ins by network. `now` is any clock that does not go back."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._blocked: OrderedDict[str, float] = OrderedDict()

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
                self._blocked.popitem(last=False)
        elif len(self._failures) > MAX_NETWORKS:
            self._failures.popitem(last=False)
        return min(DELAY_STEP * count, DELAY_MOST)
