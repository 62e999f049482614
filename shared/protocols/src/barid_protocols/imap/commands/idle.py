"""IDLE (RFC 2177)."""

from __future__ import annotations

from dataclasses import dataclass

from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.grammar import Cursor


@dataclass(frozen=True, slots=True)
class Idle(Command):
    """The continuation is sent already: announce until :class:`IdleDone` comes, then complete."""


def parse(tag: bytes, name: bytes, cursor: Cursor) -> Idle:
    cursor.end()
    return Idle(tag, name)


@dataclass(frozen=True, slots=True)
class IdleDone:
    """The client ended the IDLE, by DONE or by an error; the host completes the command now."""
