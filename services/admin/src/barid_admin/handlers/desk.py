"""What every resource has at hand."""

import asyncio
from typing import TypeVar

from barid_contracts.base import Message, Operation
from barid_contracts.directory import ACCOUNT_GET, Account, AccountLookup
from barid_runtime.bus.port import DEFAULT_DEADLINE, Bus
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock
from barid_runtime.journal.port import BodyReader

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class Desk:
    """closing: set when the service drains, so that those who wait are told at once."""

    def __init__(self, bus: Bus, bodies: BodyReader, clock: Clock) -> None:
        self.bus = bus
        self.bodies = bodies
        self.clock = clock
        self.closing = asyncio.Event()

    async def ask(self, operation: Operation[Q, A], request: Q, *, timeout: float = DEFAULT_DEADLINE) -> A:
        """Raises BusError, which becomes a problem."""
        return await call(self.bus, operation, request, timeout=timeout)

    async def account(self, address: str) -> Account:
        """By the address that it logs in with. Raises OperationFailed `not_found`."""
        return await self.ask(ACCOUNT_GET, AccountLookup(address=address))
