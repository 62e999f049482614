"""What can go wrong, and whose fault it is.

SmtpError
├── LocalError     the host used a core against its rules: a bug on our side, never the peer's doing
├── AddressError   text that is no RFC 5321 path; the command that met it chooses the reply
└── Refusal        a command that the core answers itself; carries the reply

Nothing here leaves a connection's ``next_event``: the peer's mistakes become replies (server) or events (client).
"""

from barid_protocols.smtp.replies import Reply


class SmtpError(Exception):
    """Base of all errors of the SMTP cores."""


class LocalError(SmtpError):
    """A call that is not allowed now, or an answer that does not fit the question."""


class AddressError(SmtpError):
    """``reason`` is fixed by us, never quotes the peer, and may be sent back to it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refusal(SmtpError):
    """Raised while a command is parsed; the connection answers ``reply`` and counts an error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply
