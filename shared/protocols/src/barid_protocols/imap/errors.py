"""What may go wrong in an IMAP session, and who is to blame.

    ImapError
    ├── SyntaxProblem    the client's bytes are not IMAP        → tagged BAD
    ├── UserError        well-formed, but it cannot be done     → tagged NO [code]
    └── ServerError      our fault, or a part of us is down     → tagged NO [UNAVAILABLE]
    LocalProtocolError   the host called the core out of order  → a bug of the host, never of the peer

``text`` is written for the client and holds nothing of the cause; the cause travels as ``__cause__`` for the log.
"""

from __future__ import annotations


class ImapError(Exception):
    """An error with a text that may be shown to the client."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class SyntaxProblem(ImapError):
    """The client's bytes do not follow RFC 3501 §9; answered by a tagged BAD."""


class UserError(ImapError):
    """The command is well-formed, but cannot be done; answered by a tagged NO.

    ``code`` is the inside of a response code (``b"TRYCREATE"``, see RFC 5530), or empty.
    """

    def __init__(self, text: str, code: bytes = b"") -> None:
        super().__init__(text)
        self.code = code


class ServerError(ImapError):
    """Something of ours failed; answered by a tagged NO with a code of RFC 5530 §3."""

    def __init__(self, text: str = "Temporary failure", code: bytes = b"UNAVAILABLE") -> None:
        super().__init__(text)
        self.code = code


class LocalProtocolError(Exception):
    """The host asked for something that the state of the connection does not allow."""
