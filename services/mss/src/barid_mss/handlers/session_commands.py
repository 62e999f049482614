"""Commands about the session itself: NOOP, LOGOUT, UNAUTHENTICATE (RFC 8437), ID, ENABLE, NAMESPACE."""

from typing import TYPE_CHECKING

from barid_protocols.imap import responses
from barid_protocols.imap.commands.check import Check
from barid_protocols.imap.commands.client_id import Id
from barid_protocols.imap.commands.enable import Enable
from barid_protocols.imap.commands.logout import Logout
from barid_protocols.imap.commands.namespace import Namespace
from barid_protocols.imap.commands.noop import Noop
from barid_protocols.imap.commands.unauthenticate import Unauthenticate
from barid_protocols.imap.responses import Completion, ok
from barid_runtime.bus.port import BusError
from barid_runtime.logging import get_logger

from ..views.view import MailboxGone

if TYPE_CHECKING:
    from .imap_session import ImapSession

log = get_logger("mss.imap")


async def noop(session: "ImapSession", command: Noop | Check) -> Completion:
    """Sees at once what was done at another node. It can't fail (RFC 3501 §6.1.2): with the mailstore away it tells
    what is known."""
    if session.selection is not None:
        try:
            await session.desk.shelf.check(session.selection.view)
        except BusError as error:
            log.info("mailbox not checked", error=repr(error))
        except MailboxGone:
            pass  # the session ends behind this command
    return ok("Done")


async def logout(session: "ImapSession", command: Logout) -> Completion:
    session.deselect()
    return ok("Bye")


async def unauthenticate(session: "ImapSession", command: Unauthenticate) -> Completion:
    session.deselect()
    session.log_out()
    return ok("Good-bye, and welcome")


async def identify(session: "ImapSession", command: Id) -> Completion:
    if command.fields:
        log.info("client", ip=session.wire.ip, fields=dict(command.fields))
    session.write(responses.server_id({"name": "Barid"}))
    return ok("Nice to meet you")


async def enable(session: "ImapSession", command: Enable) -> Completion:
    if command.enables_condstore and session.selection is not None:
        line = session.selection.selected.enable_condstore()
        if line:
            session.write(line)
    return ok("Enabled")


async def namespace(session: "ImapSession", command: Namespace) -> Completion:
    session.write(responses.namespace())
    return ok("Done")
