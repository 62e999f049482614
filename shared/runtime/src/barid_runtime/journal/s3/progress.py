"""How far packs are published. A pack is one batch, so all that is kept of it is whether it is done: its local copy
then moves to `kept/`, and what a crash leaves outside of it is published again."""

from collections.abc import Callable

from .. import record


class PackProgress:
    """done: hears a pack's name once all that is owed in it was published."""

    def __init__(self, done: Callable[[str], None]) -> None:
        self._done = done
        self._packs: dict[str, _Pack] = {}

    def begin(self, pack: str, start: int, end: int) -> None:
        self._packs[pack] = _Pack(start, end)

    def finish(self, pack: str, start: int, end: int) -> None:
        at = self._packs.get(pack)
        if at is not None and at.finish(start, end):
            del self._packs[pack]
            self._done(pack)

    def is_done(self, folder: str) -> bool:
        begins = f"{folder}/"
        return not any(pack.startswith(begins) for pack in self._packs)

    def forget(self, folder: str) -> None:
        begins = f"{folder}/"
        for pack in [pack for pack in self._packs if pack.startswith(begins)]:
            del self._packs[pack]

    def write(self) -> None:
        """Nothing waits to be written."""


class _Pack:
    """Stretches are finished in any order; done when they meet from start to end."""

    __slots__ = ("_ahead", "at", "end")

    def __init__(self, start: int, end: int) -> None:
        self.at = max(start, record.PACK_HEADER)
        self.end = end
        self._ahead: dict[int, int] = {}

    def finish(self, start: int, end: int) -> bool:
        self._ahead[start] = end
        while (onward := self._ahead.pop(self.at, None)) is not None:
            self.at = onward
        return self.at >= self.end
