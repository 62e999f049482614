"""The language Barid speaks: every command, test and capability, in one table. An extension is a file and a line."""

from barid_protocols.sieve.commands.conditional import IF
from barid_protocols.sieve.commands.discard import DISCARD
from barid_protocols.sieve.commands.fileinto import FILEINTO
from barid_protocols.sieve.commands.flags import ADDFLAG, REMOVEFLAG, SETFLAG
from barid_protocols.sieve.commands.keep import KEEP
from barid_protocols.sieve.commands.redirect import REDIRECT
from barid_protocols.sieve.commands.require import REQUIRE
from barid_protocols.sieve.commands.set_variable import SET
from barid_protocols.sieve.commands.stop import STOP
from barid_protocols.sieve.commands.vacation import VACATION
from barid_protocols.sieve.scope import CommandSpec, Grammar, TestSpec
from barid_protocols.sieve.tests_.address import ADDRESS
from barid_protocols.sieve.tests_.envelope import ENVELOPE
from barid_protocols.sieve.tests_.exists import EXISTS
from barid_protocols.sieve.tests_.hasflag import HASFLAG
from barid_protocols.sieve.tests_.header import HEADER
from barid_protocols.sieve.tests_.logic import ALLOF, ANYOF, FALSE, NOT, TRUE
from barid_protocols.sieve.tests_.mailboxexists import MAILBOXEXISTS
from barid_protocols.sieve.tests_.size import SIZE
from barid_protocols.sieve.tests_.string import STRING

COMMANDS: tuple[CommandSpec, ...] = (
    REQUIRE,
    IF,
    STOP,
    KEEP,
    DISCARD,
    REDIRECT,
    FILEINTO,  # RFC 5228 §4.1
    SET,  # RFC 5229
    SETFLAG,  # RFC 5232
    ADDFLAG,
    REMOVEFLAG,
    VACATION,  # RFC 5230
)

TESTS: tuple[TestSpec, ...] = (
    ADDRESS,
    ALLOF,
    ANYOF,
    EXISTS,
    FALSE,
    HEADER,
    NOT,
    SIZE,
    TRUE,
    ENVELOPE,  # RFC 5228 §5.4
    STRING,  # RFC 5229
    HASFLAG,  # RFC 5232
    MAILBOXEXISTS,  # RFC 5490
)

CAPABILITIES: tuple[str, ...] = (
    "comparator-i;ascii-casemap",
    "comparator-i;octet",
    "copy",
    "encoded-character",
    "envelope",
    "fileinto",
    "imap4flags",
    "mailbox",
    "subaddress",
    "vacation",
    "variables",
)
"""What ManageSieve announces as SIEVE (RFC 5804 §1.7)."""

GRAMMAR = Grammar(
    {spec.name: spec for spec in COMMANDS},
    {spec.name: spec for spec in TESTS},
    frozenset(CAPABILITIES),
)
