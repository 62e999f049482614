"""From what went wrong to what the client is told (RFC 3501 §7.1, RFC 5530)."""

from barid_protocols.imap import codes
from barid_protocols.imap.errors import ImapError
from barid_protocols.imap.gate import completion_of
from barid_protocols.imap.responses import Completion, no
from barid_runtime.bus.port import BusError, OperationFailed
from barid_runtime.journal.port import BodyUnavailable, JournalError, JournalFull
from barid_runtime.logging import get_logger

from ..views.view import MailboxGone

log = get_logger("mss.imap")

_CODES = {
    "not_found": codes.NONEXISTENT,
    "conflict": codes.ALREADYEXISTS,
    "invalid": codes.CANNOT,
    "forbidden": codes.NOPERM,
    "over_quota": codes.OVERQUOTA,
    "limit": codes.LIMIT,
    "unavailable": codes.UNAVAILABLE,
    "late": codes.UNAVAILABLE,
    "unknown": codes.UNAVAILABLE,
}
_TEXTS = {
    "not_found": "No such mailbox",
    "conflict": "It exists already",
    "invalid": "That can't be done",
    "forbidden": "Not permitted",
    "over_quota": "Not enough room in the account",
    "limit": "A limit of the server is reached",
    "unavailable": "Try again later",
    "late": "Not done in time; try again later",
    "unknown": "Try again later",
}

EXPUNGE_ISSUED = no("Some of the messages are gone", codes.EXPUNGEISSUED)


def answer_to(error: Exception, command: bytes) -> Completion:
    """The tagged NO or BAD. Logs what an operator can act on; `command` is a name of ours."""
    if isinstance(error, ImapError):
        return completion_of(error)
    if isinstance(error, OperationFailed):
        if error.code in _CODES:
            return no(error.text or _TEXTS[error.code], _CODES[error.code])
        log.error("mailstore failed", command=command.decode(), error=str(error))
        return no("Internal error", codes.SERVERBUG)
    if isinstance(error, BusError):
        log.warning("mailstore doesn't answer", command=command.decode(), error=repr(error))
        return no("The mailstore is not available; try again later", codes.UNAVAILABLE)
    if isinstance(error, BodyUnavailable):
        log.warning("body not there now", command=command.decode(), error=str(error))
        return no("The message can't be read now; try again later", codes.UNAVAILABLE)
    if isinstance(error, JournalFull):
        return no("No space left on the server; try again later", codes.UNAVAILABLE)
    if isinstance(error, JournalError):
        log.warning("journal failed", command=command.decode(), error=repr(error))
        return no("The message can't be stored now; try again later", codes.UNAVAILABLE)
    if isinstance(error, MailboxGone):
        return no("The mailbox was deleted", codes.NONEXISTENT)
    log.error("command failed", command=command.decode(), exc_info=error)
    return no("Internal error", codes.SERVERBUG)
