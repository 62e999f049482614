"""Mailbox names as the mailstore keeps them: Unicode, `/` between levels, INBOX in capitals."""

from barid_protocols.imap.errors import UserError
from barid_protocols.imap.mailbox_names import INBOX, SEPARATOR, normalize, parents, validate_new

from ..ports.errors import Invalid

__all__ = ["INBOX", "USUAL", "inferior_names", "known_name", "new_name", "parents", "renamed"]

USUAL: tuple[tuple[str, str], ...] = (
    (INBOX, ""),
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Junk", "\\Junk"),
    ("Trash", "\\Trash"),
    ("Archive", "\\Archive"),
)
"""What every account gets at its first touch, subscribed: the names that clients expect, and their use (RFC 6154)."""

SPECIAL_USES = frozenset(("", "\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash"))


def known_name(name: str) -> str:
    """A name to look up: only INBOX has more than one spelling."""
    return normalize(name)


def new_name(name: str) -> str:
    """A name to create. Raises Invalid."""
    try:
        return validate_new(name)
    except UserError as error:
        raise Invalid(str(error)) from error


def inferior_names(name: str, names: list[str]) -> list[str]:
    """Those of `names` that stand below `name`."""
    start = name + SEPARATOR
    return [other for other in names if other.startswith(start)]


def renamed(name: str, old: str, new: str) -> str:
    """What `name`, which is `old` or below it, is called once `old` is called `new`."""
    return new + name[len(old) :]
