"""LOGIN (RFC 3501 §6.2.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import SyntaxProblem
from barid_protocols.imap.grammar import Cursor
from barid_protocols.sasl.exchange import MAX_IDENTITY, MAX_PASSWORD


@dataclass(frozen=True, slots=True)
class Login(Command):
    user: str
    password: str = field(repr=False)


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Login:
    cursor.space()
    user = cursor.astring()
    cursor.space()
    password = cursor.astring()
    cursor.end()
    if len(user) > MAX_IDENTITY or len(password) > MAX_PASSWORD:
        raise SyntaxProblem("User name or password is too long")
    try:
        return Login(tag, name, user.decode("utf-8"), password.decode("utf-8"))
    except UnicodeDecodeError:
        raise SyntaxProblem("User name and password must be UTF-8") from None
