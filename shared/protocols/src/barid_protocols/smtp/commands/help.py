"""HELP (RFC 5321 §4.1.1.8): the verbs that this listener has."""

from functools import lru_cache

from barid_protocols.smtp.events import Decision
from barid_protocols.smtp.options import ServerOptions
from barid_protocols.smtp.replies import Reply
from barid_protocols.smtp.session import Command, Session
from barid_protocols.smtp.states import Input


@lru_cache(maxsize=64)
def _help(options: ServerOptions) -> Reply:
    verbs = ["LHLO"] if options.lmtp else ["EHLO", "HELO"]
    verbs += ["STARTTLS"] * options.starttls + ["AUTH"] * bool(options.mechanisms) + ["MAIL", "RCPT", "DATA"]
    return Reply(
        214, "2.0.0", [" ".join(verbs), "RSET NOOP VRFY HELP QUIT", f"See RFC {2033 if options.lmtp else 5321}"]
    )


def begin(session: Session, _: bytes) -> Reply | Decision:
    return _help(session.options)


COMMAND = Command(Input.HELP, begin)
