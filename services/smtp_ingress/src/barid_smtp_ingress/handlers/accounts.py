"""Who logs in, and which addresses are theirs."""

from collections import OrderedDict
from dataclasses import dataclass

from barid_contracts.directory import (
    ACCOUNT_GET,
    AUTHENTICATE,
    Account,
    AccountLookup,
    AuthenticateRequest,
    DirectoryChanged,
)
from barid_protocols.sasl import Credentials
from barid_protocols.smtp import Reply
from barid_protocols.smtp.replies import AUTH_FAILED, AUTH_UNAVAILABLE
from barid_runtime.bus.port import Bus, BusError, OperationFailed
from barid_runtime.bus.typed import call
from barid_runtime.clock import Clock
from barid_runtime.logging import get_logger
from barid_runtime.networks import network_of
from barid_runtime.waiting_networks import WaitingNetworks

from ..policy.addresses import key_of_text
from ..policy.replies import LOGIN_WAITS, NETWORK_WAITS
from ..policy.senders import own_keys

FRESH = 300.0
"""Seconds; changes are announced."""

MAX_ACCOUNTS = 20_000

log = get_logger("smtp_ingress.accounts")


@dataclass(slots=True)
class Submitter:
    """An account and the keys of the addresses that are its own. until: epoch seconds that it is fresh for."""

    account: Account
    own: frozenset[str]
    until: float


class Accounts:
    """limited: whether failures of this peer's network count against it."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._waiting = WaitingNetworks()
        self._submitters: OrderedDict[str, Submitter] = OrderedDict()

    def blocked(self, ip: str) -> bool:
        return self._waiting.waits(network_of(ip), self._clock.now())

    async def log_in(self, credentials: Credentials, ip: str, *, limited: bool) -> str | Reply:
        """The account's id, or the reply that refuses."""
        if limited and self.blocked(ip):
            return NETWORK_WAITS
        login = credentials.authcid
        # Nobody may act as somebody else here, so an authzid is either one's own name or a refusal.
        if credentials.authzid and key_of_text(credentials.authzid) != key_of_text(login):
            log.info("log-in refused", login=login, ip=ip)
            return AUTH_FAILED
        request = AuthenticateRequest(
            login=login, password=credentials.password, service="smtp", ip=ip, counted=limited
        )
        try:
            reply = await call(self._bus, AUTHENTICATE, request)
        except BusError as error:
            log.warning("log-in can't be checked", error=str(error), ip=ip)
            return AUTH_UNAVAILABLE
        if reply.account is not None:
            return reply.account
        log.info("log-in refused", login=login, ip=ip, waits=bool(reply.wait_ms))
        if reply.network_waits:
            self._waiting.told(network_of(ip), reply.wait_ms / 1000, self._clock.now())
            return NETWORK_WAITS
        if reply.wait_ms:
            return LOGIN_WAITS
        await self._clock.sleep(reply.delay_ms / 1000)
        return AUTH_FAILED

    def at_hand(self, account: str) -> Submitter | None:
        submitter = self._submitters.get(account)
        return submitter if submitter is not None and self._clock.now() < submitter.until else None

    async def submitter(self, account: str) -> Submitter | None:
        """None if there is no such account any more. Raises BusError if the directory can't tell and it was not known
        before."""
        if (submitter := self.at_hand(account)) is not None:
            return submitter
        try:
            record = await call(self._bus, ACCOUNT_GET, AccountLookup(id=account))
        except OperationFailed as error:
            if error.code != "not_found":
                raise
            self._submitters.pop(account, None)
            return None
        except BusError:
            if (known := self._submitters.get(account)) is not None:
                return known
            raise
        return self._remember(record)

    def _remember(self, record: Account) -> Submitter:
        submitter = Submitter(record, own_keys(record), self._clock.now() + FRESH)
        self._submitters[record.id] = submitter
        self._submitters.move_to_end(record.id)
        if len(self._submitters) > MAX_ACCOUNTS:
            self._submitters.popitem(last=False)
        return submitter

    def on_change(self, change: DirectoryChanged) -> None:
        if change.everything:
            self.doubt()
        elif change.account is not None and change.account in self._submitters:
            if change.record is None:
                del self._submitters[change.account]
            else:
                self._remember(change.record)

    def doubt(self) -> None:
        for submitter in self._submitters.values():
            submitter.until = 0.0
