"""The one table of IMAP commands and their handlers."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from barid_protocols.imap.commands.authenticate import Authenticate
from barid_protocols.imap.commands.base import Command
from barid_protocols.imap.commands.check import Check
from barid_protocols.imap.commands.client_id import Id
from barid_protocols.imap.commands.close import Close
from barid_protocols.imap.commands.copy import Copy
from barid_protocols.imap.commands.create import Create
from barid_protocols.imap.commands.delete import Delete
from barid_protocols.imap.commands.enable import Enable
from barid_protocols.imap.commands.expunge import Expunge
from barid_protocols.imap.commands.fetch import Fetch
from barid_protocols.imap.commands.list import List
from barid_protocols.imap.commands.login import Login
from barid_protocols.imap.commands.logout import Logout
from barid_protocols.imap.commands.move import Move
from barid_protocols.imap.commands.namespace import Namespace
from barid_protocols.imap.commands.noop import Noop
from barid_protocols.imap.commands.rename import Rename
from barid_protocols.imap.commands.search import Search
from barid_protocols.imap.commands.select import Select
from barid_protocols.imap.commands.sort import Sort
from barid_protocols.imap.commands.status import StatusOf
from barid_protocols.imap.commands.store import Store
from barid_protocols.imap.commands.subscribe import Subscribe
from barid_protocols.imap.commands.thread import Thread
from barid_protocols.imap.commands.unauthenticate import Unauthenticate
from barid_protocols.imap.commands.unselect import Unselect
from barid_protocols.imap.commands.unsubscribe import Unsubscribe
from barid_protocols.imap.responses import Completion

from . import (
    copying,
    expunging,
    fetching,
    listing,
    login,
    mailboxes,
    searching,
    selecting,
    session_commands,
    sorting,
    storing,
)

if TYPE_CHECKING:
    from .imap_session import ImapSession

Handler = Callable[["ImapSession", Any], Awaitable[Completion]]
"""Parse is done: check, act, write untagged data, return the tagged end. May raise what `problems` knows."""

HANDLERS: dict[type[Command], Handler] = {
    Authenticate: login.authenticate,
    Login: login.login,
    Logout: session_commands.logout,
    Unauthenticate: session_commands.unauthenticate,
    Id: session_commands.identify,
    Enable: session_commands.enable,
    Namespace: session_commands.namespace,
    Noop: session_commands.noop,
    Check: session_commands.noop,
    Select: selecting.select,
    Close: selecting.close,
    Unselect: selecting.unselect,
    List: listing.list_mailboxes,
    StatusOf: listing.status,
    Create: mailboxes.create,
    Delete: mailboxes.delete,
    Rename: mailboxes.rename,
    Subscribe: mailboxes.subscribe,
    Unsubscribe: mailboxes.unsubscribe,
    Fetch: fetching.fetch,
    Search: searching.search,
    Sort: sorting.sort,
    Thread: sorting.thread,
    Store: storing.store,
    Copy: copying.copy,
    Move: copying.move,
    Expunge: expunging.expunge,
}


async def run(session: "ImapSession", command: Command) -> Completion:
    return await HANDLERS[type(command)](session, command)


def deselects(command: Command) -> bool:
    """Whether its failure leaves no mailbox selected (RFC 3501 §6.3.1)."""
    return isinstance(command, Select)
