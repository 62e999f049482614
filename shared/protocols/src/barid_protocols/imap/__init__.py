"""IMAP4rev1 server core (RFC 3501 and extensions): bytes in, commands out, replies back in. No I/O, no clock.

Start at :mod:`.connection`; :mod:`.selected` is what a session told of its mailbox; one file a command in ``commands``.
"""

from barid_protocols.imap.changes import Changes, Columns
from barid_protocols.imap.connection import Event, ServerConnection
from barid_protocols.imap.gate import ServerProfile, completion_of
from barid_protocols.imap.responses import Completion, bad, no, ok
from barid_protocols.imap.selected import SelectedMailbox
from barid_protocols.imap.states import State, allows_expunge

__all__ = [
    "Changes",
    "Columns",
    "Completion",
    "Event",
    "SelectedMailbox",
    "ServerConnection",
    "ServerProfile",
    "State",
    "allows_expunge",
    "bad",
    "completion_of",
    "no",
    "ok",
]
