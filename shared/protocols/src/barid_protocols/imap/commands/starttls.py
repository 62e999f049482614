"""STARTTLS (RFC 3501 §6.2.1)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class StartTls(Command):
    """After the host's OK the connection reads nothing until ``tls_started``."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> StartTls:
    cursor.end()
    return StartTls(tag, name)
