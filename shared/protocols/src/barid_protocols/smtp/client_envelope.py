"""One transaction seen from the client: which command goes out when, and what each reply means for whom."""

from collections import deque
from collections.abc import Sequence

from barid_protocols.smtp.client_events import EnvelopeDone, MessageDone
from barid_protocols.smtp.data import Stuffer
from barid_protocols.smtp.replies import Reply


class OutOfPlace(Exception):
    """A reply that its command cannot have; the connection is of no more use."""


class Envelope:
    """``begin`` gives the first octets; ``on_reply`` then gives further ones, None to wait for more replies, or the
    outcome. It raises OutOfPlace.

    With ``reset`` a RSET leads, for a server that may still hold an earlier transaction. With ``pipelining`` all goes
    out at once (RFC 2920), so replies to RCPT and DATA come in even if MAIL was refused.
    """

    __slots__ = (
        "_abandoned",
        "_count",
        "_lmtp",
        "_pipelining",
        "_recipients",
        "_resetting",
        "_sender",
        "_unanswered",
        "_unsent",
        "final",
        "stuffer",
    )

    def __init__(self, mail: bytes, recipients: Sequence[bytes], *, lmtp: bool, pipelining: bool, reset: bool) -> None:
        self._lmtp = lmtp
        self._pipelining = pipelining
        self._resetting = reset
        self._unsent = deque([*([b"RSET\r\n"] if reset else []), mail, *recipients, b"DATA\r\n"])
        self._count = len(recipients)
        self._sender: Reply | None = None
        self._recipients: list[Reply] = []
        self._unanswered = 0
        self._abandoned = False
        self.final: list[Reply] = []
        self.stuffer = Stuffer()

    def begin(self) -> bytes:
        if not self._pipelining:
            return self._send_next()
        octets = b"".join(self._unsent)
        self._unanswered = len(self._unsent)
        self._unsent.clear()
        return octets

    def on_reply(self, reply: Reply) -> bytes | EnvelopeDone | None:
        self._unanswered -= 1
        if self._abandoned:
            # Whatever the reply to an empty message for nobody was, nothing was sent.
            return None if self._unanswered else self._give_up(None)
        for_data = self._sender is not None and len(self._recipients) == self._count
        if 300 <= reply.code < 400 and not (for_data and reply.code == 354):
            raise OutOfPlace
        if self._resetting:
            if not reply.positive:
                raise OutOfPlace
            self._resetting = False
        elif for_data:
            return self._on_data(reply)
        elif self._sender is None:
            self._sender = reply
        else:
            self._recipients.append(reply)
        if self._unanswered:
            return None
        done = len(self._recipients) == self._count
        if self._sender is not None and (not self._sender.positive or (done and not self._accepted)):
            return self._give_up(None)
        return self._send_next()

    def on_final(self, reply: Reply) -> MessageDone | None:
        """A reply after the end of the body: one for all in SMTP, one for each accepted recipient in LMTP."""
        if 300 <= reply.code < 400:
            raise OutOfPlace
        self.final.append(reply)
        if not self._lmtp:
            return MessageDone((reply,) * self._accepted)
        return MessageDone(tuple(self.final)) if len(self.final) == self._accepted else None

    @property
    def _accepted(self) -> int:
        return sum(reply.positive for reply in self._recipients)

    def _send_next(self) -> bytes:
        self._unanswered = 1
        return self._unsent.popleft()

    def _on_data(self, reply: Reply) -> bytes | EnvelopeDone:
        sender = self._sender
        assert sender is not None
        if reply.code != 354:
            if reply.positive:
                raise OutOfPlace
            return self._give_up(reply)
        if sender.positive and self._accepted:
            return EnvelopeDone(sender, tuple(self._recipients), reply, ready=True)
        # RFC 2920 §3.1: a server that wants data for nobody gets a lone dot. LMTP answers it once a recipient (RFC 2033
        # §4.2); with none at all no reply is owed, and one that comes all the same ends the connection.
        self._abandoned = True
        self._unanswered = self._accepted if self._lmtp else 1
        return b".\r\n"

    @property
    def over(self) -> bool:
        """Abandoned, with no reply to wait for."""
        return self._abandoned and not self._unanswered

    def abandon(self) -> EnvelopeDone:
        return self._give_up(None)

    def _give_up(self, data: Reply | None) -> EnvelopeDone:
        sender = self._sender
        assert sender is not None
        if sender.positive:
            # Who was accepted fails by the reply to DATA; a server that says 354 to nobody leaves nobody accepted.
            recipients = [data if reply.positive and data is not None else reply for reply in self._recipients]
        else:
            recipients = [sender] * self._count
        return EnvelopeDone(sender, tuple(recipients), data, ready=False)
