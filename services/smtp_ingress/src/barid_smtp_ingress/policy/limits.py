"""How much of us one network may take: connections at a time."""

from barid_protocols.smtp import Reply

from . import replies


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
