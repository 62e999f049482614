"""What all commands share. A command is parsed once, into a frozen value that the host may keep and log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from barid_protocols.imap.grammar import Cursor

_BY_NUMBER = frozenset({b"FETCH", b"STORE", b"SEARCH", b"SORT", b"THREAD", b"COPY", b"MOVE", b"REPLACE"})


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the client. ``name`` is in capitals, ``b"UID FETCH"`` for the UID forms."""

    tag: bytes
    name: bytes

    @property
    def uid(self) -> bool:
        """Whether numbers of this command, and of its answer, are UIDs."""
        return self.name.startswith(b"UID ")

    @property
    def by_number(self) -> bool:
        """Whether it or its answer names messages by their numbers, which UIDONLY forbids (RFC 9586 §3)."""
        return self.name in _BY_NUMBER

    @property
    def names_charset(self) -> bool:
        """Whether it names a charset of its own accord, which UTF8=ACCEPT forbids (RFC 9755 §3)."""
        return False

    @property
    def needs_qresync(self) -> bool:
        """Whether it is an error unless QRESYNC was enabled (RFC 7162 §3.2.3)."""
        return False

    @property
    def enables_condstore(self) -> bool:
        """Whether this is a CONDSTORE enabling command (RFC 7162 §3.1)."""
        return False


Parse = Callable[[bytes, bytes, Cursor], Command]
"""(tag, name, cursor behind the name) → command. Raises SyntaxProblem or UserError."""
