"""The door of the IMAP core: bytes in, one command at a time out, replies back in (RFC 3501).

    conn.receive_data(chunk)
    while (event := conn.next_event()) is not None:
        writer.write(conn.send(*await handlers.answer(event)))
    writer.write(conn.data_to_send())      # what the core had to say itself
    if conn.closing: close

Rules:
- One command is in the host's hands at a time: until it was completed, ``next_event`` gives None, and what the client
  sent behind it waits (§5.5: so nothing in a pipeline is ever judged or executed out of order).
- The state changes when the completion is written (:mod:`.states`).
- All that is not IMAP is answered here; the host sees well-formed commands only, in states that allow them.
- Whatever is sent, no more is held than one command (:data:`MAX_COMMAND`), and what the host fed while it was busy:
  it stops reading while ``wants_data`` is False.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum, auto
from typing import Literal

from barid_protocols.imap import responses
from barid_protocols.imap.append_stream import AppendStream
from barid_protocols.imap.authentication import SaslExchange
from barid_protocols.imap.commands.append import AppendAborted, AppendChunk, AppendEnd, AppendStarted
from barid_protocols.imap.commands.authenticate import AuthenticateStarted
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.commands.capability import Capability
from barid_protocols.imap.commands.enable import Enable
from barid_protocols.imap.commands.idle import Idle, IdleDone
from barid_protocols.imap.errors import ImapError, LocalProtocolError
from barid_protocols.imap.framing import InputBuffer
from barid_protocols.imap.gate import ServerProfile, completion_of, not_enabled
from barid_protocols.imap.intake import MAX_COMMAND, Ask, HangUp, Intake, MessageAsked, Rejected
from barid_protocols.imap.responses import Completion, Status
from barid_protocols.imap.states import State, after
from barid_protocols.imap.wire_names import in_utf8
from barid_protocols.sasl.encoding import MAX_RESPONSE

MAX_BAD_COMMANDS = 20
"""In a row. No client has a use for more; a password guesser and a confused program have."""

Event = Command | IdleDone | AppendChunk | AppendEnd | AppendAborted


class _Mode(Enum):
    COMMAND = auto()
    BUSY = auto()
    """The host has a command."""
    SASL = auto()
    IDLE = auto()
    APPEND_ASKED = auto()
    APPEND_DATA = auto()
    TLS = auto()
    """STARTTLS was accepted; nothing is read until the handshake is over."""


class _Step(Enum):
    AGAIN = auto()


_AGAIN: Literal[_Step.AGAIN] = _Step.AGAIN
_Outcome = Event | Literal[_Step.AGAIN] | None


class ServerConnection:
    """One connection, seen from the server."""

    def __init__(self, profile: ServerProfile) -> None:
        self.profile = profile
        self.state = State.NOT_AUTHENTICATED
        self.enabled: set[bytes] = set()
        self.closing = False
        """Write what ``data_to_send`` gives, then close."""
        self.close_reason = ""
        self.rejected = 0
        """Commands that were refused without the host's doing, and what was said to the last: for the log."""
        self.rejection = ""
        self.rejection_blames_syntax = False
        """It was BAD; a NO is an answer to a command that was well said."""
        self._buffer = InputBuffer()
        self._intake = Intake(self._buffer)
        self._out: list[bytes] = []
        self._mode = _Mode.COMMAND
        self._current: Command | None = None
        self._forced: Completion | None = None
        self._sasl: SaslExchange | None = None
        self._append: AppendStream | None = None
        self._bad_commands = 0
        self._eof = False

    # What the host reads

    @property
    def condstore(self) -> bool:
        """Whether the client spoke a CONDSTORE enabling command (RFC 7162 §3.1)."""
        return b"CONDSTORE" in self.enabled

    @property
    def busy(self) -> bool:
        """Whether a command waits for its completion."""
        return self._current is not None

    @property
    def wants_data(self) -> bool:
        """False: stop reading from the client until events were pulled."""
        return not self.closing and len(self._buffer) < MAX_COMMAND

    def capabilities(self) -> tuple[bytes, ...]:
        """What is advertised in the present state."""
        return self.profile.capabilities(self.state)

    # Bytes in

    def receive_data(self, data: bytes) -> None:
        """Store what came; nothing is parsed here. Not between the OK to STARTTLS and :meth:`tls_started`."""
        if self._mode is _Mode.TLS:
            raise LocalProtocolError("plain text after STARTTLS: give these bytes to the TLS layer")
        if not self.closing:
            self._buffer.feed(data)

    def receive_eof(self) -> None:
        """The client is gone: an APPEND on its way ends in :class:`AppendAborted`, and the connection is closing."""
        self._eof = True

    def next_event(self) -> Event | None:
        """The next thing for the host to do, or None: then write ``data_to_send`` and wait for more bytes."""
        while not self.closing:
            match self._mode:
                case _Mode.COMMAND:
                    outcome = self._next_command()
                case _Mode.SASL:
                    outcome = self._next_sasl()
                case _Mode.IDLE:
                    outcome = self._next_idle()
                case _Mode.APPEND_DATA:
                    outcome = self._next_append()
                case _:
                    outcome = None
            if outcome is not _AGAIN:
                if outcome is None and self._eof:
                    return self._end_of_input()
                return outcome
        return None

    # Bytes out

    def greeting(self) -> bytes:
        """The first line, to be sent when the connection (and its TLS, on an implicit TLS port) stands."""
        return self.send(responses.untagged_ok(self.profile.greeting, self._capability_code()))

    def send(self, *items: bytes | Completion) -> bytes:
        """Untagged lines as they are, and at most one :class:`Completion`, last. Gives all bytes to write now.

        Once the connection is closing nothing more is said: BYE is the last word, also for a command still running.
        """
        if self.closing:
            return self.data_to_send()
        for item in items:
            if isinstance(item, Completion):
                self._complete(item)
            else:
                self._out.append(item)
        return self.data_to_send()

    def data_to_send(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def accept_append(self) -> bytes:
        """Let the message of the :class:`AppendStarted` come."""
        if self._mode is not _Mode.APPEND_ASKED or self._append is None:
            raise LocalProtocolError("no APPEND waits for a decision")
        self._mode = _Mode.APPEND_DATA
        if self._append.synchronising:
            self._out.append(responses.continuation("Ready for the message"))
        return self.data_to_send()

    def tls_started(self) -> None:
        """The handshake that followed STARTTLS is over. What the client said before it is forgotten (§6.2.1)."""
        if self._mode is not _Mode.TLS:
            raise LocalProtocolError("STARTTLS was not accepted")
        self.profile = replace(self.profile, tls_active=True)
        self._mode = _Mode.COMMAND

    def deselected(self) -> None:
        """The running command has taken the selected mailbox away: no mailbox is selected behind it."""
        if self.state is State.SELECTED:
            self.state = State.AUTHENTICATED

    def bye(self, text: str, code: bytes = b"") -> bytes:
        """Say good-bye at any time and close: shutdown, idle time-out, too many failed log-ins."""
        self._hang_up(text, text, code)
        return self.data_to_send()

    # Completion

    def _complete(self, completion: Completion) -> None:
        command = self._current
        if command is None or self._mode in (_Mode.IDLE, _Mode.SASL):
            raise LocalProtocolError("no command waits for its completion")
        if self._mode in (_Mode.APPEND_ASKED, _Mode.APPEND_DATA):
            self._refuse_append(command, completion)
            return
        if self._forced is not None:
            completion, self._forced = self._forced, None
        if completion.status is Status.OK:
            completion = self._on_success(command, completion)
        self._finish(command, completion)
        if completion.status is Status.BAD:
            self._count_bad()
        else:
            self._bad_commands = 0

    def _on_success(self, command: Command, completion: Completion) -> Completion:
        match command.name:
            case b"LOGOUT":
                self._out.append(responses.bye("Good-bye"))
            case b"ENABLE":
                assert isinstance(command, Enable)
                self.enabled.update([name.upper() for name in command.capabilities])
                self.profile = replace(self.profile, utf8=in_utf8(self.enabled))
                if command.enables_condstore:
                    self.enabled.add(b"CONDSTORE")
                self._out.append(responses.enabled(command.capabilities))
            case b"UNAUTHENTICATE":
                self.enabled.clear()
                self.profile = replace(self.profile, utf8=False)
                self._intake.narrow()
                self.state = State.NOT_AUTHENTICATED
                return replace(completion, code=self._capability_code())
            case b"LOGIN" | b"AUTHENTICATE":
                self._intake.widen()
                if not completion.code:
                    self.state = State.AUTHENTICATED
                    return replace(completion, code=self._capability_code())
        return completion

    def _finish(self, command: Command, completion: Completion) -> None:
        self._out.append(completion.line(command.tag))
        self._current = None
        self._mode = _Mode.COMMAND
        self.state = after(self.state, command.name, completion.status)
        if self.state is State.LOGOUT:
            self.closing = True
            self.close_reason = "logout"
        elif command.name == b"STARTTLS" and completion.status is Status.OK:
            # Whatever came behind STARTTLS in the clear may be an attacker's: it is not to be taken for the client's.
            self._buffer.clear()
            self._mode = _Mode.TLS
        elif command.name == b"COMPRESS" and completion.status is Status.OK:
            # What was sent before the OK was seen is not deflate, and no command either (RFC 4978 §3).
            self._buffer.clear()

    def _refuse_append(self, command: Command, completion: Completion) -> None:
        append = self._append
        assert append is not None
        if completion.status is Status.OK:
            raise LocalProtocolError("the message of this APPEND has not arrived")
        if self._mode is _Mode.APPEND_ASKED and append.synchronising:
            self._finish(command, completion)
            return
        append.refuse(completion)
        self._current = self._append = None
        self._mode = _Mode.COMMAND

    # Commands

    def _next_command(self) -> _Outcome:
        match self._intake.next(self.state, self.profile):
            case None:
                return None
            case Command() as command:
                return self._dispatch(command)
            case MessageAsked(command) as asked:
                stream = AppendStream(asked, self._buffer, self._intake, self.profile)
                if (refused := not_enabled(command, self.enabled)) is None:
                    self._current, self._append = command, stream
                    self._mode = _Mode.APPEND_ASKED
                    return command
                if asked.synchronising:
                    self._reject(command.tag, refused)
                else:
                    stream.refuse(refused)
            case Rejected(tag, completion):
                self._reject(tag, completion)
            case HangUp(text, reason):
                self._hang_up(text, reason)
            case Ask.CONTINUATION:
                self._out.append(responses.continuation("Ready for the literal"))
            case Ask.NOTHING:
                pass
        return _AGAIN

    def _dispatch(self, command: Command) -> _Outcome:
        if (refused := not_enabled(command, self.enabled)) is not None:
            self._reject(command.tag, refused)
            return _AGAIN
        if command.enables_condstore and not isinstance(command, Enable):
            self.enabled.add(b"CONDSTORE")
        self._current = command
        match command:
            case Capability():
                self._out.append(responses.capability(self.capabilities()))
                self._complete(responses.ok("Done"))
                return _AGAIN
            case AuthenticateStarted():
                self._sasl = SaslExchange(command, self.profile.mechanisms)
                return self._advance_sasl()
            case Idle():
                self._mode = _Mode.IDLE
                self._out.append(responses.continuation("idling"))
            case _:
                self._mode = _Mode.BUSY
        return command

    # Conversations inside of a command

    def _next_append(self) -> _Outcome:
        assert self._append is not None
        event = self._append.next()
        match event:
            case AppendStarted():
                self._mode = _Mode.APPEND_ASKED
            case AppendEnd():
                self._mode = _Mode.BUSY
                self._append = None
            case AppendAborted():
                self._mode = _Mode.COMMAND
                self._current = self._append = None
            case _:
                pass
        return event

    def _next_idle(self) -> _Outcome:
        line = self._short_line()
        if line is None:
            return _AGAIN if self.closing else None
        if line.upper() != b"DONE":
            self._forced = responses.bad("Expected DONE")
        self._mode = _Mode.BUSY
        return IdleDone()

    def _next_sasl(self) -> _Outcome:
        line = self._short_line()
        if line is None:
            return _AGAIN if self.closing else None
        return self._advance_sasl(line)

    def _short_line(self) -> bytes | None:
        line = self._buffer.line()
        if len(line or b"") > MAX_RESPONSE or (line is None and len(self._buffer) > MAX_RESPONSE + 2):
            self._hang_up("Line is too long", "flood")
            return None
        return line

    def _advance_sasl(self, line: bytes | None = None) -> _Outcome:
        assert self._sasl is not None
        try:
            outcome = self._sasl.advance(line)
        except ImapError as error:
            self._reject(self._sasl.command.tag, completion_of(error))
            self._current = self._sasl = None
            self._mode = _Mode.COMMAND
            return _AGAIN
        if isinstance(outcome, bytes):
            self._out.append(outcome)
            self._mode = _Mode.SASL
            return _AGAIN
        self._current, self._sasl = outcome, None
        self._mode = _Mode.BUSY
        return outcome

    # Trouble

    def _reject(self, tag: bytes, completion: Completion) -> None:
        self._out.append(completion.line(tag))
        self.rejected += 1
        self.rejection = f"{completion.status.name} {completion.text}"
        self.rejection_blames_syntax = completion.status is Status.BAD
        if completion.status is Status.BAD:
            self._count_bad()

    def _count_bad(self) -> None:
        self._bad_commands += 1
        if self._bad_commands >= MAX_BAD_COMMANDS:
            self._hang_up("Too many bad commands", "too many bad commands")

    def _hang_up(self, text: str, reason: str, code: bytes = b"") -> None:
        self._out.append(responses.bye(text, code))
        self.closing = True
        self.close_reason = reason
        self._buffer.clear()

    def _end_of_input(self) -> Event | None:
        streaming = self._mode in (_Mode.APPEND_DATA, _Mode.APPEND_ASKED)
        if self._mode is _Mode.BUSY:
            return None
        self.closing = True
        self.close_reason = "client is gone"
        self._current = None
        return AppendAborted() if streaming else None

    def _capability_code(self) -> bytes:
        return b" ".join((b"CAPABILITY", *self.capabilities()))
