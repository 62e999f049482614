"""The relays that work on one queue, as each of them sees the others. Raises DatabaseError."""

from typing import Protocol


class Replicas(Protocol):
    @property
    def id(self) -> str:
        """Ours."""

    async def beat(self, seconds: float) -> list[str]:
        """We live for some seconds more, by the database's time. Who lives, ourselves included."""

    async def leave(self) -> None:
        """We are gone: others need not wait until our time has passed."""
