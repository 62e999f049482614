"""The server's door: bytes in, events out, replies back.

    writer.write(conn.greeting())
    conn.receive_data(chunk)
    while (event := conn.next_event()) is not None:
        out += conn.send(await answer(event))       # for a message: then send_chunk(…) … send_end()
    out += conn.data_to_send()                      # replies that asked the host nothing
    if conn.closed: close

Rules:
- Events are pulled one at a time; while one is unanswered nothing is read, so pipelined commands (RFC 2449 §6.6) wait.
- Everything but log-in, TLS, message text and the final deletion is answered here. Nothing a client sends raises:
  exceptions are ``LocalProtocolError``, for a host that calls out of turn.
- At most ``lines.MAX_BUFFERED`` and one read are held; the host stops reading while ``wants_data`` is False.
- What comes between STLS and the handshake is never read as commands (RFC 2595 §4, response injection).
"""

from barid_protocols.pop3 import responses
from barid_protocols.pop3.commands import COMMANDS, auth
from barid_protocols.pop3.errors import LocalProtocolError, Refused
from barid_protocols.pop3.events import Answer, Event, Login, Maildrop, MessageStarted, Retrieve, StartTls, Top, Update
from barid_protocols.pop3.lines import MAX_LINE, Flood, LineReader, TooLong, is_http
from barid_protocols.pop3.responses import MessageWriter, ResponseCode
from barid_protocols.pop3.session import ServerProfile, Session
from barid_protocols.pop3.states import ALLOWED, State
from barid_protocols.sasl.encoding import MAX_RESPONSE

MAX_BAD_COMMANDS = 10
"""In a row. No client has a use for more."""

MAX_LOGIN_FAILURES = 3
"""A connection's guesses at a password. Hosts count by network, too."""


class ServerConnection:
    """One connection, seen from the server."""

    __slots__ = (
        "_bad",
        "_eof",
        "_failures",
        "_heard",
        "_lines",
        "_out",
        "_pending",
        "_session",
        "_tls_pending",
        "_writer",
        "close_reason",
        "rejected",
        "rejection",
    )

    rejection_blames_syntax = True
    """As of IMAP's: what is refused here without the host was badly said, or at the wrong time."""

    def __init__(self, profile: ServerProfile) -> None:
        self._session = Session(profile, profile.tls_active)
        self._lines = LineReader()
        self._out: list[bytes] = []
        self._pending: Event | None = None
        self._writer: MessageWriter | None = None
        self._bad = 0
        self._failures = 0
        self._heard = False
        self._tls_pending = False
        self._eof = False
        self.close_reason = ""
        self.rejected = 0
        """Commands that were refused without the host's doing, and what was said to the last: for the log."""
        self.rejection = ""

    # What the host may ask.

    @property
    def state(self) -> State:
        return self._session.state

    @property
    def tls(self) -> bool:
        return self._session.tls

    @property
    def closed(self) -> bool:
        """Write what ``data_to_send`` gives, then close."""
        return self._session.state is State.CLOSED

    @property
    def waiting(self) -> bool:
        """An event is unanswered, or its message not yet sent."""
        return self._pending is not None

    @property
    def wants_data(self) -> bool:
        return not self.closed and not self._lines.full

    @property
    def message_complete(self) -> bool:
        """All that the client asked of this message is out: no more ``send_chunk`` is needed."""
        return self._writer is not None and self._writer.complete

    # What the host does.

    def greeting(self) -> bytes:
        return responses.ok(self._session.profile.greeting)

    def receive_data(self, data: bytes) -> None:
        """Keep what was read; parses nothing."""
        if not self.closed and not self._tls_pending:
            self._lines.feed(data)

    def receive_eof(self) -> None:
        """The client will send no more. Nothing is deleted: only QUIT does."""
        self._eof = True

    def next_event(self) -> Event | None:
        """The next event, or None until there is more input or the last one is answered."""
        while self._pending is None and not self.closed and not self._tls_pending:
            if not self._step():
                if self._eof:
                    self._close("end of input")
                break
        return self._pending if self._pending is not None and self._writer is None else None

    def data_to_send(self) -> bytes:
        """All octets owed to the client, once."""
        out, self._out = self._out, []
        return b"".join(out)

    def send(self, answer: Answer | Refused = None) -> bytes:
        """Answer the pending event; gives all octets now owed. Raises ``LocalProtocolError`` if none is pending or
        the answer does not fit."""
        pending = self._pending
        if pending is None or self._writer is not None:
            raise LocalProtocolError("nothing to answer")
        if isinstance(answer, Refused):
            self._pending = None
            self._refused(pending, answer)
        elif isinstance(pending, Login) and isinstance(answer, Maildrop):
            self._pending = None
            self._logged_in(answer)
        elif isinstance(pending, Retrieve | Top) and isinstance(answer, MessageStarted):
            # _pending stays until the message's end.
            self._writer = MessageWriter(pending.lines if isinstance(pending, Top) else None)
            self._out.append(responses.ok(f"{answer.size} octets"))
        elif isinstance(pending, StartTls) and answer is None:
            self._pending = None
            self._tls_pending = True
            self._lines.clear()
            self._out.append(responses.ok("begin TLS negotiation"))
        elif isinstance(pending, Update) and answer is None:
            self._pending = None
            self._out.append(responses.ok("goodbye"))
            self._close("quit")
        else:
            raise LocalProtocolError(f"{type(answer).__name__} does not answer {type(pending).__name__}")
        return self.data_to_send()

    def send_chunk(self, data: bytes) -> bytes:
        """The next octets of the message, stuffed."""
        if self._writer is None:
            raise LocalProtocolError("no message was started")
        chunk = self._writer.write(data)
        return self.data_to_send() + chunk if self._out else chunk

    def send_end(self) -> bytes:
        """The message's end."""
        if self._writer is None:
            raise LocalProtocolError("no message was started")
        self._out.append(self._writer.finish())
        self._writer = self._pending = None
        return self.data_to_send()

    def tls_established(self) -> None:
        """The handshake is done: the session starts anew (RFC 2595 §4)."""
        if not self._tls_pending:
            raise LocalProtocolError("no STLS was accepted")
        self._tls_pending = False
        self._lines.clear()
        self._session = Session(self._session.profile, tls=True)

    def close(self, text: str, code: ResponseCode | None = ResponseCode.SYS_TEMP) -> bytes:
        """End it now, as after a timeout or for a drain; gives the last octets. Within a message, or a handshake,
        there is no place for a reply: the connection just ends."""
        if self.closed:
            return b""
        if self._writer is None and not self._tls_pending:
            self._out.append(responses.err(text, code))
        self._pending = self._writer = None
        self._close(text)
        return self.data_to_send()

    # Reading.

    def _step(self) -> bool:
        """Answer one line, or ask the host; False if there is no whole line."""
        if not self._heard:
            tls = self._lines.begins_with_tls()
            if tls is None:
                return False
            self._heard = True
            if tls and not self._session.tls:
                return self._hang_up("this port does not begin with TLS", "TLS on the plain port")
        try:
            line = self._lines.next(MAX_LINE if self._session.exchange is None else MAX_RESPONSE + 2)
        except TooLong:
            self._session.exchange = None
            self._session.state = _forgotten_name(self._session.state)
            return self._bad_command("line too long")
        except Flood:
            return self._hang_up("line too long", "line too long")
        if line is None:
            return False
        self._line(line)
        return True

    def _line(self, line: bytes) -> None:
        session = self._session
        try:
            if session.exchange is not None:
                self._settle(auth.respond(session, line))
                return
            verb, _, argument = line.partition(b" ")
            verb = verb.upper()
            state, session.state = session.state, _forgotten_name(session.state)
            command = COMMANDS.get(verb)
            if command is None or b"\0" in line:
                if is_http(line):
                    self._hang_up("this is POP3", "HTTP")
                else:
                    self._bad_command("unknown command")
                return
            if verb not in ALLOWED[state]:
                self._bad_command(_out_of_turn(verb, state))
                return
            # PASS keeps the spaces of its argument: they may be the password's.
            self._settle(command.run(session, argument if verb == b"PASS" else argument.strip()))
        except Refused as refusal:
            self._bad_command(refusal.text, refusal.code)

    def _settle(self, result: bytes | Event) -> None:
        if isinstance(result, bytes):
            self._bad = 0
            self._out.append(result)
            if self.closed:
                self.close_reason = "quit"
        else:
            self._pending = result

    # Outcomes.

    def _logged_in(self, maildrop: Maildrop) -> None:
        self._session.open(maildrop)
        self._bad = 0
        self._out.append(responses.ok(f"{len(maildrop.sizes)} messages"))

    def _refused(self, pending: Event, refusal: Refused) -> None:
        self._out.append(responses.err(refusal.text, refusal.code))
        if isinstance(pending, Update):
            self._close("update failed")
        elif isinstance(pending, Login) and refusal.code is ResponseCode.AUTH:
            self._failures += 1
            if self._failures >= MAX_LOGIN_FAILURES:
                self._close("log-in failures")

    def _bad_command(self, text: str, code: ResponseCode | None = None) -> bool:
        self._bad += 1
        self.rejected += 1
        self.rejection = text
        self._out.append(responses.err(text, code))
        if self._bad >= MAX_BAD_COMMANDS:
            self._close("bad commands")
        return True

    def _hang_up(self, text: str, reason: str) -> bool:
        self._out.append(responses.err(text))
        self._close(reason)
        return False

    def _close(self, reason: str) -> None:
        self._session.state = State.CLOSED
        self._lines.clear()
        self.close_reason = reason


def _forgotten_name(state: State) -> State:
    """PASS must follow USER at once (RFC 1939 §7): any command ends the state that USER made."""
    return State.AUTHORIZATION if state is State.NAMED else state


def _out_of_turn(verb: bytes, state: State) -> str:
    if verb == b"PASS":
        return "USER comes first"
    return "log in first" if state in (State.AUTHORIZATION, State.NAMED) else "not after log-in"
