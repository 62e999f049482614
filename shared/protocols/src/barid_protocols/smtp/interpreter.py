"""A line becomes a reply or a question: verb → limits → state → the command's own file.

What it decides goes three ways: replies into the outbox, facts (and that the session is to end) into the session, a
question to ``question``. It closes nothing itself.
"""

import re

from barid_protocols.smtp import replies
from barid_protocols.smtp.commands import HTTP_METHODS, LMTP, SMTP, auth, rcpt
from barid_protocols.smtp.commands.usual import USUAL
from barid_protocols.smtp.errors import Refusal
from barid_protocols.smtp.events import CloseReason, Decision, RcptTo, Refused, StartTls
from barid_protocols.smtp.inbox import Inbox
from barid_protocols.smtp.options import MAX_COMMAND_LINE
from barid_protocols.smtp.outbox import Outbox
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session
from barid_protocols.smtp.states import State, out_of_sequence

MAX_QUOTED = 80
"""Octets of a refused line that the host gets to log."""

_LIKE_A_VERB = re.compile(rb"[A-Z]{1,10}")


class Interpreter:
    """``inbox`` is where the neighbours of a line are looked for: pipelined recipients make one question."""

    __slots__ = ("_commands", "_inbox", "_outbox", "question", "session")

    def __init__(self, session: Session, inbox: Inbox, outbox: Outbox) -> None:
        self.session = session
        self.question: Decision | None = None
        self._commands = LMTP if session.options.lmtp else SMTP
        self._inbox = inbox
        self._outbox = outbox

    def read_usual(self, state: State) -> bool:
        """Take the next line if it is the one that nearly always comes now."""
        usual = USUAL.get(state)
        if usual is None:
            return False
        inbox = self._inbox
        found = usual(self.session, inbox.buffer, inbox.position)
        if found is None:
            return False
        question, end = found
        inbox.seek(end)
        self.question = question
        if question.__class__ is RcptTo:
            self._extend(rcpt.COMMAND, question)
        return True

    def read(self, line: bytes) -> None:
        """Any line, with its LF."""
        state = self.session.state
        if state is State.AUTH:
            self._response(line)
        elif line.endswith(b"\r\n"):
            self._command(line, state)
        else:
            self.refuse(replies.BAD_LINE_END)

    def limit(self, part: bytes) -> int:
        """Octets that a line may have that begins so."""
        if self.session.state is State.AUTH:
            return auth.MAX_AUTH_LINE
        if len(part) <= MAX_COMMAND_LINE:
            return MAX_COMMAND_LINE
        verb = part[:MAX_COMMAND_LINE].lstrip(b" \t").partition(b" ")[0]
        command = self._commands.get(verb.upper())
        return command.max_line if command else MAX_COMMAND_LINE

    def too_long(self, *, endless: bool) -> None:
        """A line was thrown away."""
        reply = replies.LINE_TOO_LONG
        if self.session.state is State.AUTH:
            auth.give_up(self.session)
            reply = replies.AUTH_LINE_TOO_LONG
        if endless:
            self.end(reply, CloseReason.ERRORS)
        else:
            self.refuse(reply)

    def refuse(self, reply: Reply, line: bytes = b"") -> None:
        """``line``: as much of it as may be shown to the host."""
        self._outbox.add(reply)
        self.session.notices.append(Refused(reply, line[:MAX_QUOTED]))
        self.count_error()

    def count_error(self) -> None:
        session = self.session
        session.errors += 1
        if session.errors >= session.options.max_errors:
            self.end(replies.TOO_MANY_ERRORS, CloseReason.ERRORS)

    def end(self, reply: Reply, reason: CloseReason) -> None:
        """Our last word."""
        self._outbox.add(reply)
        self.session.closing = reason

    def _command(self, line: bytes, state: State) -> None:
        verb, _, argument = line[:-2].strip(b" \t").partition(b" ")
        command = self._commands.get(verb) or self._commands.get(verb.upper())
        if command is None:
            self._unknown(verb, line)
            return
        quotable = verb if command.secret else line
        if len(line) > command.max_line:
            self.refuse(replies.LINE_TOO_LONG, quotable)
            return
        if refusal := out_of_sequence(state, command.step):
            self.refuse(refusal, quotable)
            return
        try:
            result = command.begin(self.session, argument.lstrip(b" "))
        except Refusal as error:
            self.refuse(error.reply, quotable)
            return
        self._take(result)
        if command.extend is not None and self.question is not None:
            self._extend(command, self.question)

    def _unknown(self, verb: bytes, line: bytes) -> None:
        if verb.upper() in HTTP_METHODS:
            self.end(replies.NOT_SMTP, CloseReason.HTTP)
            return
        long = len(line) > MAX_COMMAND_LINE
        # A client that lost its place says passwords where commands are expected, and AUTH may be misspelt.
        quotable = verb if _LIKE_A_VERB.fullmatch(verb) else b""
        self.refuse(replies.LINE_TOO_LONG if long else replies.UNKNOWN_COMMAND, quotable)

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
            if not command.extend(self.session, question, argument.lstrip(b" ")):
                return
            inbox.seek(end + 2)

    def _response(self, line: bytes) -> None:
        session = self.session
        if len(line) > auth.MAX_AUTH_LINE:
            self.too_long(endless=False)
        elif not line.endswith(b"\r\n"):
            auth.give_up(session)
            self.refuse(replies.BAD_LINE_END)
        else:
            try:
                result = auth.respond(session, line[:-2])
            except Refusal as error:
                self.refuse(error.reply)
            else:
                self._take(result)

    def _take(self, result: Reply | Decision) -> None:
        if isinstance(result, Reply):
            self._outbox.add(result)
            return
        self.question = result
        if isinstance(result, StartTls):
            result.discarded = len(self._inbox)
