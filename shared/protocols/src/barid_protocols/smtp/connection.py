"""The server's door: bytes in, events out, replies collected.

    conn.receive_data(data)
    while (event := conn.next_event()) is not None:
        if isinstance(event, Decision):
            out += conn.send(await answer(event))
        elif isinstance(event, Flush):
            await write(out + conn.data_to_send())
            out = b""
        else:
            await take(event)
    out += conn.data_to_send()          # replies that needed no decision; write ``out`` once

Rules:
- Events are pulled one at a time; after a Decision nothing is read until ``send``. While the host thinks it should not
  read from its socket (``waiting``), and not while its socket's write buffer is full.
- The core answers every protocol error itself; the host only decides policy. No input raises: exceptions from here are
  LocalError, for a host that calls out of turn.
- Memory held for a connection is at most MAX_BUFFERED, one read, and MOST_OWED of replies: a read may earn more, so
  Flush asks to write them before more commands are taken.
- Bytes that come between STARTTLS and the handshake are never read as commands (RFC 3207 §4.2).
"""

from barid_protocols.smtp import replies
from barid_protocols.smtp.commands import SETTLE, data
from barid_protocols.smtp.errors import LocalError
from barid_protocols.smtp.events import (
    Answer,
    Closed,
    CloseReason,
    Connected,
    DataAborted,
    DataChunk,
    DataEnd,
    Decision,
    Event,
    Flush,
)
from barid_protocols.smtp.inbox import Inbox
from barid_protocols.smtp.intake import Intake
from barid_protocols.smtp.interpreter import Interpreter
from barid_protocols.smtp.lines import Lines, TooLong
from barid_protocols.smtp.options import MOST_OWED, BareLineEnds, ServerOptions
from barid_protocols.smtp.outbox import Outbox
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Session
from barid_protocols.smtp.states import Input, State

_TLS_HANDSHAKE = b"\x16"


class ServerConnection:
    """One connection. ``tls`` if the transport was encrypted before the first octet (port 465)."""

    __slots__ = ("_draining", "_eof", "_inbox", "_intake", "_interpreter", "_lines", "_outbox", "_pending", "_session")

    def __init__(self, options: ServerOptions, *, tls: bool = False) -> None:
        self._session = Session(options, tls)
        self._inbox = Inbox()
        self._outbox = Outbox()
        self._lines = Lines(self._inbox)
        self._interpreter = Interpreter(self._session, self._inbox, self._outbox)
        self._intake = self._new_intake()
        self._pending: Decision | None = None
        self._draining = False
        self._eof = False

    def _new_intake(self) -> Intake:
        options = self._session.options
        return Intake(options.max_size, normalise=options.bare_line_ends is BareLineEnds.NORMALISE)

    # What the host may ask.

    @property
    def waiting(self) -> bool:
        """A Decision is unanswered: stop reading from the socket."""
        return self._pending is not None

    @property
    def closed(self) -> bool:
        return self._session.state is State.CLOSED

    @property
    def in_data(self) -> bool:
        """Between 354 and the end of data; a drain waits for it."""
        return self._session.state is State.DATA

    @property
    def state(self) -> State:
        return self._session.state

    @property
    def tls(self) -> bool:
        return self._session.tls

    @property
    def hello(self) -> str:
        """The name the client gave; "" before its hello."""
        return self._session.hello

    @property
    def extended(self) -> bool:
        """EHLO or LHLO, not HELO."""
        return self._session.extended

    @property
    def login(self) -> str | None:
        """The authcid of the accepted log-in."""
        return self._session.login

    # What the host does.

    def receive_data(self, data: bytes) -> None:
        """Keep what was read; parses nothing."""
        state = self._session.state
        if state is not State.CLOSED and state is not State.TLS:
            self._inbox.push(data)

    def receive_eof(self) -> None:
        """The peer will send no more; Closed comes when all that it sent has been answered."""
        self._eof = True

    def next_event(self) -> Event | None:
        """The next event, or None until there is more input. Raises LocalError while a Decision is unanswered."""
        if self._pending is not None:
            raise LocalError(f"{type(self._pending).__name__} is not answered")
        session = self._session
        interpreter = self._interpreter
        notices = session.notices
        while True:
            if notices:
                return notices.popleft()
            if interpreter.question is not None:
                self._pending, interpreter.question = interpreter.question, None
                return self._pending
            if self._outbox.earned > MOST_OWED:
                self._outbox.earned = 0
                return Flush()
            if not self._step(session.state):
                self._outbox.earned = 0
                return None
            if session.closing is not None:
                self._shut(session.closing)

    def send(self, answer: Answer = None) -> bytes:
        """Answer the pending Decision; gives all octets now owed to the peer. Raises LocalError if nothing is pending
        or the answer does not fit, and then nothing has changed."""
        pending = self._pending
        if pending is None:
            raise LocalError("nothing to answer")
        session = self._session
        answers = SETTLE[type(pending)](session, pending, answer)
        self._pending = None
        outbox = self._outbox
        for reply in answers:
            outbox.add(reply)
            if reply.code == 421:
                # It is the last word: whatever else the group asked for has no answer (RFC 5321 §3.8).
                session.closing = session.closing or CloseReason.HOST
                break
        if session.closing is not None:
            self._shut(session.closing)
        elif session.state is State.TLS:
            self._forget_input()
        elif session.state is State.DATA:
            self._intake = self._new_intake()
        return outbox.take()

    def data_to_send(self) -> bytes:
        """All octets owed to the peer, once."""
        return self._outbox.take()

    def tls_established(self) -> None:
        """The handshake that a StartTls began is done: the session starts again (RFC 3207 §4.2)."""
        if self._session.state is not State.TLS:
            raise LocalError("no STARTTLS was accepted")
        session = Session(self._session.options, tls=True, state=State.TLS, errors=self._session.errors)
        session.failed_logins = self._session.failed_logins
        session.advance(Input.TLS_UP)
        self._session = self._interpreter.session = session

    def drain(self) -> None:
        """Close with 421 as soon as no message is being received: pull events once more after this."""
        self._draining = True

    def close(self, reply: Reply | None = replies.TOO_SLOW) -> bytes:
        """End it now, as after a timeout, even within DATA; gives the last octets. Closed is the next event."""
        if self._session.state is State.CLOSED:
            return b""
        self._pending = self._interpreter.question = None
        # During a handshake there is no layer that could carry a reply.
        if reply is not None and self._session.state is not State.TLS:
            self._outbox.add(reply)
        self._shut(CloseReason.HOST)
        return self._outbox.take()

    # Reading, one unit at a time: a line, or a run of a message.

    def _step(self, state: State) -> bool:
        """False if there is not enough input for a unit."""
        interpreter = self._interpreter
        if state is State.CLOSED:
            return False
        if self._inbox.overflow:
            interpreter.end(replies.TOO_MUCH_INPUT, CloseReason.OVERFLOW)
        elif state is State.DATA:
            return self._read_data()
        elif state is State.TLS:
            return self._starved()
        elif self._draining:
            interpreter.end(replies.CLOSING_DOWN, CloseReason.DRAINED)
        elif state is State.CONNECTED:
            interpreter.question = Connected(early=len(self._inbox) > 0)
        elif self._inbox.exhausted():
            return self._starved()
        elif self._lines.skipped or not interpreter.read_usual(state):
            return self._read_line(state)
        return True

    def _read_line(self, state: State) -> bool:
        interpreter = self._interpreter
        if (
            state is State.GREETED
            and not (self._session.tls or self._lines.skipped)
            and self._inbox.buffer.startswith(_TLS_HANDSHAKE, self._inbox.position)
        ):
            interpreter.end(replies.NOT_SMTP, CloseReason.TLS_ON_PLAIN)
            return True
        line = self._lines.next(interpreter.limit)
        if line is None:
            return self._starved()
        if isinstance(line, TooLong):
            interpreter.too_long(endless=line is TooLong.ENDLESS)
        else:
            interpreter.read(line)
        return True

    def _read_data(self) -> bool:
        inbox = self._inbox
        if inbox.exhausted():
            return self._starved()
        intake = self._intake
        judged = intake.verdict is not None
        content, after = intake.feed(inbox.buffer, inbox.position)
        notices = self._session.notices
        if content:
            notices.append(DataChunk(content))
        elif intake.verdict is not None and not judged:
            notices.append(DataAborted(intake.verdict))
        if after < 0:
            inbox.seek(len(inbox.buffer))
            return True
        inbox.seek(after)
        if intake.verdict is None:
            self._interpreter.question = DataEnd(intake.size)
        else:
            for reply in data.end_refused(self._session, intake.verdict):
                self._outbox.add(reply)
            self._interpreter.count_error()
        return True

    def _starved(self) -> bool:
        """No progress for want of input; after the peer's end of file that is the end."""
        if not self._eof:
            return False
        self._session.closing = CloseReason.EOF
        return True

    # Ends.

    def _shut(self, reason: CloseReason) -> None:
        session = self._session
        session.state = State.CLOSED
        session.closing = None
        session.transaction = None
        session.exchange = None
        self._forget_input()
        self._outbox.earned = 0  # no Flush behind the last event
        session.notices.append(Closed(reason))

    def _forget_input(self) -> None:
        self._inbox.clear()
        self._lines.skipped = 0
