"""Answers on the bus: refusals and faults of the database become problems that the asker understands."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import ValidationError

from barid_contracts.base import Message, Operation
from barid_runtime.bus.port import Answer, Bus, OperationFailed, Subscription
from barid_runtime.bus.typed import answer
from barid_runtime.database.port import DatabaseError, ValueRefused
from barid_runtime.logging import get_logger

from ..ports.errors import Refused

QUEUE = "mailstore"

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
T = TypeVar("T")

log = get_logger("mailstore")


async def refusing(work: Awaitable[T]) -> T:
    """Await `work`; raises OperationFailed for what it refuses, or can't do now."""
    try:
        return await work
    except Refused as refused:
        raise OperationFailed(refused.code, refused.text) from refused
    except ValueRefused as error:
        raise OperationFailed("invalid", str(error)) from error
    except DatabaseError as error:
        log.warning("database", error=str(error))
        raise OperationFailed("unavailable", "The mailstore can't do it now") from error


def parsed(model: type[Q], payload: bytes) -> Q:
    """The request; raises OperationFailed, without its content, if it is none."""
    try:
        return model.model_validate_json(payload)
    except ValidationError as error:
        raise OperationFailed("invalid", f"{error.error_count()} fields of the request are wrong") from error


class Serving:
    """The subscriptions of this service."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._subscriptions: list[Subscription] = []

    async def operation(self, operation: Operation[Q, A], handler: Callable[[Q], Awaitable[A]]) -> None:
        async def handle(request: Q) -> A:
            return await refusing(handler(request))

        self._subscriptions.append(await answer(self._bus, operation, handle, queue=QUEUE))

    async def raw(self, subject: str, handler: Answer) -> None:
        """For the hot path: bytes in, bytes out."""

        async def handle(payload: bytes) -> bytes:
            return await refusing(handler(payload))

        self._subscriptions.append(await self._bus.serve(subject, handle, queue=QUEUE))

    def also(self, subscription: Subscription) -> None:
        """Drain this one as well."""
        self._subscriptions.append(subscription)

    async def drain(self) -> None:
        while self._subscriptions:
            await self._subscriptions.pop().drain()
