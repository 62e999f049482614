"""SORT and THREAD (RFC 5256), SORT with RETURN (RFC 5267 §3): a search, then the headers of what it found."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from barid_protocols.imap.commands.sort import Sort
from barid_protocols.imap.commands.thread import Thread
from barid_protocols.imap.responses import Completion, ok
from barid_protocols.imap.search import with_saved
from barid_protocols.imap.selected_search import search_line
from barid_protocols.imap.sorting import needs_header, sorted_by
from barid_protocols.imap.threads import thread_line, threads
from barid_protocols.mime.headers import HeaderBlock

from ..views.summaries import Card
from .searching import AT_ONCE, UNREADABLE, find

if TYPE_CHECKING:
    from .imap_session import ImapSession
    from .selection import Selection

HEAVY = 300
"""Messages whose keys are worked out in a thread: 20 to 50 µs each, which others in this process would wait for."""


class _Message:
    """Implements sorting.Sortable."""

    __slots__ = ("_block", "_card", "number", "uid")

    def __init__(self, number: int, uid: int, card: Card) -> None:
        self.number = number
        self.uid = uid
        self._card = card
        self._block: HeaderBlock | None = None

    @property
    def received(self) -> int:
        return self._card.date

    @property
    def size(self) -> int:
        return self._card.size

    @property
    def block(self) -> HeaderBlock:
        if self._block is None:
            self._block = HeaderBlock(self._card.headers)
        return self._block


async def sort(session: "ImapSession", command: Sort) -> Completion:
    selection = session.selection
    assert selection is not None
    selected = selection.selected
    command = replace(command, key=with_saved(command.key, selected.saved))
    if command.returns is not None and command.returns.saves:
        selected.save(())
    numbers, unreadable = await find(session, selection, command)
    fields = {"size", "date"} | ({"headers"} if needs_header(command.criteria) else set())
    messages = await _messages(session, selection, numbers, fields)
    if len(messages) > HEAVY:
        messages = await asyncio.to_thread(sorted_by, command.criteria, messages)
    else:
        messages = sorted_by(command.criteria, messages)
    session.write(search_line(selected, command, [message.number for message in messages]))
    if unreadable:
        selected.save(())
        return UNREADABLE
    return ok("Sorted")


async def thread(session: "ImapSession", command: Thread) -> Completion:
    selection = session.selection
    assert selection is not None
    command = replace(command, key=with_saved(command.key, selection.selected.saved))
    numbers, unreadable = await find(session, selection, command)
    messages = await _messages(session, selection, numbers, {"date", "headers"})
    rows = [(message.uid if command.uid else message.number, message) for message in messages]
    if len(rows) > HEAVY:
        roots = await asyncio.to_thread(threads, command.algorithm, rows)
    else:
        roots = threads(command.algorithm, rows)
    session.write(thread_line(roots))
    return UNREADABLE if unreadable else ok("Threaded")


async def _messages(
    session: "ImapSession", selection: "Selection", numbers: Sequence[int], fields: set[str]
) -> list[_Message]:
    """Without those that are gone."""
    uids = selection.selected.uids
    found: list[_Message] = []
    for some in _slices(numbers, AT_ONCE):
        named = {uids[number - 1]: number for number in some}
        cards = await session.desk.summaries.get(selection.key, list(named), fields)
        found += [_Message(number, uid, cards[uid]) for uid, number in named.items() if uid in cards]
    return found


def _slices(numbers: Sequence[int], size: int) -> Iterator[list[int]]:
    rest = iter(numbers)
    while some := list(islice(rest, size)):
        yield some
