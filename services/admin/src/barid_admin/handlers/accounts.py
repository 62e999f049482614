"""`/v1/accounts`: those who log in."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from barid_contracts import directory
from barid_contracts.directory import (
    ACCOUNT_CREATE,
    ACCOUNT_DELETE,
    ACCOUNT_LIST,
    ACCOUNT_UPDATE,
    AccountUpdate,
    AddressName,
    PageRequest,
)
from barid_contracts.store import MAILBOXES, QUOTA, AccountRef

from .desk import Desk
from .shapes import (
    NUMBER_MOST,
    PAGE_USUAL,
    AddressInPath,
    Body,
    Cascade,
    Cursor,
    Limit,
    after,
    next_cursor,
    quoted,
    says_no,
)

LISTING = "accounts"

PASSWORD_BYTES = 15
"""Of a password that we make: 120 bits, 20 characters."""

PASSWORD_LEAST = 8
"""Characters: what the directory asks of anybody's choice, said here so that it stands in the description."""

Password = Annotated[str, Field(min_length=PASSWORD_LEAST, max_length=1024)]
DomainFilter = Annotated[str | None, Query(max_length=253, description="only of this domain")]


class NewAccount(Body):
    """password: left out, one is made and told in the answer. quota: bytes, 0 is without limit."""

    address: str = Field(min_length=3, max_length=254, examples=["bob@example.org"])
    password: Password | None = None
    quota: int = Field(default=0, ge=0, le=NUMBER_MOST, examples=[2_000_000_000])


class AccountChange(Body):
    """What is left out stays as it is."""

    quota: int | None = Field(default=None, ge=0, le=NUMBER_MOST)
    enabled: bool | None = None


class NewPassword(Body):
    password: Password


class Account(BaseModel):
    """id: opaque, never used again. addresses: all that lead to it alone."""

    id: str
    address: str
    quota: int
    enabled: bool
    addresses: list[str]


class MadeAccount(Account):
    """password: only if we made it; it is told this once."""

    password: str | None = None


class AccountPage(BaseModel):
    items: list[Account]
    next: str | None = None


class Mailbox(BaseModel):
    """size: bytes."""

    id: int
    name: str
    messages: int
    unseen: int
    size: int
    uidvalidity: int
    uidnext: int
    special_use: str


class Usage(BaseModel):
    """used: bytes; limit: bytes, 0 is none."""

    used: int
    messages: int
    limit: int
    mailboxes: list[Mailbox]


def told(account: directory.Account) -> Account:
    return Account(**account.model_dump())


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])

    @router.get("", responses=says_no())
    async def list_accounts(
        domain: DomainFilter = None, cursor: Cursor = None, limit: Limit = PAGE_USUAL
    ) -> AccountPage:
        """List accounts, by address"""
        request = PageRequest(after=after(LISTING, cursor), limit=limit, domain=domain)
        page = await desk.ask(ACCOUNT_LIST, request)
        return AccountPage(items=[told(account) for account in page.accounts], next=next_cursor(LISTING, page.next))

    @router.post("", status_code=201, responses=says_no("not-found", "conflict"))
    async def create_account(new: NewAccount, response: Response) -> MadeAccount:
        """Create an account"""
        password = new.password if new.password is not None else secrets.token_urlsafe(PASSWORD_BYTES)
        request = directory.AccountCreate(address=new.address, password=password, quota=new.quota)
        # The hashing of many passwords at once takes its time.
        made = await desk.ask(ACCOUNT_CREATE, request, timeout=15)
        response.headers["Location"] = f"/v1/accounts/{quoted(made.address)}"
        return MadeAccount(**made.model_dump(), password=None if new.password is not None else password)

    @router.get("/{address:segment}", responses=says_no("not-found"))
    async def get_account(address: AddressInPath) -> Account:
        """Get an account"""
        return told(await desk.account(address))

    @router.patch("/{address:segment}", responses=says_no("not-found"))
    async def update_account(address: AddressInPath, change: AccountChange) -> Account:
        """Change quota, or disable or enable"""
        request = AccountUpdate(address=address, quota=change.quota, enabled=change.enabled)
        return told(await desk.ask(ACCOUNT_UPDATE, request))

    @router.delete("/{address:segment}", status_code=204, responses=says_no("not-found", "conflict"))
    async def delete_account(address: AddressInPath, cascade: Cascade = False) -> None:
        """Delete an account with its mail"""
        await desk.ask(ACCOUNT_DELETE, AddressName(address=address, cascade=cascade))

    @router.put("/{address:segment}/password", status_code=204, responses=says_no("not-found"))
    async def set_password(address: AddressInPath, new: NewPassword) -> None:
        """Set the password"""
        await desk.ask(ACCOUNT_UPDATE, AccountUpdate(address=address, password=new.password), timeout=15)

    @router.get("/{address:segment}/usage", responses=says_no("not-found"))
    async def get_usage(address: AddressInPath) -> Usage:
        """What the account holds, by mailbox"""
        reference = AccountRef(account=(await desk.account(address)).id)
        quota = await desk.ask(QUOTA, reference)
        boxes = await desk.ask(MAILBOXES, reference)
        return Usage(
            used=quota.used,
            messages=quota.messages,
            limit=quota.limit,
            mailboxes=[Mailbox(**box.model_dump()) for box in boxes.mailboxes],
        )

    return router
