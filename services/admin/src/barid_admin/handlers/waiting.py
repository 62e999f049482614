"""`/v1/wait`: wait for a mail, on the server's side, without polling. What test suites in any language need.

First we listen, then we look, then we wait for what we hear: a mail that comes between is not missed. What happened
while the bus was away is made good by a look when it is back.
"""

import asyncio
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from barid_contracts.directory import RESOLVE, Resolution, ResolveRequest
from barid_contracts.queue import CAPTURED, Captured, CapturedItem
from barid_contracts.store import ACCOUNT_CHANGED, FIND, FindRequest
from barid_runtime.bus.port import Subscription

from ..policy.waiting import Wanted
from .captured import entry, walk
from .desk import Desk
from .messages import AfterFilter, MessageIdFilter, SenderFilter, SubjectFilter, after_of, told
from .problems import Refusal, wrong
from .shapes import says_no

WITHIN_USUAL = 10.0
WITHIN_MOST = 300.0
"""Seconds: proxies and clients give up on connections that are silent for longer."""

WAITING_MOST = 1000
"""Who may wait at a time: each holds a connection and a subscription."""

PAUSE = 0.01
"""Seconds after a look in vain: an account that gets mail all the time is not looked at all the time."""

LOOKED_AT = 200
"""The newest matching messages among which the first after `after` is chosen."""


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


class _Wait:
    """One who waits. `ring` is set whenever it is worth looking again."""

    def __init__(self, desk: Desk, wanted: Wanted, resolution: Resolution) -> None:
        self._desk = desk
        self._wanted = wanted
        self._accounts = {t.account: t.address for t in resolution.targets if t.account is not None}
        self._elsewhere = {t.address.lower() for t in resolution.targets if t.kind == "remote"}
        if resolution.status == "remote":
            self._elsewhere.add(resolution.address.lower())
        self._heard: CapturedItem | None = None
        self.ring = asyncio.Event()

    async def listen(self, listening: list[Subscription]) -> None:
        """Adds to `listening` one by one: what was begun is ended, whatever fails."""

        async def on_change(payload: bytes) -> None:
            self.ring.set()

        async def on_captured(payload: bytes) -> None:
            for item in Captured.model_validate_json(payload).items:
                if self._heard is None and item.address.lower() in self._elsewhere and self._wanted.matches(item):
                    self._heard = item
                    self.ring.set()

        bus = self._desk.bus
        for account in self._accounts:
            listening.append(await bus.subscribe(ACCOUNT_CHANGED.subject_for(account=account), on_change))
        if self._elsewhere:
            listening.append(await bus.subscribe(CAPTURED.subject, on_captured))

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

    async def arrival(self, wanted: Wanted, resolution: Resolution, within: float) -> Arrival | None:
        """None: not in time. Raises BusError, and Refusal when the service ends or too many wait."""
        if len(self._waits) >= WAITING_MOST:
            raise Refusal("unavailable", f"{WAITING_MOST} requests wait already")
        wait = _Wait(self._desk, wanted, resolution)
        listening: list[Subscription] = []
        self._waits.add(wait)
        until = self._now() + within
        try:
            await wait.listen(listening)
            while True:
                wait.ring.clear()
                found = await wait.look()
                if found is not None:
                    return found
                if self._desk.closing.is_set():
                    raise Refusal("unavailable", "the service is stopping; ask again")
                if self._now() >= until:
                    return None
                await asyncio.sleep(min(PAUSE, within))
                async with asyncio.timeout_at(until):
                    await wait.ring.wait()
        except TimeoutError:
            return None
        finally:
            self._waits.discard(wait)
            for subscription in listening:
                await subscription.drain()

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
        resolution = (await desk.ask(RESOLVE, ResolveRequest(addresses=[to]))).resolutions[0]
        if resolution.status in ("unknown", "loop"):
            raise wrong("to", f"no mail can come to {to}: /v1/explain/{to} says why")
        arriving = asyncio.ensure_future(waiting.arrival(wanted, resolution, within))
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
