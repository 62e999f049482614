"""LOGIN and AUTHENTICATE (RFC 3501 §6.2.2, §6.2.3)."""

from typing import TYPE_CHECKING

from barid_protocols.imap import codes
from barid_protocols.imap.commands.authenticate import Authenticate
from barid_protocols.imap.commands.login import Login
from barid_protocols.imap.responses import Completion, no, ok

from .gate import LoginRefused, Refusal

if TYPE_CHECKING:
    from .imap_session import ImapSession

_REFUSALS = {
    Refusal.CREDENTIALS: no("Wrong user name or password", codes.AUTHENTICATIONFAILED),
    Refusal.BLOCKED: no("Too many failed log-ins from your network; try again later", codes.UNAVAILABLE),
    Refusal.LOGIN_BLOCKED: no(
        "Too many failed log-ins of this account from your network; try again later", codes.UNAVAILABLE
    ),
    Refusal.UNAVAILABLE: no("Log-in is not possible at the moment", codes.UNAVAILABLE),
    Refusal.CROWDED: no("Too many sessions of this account", codes.LIMIT),
}


async def login(session: "ImapSession", command: Login) -> Completion:
    return await _enter(session, command.user, command.password)


async def authenticate(session: "ImapSession", command: Authenticate) -> Completion:
    credentials = command.credentials
    return await _enter(session, credentials.authcid, credentials.password, credentials.authzid)


async def _enter(session: "ImapSession", user: str, password: str, authzid: str = "") -> Completion:
    try:
        reply = await session.desk.gate.log_in(session, "imap", session.wire.ip, user, password, authzid)
    except LoginRefused as refused:
        return _REFUSALS[refused.refusal]
    session.account = reply.account
    session.login = reply.login
    return ok("Logged in")
