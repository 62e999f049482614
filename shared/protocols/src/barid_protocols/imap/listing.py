"""Which mailboxes a LIST names, and by which attributes (RFC 3501 §7.2.2, RFC 5258, RFC 6154).

Rules of RFC 5258 §3:
- A name is told if it matches a pattern and all selection options.
- With RECURSIVEMATCH also a name that matches a pattern and has any name below it that matches the options: then it
  carries CHILDINFO, whether or not it matches the options itself.
- A name that is only subscribed to, or only a parent of such, carries ``\\NonExistent``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from barid_protocols.imap.commands.list import (
    BASE_SELECTIONS,
    CHILDREN,
    RECURSIVEMATCH,
    SPECIAL_USE,
    SUBSCRIBED,
    List,
)
from barid_protocols.imap.mailbox_names import parents
from barid_protocols.imap.responses import MailboxAttribute, list_line


@dataclass(frozen=True, slots=True)
class Entry:
    """One name as the host knows it."""

    name: str
    exists: bool = True
    selectable: bool = True
    subscribed: bool = False
    use: MailboxAttribute | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the answer; STATUS may follow it where ``entry.selectable``."""

    entry: Entry
    line: bytes


def listed(command: List, entries: Sequence[Entry], *, utf8: bool = False) -> list[Listed]:
    """The lines for ``command``, in the order of ``entries``. Names that are only subscribed to belong among these."""
    patterns = command.matchers()
    entries = [entry for entry in entries if entry.exists or SUBSCRIBED in command.selections]
    superior = {parent for entry in entries if entry.exists for parent in parents(entry.name)}
    above: set[str] = set()
    if RECURSIVEMATCH in command.selections:
        above = {parent for entry in entries if _selected(command, entry) for parent in parents(entry.name)}
        known = {entry.name for entry in entries}
        missing = [Entry(name, exists=False, selectable=False) for name in above - known]
        entries = sorted([*entries, *missing], key=lambda entry: entry.name)
    found: list[Listed] = []
    for entry in entries:
        if not (_selected(command, entry) or entry.name in above):
            continue
        if any(pattern.matches(entry.name) for pattern in patterns):
            told = _attributes(command, entry, has_children=entry.name in superior)
            matched = sorted(command.selections & BASE_SELECTIONS) if entry.name in above else ()
            found.append(Listed(entry, list_line(entry.name, told, matched, utf8=utf8)))
    return found


def _selected(command: List, entry: Entry) -> bool:
    selections = command.selections
    return (entry.subscribed or SUBSCRIBED not in selections) and (
        entry.use is not None or SPECIAL_USE not in selections
    )


def _attributes(command: List, entry: Entry, *, has_children: bool) -> Iterable[MailboxAttribute]:
    if not entry.exists:
        yield MailboxAttribute.NONEXISTENT
    elif not entry.selectable:
        yield MailboxAttribute.NOSELECT
    if entry.exists or CHILDREN in command.returns:
        yield MailboxAttribute.HAS_CHILDREN if has_children else MailboxAttribute.HAS_NO_CHILDREN
    if entry.subscribed and SUBSCRIBED in command.selections | command.returns:
        yield MailboxAttribute.SUBSCRIBED
    if entry.use is not None:
        yield entry.use
