"""Changes that are asked for again until their outcome is known: done once, and not begun after their time.

The order matters: first what was done under the key, whenever that was, then whether it is too late. So `late` says of
the key, not of the one request, that nothing was done; and as the clock goes on, and works that change an account run
one after the other, nothing will be. So a unit's time is to be taken inside its transaction, behind the account's lock.
"""

from barid_contracts.store import CopyReply

from ...policy.columns import uid_column
from ...ports.errors import TooLate
from .unit import Unit


def refuse_late(unit: Unit, not_after: int) -> None:
    """not_after: epoch ms; 0: never late. After the look at what was done."""
    if not_after and unit.now * 1000 >= not_after:
        raise TooLate("Not in time")


def what_was_copied(unit: Unit, key: str) -> CopyReply | None:
    row = unit.cursor.one("SELECT uidvalidity, first, source, modseq FROM copied WHERE key = ?", (key,))
    if row is None:
        return None
    uidvalidity, first, source, modseq = row
    target = uid_column(range(first, first + len(source) // 4))
    return CopyReply(uidvalidity=uidvalidity, source=source, target=target, modseq=modseq)


def remember_copy(unit: Unit, key: str, reply: CopyReply, first: int) -> None:
    """first: the UID of the first copy; the others follow it."""
    unit.dirty = True
    unit.cursor.execute(
        "INSERT INTO copied (key, uidvalidity, first, source, modseq) VALUES (?, ?, ?, ?, ?)",
        (key, reply.uidvalidity, first, reply.source, reply.modseq),
    )
