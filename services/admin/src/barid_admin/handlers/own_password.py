"""`/v1/password`: a user changes their own password. No key: the present password is what lets them in.

Guesses are limited as at the doors of mail, and counted with those: the present password is tried as a log-in first,
and the directory says how long the answer to a failure waits, or that none is looked at for a while. Unknown users and
wrong passwords get the same words after the same work, which it sees to as well.
"""

from collections import Counter

from fastapi import APIRouter, Request
from pydantic import Field

from barid_contracts.directory import AUTHENTICATE, PASSWORD_CHANGE, AuthenticateRequest, PasswordChange
from barid_runtime.logging import get_logger
from barid_runtime.networks import network_of

from .accounts import Password
from .desk import Desk
from .problems import Refusal
from .shapes import Body, says_no

AT_ONCE = 4
"""Requests of one network: guesses that run side by side would be counted too late."""

HASHING_SECONDS = 15.0
"""Two hashes, behind all those that wait."""

log = get_logger("admin")


class OwnPassword(Body):
    """login: the account's address. password: the present one."""

    login: str = Field(min_length=3, max_length=254, examples=["bob@example.org"])
    password: str = Field(min_length=1, max_length=1024)
    new_password: Password


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1/password", tags=["password"])
    running: Counter[str] = Counter()

    @router.post(
        "",
        status_code=204,
        responses=says_no("forbidden", "conflict", "too-many-requests"),
        openapi_extra={"security": []},
    )
    async def change_own_password(change: OwnPassword, request: Request) -> None:
        """Change one's own password

        By the user, with the present password instead of an API key. Sessions that the old one let in are ended."""
        ip = request.client.host if request.client is not None else ""
        network = network_of(ip)
        if running[network] >= AT_ONCE:
            raise _too_much("too many requests of your network are being looked at", 1)
        running[network] += 1
        try:
            await _change(desk, change, ip)
        finally:
            running[network] -= 1
            if not running[network]:
                del running[network]

    return router


async def _change(desk: Desk, change: OwnPassword, ip: str) -> None:
    login = AuthenticateRequest(login=change.login, password=change.password, service="admin", ip=ip, counted=True)
    tried = await desk.ask(AUTHENTICATE, login, timeout=HASHING_SECONDS)
    if tried.wait_ms:
        raise _too_much("too many wrong passwords came from your network", -(-tried.wait_ms // 1000))
    if tried.account is None:
        log.info("password not changed", login=change.login, ip=ip)
        await desk.clock.sleep(tried.delay_ms / 1000)
        raise Refusal("forbidden", "wrong login or password")
    # It asks for the present password again, which is remembered from a moment ago; a change that came between counts.
    asked = PasswordChange(login=change.login, password=change.password, new_password=change.new_password)
    await desk.ask(PASSWORD_CHANGE, asked, timeout=HASHING_SECONDS)
    log.info("password changed", login=change.login, ip=ip)


def _too_much(detail: str, seconds: float) -> Refusal:
    return Refusal("too-many-requests", detail, headers={"Retry-After": str(int(seconds))})
