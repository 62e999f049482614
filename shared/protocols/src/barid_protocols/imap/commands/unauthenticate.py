"""UNAUTHENTICATE (RFC 8437)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Unauthenticate(Command):
    """As if the connection had just been made; only TLS stays. Compression ends behind the tagged OK (§4.1)."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Unauthenticate:
    cursor.end()
    return Unauthenticate(tag, name)
