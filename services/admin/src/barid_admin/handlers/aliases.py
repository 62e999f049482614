"""`/v1/aliases`: addresses that lead to others; and `/v1/explain`: where an address leads, and why."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from barid_contracts import directory
from barid_contracts.directory import (
    ALIAS_DELETE,
    ALIAS_LIST,
    ALIAS_PUT,
    EXPLAIN,
    AddressName,
    ExplainRequest,
    PageRequest,
)

from .accounts import DomainFilter
from .desk import Desk
from .domains import same_name
from .problems import Refusal
from .shapes import PAGE_USUAL, AddressInPath, Body, Cascade, Cursor, Limit, after, next_cursor, says_no

LISTING = "aliases"

TARGETS_MOST = 1000


class AliasChange(Body):
    targets: list[Annotated[str, Field(min_length=3, max_length=254)]] = Field(
        min_length=1, max_length=TARGETS_MOST, examples=[["bob@example.org", "ann@elsewhere.example"]]
    )


class Alias(BaseModel):
    """targets: addresses, here or elsewhere."""

    address: str
    targets: list[str]


class AliasPage(BaseModel):
    items: list[Alias]
    next: str | None = None


class Target(BaseModel):
    """account: the id, if it is one of ours. detail: what stood after the `+`."""

    kind: Literal["account", "remote"]
    address: str
    account: str | None
    detail: str | None


class Explanation(BaseModel):
    """steps: each rule that was tried, in order, in words. status: `local`, `remote` (not one of our domains),
    `unknown` (our domain, no such recipient) or `loop`."""

    address: str
    status: Literal["local", "remote", "unknown", "loop"]
    targets: list[Target]
    steps: list[str]


def before(address: str) -> str:
    """A text that sorts before the address with no other address between: the directory lists what comes after."""
    return address[:-1] + chr(ord(address[-1]) - 1) + "\U0010ffff"


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["aliases"])

    async def find(address: str) -> Alias:
        local, _, domain = address.rpartition("@")
        wanted = f"{local.lower()}@{same_name(domain)}"
        page = await desk.ask(ALIAS_LIST, PageRequest(after=before(wanted), limit=1))
        if not page.aliases or page.aliases[0].address != wanted:
            raise Refusal("not-found", f"there is no alias {address}")
        return Alias(**page.aliases[0].model_dump())

    @router.get("/aliases", responses=says_no())
    async def list_aliases(domain: DomainFilter = None, cursor: Cursor = None, limit: Limit = PAGE_USUAL) -> AliasPage:
        """List aliases, by address"""
        request = PageRequest(after=after(LISTING, cursor), limit=limit, domain=domain)
        page = await desk.ask(ALIAS_LIST, request)
        return AliasPage(
            items=[Alias(**alias.model_dump()) for alias in page.aliases], next=next_cursor(LISTING, page.next)
        )

    @router.get("/aliases/{address:segment}", responses=says_no("not-found"))
    async def get_alias(address: AddressInPath) -> Alias:
        """Get an alias"""
        return await find(address)

    @router.put("/aliases/{address:segment}", responses=says_no("not-found", "conflict"))
    async def put_alias(address: AddressInPath, change: AliasChange) -> Alias:
        """Make an alias, or lead it elsewhere"""
        await desk.ask(ALIAS_PUT, directory.Alias(address=address, targets=change.targets))
        return await find(address)

    @router.delete("/aliases/{address:segment}", status_code=204, responses=says_no("not-found", "conflict"))
    async def delete_alias(address: AddressInPath, cascade: Cascade = False) -> None:
        """Delete an alias"""
        await desk.ask(ALIAS_DELETE, AddressName(address=address, cascade=cascade))

    @router.get("/explain/{address:segment}", tags=["explain"], responses=says_no())
    async def explain_address(address: AddressInPath) -> Explanation:
        """Where an address leads, and by which rules"""
        reply = await desk.ask(EXPLAIN, ExplainRequest(address=address))
        found = reply.resolution
        return Explanation(
            address=found.address,
            status=found.status,
            targets=[Target(**target.model_dump()) for target in found.targets],
            steps=reply.steps,
        )

    return router
