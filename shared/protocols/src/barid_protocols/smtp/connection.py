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

import re

from barid_protocols.smtp import replies
from barid_protocols.smtp.commands import HTTP_METHODS, LMTP, SETTLE, SMTP, auth, data, rcpt
from barid_protocols.smtp.commands.usual import USUAL, Usual
from barid_protocols.smtp.errors import LocalError, Refusal
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
    RcptTo,
    Refused,
    StartTls,
)
from barid_protocols.smtp.inbox import Inbox
from barid_protocols.smtp.intake import Intake
from barid_protocols.smtp.options import (
    MAX_COMMAND_LINE,
    MAX_SKIPPED,
    MOST_OWED,
    BareLineEnds,
    ServerOptions,
)
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session
from barid_protocols.smtp.states import Input, State, out_of_sequence

MAX_QUOTED = 80
"""Octets of a refused line that the host gets to log."""

_LIKE_A_VERB = re.compile(rb"[A-Z]{1,10}")

_TLS_HANDSHAKE = b"\x16"


class ServerConnection:
    """One connection. ``tls`` if the transport was encrypted before the first octet (port 465)."""

    __slots__ = (
        "_commands",
        "_draining",
        "_eof",
        "_inbox",
        "_intake",
        "_out",
        "_owed",
        "_pending",
        "_question",
        "_session",
        "_skip_reply",
        "_skipped",
    )

    def __init__(self, options: ServerOptions, *, tls: bool = False) -> None:
        self._session = Session(options, tls)
        self._commands = LMTP if options.lmtp else SMTP
        self._inbox = Inbox()
        self._out = bytearray()
        self._owed = 0
        self._question: Decision | None = None
        self._pending: Decision | None = None
        self._intake = self._new_intake()
        self._skipped = 0
        self._skip_reply = replies.LINE_TOO_LONG
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
        notices = self._session.notices
        while True:
            if notices:
                return notices.popleft()
            if self._question is not None:
                self._pending, self._question = self._question, None
                return self._pending
            if self._owed > MOST_OWED:
                self._owed = 0
                return Flush()
            if not self._step():
                self._owed = 0
                return None

    def send(self, answer: Answer = None) -> bytes:
        """Answer the pending Decision; gives all octets now owed to the peer. Raises LocalError if nothing is pending
        or the answer does not fit, and then nothing has changed."""
        pending = self._pending
        if pending is None:
            raise LocalError("nothing to answer")
        session = self._session
        answers = SETTLE[type(pending)](session, pending, answer)
        self._pending = None
        for reply in answers:
            self._reply(reply)
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
        return self.data_to_send()

    def _reply(self, reply: Reply) -> None:
        encoded = reply.encoded
        self._out += encoded
        self._owed += len(encoded)

    def data_to_send(self) -> bytes:
        """All octets owed to the peer, once."""
        out = self._out
        if not out:
            return b""
        result = bytes(out)
        out.clear()
        return result

    def tls_established(self) -> None:
        """The handshake that a StartTls began is done: the session starts again (RFC 3207 §4.2)."""
        if self._session.state is not State.TLS:
            raise LocalError("no STARTTLS was accepted")
        session = Session(self._session.options, tls=True, state=State.TLS, errors=self._session.errors)
        session.failed_logins = self._session.failed_logins
        session.advance(Input.TLS_UP)
        self._session = session

    def drain(self) -> None:
        """Close with 421 as soon as no message is being received: pull events once more after this."""
        self._draining = True

    def close(self, reply: Reply | None = replies.TOO_SLOW) -> bytes:
        """End it now, as after a timeout, even within DATA; gives the last octets. Closed is the next event."""
        if self._session.state is State.CLOSED:
            return b""
        self._pending = self._question = None
        # During a handshake there is no layer that could carry a reply.
        if reply is not None and self._session.state is not State.TLS:
            self._reply(reply)
        self._shut(CloseReason.HOST)
        return self.data_to_send()

    # Reading.

    def _step(self) -> bool:
        """Read one unit; False if there is not enough input for it."""
        state = self._session.state
        if state is State.CLOSED:
            return False
        if self._inbox.overflow:
            return self._end(replies.TOO_MUCH_INPUT, CloseReason.OVERFLOW)
        if state is State.DATA:
            return self._read_data()
        if state is State.TLS:
            return self._starved()
        if self._draining:
            return self._end(replies.CLOSING_DOWN, CloseReason.DRAINED)
        if state is State.CONNECTED:
            self._question = Connected(early=len(self._inbox) > 0)
            return True
        usual = USUAL.get(state)
        if usual is None or self._skipped or not self._read_usual(usual):
            return self._read_line(state)
        return True

    def _read_usual(self, usual: Usual) -> bool:
        inbox = self._inbox
        found = usual(self._session, inbox.buffer, inbox.position)
        if found is None:
            return False
        question, end = found
        inbox.seek(end)
        self._question = question
        if question.__class__ is RcptTo:
            self._extend(rcpt.COMMAND, question)
        return True

    def _read_line(self, state: State) -> bool:
        line = self._inbox.next_line()
        if line is None:
            return self._read_part(state)
        if state is State.GREETED and line.startswith(_TLS_HANDSHAKE) and not self._session.tls:
            return self._end(replies.NOT_SMTP, CloseReason.TLS_ON_PLAIN)
        if self._skipped or len(line) > MAX_SKIPPED:
            return self._skip(len(line), ended=True)
        if state is State.AUTH:
            self._response(line)
        elif line.endswith(b"\r\n"):
            self._command(line, state)
        else:
            self._refuse(replies.BAD_LINE_END, b"")
        return True

    def _read_part(self, state: State) -> bool:
        """A line without its end, yet: wait, or begin to throw it away."""
        part = self._inbox.buffer
        if not part:
            return self._starved()
        if state is State.GREETED and part.startswith(_TLS_HANDSHAKE) and not self._session.tls:
            return self._end(replies.NOT_SMTP, CloseReason.TLS_ON_PLAIN)
        if not self._skipped:
            if len(part) <= self._limit(part, state):
                return self._starved()
            self._skip_reply = replies.LINE_TOO_LONG
            if state is State.AUTH:
                auth.give_up(self._session)
                self._skip_reply = replies.AUTH_LINE_TOO_LONG
        self._inbox.clear()
        return self._skip(len(part), ended=False)

    def _limit(self, part: bytes, state: State) -> int:
        if state is State.AUTH:
            return auth.MAX_AUTH_LINE
        if len(part) <= MAX_COMMAND_LINE:
            return MAX_COMMAND_LINE
        verb = part[:MAX_COMMAND_LINE].lstrip(b" \t").partition(b" ")[0]
        command = self._commands.get(verb.upper())
        return command.max_line if command else MAX_COMMAND_LINE

    def _skip(self, length: int, *, ended: bool) -> bool:
        """Throw a part of an over-long line away."""
        self._skipped += length
        if self._skipped > MAX_SKIPPED:
            return self._end(self._skip_reply, CloseReason.ERRORS)
        if not ended:
            return self._starved()
        self._skipped = 0
        self._refuse(self._skip_reply, b"")
        return True

    def _read_data(self) -> bool:
        inbox = self._inbox
        if not inbox.has_run():
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
            self._question = DataEnd(intake.size)
        else:
            for reply in data.end_refused(self._session, intake.verdict):
                self._reply(reply)
            self._count_error()
        return True

    # Commands.

    def _command(self, line: bytes, state: State) -> None:
        verb, _, argument = line[:-2].strip(b" \t").partition(b" ")
        command = self._commands.get(verb) or self._commands.get(verb.upper())
        if command is None:
            if verb.upper() in HTTP_METHODS:
                self._end(replies.NOT_SMTP, CloseReason.HTTP)
            else:
                long = len(line) > MAX_COMMAND_LINE
                # A client that lost its place says passwords where commands are expected, and AUTH may be misspelt.
                quotable = verb if _LIKE_A_VERB.fullmatch(verb) else b""
                self._refuse(replies.LINE_TOO_LONG if long else replies.UNKNOWN_COMMAND, quotable)
            return
        quotable = verb if command.secret else line
        if len(line) > command.max_line:
            self._refuse(replies.LINE_TOO_LONG, quotable)
            return
        if refusal := out_of_sequence(state, command.step):
            self._refuse(refusal, quotable)
            return
        try:
            result = command.begin(self._session, argument.lstrip(b" "))
        except Refusal as error:
            self._refuse(error.reply, quotable)
            return
        self._settle_line(result)
        if command.extend is not None and self._question is not None:
            self._extend(command, self._question)

    def _extend(self, command: Command, question: Decision) -> None:
        """Take the neighbours of the same verb into the question, as far as they have arrived and are in order."""
        assert command.extend is not None
        verb = command.verb
        inbox = self._inbox
        # Most often DATA is next: one comparison then, instead of cutting the line twice.
        while inbox.buffer[inbox.position : inbox.position + len(verb)].upper() == verb:
            start = inbox.position
            end = inbox.buffer.find(b"\r\n", start)
            if end < 0 or end + 2 - start > command.max_line:
                return
            found, _, argument = inbox.buffer[start:end].strip(b" \t").partition(b" ")
            if len(found) != len(verb):
                return
            if not command.extend(self._session, question, argument.lstrip(b" ")):
                return
            inbox.seek(end + 2)

    def _response(self, line: bytes) -> None:
        if len(line) > auth.MAX_AUTH_LINE:
            auth.give_up(self._session)
            self._refuse(replies.AUTH_LINE_TOO_LONG, b"")
        elif not line.endswith(b"\r\n"):
            auth.give_up(self._session)
            self._refuse(replies.BAD_LINE_END, b"")
        else:
            try:
                result = auth.respond(self._session, line[:-2])
            except Refusal as error:
                self._refuse(error.reply, b"")
            else:
                self._settle_line(result)

    def _settle_line(self, result: Reply | Decision) -> None:
        session = self._session
        if isinstance(result, Reply):
            self._reply(result)
            if session.closing is not None:
                self._shut(session.closing)
            return
        self._question = result
        if isinstance(result, StartTls):
            result.discarded = len(self._inbox)

    # Errors and ends.

    def _refuse(self, reply: Reply, line: bytes) -> None:
        self._reply(reply)
        self._session.notices.append(Refused(reply, line[:MAX_QUOTED]))
        self._count_error()

    def _count_error(self) -> None:
        session = self._session
        session.errors += 1
        if session.errors >= session.options.max_errors:
            self._end(replies.TOO_MANY_ERRORS, CloseReason.ERRORS)

    def _starved(self) -> bool:
        """No progress for want of input; after the peer's end of file that is the end."""
        if not self._eof:
            return False
        self._shut(CloseReason.EOF)
        return True

    def _end(self, reply: Reply, reason: CloseReason) -> bool:
        self._reply(reply)
        self._shut(reason)
        return True

    def _shut(self, reason: CloseReason) -> None:
        session = self._session
        session.state = State.CLOSED
        session.transaction = None
        session.exchange = None
        self._forget_input()
        self._owed = 0  # no Flush behind the last event
        session.notices.append(Closed(reason))

    def _forget_input(self) -> None:
        self._inbox.clear()
        self._skipped = 0
