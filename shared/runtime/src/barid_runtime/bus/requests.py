"""Requests: one inbox for all replies, and a table of those who wait for one.

nats-py's own requests wait out their timeout when the connection is lost, and cost a task and a timer more each.
"""

import asyncio
from typing import Protocol

from nats.aio.msg import Msg

from barid_contracts.base import Problem

from .port import BusUnavailable, DeadlineExceeded, NoResponders, OperationFailed
from .subscriptions import PROBLEM_HEADER


class Link(Protocol):
    """What requests need of the bus."""

    @property
    def connected(self) -> bool: ...

    async def send(
        self, subject: str, payload: bytes, reply: str = "", headers: dict[str, str] | None = None
    ) -> None: ...


class _Gathering:
    """Answers of several to one question. nobody: set when the server says that there is none to ask."""

    __slots__ = ("answers", "nobody")

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.nobody = asyncio.Event()

    def take(self, message: Msg) -> None:
        if not message.headers:
            self.answers.append(message.data)
        elif message.headers.get("Status") == "503":
            self.nobody.set()


class Requests:
    def __init__(self, link: Link, inbox: str) -> None:
        self._link = link
        self._prefix = f"{inbox}.r."
        self._next_token = 0
        self._waiting: dict[int, asyncio.Future[Msg]] = {}
        self._gathering: dict[int, _Gathering] = {}

    @property
    def replies(self) -> str:
        """The subject to listen on, with `on_reply`."""
        return self._prefix + "*"

    async def gather(self, subject: str, payload: bytes, timeout: float) -> list[bytes]:
        """See Bus.gather."""
        if not self._link.connected:
            raise BusUnavailable(f"the bus is away: {subject} not asked")
        token = self._next_token
        self._next_token = token + 1
        gathering = self._gathering[token] = _Gathering()
        try:
            await self._link.send(subject, payload, f"{self._prefix}{token}")
            async with asyncio.timeout(timeout):
                await gathering.nobody.wait()
        except TimeoutError:
            pass
        finally:
            del self._gathering[token]
        return gathering.answers

    async def ask(self, subject: str, payload: bytes, headers: dict[str, str] | None, timeout: float) -> Msg:
        if not self._link.connected:
            raise BusUnavailable(f"the bus is away: {subject} not asked")
        token = self._next_token
        self._next_token = token + 1
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Msg] = loop.create_future()
        self._waiting[token] = future
        timer = loop.call_later(timeout, self._expire, future, subject)
        try:
            await self._link.send(subject, payload, f"{self._prefix}{token}", headers)
            message = await future
        finally:
            timer.cancel()
            self._waiting.pop(token, None)
        if message.headers:
            if message.headers.get("Status") == "503":
                raise NoResponders(f"nobody serves {subject}")
            if PROBLEM_HEADER in message.headers:
                problem = Problem.model_validate_json(message.data)
                raise OperationFailed(problem.code, problem.text)
        return message

    async def on_reply(self, message: Msg) -> None:
        token = message.subject[len(self._prefix) :]
        if not token.isdecimal():
            return
        future = self._waiting.get(int(token))
        if future is not None:
            if not future.done():
                future.set_result(message)
        elif (gathering := self._gathering.get(int(token))) is not None:
            gathering.take(message)

    def fail_all(self, why: str) -> None:
        """BusUnavailable for all who wait."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(BusUnavailable(why))
        self._waiting.clear()

    @staticmethod
    def _expire(future: asyncio.Future[Msg], subject: str) -> None:
        if not future.done():
            future.set_exception(DeadlineExceeded(f"no answer to {subject} in time"))
