"""The way of a command from bytes to a typed value: assembled, judged at every literal, parsed, or refused.

What is refused is answered only when it is over: a refused command that still has literals on their way is skipped
first, so that its tail is not taken for commands.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from barid_protocols.imap import codes, responses
from barid_protocols.imap.capabilities import LITERAL_MINUS_MAX
from barid_protocols.imap.commands import PARSERS, append
from barid_protocols.imap.commands.append import AppendStarted
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import ImapError, SyntaxProblem, UserError
from barid_protocols.imap.framing import CommandAssembler, InputBuffer, LiteralAsked, Skipped, TooLong, Whole
from barid_protocols.imap.gate import ServerProfile, completion_of, head, stranger, tag_of
from barid_protocols.imap.responses import Completion
from barid_protocols.imap.states import State

MAX_COMMAND = 64 * 1024
"""Text and string literals of one command: a UID set of 8,000 scattered messages fits, more is asked for in two."""

MAX_COMMAND_BEFORE_LOGIN = 16 * 1024
"""A stranger's command: an AUTHENTICATE with the longest initial response fits."""

MAX_SKIPPED = 256 << 20
"""A refused non-synchronising literal is read to its end for the sake of the session, up to here; 4 GB are not."""

MAX_SKIPPED_BEFORE_LOGIN = 64 * 1024

_FIRST_LOOK = 256
"""Octets looked at to tell TLS and HTTP from IMAP; a longer request line is answered as a bad command."""


@dataclass(frozen=True, slots=True)
class MessageAsked:
    """An APPEND came up to its message, which stands next in the buffer."""

    command: AppendStarted
    synchronising: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """Answer by this; the command is over."""

    tag: bytes
    completion: Completion


@dataclass(frozen=True, slots=True)
class HangUp:
    """``text`` is for the client, ``reason`` for the log."""

    text: str
    reason: str


class Ask(Enum):
    """What else the intake wants done before it is asked again."""

    CONTINUATION = auto()
    NOTHING = auto()


class Intake:
    """Commands out of a buffer that others may read from in between (SASL, IDLE, messages)."""

    __slots__ = ("_assembler", "_buffer", "_heard", "_refused")

    def __init__(self, buffer: InputBuffer) -> None:
        self._buffer = buffer
        self._assembler = CommandAssembler(buffer, MAX_COMMAND_BEFORE_LOGIN, MAX_SKIPPED_BEFORE_LOGIN)
        self._refused: Rejected | None = None
        self._heard = False

    @property
    def held(self) -> int:
        """Octets kept of a command that is not complete."""
        return self._assembler.held

    def widen(self) -> None:
        """The client is known now, and gets more room."""
        self._assembler.limit = MAX_COMMAND
        self._assembler.skip_limit = MAX_SKIPPED

    def narrow(self) -> None:
        """A stranger again."""
        self._assembler.limit = MAX_COMMAND_BEFORE_LOGIN
        self._assembler.skip_limit = MAX_SKIPPED_BEFORE_LOGIN

    def next(self, state: State, profile: ServerProfile) -> Command | MessageAsked | Rejected | HangUp | Ask | None:
        """One step; None while the buffer holds too little for it."""
        if not self._heard and (who := stranger(self._buffer.peek(_FIRST_LOOK))) is not None:
            return HangUp("This is an IMAP server", who)
        match self._assembler.next():
            case None:
                return None
            case Whole(text):
                self._heard = True
                return _parse(text, state, profile)
            case LiteralAsked() as asked:
                self._heard = True
                return self._literal_asked(asked, state, profile)
            case TooLong(text):
                self._refused = Rejected(tag_of(text), responses.bad("Command is too long"))
            case Skipped.FLOOD:
                return HangUp("Too much data", "flood")
            case Skipped.END:
                refused, self._refused = self._refused, None
                return refused
        return Ask.NOTHING

    def refuse_message(self, refusal: Rejected, missing: int) -> None:
        """A message is not wanted any more: skip what is ``missing`` of it, and the rest of its command."""
        self._refused = refusal
        self._assembler.skip_literal(missing)

    def refuse_line(self, refusal: Rejected, line: bytes) -> None:
        """``line`` was read and is wrong: skip what else belongs to its command."""
        self._refused = refusal
        self._assembler.skip_rest(line)

    def _literal_asked(
        self, asked: LiteralAsked, state: State, profile: ServerProfile
    ) -> MessageAsked | Rejected | Ask | None:
        try:
            started = self._judge(asked, state, profile)
        except ImapError as error:
            refusal = Rejected(tag_of(asked.text), completion_of(error))
            if asked.synchronising:
                self._assembler.hand_over()
                return refusal
            self.refuse_message(refusal, asked.size)
            return Ask.NOTHING
        if started is not None:
            self._assembler.hand_over()
            return MessageAsked(started, asked.synchronising)
        self._assembler.accept()
        return Ask.CONTINUATION if asked.synchronising else Ask.NOTHING

    def _judge(self, asked: LiteralAsked, state: State, profile: ServerProfile) -> AppendStarted | None:
        """None: a string of the command. Raises for a literal that is not wanted."""
        tag, name, cursor = head(asked.text, state, profile)
        if not (asked.synchronising or profile.literal_plus) and asked.size > LITERAL_MINUS_MAX:
            raise SyntaxProblem("Literal is too big to come unasked")
        if name in append.NAMES and (started := append.parse(tag, name, cursor, asked.size)) is not None:
            judge_message(asked.size, profile)
            return started
        if not self._assembler.fits(asked.size):
            raise SyntaxProblem("Command is too long")
        return None


def judge_message(size: int, profile: ServerProfile) -> None:
    """Raises UserError for a message that is not to come."""
    if size > profile.append_limit:
        raise UserError("Message is too big", codes.TOOBIG)
    if size == 0:
        raise UserError("Message is empty")


def _parse(text: bytes, state: State, profile: ServerProfile) -> Command | Rejected:
    try:
        tag, name, cursor = head(text, state, profile)
        if name in append.NAMES:
            raise SyntaxProblem("Expected the message as a literal")
        return PARSERS[name](tag, name, cursor)
    except ImapError as error:
        return Rejected(tag_of(text), completion_of(error))
