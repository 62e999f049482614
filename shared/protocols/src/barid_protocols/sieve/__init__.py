"""Sieve (RFC 5228): a sans-IO engine. It asks questions and proposes actions; the host answers and executes.

    program = compile_script(text)                    # SieveSyntaxError: line, column, safe reason
    message = MailMessage(HeaderView(header_block), size=…, envelope_from=…, envelope_to=…)
    result = program.evaluate(message)                # Result, or a question (AskMailboxExists); SieveRuntimeError
    for action in result.actions: …                   # Keep, FileInto, Redirect, Discard, Vacation

Script text goes through `lexer`, `parser` (shapes) and `scope` with `registry` (meaning) and becomes closures over
constants, run on a `machine.Run`. A new extension is a file in `commands/` or `tests_/` and a line in `registry`.
Supported: RFC 5228 whole base, envelope, fileinto, encoded-character; RFC 5229 variables; RFC 5230 vacation; RFC 5232
imap4flags; RFC 5233 subaddress; RFC 3894 copy; RFC 5490 mailbox (not mboxmetadata, servermetadata).
"""

from barid_protocols.sieve.actions import (
    IMPLICIT_KEEP,
    Action,
    Discard,
    FileInto,
    Keep,
    Redirect,
    Result,
    Vacation,
)
from barid_protocols.sieve.addresses import Address, parse_addresses
from barid_protocols.sieve.autoreply import Refusal, refuse_reply
from barid_protocols.sieve.errors import SieveError, SieveRuntimeError, SieveSyntaxError
from barid_protocols.sieve.headers import HeaderView
from barid_protocols.sieve.message import MailMessage, Message
from barid_protocols.sieve.program import Program, compile_script
from barid_protocols.sieve.questions import Answer, Ask, AskMailboxExists
from barid_protocols.sieve.registry import CAPABILITIES
from barid_protocols.sieve.reply import build_reply

__all__ = [
    "CAPABILITIES",
    "IMPLICIT_KEEP",
    "Action",
    "Address",
    "Answer",
    "Ask",
    "AskMailboxExists",
    "Discard",
    "FileInto",
    "HeaderView",
    "Keep",
    "MailMessage",
    "Message",
    "Program",
    "Redirect",
    "Refusal",
    "Result",
    "SieveError",
    "SieveRuntimeError",
    "SieveSyntaxError",
    "Vacation",
    "build_reply",
    "compile_script",
    "parse_addresses",
    "refuse_reply",
]
