"""`/v1/queue`: mail for other domains that waits; `/v1/held`: mail that broke its handler and waits for a decision."""

import asyncio
from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field, model_validator

from barid_contracts.directory import ACCOUNT_GET, AccountLookup
from barid_contracts.mail import Key
from barid_contracts.queue import (
    HELD_ACT,
    HELD_LIST,
    QUEUE_ACT,
    QUEUE_LIST,
    HeldAction,
    QueueAction,
    QueueListRequest,
)
from barid_runtime.bus.port import BusError

from .accounts import DomainFilter
from .desk import Desk
from .shapes import PAGE_USUAL, Body, Changed, Cursor, Limit, MailId, after, moment, next_cursor, says_no

QUEUE = "queue"
HELD = "held"

KEYS_MOST = 1000

ACT_TIMEOUT = 30.0
"""Seconds for a decision about a whole queue."""


class ObligationKey(Body):
    """One recipient of one mail."""

    mail_id: MailId
    n: int = Field(ge=0)


class Selection(Body):
    """Either keys, or all: nothing is chosen by leaving everything out."""

    keys: list[ObligationKey] | None = Field(default=None, min_length=1, max_length=KEYS_MOST)
    all: bool = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.keys is None) == (not self.all):
            raise ValueError("give keys, or all: true; one of them")
        return self

    def as_keys(self) -> list[Key] | None:
        return None if self.keys is None else [Key(mail_id=key.mail_id, n=key.n) for key in self.keys]


class QueueEntry(BaseModel):
    """state: `held` waits for an operator. due: of the next attempt."""

    mail_id: str
    n: int
    state: Literal["due", "deferred", "leased", "held"]
    reverse_path: str
    address: str
    attempts: int
    due: datetime
    queued: datetime
    last_error: str


class QueuePage(BaseModel):
    items: list[QueueEntry]
    next: str | None = None


class HeldEntry(BaseModel):
    """account: the id; address: what it logs in with, None if it is gone."""

    mail_id: str
    n: int
    account: str
    address: str | None
    reason: str
    at: datetime
    attempts: int


class HeldPage(BaseModel):
    items: list[HeldEntry]
    next: str | None = None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/queue", tags=["queue"], responses=says_no())
    async def list_queue(domain: DomainFilter = None, cursor: Cursor = None, limit: Limit = PAGE_USUAL) -> QueuePage:
        """List what waits for other domains"""
        request = QueueListRequest(after=after(QUEUE, cursor), limit=limit, domain=domain)
        page = await desk.ask(QUEUE_LIST, request)
        items = [
            QueueEntry(**item.model_dump(exclude={"due", "queued"}), due=moment(item.due), queued=moment(item.queued))
            for item in page.items
        ]
        return QueuePage(items=items, next=next_cursor(QUEUE, page.next))

    @router.post("/queue/{action}", tags=["queue"], responses=says_no())
    async def act_on_queue(
        action: Annotated[Literal["retry", "hold", "release", "bounce", "drop"], Path()], chosen: Selection
    ) -> Changed:
        """Retry now, hold, release what is held, give back to the sender, or drop without a word"""
        reply = await desk.ask(QUEUE_ACT, QueueAction(action=action, keys=chosen.as_keys()), timeout=ACT_TIMEOUT)
        return Changed(changed=reply.changed)

    async def address_of(account: str) -> str | None:
        try:
            return (await desk.ask(ACCOUNT_GET, AccountLookup(id=account))).address
        except BusError:
            return None

    @router.get("/held", tags=["held"], responses=says_no())
    async def list_held(cursor: Cursor = None, limit: Limit = PAGE_USUAL) -> HeldPage:
        """List mails that broke their handler"""
        page = await desk.ask(HELD_LIST, QueueListRequest(after=after(HELD, cursor), limit=limit))
        accounts = list({item.account for item in page.items})
        known = dict(zip(accounts, await asyncio.gather(*map(address_of, accounts)), strict=True))
        items = [
            HeldEntry(**item.model_dump(exclude={"at"}), at=moment(item.at), address=known[item.account])
            for item in page.items
        ]
        return HeldPage(items=items, next=next_cursor(HELD, page.next))

    @router.post("/held/{action}", tags=["held"], responses=says_no())
    async def act_on_held(action: Annotated[Literal["release", "discard"], Path()], chosen: Selection) -> Changed:
        """Give held mails to delivery again, or end them"""
        keys = chosen.as_keys()
        if keys is not None:
            reply = await desk.ask(HELD_ACT, HeldAction(action=action, keys=keys), timeout=ACT_TIMEOUT)
            return Changed(changed=reply.changed)
        changed, begin = 0, None
        while True:
            page = await desk.ask(HELD_LIST, QueueListRequest(after=begin, limit=KEYS_MOST))
            if page.items:
                keys = [Key(mail_id=item.mail_id, n=item.n) for item in page.items]
                changed += (await desk.ask(HELD_ACT, HeldAction(action=action, keys=keys), timeout=ACT_TIMEOUT)).changed
            if page.next is None:
                return Changed(changed=changed)
            begin = page.next

    return router
