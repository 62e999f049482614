"""One file a command, each in the same order: parse → check → act → reply.

To add one: write the file with a ``COMMAND``, put it into the table of its protocols below and its input into
``states.py``; what it announces to EHLO goes into ``hello.features``.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from barid_protocols.smtp.commands import (
    auth,
    data,
    expn,
    greeting,
    hello,
    help,
    mail,
    noop,
    quit,
    rcpt,
    rset,
    starttls,
    vrfy,
)
from barid_protocols.smtp.events import (
    Answer,
    Authenticate,
    Connected,
    DataEnd,
    DataStarted,
    Decision,
    Hello,
    MailFrom,
    RcptTo,
    StartTls,
    Verify,
)
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session

_SHARED: dict[bytes, Command] = {
    b"MAIL": mail.COMMAND,
    b"RCPT": rcpt.COMMAND,
    b"DATA": data.COMMAND,
    b"RSET": rset.COMMAND,
    b"NOOP": noop.COMMAND,
    b"QUIT": quit.COMMAND,
    b"VRFY": vrfy.COMMAND,
    b"EXPN": expn.COMMAND,
    b"HELP": help.COMMAND,
    b"AUTH": auth.COMMAND,
    b"STARTTLS": starttls.COMMAND,
}

SMTP: Mapping[bytes, Command] = MappingProxyType({**_SHARED, b"EHLO": hello.EHLO, b"HELO": hello.HELO})

LMTP: Mapping[bytes, Command] = MappingProxyType({**_SHARED, b"LHLO": hello.LHLO})
"""RFC 2033 §4.1: HELO and EHLO must not be taken."""

SETTLE: Mapping[type[Decision], Callable[[Session, Decision, Answer], Sequence[Reply]]] = MappingProxyType(
    {
        Connected: greeting.settle,
        Hello: hello.settle,
        StartTls: starttls.settle,
        Authenticate: auth.settle,
        MailFrom: mail.settle,
        RcptTo: rcpt.settle,
        DataStarted: data.settle_start,
        DataEnd: data.settle_end,
        Verify: vrfy.settle,
    }
)

HTTP_METHODS = frozenset(b"GET POST PUT HEAD OPTIONS CONNECT DELETE PATCH TRACE PRI".split())
"""A browser or a proxy made to talk to us; what follows may hold commands that an attacker chose."""
