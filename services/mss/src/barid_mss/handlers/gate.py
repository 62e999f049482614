"""Who may come in: places for connections and sessions, and log-ins."""

import asyncio
from enum import Enum

from barid_contracts.directory import AUTHENTICATE, AuthenticateReply, AuthenticateRequest
from barid_runtime.bus.port import Bus, BusError
from barid_runtime.bus.typed import call
from barid_runtime.logging import get_logger
from barid_runtime.networks import network_of, within
from barid_runtime.waiting_networks import WaitingNetworks

from ..policy import deadlines
from ..policy.limits import Places
from ..settings import Settings
from .measures import Measures
from .members import Member, Members

log = get_logger("mss.gate")


class Refusal(Enum):
    """Why a log-in failed."""

    CREDENTIALS = "wrong credentials"
    BLOCKED = "too many failures"
    LOGIN_BLOCKED = "too many failures of this login"
    UNAVAILABLE = "directory away"
    CROWDED = "too many sessions"


class LoginRefused(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class Gate:
    def __init__(self, settings: Settings, bus: Bus, members: Members, measures: Measures) -> None:
        self._settings = settings
        self._bus = bus
        self._members = members
        self._measures = measures
        self._connections = Places(
            each=settings.max_reading_connections_per_network, overall=settings.max_reading_connections
        )
        self._sessions = Places(each=settings.max_sessions_per_account)
        self._waiting = WaitingNetworks()

    def enter(self, ip: str) -> bool:
        """A new connection. Followed by `leave`, if it may stay."""
        return self._connections.take(network_of(ip), limited=self._limited(ip))

    def leave(self, ip: str) -> None:
        self._connections.leave(network_of(ip))

    async def log_in(
        self, member: Member, protocol: str, ip: str, login: str, password: str, authzid: str = ""
    ) -> AuthenticateReply:
        """The account, of which a place is taken until `log_out`. Raises LoginRefused, wrong credentials
        after the delay that the directory asks for.

        authzid: whom a SASL client wants to act as; nobody may act as another.
        """
        counted = self._limited(ip)
        now = asyncio.get_running_loop().time
        if counted and self._waiting.waits(network_of(ip), now()):
            raise self._refused(protocol, ip, Refusal.BLOCKED)
        request = AuthenticateRequest(login=login, password=password, service=protocol, ip=ip, counted=counted)
        changes = self._members.changes
        try:
            reply = await call(self._bus, AUTHENTICATE, request, timeout=deadlines.LOGIN)
        except BusError as error:
            log.warning("directory doesn't answer", error=repr(error))
            raise self._refused(protocol, ip, Refusal.UNAVAILABLE) from error
        if reply.network_waits:
            self._waiting.told(network_of(ip), reply.wait_ms / 1000, now())
            raise self._refused(protocol, ip, Refusal.BLOCKED)
        if reply.wait_ms:
            raise self._refused(protocol, ip, Refusal.LOGIN_BLOCKED)
        if reply.account is None or (authzid and authzid.casefold() not in (login.casefold(), reply.login.casefold())):
            await asyncio.sleep(reply.delay_ms / 1000)
            raise self._refused(protocol, ip, Refusal.CREDENTIALS)
        if not self._sessions.take(reply.account):
            raise self._refused(protocol, ip, Refusal.CROWDED)
        self._members.add(member, reply.account, reply.credential, changes)
        self._measures.login(protocol, "ok")
        return reply

    def log_out(self, member: Member, account: str) -> None:
        self._sessions.leave(account)
        self._members.remove(member, account)

    def _limited(self, ip: str) -> bool:
        return not within(ip, self._settings.unlimited_networks)

    def _refused(self, protocol: str, ip: str, refusal: Refusal) -> LoginRefused:
        self._measures.login(protocol, refusal.name.lower())
        log.info("login refused", protocol=protocol, ip=ip, reason=refusal.value)
        return LoginRefused(refusal)
