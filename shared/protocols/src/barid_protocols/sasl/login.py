"""LOGIN (draft-murchison-sasl-login): obsolete, undocumented, and still what many devices speak.

The prompts are those that old clients compare with; clients must go by their order.
"""

from typing import ClassVar

from barid_protocols.sasl.errors import SaslError
from barid_protocols.sasl.exchange import MAX_IDENTITY, MAX_PASSWORD, Challenge, Credentials

USERNAME_PROMPT = b"Username:"
PASSWORD_PROMPT = b"Password:"


class LoginServer:
    """None → ``Username:`` → name → ``Password:`` → password; an initial response is taken as the name."""

    __slots__ = ("_asked", "_authcid", "_spent")
    name: ClassVar[str] = "LOGIN"

    def __init__(self) -> None:
        self._asked = False
        self._authcid: str | None = None
        self._spent = False

    def step(self, response: bytes | None) -> Challenge | Credentials:
        if self._spent:
            raise SaslError("the exchange is over")
        try:
            return self._advance(response)
        except SaslError:
            self._spent = True
            raise

    def _advance(self, response: bytes | None) -> Challenge | Credentials:
        if response is None and not self._asked:
            self._asked = True
            return Challenge(USERNAME_PROMPT)
        self._asked = True
        if self._authcid is None:
            self._authcid = _text(response or b"", MAX_IDENTITY)
            return Challenge(PASSWORD_PROMPT)
        credentials = Credentials("", self._authcid, _text(response or b"", MAX_PASSWORD))
        self._spent = True
        return credentials


def _text(value: bytes, limit: int) -> str:
    if not value or b"\0" in value:
        raise SaslError("malformed LOGIN response")
    if len(value) > limit:
        raise SaslError("response too long")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise SaslError("response is not UTF-8") from None


class LoginClient:
    __slots__ = ("_answers",)
    name: ClassVar[str] = "LOGIN"

    def __init__(self, credentials: Credentials) -> None:
        self._answers = [credentials.password.encode(), credentials.authcid.encode()]

    def initial(self) -> bytes | None:
        return None

    def step(self, challenge: bytes) -> bytes:
        if not self._answers:
            raise SaslError("unexpected challenge")
        return self._answers.pop()
