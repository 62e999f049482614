"""Whose tables a backup holds, and in which order their snapshots are taken.

mailstore before relay: a pack that the index takes for closed is never looked at again, so the relay's tables must know
of all that was remote in it. Both before the directory: an account whose mail the index has is known to it then, or was
deleted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from barid_directory.adapters import restored as directory
from barid_mailstore.adapters.tables import restored as mailstore
from barid_relay.adapters.tables import restored as relay
from barid_runtime.database.port import Cursor


@dataclass(frozen=True, slots=True)
class Contents:
    """migrations: the package. tables: in the order in which they can be filled. left_out: tables that are not saved.
    referenced: SQL for the packs that rows need. restored: ends a restore; how many rows it changed."""

    service: str
    migrations: str
    tables: Sequence[str]
    left_out: Sequence[str]
    referenced: str = ""
    restored: Callable[[Cursor, float], int] | None = None


CLOSED = mailstore.CLOSED

CONTENTS = (
    Contents(
        "mailstore",
        "barid_mailstore.adapters.migrations",
        mailstore.SAVED,
        mailstore.NOT_SAVED,
        mailstore.REFERENCED,
        mailstore.restored,
    ),
    Contents(
        "relay", "barid_relay.adapters.migrations", relay.SAVED, relay.NOT_SAVED, relay.REFERENCED, relay.restored
    ),
    Contents("directory", "barid_directory.adapters.migrations", directory.SAVED, directory.NOT_SAVED),
)
