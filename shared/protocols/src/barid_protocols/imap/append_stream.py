"""The messages of one APPEND or REPLACE on their way in: as chunks, never held, to the end of the command."""

from __future__ import annotations

import re

from barid_protocols.imap import codes, responses
from barid_protocols.imap.capabilities import LITERAL_MINUS_MAX
from barid_protocols.imap.commands.append import AppendAborted, AppendChunk, AppendEnd, AppendStarted, parse_following
from barid_protocols.imap.errors import ImapError, SyntaxProblem
from barid_protocols.imap.framing import InputBuffer
from barid_protocols.imap.gate import ServerProfile, completion_of
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.intake import Intake, MessageAsked, Rejected, judge_message
from barid_protocols.imap.responses import Completion

MAX_BETWEEN = 8 * 1024
"""Octets between two messages: flags and a date."""

_LITERAL_AT_END = re.compile(rb"\{([0-9]{1,20})(\+?)\}\Z")


class AppendStream:
    """From the host's decision to the end of the command. What is refused on the way is skipped by the intake, which
    answers when it is over."""

    __slots__ = ("_buffer", "_intake", "_missing", "_profile", "command", "synchronising")

    def __init__(self, asked: MessageAsked, buffer: InputBuffer, intake: Intake, profile: ServerProfile) -> None:
        self.command: AppendStarted = asked.command
        self.synchronising = asked.synchronising
        self._buffer = buffer
        self._intake = intake
        self._profile = profile
        self._missing = asked.command.size

    def next(self) -> AppendChunk | AppendStarted | AppendEnd | AppendAborted | None:
        """None until more has come. After AppendAborted the stream is over; after AppendEnd the host completes; after
        AppendStarted it decides again."""
        if self._missing:
            data = self._buffer.take(self._missing)
            if not data:
                return None
            self._missing -= len(data)
            if b"\0" in data:
                if self.command.binary:
                    # No body of ours holds what a BODY[] could not give back (RFC 3516 §4.4 lets us).
                    self.refuse(responses.no("Messages with NUL can't be kept", codes.UNKNOWNCTE))
                else:
                    self.refuse(responses.bad("NUL is not allowed in a message"))  # RFC 3501 §9 CHAR8
                return AppendAborted()
            return AppendChunk(data)
        line = self._buffer.line()
        if line is None:
            return self._unfinished()
        if line == b"":
            return AppendEnd()
        try:
            return self._following(line)
        except ImapError as error:
            self._intake.refuse_line(Rejected(self.command.tag, completion_of(error)), line)
            return AppendAborted()

    def _unfinished(self) -> AppendAborted | None:
        held = len(self._buffer)
        if held <= len(b"\r\n") or (held <= MAX_BETWEEN and self._buffer.peek(1) == b" "):
            return None
        self._intake.refuse_message(Rejected(self.command.tag, _TRAILING), 0)
        return AppendAborted()

    def _following(self, line: bytes) -> AppendStarted:
        match = _LITERAL_AT_END.search(line) if line.startswith((b" (", b' "', b" {", b" ~")) else None
        if match is None:
            raise SyntaxProblem(_TRAILING.text)
        size = int(match[1])
        started = parse_following(self.command, Cursor(line), size)
        synchronising = not match[2]
        if not (synchronising or self._profile.literal_plus) and size > LITERAL_MINUS_MAX:
            raise SyntaxProblem("Literal is too big to come unasked")
        judge_message(size, self._profile)
        self.command, self.synchronising, self._missing = started, synchronising, size
        return started

    def refuse(self, completion: Completion) -> None:
        """The message is not wanted: what is missing of it is skipped, then the client has this answer."""
        self._intake.refuse_message(Rejected(self.command.tag, completion), self._missing)


_TRAILING = responses.bad("Unexpected text after the message")
