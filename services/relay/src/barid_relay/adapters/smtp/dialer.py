"""From an address to a session that is ready for letters: connect, greet, encrypt, log in."""

import asyncio
import contextlib
import ssl
from pathlib import Path
from time import perf_counter
from typing import Protocol

from barid_protocols.smtp import AuthDone, Greeted, HelloDone, LocalError, Reply, TlsReady
from barid_runtime.logging import get_logger
from barid_runtime.tls import opportunistic_client_context, verified_client_context

from ...policy import replies
from ...policy.mx import LOOP
from ...ports.hosts import Answer, DialFailed, Fate, Hop, Tls
from .channel import Channel
from .session import Broken, SmtpSession
from .timeouts import Timeouts

log = get_logger("relay.smtp")


class Latency(Protocol):
    """A histogram of seconds."""

    def observe(self, amount: float, /) -> None: ...


class _NoTls(Exception):
    """The handshake failed with a host that is spoken to in the clear as well."""


class SmtpDialer:
    """hostname: our name in EHLO. authorities: a PEM file to trust instead of the system's, for hops that verify."""

    def __init__(
        self,
        hostname: str,
        latency: Latency,
        *,
        timeouts: Timeouts | None = None,
        authorities: Path | None = None,
    ) -> None:
        self._hostname = hostname
        self._latency = latency
        self._timeouts = timeouts or Timeouts()
        self._authorities = authorities
        self._contexts: dict[bool, ssl.SSLContext] = {}

    async def dial(self, hop: Hop) -> SmtpSession:
        started = perf_counter()
        try:
            return await self._open(hop, encrypt=True)
        except _NoTls as error:
            # RFC 7435: a broken TLS must not be worse for the mail than none.
            log.info("tls failed, in the clear", host=hop.name, error=str(error))
            return await self._open(hop, encrypt=False)
        finally:
            self._latency.observe(perf_counter() - started)

    async def _open(self, hop: Hop, *, encrypt: bool) -> SmtpSession:
        channel = await self._connect(hop)
        session = SmtpSession(hop, channel, self._timeouts, tls=hop.tls is Tls.IMPLICIT)
        try:
            await self._prepare(session, hop, encrypt)
        except Broken as error:
            channel.abort()
            answer = _opening(hop, error.reply) if error.reply else _unreachable(hop, error.reason)
            raise DialFailed(answer) from error
        except BaseException:
            channel.abort()
            raise
        return session

    async def _connect(self, hop: Hop) -> Channel:
        loop = asyncio.get_running_loop()
        implicit = hop.tls is Tls.IMPLICIT
        try:
            async with asyncio.timeout(self._timeouts.connect):
                _, channel = await loop.create_connection(
                    Channel,
                    hop.address,
                    hop.port,
                    ssl=self._context(verify=True) if implicit else None,
                    server_hostname=hop.name if implicit else None,
                )
        except TimeoutError:
            raise DialFailed(_unreachable(hop, "no connection in time")) from None
        except (OSError, UnicodeError) as error:
            raise DialFailed(_unreachable(hop, f"no connection: {_words(error)}")) from error
        return channel

    async def _prepare(self, session: SmtpSession, hop: Hop, encrypt: bool) -> None:
        core = session.core
        greeted = await session.expect(Greeted, self._timeouts.greeting, "its greeting")
        if not greeted.reply.positive:
            raise DialFailed(_opening(hop, greeted.reply))
        await self._hello(session, hop)
        wanted = encrypt and hop.tls in (Tls.MAY, Tls.MUST) and not core.tls
        if wanted and "STARTTLS" in core.capabilities:
            await self._encrypt(session, hop)
        if hop.tls is Tls.MUST and not core.tls:
            raise DialFailed(Answer(Fate.DEFERRED, "4.7.4", hop.name, reason="TLS is required, and not offered"))
        if hop.login is not None:
            await self._log_in(session, hop)

    async def _hello(self, session: SmtpSession, hop: Hop) -> None:
        session.core.hello(self._hostname)
        done = await session.expect(HelloDone, self._timeouts.hello, "EHLO")
        if not done.reply.positive:
            raise DialFailed(_opening(hop, done.reply))
        if hop.by_mx and done.reply.lines[0].split(" ")[0].lower().rstrip(".") == self._hostname.lower():
            raise DialFailed(LOOP)

    async def _encrypt(self, session: SmtpSession, hop: Hop) -> None:
        session.core.starttls()
        ready = await session.expect(TlsReady, self._timeouts.hello, "STARTTLS")
        if not ready.reply.positive:
            if hop.tls is Tls.MUST:
                raise DialFailed(_opening(hop, ready.reply))
            return
        try:
            await session.encrypt(self._context(verify=hop.tls is Tls.MUST), hop.name)
        except (OSError, TimeoutError) as error:
            if hop.tls is Tls.MUST:
                raise DialFailed(
                    Answer(Fate.DEFERRED, "4.7.5", hop.name, reason=f"TLS failed: {_words(error)}")
                ) from error
            raise _NoTls(_words(error)) from error
        await self._hello(session, hop)

    async def _log_in(self, session: SmtpSession, hop: Hop) -> None:
        assert hop.login is not None
        try:
            session.core.authenticate(hop.login.name, hop.login.password, allow_plaintext=hop.login.plaintext)
        except LocalError as error:
            raise DialFailed(Answer(Fate.DEFERRED, "4.7.0", hop.name, reason=f"Cannot log in: {error}")) from error
        done = await session.expect(AuthDone, self._timeouts.hello, "AUTH")
        if not done.reply.positive:
            # Ours or the operator's fault, not the mail's: even a 535 may be mended before the mail is too old.
            words = replies.words(done.reply)
            raise DialFailed(Answer(Fate.DEFERRED, "4.7.8", hop.name, reply=words))

    def _context(self, *, verify: bool) -> ssl.SSLContext:
        """Made when first needed: reading the system's authorities takes 20 ms."""
        context = self._contexts.get(verify)
        if context is None:
            context = verified_client_context(self._authorities) if verify else opportunistic_client_context()
            self._contexts[verify] = context
        return context


def _opening(hop: Hop, reply: Reply) -> Answer:
    return replies.of_opening(hop.name, reply, final=hop.by_mx)


def _unreachable(hop: Hop, reason: str) -> Answer:
    return Answer(Fate.DEFERRED, "4.4.1", hop.name, reason=f"{reason} [{hop.address}]:{hop.port}")


def _words(error: BaseException) -> str:
    """Without the address, which event loops word differently."""
    with contextlib.suppress(AttributeError):
        if isinstance(error, ssl.SSLError):
            return str(error.reason or error)
    if isinstance(error, OSError) and error.strerror and error.errno:
        return error.strerror.split("(")[0].strip()
    return str(error) or type(error).__name__
