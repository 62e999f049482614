"""PLAIN (RFC 4616). To be offered under TLS only; that is for the caller to hold.

No SASLprep: the directory compares what was set with what was sent, and prepares both sides alike.
"""

from typing import ClassVar

from barid_protocols.sasl.errors import SaslError
from barid_protocols.sasl.exchange import MAX_IDENTITY, MAX_PASSWORD, Challenge, Credentials

MAX_MESSAGE = 2 * MAX_IDENTITY + MAX_PASSWORD + 2


class PlainServer:
    """``message = [authzid] NUL authcid NUL passwd`` (RFC 4616 §2)."""

    __slots__ = ("_asked", "_spent")
    name: ClassVar[str] = "PLAIN"

    def __init__(self) -> None:
        self._asked = False
        self._spent = False

    def step(self, response: bytes | None) -> Challenge | Credentials:
        if self._spent:
            raise SaslError("the exchange is over")
        if response is None and not self._asked:
            self._asked = True
            return Challenge(b"")
        self._spent = True
        return parse_plain(response or b"")


def parse_plain(message: bytes) -> Credentials:
    """Raises ``SaslError``."""
    if len(message) > MAX_MESSAGE:
        raise SaslError("response too long")
    parts = message.split(b"\0")
    if len(parts) != 3:
        raise SaslError("malformed PLAIN response")
    authzid, authcid, password = parts
    if not authcid or not password:
        raise SaslError("malformed PLAIN response")
    if len(authzid) > MAX_IDENTITY or len(authcid) > MAX_IDENTITY or len(password) > MAX_PASSWORD:
        raise SaslError("response too long")
    try:
        return Credentials(authzid.decode(), authcid.decode(), password.decode())
    except UnicodeDecodeError:
        # Without the cause: its repr holds the password.
        raise SaslError("response is not UTF-8") from None


class PlainClient:
    __slots__ = ("_message", "_sent")
    name: ClassVar[str] = "PLAIN"

    def __init__(self, credentials: Credentials) -> None:
        values = (credentials.authzid, credentials.authcid, credentials.password)
        if any("\0" in value for value in values):
            raise SaslError("credentials hold a NUL")
        self._message = "\0".join(values).encode()
        self._sent = False

    def initial(self) -> bytes | None:
        self._sent = True
        return self._message

    def step(self, challenge: bytes) -> bytes:
        # A second challenge would mean that the server did not understand the first answer: do not repeat a password.
        if self._sent:
            raise SaslError("unexpected challenge")
        self._sent = True
        return self._message
