"""`/v1/captured`: mail for other domains that was kept instead of sent."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from barid_contracts.base import Empty
from barid_contracts.queue import CAPTURED_CLEAR, CAPTURED_LIST, CapturedItem, CapturedRequest

from .desk import Desk
from .problems import Refusal
from .raw import RAW, raw
from .shapes import PAGE_USUAL, Changed, Cursor, Limit, MailIdInPath, after, moment, next_cursor, says_no

LISTING = "captured"

WALK_PAGE = 500
WALK_MOST = 20_000
"""Captured mails looked at for one; a test suite has hundreds."""


class CapturedEntry(BaseModel):
    """address: the recipient. size: bytes of the message. raw: where its bytes are."""

    mail_id: str
    n: int
    reverse_path: str
    address: str
    at: datetime
    subject: str
    message_id: str
    size: int
    raw: str


class CapturedPage(BaseModel):
    items: list[CapturedEntry]
    next: str | None = None


def entry(item: CapturedItem) -> CapturedEntry:
    return CapturedEntry(
        **item.model_dump(exclude={"at", "trace", "ref"}),
        at=moment(item.at),
        raw=f"/v1/captured/{item.mail_id}/raw",
    )


async def walk(desk: Desk, address: str | None, subject: str | None) -> AsyncIterator[CapturedItem]:
    """All captured mails, in the relay's order, at most WALK_MOST."""
    begin: str | None = None
    for _ in range(0, WALK_MOST, WALK_PAGE):
        request = CapturedRequest(after=begin, limit=WALK_PAGE, address=address, subject=subject)
        page = await desk.ask(CAPTURED_LIST, request)
        for item in page.items:
            yield item
        if page.next is None:
            return
        begin = page.next


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1/captured", tags=["captured"])

    @router.get("", responses=says_no())
    async def list_captured(
        address: Annotated[str | None, Query(max_length=254, description="only to this recipient")] = None,
        subject: Annotated[str | None, Query(max_length=998, description="part of the subject")] = None,
        cursor: Cursor = None,
        limit: Limit = PAGE_USUAL,
    ) -> CapturedPage:
        """List captured mail"""
        request = CapturedRequest(after=after(LISTING, cursor), limit=limit, address=address, subject=subject)
        page = await desk.ask(CAPTURED_LIST, request)
        return CapturedPage(items=[entry(item) for item in page.items], next=next_cursor(LISTING, page.next))

    @router.get("/{mail_id}/raw", response_class=StreamingResponse, responses={**RAW, **says_no("not-found")})
    async def get_captured(mail_id: MailIdInPath) -> StreamingResponse:
        """The bytes of a captured mail"""
        async for item in walk(desk, None, None):
            if item.mail_id == mail_id:
                return await raw(desk.bodies, item.trace, item.ref)
        raise Refusal("not-found", "no such mail was captured")

    @router.delete("", responses=says_no())
    async def clear_captured() -> Changed:
        """Forget all captured mail"""
        return Changed(changed=(await desk.ask(CAPTURED_CLEAR, Empty(), timeout=30)).changed)

    return router
