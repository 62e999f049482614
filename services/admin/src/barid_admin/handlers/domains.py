"""`/v1/domains`: the domains that are ours."""

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from barid_contracts.base import Empty
from barid_contracts.directory import DOMAIN_DELETE, DOMAIN_LIST, DOMAIN_PUT
from barid_contracts.directory import Domain as StoredDomain
from barid_contracts.directory import DomainName as StoredName

from .desk import Desk
from .problems import Refusal
from .shapes import PAGE_USUAL, Body, Cursor, Limit, after, next_cursor, says_no

LISTING = "domains"


class DomainChange(Body):
    catch_all: str | None = Field(
        default=None, max_length=254, description="gets what nobody else here gets", examples=["bob@example.org"]
    )


class Domain(BaseModel):
    name: str
    catch_all: str | None = None


class DomainPage(BaseModel):
    items: list[Domain]
    next: str | None = None


def same_name(name: str) -> str:
    """As the directory spells it: lower-case A-labels."""
    try:
        text = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        text = name
    return text.lower().removesuffix(".")


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1/domains", tags=["domains"])

    async def known() -> list[StoredDomain]:
        reply = await desk.ask(DOMAIN_LIST, Empty())
        return sorted(reply.domains, key=lambda domain: domain.name)

    async def find(name: str) -> Domain | None:
        wanted = same_name(name)
        found = next((domain for domain in await known() if domain.name == wanted), None)
        return None if found is None else Domain(name=found.name, catch_all=found.catch_all)

    @router.get("", responses=says_no())
    async def list_domains(cursor: Cursor = None, limit: Limit = PAGE_USUAL) -> DomainPage:
        """List domains, by name"""
        begin = after(LISTING, cursor) or ""
        rest = [domain for domain in await known() if domain.name > begin]
        page = rest[:limit]
        return DomainPage(
            items=[Domain(name=domain.name, catch_all=domain.catch_all) for domain in page],
            next=next_cursor(LISTING, page[-1].name if len(rest) > limit else None),
        )

    @router.get("/{name:segment}", responses=says_no("not-found"))
    async def get_domain(name: str) -> Domain:
        """Get a domain"""
        found = await find(name)
        if found is None:
            raise Refusal("not-found", f"there is no domain {name}")
        return found

    @router.put("/{name:segment}", responses={201: {"model": Domain, "description": "Made"}, **says_no()})
    async def put_domain(name: str, response: Response, change: DomainChange | None = None) -> Domain:
        """Make a domain ours, or change it"""
        before = await find(name)
        catch_all = change.catch_all if change is not None else None
        await desk.ask(DOMAIN_PUT, StoredDomain(name=name, catch_all=catch_all or None))
        response.status_code = 200 if before is not None else 201
        return await find(name) or Domain(name=same_name(name), catch_all=catch_all)

    @router.delete("/{name:segment}", status_code=204, responses=says_no("not-found", "conflict"))
    async def delete_domain(name: str) -> None:
        """Give a domain up; refused while it has accounts or aliases"""
        await desk.ask(DOMAIN_DELETE, StoredName(name=name))

    return router
