"""One session: letters through the client core, every wait bounded.

What may be doubled: a connection that is lost after the final dot. The host may have taken the mail; we don't know, and
send it again at the next attempt (RFC 5321 §6.1 prefers two copies to none).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from barid_protocols.smtp import ClientConnection, EnvelopeDone, Lost, MessageDone, Phase, Reply

from ...policy import replies
from ...policy.addresses import for_the_wire
from ...policy.seven_bit import to_seven_bit
from ...ports.hosts import Answer, Fate, Hop, Letter, Stale, Withdrawn
from .channel import Channel
from .timeouts import Timeouts

E = TypeVar("E")

WRITE_SIZE = 64 * 1024
"""Bytes of a message gathered for one write, which costs 20-25 µs: most mails are one, with trace and final dot."""


ENCODE_MOST = 1 << 20
"""Bytes of a message that is encoded for a host without 8BITMIME: such hosts are few, and its memory is several times
that. What has large attachments has them in base64 already."""


class Broken(Exception):
    """The connection is of no more use. reply: the host's last word, if it had one."""

    def __init__(self, reason: str, phase: Phase, reply: Reply | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.phase = phase
        self.reply = reply


class SmtpSession:
    """A Session. `core` and `expect` are for the dialer, which makes it ready."""

    def __init__(self, hop: Hop, channel: Channel, timeouts: Timeouts, *, tls: bool) -> None:
        self.core = ClientConnection(tls=tls)
        self.sent = 0
        self._hop = hop
        self._channel = channel
        self._timeouts = timeouts
        self._unsent = 0

    @property
    def hop(self) -> Hop:
        return self._hop

    @property
    def usable(self) -> bool:
        return self.core.idle and self._channel.quiet

    async def expect(self, kind: type[E], seconds: float, what: str, whole: float | None = None) -> E:
        """The next event, which is of this kind. seconds: to each further read; whole: to the event. Raises Broken."""
        phase = self.core.phase
        now = asyncio.get_running_loop().time
        end = now() + (whole or seconds)
        try:
            while (event := self.core.next_event()) is None:
                self._flush()
                if data := await self._channel.read(min(now() + seconds, end)):
                    self.core.receive_data(data)
                else:
                    self.core.receive_eof()
        except TimeoutError:
            raise Broken(f"no answer to {what} in time", phase) from None
        self._flush()
        if isinstance(event, Lost):
            raise Broken(event.reason, event.phase, event.reply)
        assert isinstance(event, kind)
        return event

    async def encrypt(self, context: ssl.SSLContext, host: str) -> None:
        """After a positive TlsReady. Raises OSError, TimeoutError; Broken for what was said in the clear after it."""
        if self._channel.unread:
            # Injected between the agreement and the handshake: the core says so, and nothing of it is kept.
            self.core.receive_data(await self._channel.read(0.0) or b"-")
            await self.expect(Lost, self._timeouts.hello, "STARTTLS")
        await self._channel.start_tls(context, host, self._timeouts.handshake)
        self.core.tls_established()

    async def send(self, letter: Letter) -> list[Answer]:
        """See Session."""
        fitted = await self._fit(letter)
        if isinstance(fitted, Answer):
            return [fitted] * len(letter.recipients)
        letter = fitted
        body = letter.body()
        # Read before the envelope: a body that can't be read should not cost the host a transaction.
        first = await anext(body, b"")
        try:
            done = await self._envelope(letter)
        except Broken as error:
            answer = replies.of_loss(self._hop.name, error.reason, error.reply, named=not self._hop.by_mx)
            return [answer] * len(letter.recipients)
        self.sent += 1
        answers = replies.after_envelope(self._hop.name, done.recipients, named=not self._hop.by_mx)
        if done.ready:
            taken = [answer.fate is Fate.RELAYED for answer in answers]
            final = await self._data(first, body, sum(taken), letter.may_end)
            answers = [next(final) if each else answer for each, answer in zip(taken, answers, strict=True)]
        return answers

    async def close(self) -> None:
        if self.usable:
            try:
                self.core.quit()
                await self.expect(Lost, self._timeouts.quit, "QUIT")
            except Broken:
                pass
        self._channel.close()

    # --- the parts of a transaction

    async def _fit(self, letter: Letter) -> Letter | Answer:
        """As this host can take it, by what it told at EHLO; or why it can't take it at all."""
        can = self.core.capabilities
        if (too_large := self._too_large(letter.size)) is not None:
            return too_large
        addresses = (letter.reverse_path, *letter.recipients)
        if "SMTPUTF8" not in can and (
            letter.smtputf8 or not all(for_the_wire(address).isascii() for address in addresses)
        ):
            reason = "The mail needs internationalized addresses or header (SMTPUTF8), which the host doesn't offer"
            return Answer(Fate.BOUNCED, "5.6.7", self._hop.name, reason=reason)
        if "8BITMIME" in can or await _is_seven_bit(letter.body()):
            return letter
        encoded = await _encoded(letter)
        if encoded is None:
            reason = "The message has 8-bit content (8BITMIME), which the host doesn't offer to take"
            return Answer(Fate.BOUNCED, "5.6.3", self._hop.name, reason=reason)
        return self._too_large(encoded.size) or encoded

    def _too_large(self, size: int) -> Answer | None:
        most = self.core.capabilities.max_size
        if most is None or size <= most:
            return None
        reason = f"The message has {size} bytes, the host takes {most}"
        return Answer(Fate.BOUNCED, "5.3.4", self._hop.name, reason=reason)

    async def _envelope(self, letter: Letter) -> EnvelopeDone:
        reverse_path, *recipients = (for_the_wire(address) for address in (letter.reverse_path, *letter.recipients))
        self.core.begin(reverse_path, recipients, size=letter.size, eight_bit=True, smtputf8=letter.smtputf8)
        if self.sent and not self._channel.quiet:
            # It had ended while it was idle. Nothing of the letter has been answered, so it is as if never begun.
            self._channel.abort()
            raise Stale
        try:
            return await self.expect(
                EnvelopeDone, self._timeouts.envelope, "the envelope", self._timeouts.envelope_whole
            )
        except Broken as error:
            self._channel.abort()
            if self.sent and (error.reply is None or error.reply.code == 421):
                # Tired of us, or gone while it was idle. No body went out, so a new connection doubles nothing.
                raise Stale from error
            raise

    async def _data(
        self, first: bytes, body: AsyncIterator[bytes], count: int, may_end: Callable[[], bool]
    ) -> Iterator[Answer]:
        """The answers of those who were accepted, in order."""
        self._unsent = 0
        try:
            await self._send_chunk(first)
            async for chunk in body:
                await self._send_chunk(chunk)
            if not may_end():
                raise Withdrawn
            self.core.end_body()
            done = await self.expect(MessageDone, self._timeouts.final, "the end of the message")
        except Broken as error:
            self._channel.abort()
            answer = replies.of_loss(self._hop.name, error.reason, error.reply, named=not self._hop.by_mx)
            return iter([answer] * count)
        except BaseException:
            # Without the final dot: the host must not take a part for the whole.
            self._channel.abort()
            raise
        # SMTP has one reply for all of them.
        of_all = replies.of_recipient(self._hop.name, done.recipients[0], named=not self._hop.by_mx)
        return iter([of_all] * count)

    async def _send_chunk(self, chunk: bytes) -> None:
        self.core.send_body(chunk)
        self._unsent += len(chunk)
        if self._unsent < WRITE_SIZE:
            return
        self._unsent = 0
        self._flush()
        if self._channel.unread:
            # Hosts that have seen enough say so, and close.
            await self.expect(Lost, self._timeouts.data_block, "the message")
        try:
            await self._channel.drain(self._timeouts.data_block)
        except TimeoutError:
            raise Broken("the host doesn't take the message's data", Phase.BODY) from None

    def _flush(self) -> None:
        if data := self.core.data_to_send():
            self._channel.write(data)


async def _is_seven_bit(body: AsyncIterator[bytes]) -> bool:
    async for chunk in body:
        if not chunk.isascii():
            return False
    return True


async def _encoded(letter: Letter) -> Letter | None:
    """The letter in 7 bits, whole in memory."""
    if letter.size > ENCODE_MOST:
        return None
    message = b"".join([chunk async for chunk in letter.body()])
    encoded = await asyncio.to_thread(to_seven_bit, message)
    if encoded is None:
        return None

    async def body() -> AsyncIterator[bytes]:
        yield encoded

    return replace(letter, size=len(encoded), body=body)
