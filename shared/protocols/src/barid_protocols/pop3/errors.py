"""What can go wrong.

LocalProtocolError   the host called out of turn: a bug of ours
Refused              the client's wish is not granted; raised by commands, answered by the host; text is safe to send

The client's mistakes never leave the core as exceptions: each is answered ``-ERR``.
"""

from barid_protocols.pop3.responses import ResponseCode


class LocalProtocolError(Exception):
    """The host called out of turn."""


class Refused(Exception):
    """``-ERR [code] text``. Also the host's answer to an event, given or raised."""

    def __init__(self, text: str, code: ResponseCode | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
