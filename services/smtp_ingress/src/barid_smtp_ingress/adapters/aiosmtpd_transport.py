"""aiosmtpd's place in Barid: the class that sits on the socket (docs/adr/0003-aiosmtpd-as-transport.md).

The subclass keeps aiosmtpd's type and its Session; its reader, its command loop and its replies are replaced: whole
reads go to the sans-IO core, all replies of a turn leave in one write. Nothing else imports aiosmtpd.

Rules:
- At most one thing is awaited a connection (`_busy`); until it is done no event is pulled, nor while the peer does not
  take what we wrote (`_blocked`). What arrives meanwhile is given to the core, and reading is paused at the first such
  read, so a connection holds two reads at most.
- One read, one write: a write costs 20–25 µs, more than all else that a command costs. Writes wait for the end of the
  loop's turn, so that those of all connections follow each other: a peer on this machine, or a proxy, is woken by the
  first of them and not by each, and does not push us off the core in the midst of the turn.
- After `connection_lost` nothing is written and nothing is asked of the conversation but to let go.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Coroutine
from typing import Any

from aiosmtpd.smtp import SMTP, Session

from barid_protocols.smtp import (
    Answer,
    Closed,
    CloseReason,
    Decision,
    Flush,
    LocalError,
    Reply,
    ServerConnection,
    StartTls,
    State,
)
from barid_protocols.smtp.replies import CLOSING_DOWN, TRY_LATER
from barid_runtime.logging import get_logger
from barid_runtime.networks import is_loopback

from ..policy import patience
from ..ports import Conversation, Conversations, Door, Later

_AT_ONCE = (Reply, list, tuple)
_AGREED = (CloseReason.QUIT, CloseReason.EOF, CloseReason.DRAINED)
_TOLD = (*_AGREED, CloseReason.HOST)
"""Nothing to log: it went well, or the conversation said 421 and why."""

log = get_logger("smtp_ingress.transport")


class SmtpTransport(SMTP):
    """One connection. Implements ports.Connection."""

    def __init__(
        self,
        door: Door,
        converse: Conversations,
        context: ssl.SSLContext | None,
        connections: "set[SmtpTransport]",
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        # aiosmtpd's own inspects its methods and builds a stream reader for each connection (168 µs); what it would
        # set up is only used by the methods that are replaced below.
        self.loop = self._loop = loop
        self._door = door
        self._converse = converse
        self._context = context
        self._connections = connections
        self.transport: Any = None
        self.session: Session | None = None
        self._busy: asyncio.Future[Any] | None = None
        self._later: Later | None = None
        self._paused = False
        self._blocked = False
        self._unsent = b""
        self._encrypted = door.implicit_tls
        self._closing_since: float | None = None
        self._lost = False
        # For the sweep: what has happened since the last one (a flag costs less than a look at the clock), when it last
        # happened, and when the message that arrives was first seen.
        self._read = self._answered = False
        self._read_at = self._answered_at = 0.0
        self._message_at: float | None = None
        self._message_octets = 0

    # asyncio.Protocol

    def admit(self, peer: Any) -> bool:
        """Whether it is to be served at all. Asked before a TLS handshake, the dearest thing that a peer can have."""
        ip = peer[0].partition("%")[0] if isinstance(peer, tuple) else ""
        door = self._door
        options = door.plaintext if is_loopback(ip) else door.options
        self.session = Session(self.loop)
        self.session.peer = peer
        self._core = ServerConnection(options, tls=door.implicit_tls)
        self._conversation: Conversation = self._converse(ip, self._core)
        self._connections.add(self)
        return self._conversation.refusal is None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._read_at = self._answered_at = self.loop.time()
        if self.session is None:
            self.admit(transport.get_extra_info("peername"))
        self._advance()

    def data_received(self, data: bytes) -> None:
        self._read = True
        self._core.receive_data(data)
        if self._busy is None and not self._blocked:
            self._advance()
        elif not self._paused:
            self._pause()

    def eof_received(self) -> bool:
        """A peer may close its side and still read what it is owed; within TLS there is no such thing."""
        if self._closing_since is not None:
            return False
        self._core.receive_eof()
        if self._busy is None:
            self._advance()
        self._flush()
        return not self._encrypted

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lost:
            return
        self._lost = True
        self._connections.discard(self)
        self._core.close(None)
        self._conversation.closed()
        if self._busy is None:
            self._let_go(None)
        else:
            # A message that is whole may be on its way to the disk. It is finished: that it was accepted and not
            # heard of is the sender's case of RFC 5321 §6.1, and half an append is nobody's.
            self._busy.add_done_callback(self._let_go)

    def pause_writing(self) -> None:
        self._blocked = True
        if not self._paused:
            self._pause()

    def resume_writing(self) -> None:
        self._blocked = False
        if self._busy is None:
            self._advance()

    # ports.Connection

    def drain(self) -> None:
        self._core.drain()
        if self._busy is None and not self._lost and self.transport is not None:
            self._advance()

    def shut(self) -> None:
        if self._lost or self.transport is None:
            return
        if self._closing_since is None:
            self._write(self._core.close(CLOSING_DOWN))
            self._close(linger=True)
        else:
            self.transport.abort()

    def sweep(self, now: float) -> None:
        if self._read:
            self._read_at = now
        if self._answered:
            self._answered_at = now
        self._read = self._answered = False
        if self._closing_since is not None:
            if now - self._closing_since > patience.CLOSE:
                self.transport.abort()
            return
        if self._busy is not None or self.transport is None:
            # It waits for us; handshakes have a limit of their own.
            self._read_at = self._answered_at = now
            return
        in_data = self._core.in_data
        octets = self._conversation.received
        if not in_data or self._message_at is None or octets < self._message_octets:
            self._message_at = now if in_data else None
        self._message_octets = octets
        if patience.out_of_patience(
            in_data=in_data,
            idle=now - self._read_at,
            since_answer=now - self._answered_at,
            in_message=now - (self._message_at or now),
            octets=octets,
        ):
            self._log_cut_off("too slow")
            self._write(self._core.close())
            self._close(linger=True)

    def _log_cut_off(self, reason: str) -> None:
        peer = self.session.peer if self.session is not None else None
        ip = peer[0] if isinstance(peer, tuple) else ""
        log.info("cut off", reason=reason, door=self._door.name, ip=ip)

    # The loop over the core.

    def _advance(self, out: bytes = b"") -> None:
        """Pull events until there is nothing to do now, then write all replies at once, after `out`."""
        if self._blocked:
            self._put(out)
            return
        core = self._core
        conversation = self._conversation
        awaited: Coroutine[Any, Any, None] | None = None
        later: Later | None = None
        while (event := core.next_event()) is not None:
            if isinstance(event, Decision):
                try:
                    answer = conversation.answer(event)
                except Exception:
                    # A bug of ours must not cost the sender its mail: 451, and it comes again.
                    log.exception("conversation failed")
                    answer = TRY_LATER
                if answer is None or isinstance(answer, _AT_ONCE):
                    out += core.send(answer)
                    if event.__class__ is StartTls and core.state is State.TLS:
                        self._write(out)
                        self._encrypt()
                        return
                elif isinstance(answer, Later):
                    later = answer
                    break
                else:
                    awaited = self._answer_later(answer)
                    break
            elif isinstance(event, Closed):
                if event.reason not in _TOLD:
                    self._log_cut_off(event.reason.value)
                self._write(out + core.data_to_send())
                self._close(linger=event.reason not in _AGREED)
                return
            elif event.__class__ is Flush:
                self._write(out + core.data_to_send())
                self._give_way()
                return
            elif (pending := conversation.hear(event)) is not None:
                awaited = self._hear_later(pending)
                break
        self._put(out + core.data_to_send())
        if later is not None:
            self._later = later
            self._busy = later.done
            later.done.add_done_callback(self._answer_now)
        elif awaited is not None:
            self._busy = self.loop.create_task(awaited)
        elif self._paused:
            self._paused = False
            self.transport.resume_reading()

    def _give_way(self) -> None:
        """Go on in the loop's next turn, after all others: a read of thousands of commands is tenths of a second."""
        turn = self.loop.create_future()
        turn.set_result(None)
        turn.add_done_callback(self._next_turn)
        self._busy = turn

    def _next_turn(self, _: asyncio.Future[Any]) -> None:
        self._busy = None
        if not self._lost:
            self._advance()

    async def _answer_later(self, answer: Awaitable[Answer]) -> None:
        try:
            reply = await answer
        except Exception:
            log.exception("conversation failed")
            reply = TRY_LATER
        self._go_on(reply)

    def _answer_now(self, _: asyncio.Future[Any]) -> None:
        later, self._later = self._later, None
        assert later is not None
        try:
            reply = later.answer()
        except Exception:
            log.exception("conversation failed")
            reply = TRY_LATER
        self._go_on(reply)

    def _go_on(self, reply: Answer) -> None:
        self._busy = None
        if self._lost:
            return
        out = b""
        if self._core.waiting:
            try:
                out = self._core.send(reply)
            except LocalError:
                log.exception("conversation gave a wrong answer")
                out = self._core.send(TRY_LATER)
        self._advance(out)

    async def _hear_later(self, pending: Awaitable[None]) -> None:
        try:
            await pending
        except Exception:
            log.exception("conversation failed")
            self._busy = None
            self.shut()
            return
        self._busy = None
        if not self._lost:
            self._advance()

    def _put(self, data: bytes) -> None:
        """To be written at the end of this turn."""
        if data:
            if not self._unsent:
                self.loop.call_soon(self._flush)
            self._unsent += data

    def _write(self, data: bytes) -> None:
        """At once, after what waits."""
        self._unsent += data
        self._flush()

    def _flush(self) -> None:
        data, self._unsent = self._unsent, b""
        if data and not self._lost:
            self.transport.write(data)
            self._answered = True

    def _close(self, *, linger: bool = False) -> None:
        """linger: the peer may be in the middle of sending. Octets that nobody reads make the kernel reset the
        connection, and our last reply is lost with it; so they are read, and thrown away, for a moment."""
        if self._closing_since is not None:
            return
        self._closing_since = self.loop.time()
        self._flush()
        if not linger or self._encrypted:
            self.transport.close()
            return
        self.transport.write_eof()
        self.transport.resume_reading()
        self.loop.call_later(patience.LINGER, self.transport.close)

    def _pause(self) -> None:
        self._paused = True
        self.transport.pause_reading()

    def _let_go(self, _: Any) -> None:
        if self._conversation.received:
            self._busy = self.loop.create_task(self._conversation.discard())

    # TLS.

    def _encrypt(self) -> None:
        """Nothing may be read between here and the handshake, which would take it for its own or we for commands."""
        self.transport.pause_reading()
        self._busy = self.loop.create_task(self._handshake())

    async def _handshake(self) -> None:
        assert self._context is not None
        try:
            transport = await self.loop.start_tls(
                self.transport, self, self._context, server_side=True, ssl_handshake_timeout=patience.HANDSHAKE
            )
        except (OSError, EOFError) as error:
            log.info("no TLS", reason=str(error) or type(error).__name__, door=self._door.name)
            self._busy = None
            self.transport.abort()
            # A connection that is lost within a handshake is not reported to the protocol behind it.
            self.connection_lost(error)
            return
        self._busy = None
        if transport is None or self._lost:
            return
        self.transport = transport
        self._encrypted = True
        self._paused = False
        self._answered_at = self.loop.time()
        if self._core.state is State.TLS:
            self._core.tls_established()
        self._advance()
