"""`/v1/messages` and an account's messages: what was filed, and the bytes of it."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from barid_contracts.directory import RESOLVE, ResolveRequest
from barid_contracts.store import FIND, SUMMARIES, FindRequest, Found, SummariesRequest
from barid_contracts.trace import MAILSTORE_TRACE, TraceRequest
from barid_runtime.bus.port import BusUnavailable, NoResponders

from ..policy.waiting import After, accepted_at, parse_after
from .captured import walk
from .desk import Desk
from .problems import Refusal, wrong
from .raw import RAW, raw
from .shapes import NUMBER_MOST, AddressInPath, Limit, MailIdInPath, quoted, says_no

FOUND_MOST = 1000
"""Messages that the mailstore looks through for one, newest first."""

SubjectFilter = Annotated[str | None, Query(max_length=998, description="part of the subject, any case")]
SenderFilter = Annotated[
    str | None, Query(alias="from", max_length=254, description="part of the reverse path or the From field")
]
MessageIdFilter = Annotated[str | None, Query(max_length=998, description="part of the Message-ID field")]
AfterFilter = Annotated[
    str | None, Query(max_length=64, description="a mail id (exclusive), an RFC 3339 time, or seconds since the epoch")
]


class Message(BaseModel):
    """A message in a mailbox. size: bytes as clients see it. date: its INTERNALDATE. raw: where its bytes are."""

    mail_id: str
    address: str
    account: str
    mailbox: str
    mailbox_id: int
    uid: int
    subject: str
    message_id: str
    size: int
    date: datetime
    raw: str


class Messages(BaseModel):
    items: list[Message]


def told(found: Found, address: str, account: str) -> Message:
    return Message(
        **found.model_dump(exclude={"date"}),
        date=datetime.fromtimestamp(found.date, UTC),
        address=address,
        account=account,
        raw=f"/v1/accounts/{quoted(address)}/messages/{found.mailbox_id}/{found.uid}/raw",
    )


def after_of(text: str | None) -> After:
    try:
        return parse_after(text or "")
    except ValueError as error:
        raise wrong("after", str(error)) from None


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["messages"])

    async def filed(account: str, mailbox: int, uid: int) -> StreamingResponse | None:
        request = SummariesRequest(account=account, mailbox=mailbox, uids=[uid], fields=["body"])
        rows = (await desk.ask(SUMMARIES, request)).rows
        if not rows or rows[0].ref is None:
            return None
        return await raw(desk.bodies, rows[0].prefix, rows[0].ref)

    @router.get("/accounts/{address:segment}/messages", responses=says_no("not-found"))
    async def find_messages(
        address: AddressInPath,
        subject: SubjectFilter = None,
        sender: SenderFilter = None,
        message_id: MessageIdFilter = None,
        mailbox: Annotated[str | None, Query(max_length=255, description="only in this mailbox")] = None,
        after: AfterFilter = None,
        limit: Limit = 20,
    ) -> Messages:
        """Find an account's messages, newest first"""
        begin = after_of(after)
        account = await desk.account(address)
        request = FindRequest(
            account=account.id,
            subject=subject,
            sender=sender,
            message_id=message_id,
            mailbox=mailbox,
            since=begin.seconds,
            limit=limit,
        )
        reply = await desk.ask(FIND, request)
        found = [item for item in reply.found if begin.admits(item.mail_id)]
        return Messages(items=[told(item, account.address, account.id) for item in found])

    @router.get(
        "/accounts/{address:segment}/messages/{mailbox_id}/{uid}/raw",
        response_class=StreamingResponse,
        responses={**RAW, **says_no("not-found")},
    )
    async def get_message(
        address: AddressInPath,
        mailbox_id: Annotated[int, Path(ge=0, le=NUMBER_MOST)],
        uid: Annotated[int, Path(ge=1, le=2**32 - 1)],
    ) -> StreamingResponse:
        """The bytes of a message in a mailbox"""
        account = await desk.account(address)
        found = await filed(account.id, mailbox_id, uid)
        if found is None:
            raise Refusal("not-found", f"{account.address} has no message {uid} in that mailbox")
        return found

    @router.get(
        "/messages/{mail_id}/raw",
        response_class=StreamingResponse,
        responses={**RAW, **says_no("not-found")},
    )
    async def get_mail(mail_id: MailIdInPath) -> StreamingResponse:
        """The bytes of a mail by our id: a copy that was filed, or what was captured"""
        trace = await desk.ask(MAILSTORE_TRACE, TraceRequest(mail_id=mail_id))
        addresses = list(dict.fromkeys(step.address for step in trace.steps if step.what == "filed" and step.address))
        resolved = (await desk.ask(RESOLVE, ResolveRequest(addresses=addresses))).resolutions if addresses else []
        accounts = dict.fromkeys(target.account for found in resolved for target in found.targets if target.account)
        since = accepted_at(mail_id) // 1000
        for account in accounts:
            reply = await desk.ask(FIND, FindRequest(account=account, since=since, limit=FOUND_MOST))
            for found in reply.found:
                if found.mail_id == mail_id and (copy := await filed(account, found.mailbox_id, found.uid)):
                    return copy
        try:
            async for item in walk(desk, None, None):
                if item.mail_id == mail_id:
                    return await raw(desk.bodies, item.trace, item.ref)
        except (NoResponders, BusUnavailable):
            if not trace.steps:
                raise
        if trace.steps:
            raise Refusal("not-found", "the mail is known, but no copy of it stands in a mailbox (any more)")
        raise Refusal("not-found", "there is no such mail")

    return router
