"""How much of us one network or account may take: sessions at a time."""

from collections.abc import Hashable


class Places:
    """Places taken, in sum and by key. `take` and `leave` come in pairs, unless `take` refused."""

    __slots__ = ("_count", "_each", "_overall", "total")

    def __init__(self, *, each: int, overall: int | None = None) -> None:
        self._each = each
        self._overall = overall
        self._count: dict[Hashable, int] = {}
        self.total = 0

    def take(self, key: Hashable, *, limited: bool = True) -> bool:
        """limited: the key's own limit counts."""
        if self._overall is not None and self.total >= self._overall:
            return False
        count = self._count.get(key, 0)
        if limited and count >= self._each:
            return False
        self._count[key] = count + 1
        self.total += 1
        return True

    def leave(self, key: Hashable) -> None:
        self.total -= 1
        count = self._count[key] - 1
        if count:
            self._count[key] = count
        else:
            del self._count[key]
