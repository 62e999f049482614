"""Networks that the directory lets wait, because too many log-ins from them have failed.

What a door remembers of it spares the directory a guesser's further tries, and the door a session for him. It is short,
because an operator may lift a ban meanwhile, and doors are not told.
"""

from collections import OrderedDict

REMEMBER = 10.0
"""Seconds at most."""

MAX_NETWORKS = 20_000
"""Remembered at once, about 200 bytes each; the oldest are forgotten first, which costs a question each."""


class WaitingNetworks:
    """`now` is any clock that does not go back."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def told(self, network: str, seconds: float, now: float) -> None:
        self._until[network] = now + min(seconds, REMEMBER)
        self._until.move_to_end(network)
        if len(self._until) > MAX_NETWORKS:
            self._until.popitem(last=False)

    def waits(self, network: str, now: float) -> bool:
        until = self._until.get(network)
        if until is None:
            return False
        if now < until:
            return True
        del self._until[network]
        return False
