"""A service is an object that runs on an event loop; who decides how many share a process is the supervisor."""

from typing import Protocol


class Service(Protocol):
    """The life of a service. `start` opens its doors and its listeners; `drain` ends it in order."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None:
        """Returns when it is ready for work. Raises when it can't be (the supervisor tries again)."""

    async def drain(self) -> None:
        """Take no new work, finish what was begun, close the doors. Idempotent."""

    def checks(self) -> dict[str, str]:
        """What readiness depends on: name → `ok`, or what is wrong, in words without secrets."""

    def ports(self) -> dict[str, int]:
        """Listeners by name (`smtp`, `imaps`, …) and the ports they got."""
