"""`/v1/bans`: networks, and logins from a network, that wait because too many log-ins have failed."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from barid_contracts.base import Empty
from barid_contracts.directory import BAN_LIFT, BAN_LIST, BanLift

from .desk import Desk
from .shapes import moment, says_no

NetworkInPath = Annotated[
    str,
    Path(
        min_length=2,
        max_length=64,
        description="an address or a prefix, percent-encoded",
        examples=["192.0.2.66", "2001:db8:1:2::%2F64"],
    ),
]
LoginFilter = Annotated[
    str | None, Query(min_length=3, max_length=254, description="only what is counted of this login from there")
]


class Ban(BaseModel):
    """network: an address or a prefix. login: null when all who come from there wait. count: bans so far; each is twice
    as long as the one before, and forgotten a day after its end."""

    network: str
    login: str | None
    count: int
    until: datetime


class Bans(BaseModel):
    items: list[Ban]


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1/bans", tags=["bans"])

    @router.get("", responses=says_no())
    async def list_bans() -> Bans:
        """List who waits, the longest first; 1,000 at most"""
        found = await desk.ask(BAN_LIST, Empty())
        return Bans(
            items=[
                Ban(network=ban.network, login=ban.login, count=ban.count, until=moment(ban.until_ms))
                for ban in found.bans
            ]
        )

    @router.delete("/{network:segment}", status_code=204, responses=says_no("not-found"))
    async def lift_ban(network: NetworkInPath, login: LoginFilter = None) -> None:
        """Let a network, or a login from it, try again

        Forgets all that is counted against it, bans and failures. Doors that were told let it wait for up to ten
        seconds more."""
        await desk.ask(BAN_LIFT, BanLift(network=network, login=login))

    return router
