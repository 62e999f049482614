"""`/v1/wait`: wait for a mail, on the server's side, without polling. What test suites in any language need.

First we listen, then we look, then we wait for what we hear: a mail that comes between is not missed. What happened
while the bus was away is made good by a look when it is back. Services that restart meanwhile are waited for as well:
only at the end is it told that they were away.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from barid_contracts.directory import RESOLVE, ResolveRequest
from barid_contracts.queue import CAPTURED, Captured, CapturedItem
from barid_contracts.store import ACCOUNT_CHANGED, FIND, FindRequest
from barid_runtime.bus.port import BusError, BusUnavailable, DeadlineExceeded, NoResponders, Subscription
from barid_runtime.metrics import Metrics

from ..policy.waiting import Wanted
from .captured import entry, walk
from .desk import Desk
from .messages import AfterFilter, MessageIdFilter, SenderFilter, SubjectFilter, after_of, told
from .problems import Refusal, wrong
from .shapes import quoted, says_no

WITHIN_USUAL = 10.0
WITHIN_MOST = 300.0
"""Seconds: proxies and clients give up on connections that are silent for longer."""

WAITING_MOST = 1000
"""Who may wait at a time: each holds a connection and a subscription."""

PAUSE = 0.01
"""Seconds after a look in vain: an account that gets mail all the time is not looked at all the time."""

TROUBLE_PAUSE = 0.2
"""Seconds between two looks while somebody who must be asked is away: restarts are quick."""

LOOKED_AT = 200
"""The newest matching messages among which the first after `after` is chosen."""


_waiting = Metrics("admin").gauge("waiting", "Requests that wait for a mail")


class Arrival(BaseModel):
    """A mail that came. where: `mailbox`, with account, mailbox and uid; or `captured`. raw: where its bytes are.
    Give `mail_id` as `after` to wait for the next one."""

    where: Literal["mailbox", "captured"]
    mail_id: str
    address: str
    subject: str
    message_id: str
    size: int
    date: datetime
    raw: str
    account: str | None = None
    mailbox: str | None = None
    mailbox_id: int | None = None
    uid: int | None = None


_PASSING = (BusUnavailable, NoResponders, DeadlineExceeded)


class _Wait:
    """One who waits. `ring` is set whenever it is worth looking again."""

    def __init__(self, desk: Desk, to: str, wanted: Wanted) -> None:
        self._desk = desk
        self._to = to
        self._wanted = wanted
        self._resolved = False
        self._accounts: dict[str, str] = {}
        self._elsewhere: set[str] = set()
        self._heard: CapturedItem | None = None
        self._listening: dict[str, Subscription] = {}
        self.ring = asyncio.Event()

    async def listen(self) -> None:
        """Find out where mail to the address goes, and listen there. What was done is not done again."""
        if not self._resolved:
            await self._resolve()
        for account in self._accounts:
            await self._subscribe(ACCOUNT_CHANGED.subject_for(account=account), self._on_change)
        if self._elsewhere:
            await self._subscribe(CAPTURED.subject, self._on_captured)

    async def _resolve(self) -> None:
        found = (await self._desk.ask(RESOLVE, ResolveRequest(addresses=[self._to]))).resolutions[0]
        if found.status in ("unknown", "loop"):
            raise wrong("to", f"no mail can come to {self._to}: /v1/explain/{quoted(self._to)} says why")
        self._accounts = {target.account: target.address for target in found.targets if target.account is not None}
        self._elsewhere = {target.address.lower() for target in found.targets if target.kind == "remote"}
        if found.status == "remote":
            self._elsewhere.add(found.address.lower())
        self._resolved = True

    async def _subscribe(self, subject: str, listener: Callable[[bytes], Awaitable[None]]) -> None:
        if subject not in self._listening:
            self._listening[subject] = await self._desk.bus.subscribe(subject, listener)

    async def _on_change(self, payload: bytes) -> None:
        self.ring.set()

    async def _on_captured(self, payload: bytes) -> None:
        for item in Captured.model_validate_json(payload).items:
            if self._heard is None and item.address.lower() in self._elsewhere and self._wanted.matches(item):
                self._heard = item
                self.ring.set()

    async def end(self) -> None:
        for subscription in self._listening.values():
            await subscription.drain()

    async def look(self) -> Arrival | None:
        """The first after `after`, or else the newest, in mailboxes and among what was captured."""
        found: list[Arrival] = []
        for account, address in self._accounts.items():
            found += await self._filed(account, address)
        if self._heard is not None:
            found.append(_captured(self._heard))
        else:
            for address in self._elsewhere:
                found += [
                    _captured(item)
                    async for item in walk(self._desk, address, self._wanted.subject)
                    if self._wanted.matches(item)
                ]
        if not found:
            return None
        choose = min if self._wanted.after.given else max
        return choose(found, key=lambda arrival: arrival.mail_id)

    async def _filed(self, account: str, address: str) -> list[Arrival]:
        wanted = self._wanted
        request = FindRequest(
            account=account,
            subject=wanted.subject,
            sender=wanted.sender,
            message_id=wanted.message_id,
            since=wanted.after.seconds,
            limit=LOOKED_AT if wanted.after.given else 1,
        )
        reply = await self._desk.ask(FIND, request)
        return [
            Arrival(where="mailbox", **told(item, address, account).model_dump())
            for item in reply.found
            if wanted.after.admits(item.mail_id)
        ]


def _captured(item: CapturedItem) -> Arrival:
    told = entry(item).model_dump(exclude={"n", "reverse_path", "at"})
    return Arrival(where="captured", date=entry(item).at, **told)


class Waiting:
    """All who wait now."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waits: set[_Wait] = set()
        desk.bus.on_reconnect(self._wake)

    async def _wake(self) -> None:
        for wait in self._waits:
            wait.ring.set()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def arrival(self, to: str, wanted: Wanted, within: float) -> Arrival | None:
        """None: not in time. Raises Refusal, and BusError when nobody could be asked until the end."""
        if len(self._waits) >= WAITING_MOST:
            raise Refusal("unavailable", f"{WAITING_MOST} requests wait already")
        wait = _Wait(self._desk, to, wanted)
        self._waits.add(wait)
        _waiting.set(len(self._waits))
        until = self._now() + within
        try:
            while True:
                wait.ring.clear()
                trouble: BusError | None = None
                try:
                    await wait.listen()
                    if (found := await wait.look()) is not None:
                        return found
                except _PASSING as error:
                    trouble = error
                if self._desk.closing.is_set():
                    raise Refusal("unavailable", "the service is stopping; ask again")
                if self._now() >= until:
                    if trouble is not None:
                        raise trouble
                    return None
                await asyncio.sleep(min(PAUSE if trouble is None else TROUBLE_PAUSE, until - self._now()))
                if trouble is None:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout_at(until):
                            await wait.ring.wait()
        finally:
            self._waits.discard(wait)
            _waiting.set(len(self._waits))
            await wait.end()

    async def close(self) -> None:
        """Whoever waits is told so now."""
        self._desk.closing.set()
        await self._wake()


async def gone(request: Request) -> None:
    """Until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def routes(desk: Desk, waiting: Waiting) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["messages"])

    @router.get("/wait", responses=says_no("not-in-time"))
    async def wait_for_mail(
        request: Request,
        to: Annotated[str, Query(min_length=3, max_length=254, description="the recipient, here or elsewhere")],
        subject: SubjectFilter = None,
        sender: SenderFilter = None,
        message_id: MessageIdFilter = None,
        after: AfterFilter = None,
        within: Annotated[float, Query(ge=0, le=WITHIN_MOST, description="seconds")] = WITHIN_USUAL,
    ) -> Arrival:
        """Wait for a mail: the newest that fits, now or as soon as it comes; with `after`, the first after that"""
        wanted = Wanted(subject, sender, message_id, after_of(after))
        arriving = asyncio.ensure_future(waiting.arrival(to, wanted, within))
        leaving = asyncio.ensure_future(gone(request))
        try:
            await asyncio.wait((arriving, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            arriving.cancel()
            await asyncio.wait((arriving, leaving))
        # Cancelled: the client hung up, and hears nothing of what follows.
        found = None if arriving.cancelled() else arriving.result()
        if found is None:
            raise Refusal("not-in-time", f"no such mail to {to} within {within:g} s")
        return found

    return router
