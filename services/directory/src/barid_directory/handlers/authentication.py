"""Who may log in, and how a user changes their password.

What an observer can't learn: whether a login exists (an unknown one costs a hashing of the dummy), and whether it is
disabled (its password is checked all the same, and refused with the same words).

A successful log-in is remembered for REMEMBER seconds as a keyed digest of the password beside the hash that it
matched. It counts only while the store still has that hash and the account is enabled, so nothing needs to be told
when either changes, in whichever process that happens.
"""

import asyncio
import hmac
import secrets
from collections import OrderedDict

from barid_contracts.base import Empty
from barid_contracts.directory import (
    DIRECTORY_CHANGED,
    AuthenticateReply,
    AuthenticateRequest,
    DirectoryChanged,
    PasswordChange,
)
from barid_runtime.bus.port import Bus, OperationFailed
from barid_runtime.bus.typed import announce
from barid_runtime.clock import Clock
from barid_runtime.logging import get_logger
from barid_runtime.networks import network_of

from ..policy.addresses import canonical
from ..policy.passwords import complaint, credential_of, prepare
from ..ports import AccountRow, HashingBusy, PasswordHasher, Register, Store
from . import measures
from .accounts import told
from .guesses import Guesses

log = get_logger("barid.directory")

REMEMBER = 60.0
"""Seconds: IMAP clients open several connections at once and come back each minute."""

MAX_REMEMBERED = 10_000
"""Log-ins remembered at once, about 300 bytes each; the oldest are forgotten first."""

REFUSED = AuthenticateReply(reason="wrong login or password")


class Authentication:
    def __init__(self, store: Store, hasher: PasswordHasher, bus: Bus, clock: Clock, guesses: Guesses) -> None:
        self._store = store
        self._bus = bus
        self._hasher = hasher
        self._clock = clock
        self._guesses = guesses
        self._key = secrets.token_bytes(32)
        self._remembered: OrderedDict[str, tuple[bytes, str, float]] = OrderedDict()
        self._running: dict[tuple[str, str, bytes], asyncio.Future[bool]] = {}

    async def authenticate(self, request: AuthenticateRequest) -> AuthenticateReply:
        if not request.counted or not network_of(request.ip):
            return await self._judge(request)
        limits = self._guesses.limits(request.ip, request.login)
        async with self._guesses.turn(request.ip):
            tallies, waiting, seconds = await self._guesses.look(limits)
            if waiting is not None:
                measures.waits.inc()
                log.info("log-in not looked at", service=request.service, ip=request.ip, counted=waiting.network)
                return AuthenticateReply(
                    reason="too many failed log-ins",
                    wait_ms=int(seconds * 1000) + 1,
                    network_waits=not waiting.login,
                )
            reply = await self._judge(request)
            if reply.account is not None:
                await self._guesses.succeeded(limits, tallies)
                return reply
            delay = await self._guesses.failed(limits)
            return reply.model_copy(update={"delay_ms": int(delay * 1000)})

    async def _judge(self, request: AuthenticateRequest) -> AuthenticateReply:
        account = await self._account_if_right(request.login, request.password)
        if account is None or not account.enabled:
            measures.refused.inc()
            log.info(
                "log-in refused",
                service=request.service,
                ip=request.ip,
                account=account.id if account else None,
                disabled=account is not None,
            )
            return REFUSED
        measures.accepted.inc()
        return AuthenticateReply(account=account.id, login=account.address, credential=credential_of(account.password))

    async def change_password(self, request: PasswordChange) -> Empty:
        account = await self._account_if_right(request.login, request.password)
        if account is None or not account.enabled:
            raise OperationFailed("forbidden", "wrong login or password")
        wrong = complaint(request.new_password, account.address)
        octets = prepare(request.new_password)
        if wrong is not None or octets is None:
            raise OperationFailed("invalid", wrong or "")
        try:
            hashed = await self._hasher.hash(octets)
        except HashingBusy as error:
            raise OperationFailed("unavailable", "too many log-ins at once") from error
        if not await self._replace(account, hashed):
            raise OperationFailed("conflict", "the password was changed by somebody else just now")
        log.info("password changed by its user", account=account.id)
        await self._tell(account.id)
        return Empty()

    async def _tell(self, account: str) -> None:
        """Sessions that the old password let in end by this."""
        row = await self._store.consult(lambda book: book.account_by_id(account))
        if row is not None:
            record = await self._store.consult(lambda book: told(book, row))
            await announce(self._bus, DIRECTORY_CHANGED, DirectoryChanged(account=account, record=record))

    async def _account_if_right(self, login: str, password: str) -> AccountRow | None:
        """The account, enabled or not, if the password is its own."""
        address = canonical(login)
        octets = prepare(password)
        account = None
        if address is not None:
            account = await self._store.consult(lambda book: book.account(address))
        if account is None or octets is None:
            await self._verify(login, self._hasher.dummy, octets or b"-")
            return None
        digest = hmac.digest(self._key, octets, "sha256")
        if self._remembers(account, digest):
            return account
        if not await self._verify(account.id, account.password, octets):
            return None
        if self._hasher.outdated(account.password):
            account = await self._rehash(account, octets)
        self._remember(account, digest)
        return account

    async def _verify(self, whose: str, hashed: str, octets: bytes) -> bool:
        """Clients open connections by the handful: the same question asked meanwhile waits for the same answer.

        whose: the account, or the unknown login: were those one question, they would be answered faster together.
        """
        question = whose, hashed, hmac.digest(self._key, octets, "sha256")
        running = self._running.get(question)
        if running is None:
            running = asyncio.ensure_future(self._hasher.verify(hashed, octets))
            self._running[question] = running
            running.add_done_callback(lambda _: self._running.pop(question, None))
        try:
            return await asyncio.shield(running)
        except HashingBusy as error:
            raise OperationFailed("unavailable", "too many log-ins at once") from error

    def _remembers(self, account: AccountRow, digest: bytes) -> bool:
        known = self._remembered.get(account.id)
        if known is None:
            return False
        known_digest, hashed, until = known
        if self._clock.now() >= until or hashed != account.password:
            del self._remembered[account.id]
            return False
        return hmac.compare_digest(known_digest, digest)

    def _remember(self, account: AccountRow, digest: bytes) -> None:
        self._remembered[account.id] = digest, account.password, self._clock.now() + REMEMBER
        self._remembered.move_to_end(account.id)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _rehash(self, account: AccountRow, octets: bytes) -> AccountRow:
        """Bring the hash up to today's parameters. Losing the race to a password change is fine: that one is newer."""
        try:
            hashed = await self._hasher.hash(octets)
        except HashingBusy:
            return account
        if not await self._replace(account, hashed):
            return account
        log.info("password hashed anew with today's parameters", account=account.id)
        return AccountRow(account.id, account.address, account.quota, account.enabled, hashed)

    async def _replace(self, account: AccountRow, hashed: str) -> bool:
        def replace(register: Register) -> bool:
            return register.replace_hash(account.id, account.password, hashed)

        return await self._store.change(replace)
