"""The message of one APPEND on its way in: as chunks, never held, to the end of its command."""

from __future__ import annotations

from barid_protocols.imap import codes, responses
from barid_protocols.imap.commands.append import AppendAborted, AppendChunk, AppendEnd, AppendStarted
from barid_protocols.imap.framing import InputBuffer
from barid_protocols.imap.intake import Intake, MessageAsked, Rejected
from barid_protocols.imap.responses import Completion


class AppendStream:
    """From the host's decision to the end of the command. What is refused on the way is skipped by the intake, which
    answers when it is over."""

    __slots__ = ("_buffer", "_intake", "_missing", "command", "synchronising")

    def __init__(self, asked: MessageAsked, buffer: InputBuffer, intake: Intake) -> None:
        self.command: AppendStarted = asked.command
        self.synchronising = asked.synchronising
        self._buffer = buffer
        self._intake = intake
        self._missing = asked.command.size

    def next(self) -> AppendChunk | AppendEnd | AppendAborted | None:
        """None until more has come. After AppendAborted the stream is over; after AppendEnd the host completes."""
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
        if line is None and len(self._buffer) <= len(b"\r\n"):
            return None
        if line == b"":
            return AppendEnd()
        refusal = Rejected(self.command.tag, responses.bad("Unexpected text after the message"))
        if line is None:
            self._intake.refuse_message(refusal, 0)
        else:
            self._intake.refuse_line(refusal, line)
        return AppendAborted()

    def refuse(self, completion: Completion) -> None:
        """The message is not wanted: what is missing of it is skipped, then the client has this answer."""
        self._intake.refuse_message(Rejected(self.command.tag, completion), self._missing)
