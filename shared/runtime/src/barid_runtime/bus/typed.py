"""Contracts over the bus: models in, models out."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import ValidationError

from barid_contracts.base import Event, Message, Operation

from ..logging import get_logger
from .port import DEFAULT_DEADLINE, Bus, OperationFailed, Subscription

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

log = get_logger("bus")


async def call(bus: Bus, operation: Operation[Q, A], request: Q, *, timeout: float = DEFAULT_DEADLINE) -> A:
    """Ask and await the answer. Raises BusError; OperationFailed when the answer is a problem."""
    reply = await bus.request(operation.subject, request.model_dump_json().encode(), timeout=timeout)
    return operation.reply.model_validate_json(reply)


async def call_all(bus: Bus, event: Event[Q], request: Q, reply: type[A], *, timeout: float) -> list[A]:
    """Ask everybody who hears the event, and gather what they say within `timeout`. An answer that doesn't parse is
    left out: it would hide those of all others. Raises BusError."""
    found: list[A] = []
    for each in await bus.gather(event.subject, request.model_dump_json().encode(), timeout=timeout):
        try:
            found.append(reply.model_validate_json(each))
        except ValidationError:
            log.warning("answer not understood", subject=event.subject)
    return found


async def answer_each(bus: Bus, event: Event[Q], handler: Callable[[Q], Awaitable[Message]]) -> Subscription:
    """Answer what `call_all` asks, as one of many."""

    async def on_request(payload: bytes) -> bytes:
        return (await handler(event.body.model_validate_json(payload))).model_dump_json().encode()

    return await bus.serve(event.subject, on_request, queue="")


async def answer(
    bus: Bus, operation: Operation[Q, A], handler: Callable[[Q], Awaitable[A]], *, queue: str, concurrency: int = 256
) -> Subscription:
    """Serve an operation. A request that doesn't parse is answered `invalid`, without its content."""

    async def on_request(payload: bytes) -> bytes:
        try:
            request = operation.request.model_validate_json(payload)
        except ValidationError as error:
            raise OperationFailed("invalid", f"{error.error_count()} fields of the request are wrong") from error
        return (await handler(request)).model_dump_json().encode()

    return await bus.serve(operation.subject, on_request, queue=queue, concurrency=concurrency)


async def announce(bus: Bus, event: Event[Q], body: Q, **tokens: str) -> None:
    """Tell whoever listens now."""
    await bus.publish(event.subject_for(**tokens), body.model_dump_json().encode())


async def listen(bus: Bus, event: Event[Q], listener: Callable[[Q], Awaitable[None]], **tokens: str) -> Subscription:
    """Hear an event; tokens not given are wildcards (`account="*"`)."""

    async def on_event(payload: bytes) -> None:
        await listener(event.body.model_validate_json(payload))

    return await bus.subscribe(event.subject_for(**tokens), on_event)
