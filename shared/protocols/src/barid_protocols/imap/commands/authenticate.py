"""AUTHENTICATE (RFC 3501 §6.2.2) with an initial response (RFC 4959)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import Cursor
from barid_protocols.sasl import Credentials, SaslError, decode_initial_response


@dataclass(frozen=True, slots=True)
class AuthenticateStarted(Command):
    """Inside the core only: the exchange begins. ``initial`` None: the client gave no initial response."""

    mechanism: str
    initial: bytes | None


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """The exchange is over; whether the credentials are right is for the host to say."""

    mechanism: str
    credentials: Credentials


def parse(tag: bytes, name: bytes, cursor: Cursor) -> AuthenticateStarted:
    cursor.space()
    mechanism = cursor.keyword().decode("ascii")
    initial: bytes | None = None
    if not cursor.at_end():
        cursor.space()
        try:
            initial = decode_initial_response(cursor.data[cursor.pos :])
        except SaslError:
            raise SyntaxProblem("Invalid base64") from None
    return AuthenticateStarted(tag, name, mechanism, initial)
