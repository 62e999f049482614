"""What is let through to the parsers: the head of a command, judged by state, profile and table before more is read."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from barid_protocols.imap import capabilities, codes, responses
from barid_protocols.imap.commands import COMMANDS
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.errors import ImapError, ServerError, SyntaxProblem, UserError
from barid_protocols.imap.grammar import Cursor
from barid_protocols.imap.responses import Completion
from barid_protocols.imap.states import State, refusal

DEFAULT_APPEND_LIMIT = 50 * 1024 * 1024

MAX_TAG = 64
"""Clients count in 4 to 12 characters; a tag is repeated in our reply."""

_HEAD = re.compile(rb"([^\x00-\x20\x7f-\xff(){%%*\"\\+]{1,%d}) (?:([Uu][Ii][Dd]) )?([A-Za-z]{1,20})(?= |\Z)" % MAX_TAG)
_TAG = re.compile(rb"([^\x00-\x20\x7f-\xff(){%%*\"\\+]{1,%d})(?: |\Z)" % MAX_TAG)
_HTTP = re.compile(rb"(?:GET|POST|HEAD|PUT|OPTIONS|DELETE|CONNECT|PATCH|TRACE|PRI) \S+ HTTP/")
_TLS_RECORD = b"\x16\x03"


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What one listener offers; the same for all of its connections."""

    tls_active: bool = False
    tls_available: bool = True
    plaintext_allowed: bool = False
    """Log-in without TLS, for loopback only."""
    mechanisms: tuple[str, ...] = ("PLAIN",)
    literal_plus: bool = True
    append_limit: int = DEFAULT_APPEND_LIMIT
    greeting: str = "Barid is ready"
    utf8: bool = False
    """The client has enabled names in UTF-8."""

    def capabilities(self, state: State) -> tuple[bytes, ...]:
        """What is advertised in this state."""
        return capabilities.advertised(
            state,
            tls_active=self.tls_active,
            tls_available=self.tls_available,
            plaintext_allowed=self.plaintext_allowed,
            mechanisms=self.mechanisms,
            literal_plus=self.literal_plus,
            append_limit=self.append_limit,
        )


def head(text: bytes, state: State, profile: ServerProfile) -> tuple[bytes, bytes, Cursor]:
    """Tag, name, and the cursor behind them, of a command that may be given now; else raises what to answer."""
    match = _HEAD.match(text)
    if match is None:
        raise SyntaxProblem("Expected a tag and a command")
    tag, uid, word = match.groups()
    name = word.upper() if uid is None else b"UID " + word.upper()
    if name not in COMMANDS:
        raise SyntaxProblem("Unknown command")
    problem = refusal(state, name)
    if problem is not None:
        raise SyntaxProblem(problem)
    if name == b"STARTTLS" and profile.tls_active:
        raise SyntaxProblem("TLS is active already")
    if name == b"STARTTLS" and not profile.tls_available:
        raise SyntaxProblem("TLS is not available")
    if name in (b"LOGIN", b"AUTHENTICATE") and not (profile.tls_active or profile.plaintext_allowed):
        raise UserError("Log-in is disabled until TLS is active", codes.PRIVACYREQUIRED)
    return tag, name, Cursor(text, match.end(), utf8=profile.utf8)


def not_enabled(command: Command, enabled: AbstractSet[bytes]) -> Completion | None:
    """The BAD for a command that what the client has enabled, or has not, forbids."""
    if command.needs_qresync and b"QRESYNC" not in enabled:
        return responses.bad("Enable QRESYNC first", codes.CLIENTBUG)
    if b"UTF8=ACCEPT" in enabled and command.names_charset:
        return responses.bad("Search text is UTF-8 here", codes.CLIENTBUG)
    if b"UIDONLY" in enabled and command.by_number:
        return responses.bad("Messages are named by UID here", codes.UIDREQUIRED)
    return None


def tag_of(text: bytes) -> bytes:
    """The tag to answer by: ``*`` where there is none."""
    match = _TAG.match(text)
    return b"*" if match is None else match.group(1)


def stranger(beginning: bytes) -> str | None:
    """What speaks here, if the first bytes show that it is not IMAP."""
    if beginning.startswith(_TLS_RECORD):
        return "TLS on the plain port"
    return "HTTP" if _HTTP.match(beginning) is not None else None


def completion_of(error: ImapError) -> Completion:
    match error:
        case UserError() | ServerError():
            return responses.no(error.text, error.code)
        case _:
            return responses.bad(error.text)
