"""What a STORE tells of its outcome (RFC 3501 §6.4.6, RFC 7162 §3.1.3)."""

from __future__ import annotations

from collections.abc import Iterable

from barid_protocols.imap.changes import Row
from barid_protocols.imap.commands.store import Store
from barid_protocols.imap.fetch_responses import fetch_line, flags_part, modseq_part, uid_part
from barid_protocols.imap.selected import SelectedMailbox


def stored_lines(selected: SelectedMailbox, rows: Iterable[Row], store: Store, *, complete: bool = True) -> bytes:
    """The FETCH lines owed for a STORE, whose outcome by message is ``rows``.

    After ``.SILENT`` the client works the new flags out by itself, from what it was told; where that would be wrong,
    because another session changed them too, it is told. With CONDSTORE it always learns the MODSEQ (RFC 7162 §3.1.3).
    ``complete`` False: messages were missing and the command will end in NO, after which no client assumes anything;
    so all is told.
    """
    silent = store.silent and complete
    table, condstore, word = selected.table, selected.condstore, selected.word
    lines: list[bytes] = []
    expected: dict[int, int] = {}
    for row in rows:
        index = selected.index_of(row[0])
        if index is None:
            continue
        before = selected.codes[index]
        if before not in expected:
            expected[before] = table.code(
                *store.action.applied(table.mask(before), table.keywords(before), store.flags)
            )
        selected.take_stored(index, row, lines)
        parts = [uid_part(row[0])] if store.uid else []
        if not silent or selected.codes[index] != expected[before]:
            parts.append(flags_part(selected.flag_text(index)))
        elif not condstore:
            continue
        if condstore:
            parts.append(modseq_part(selected.modseqs[index]))
        lines.append(fetch_line(selected.number(index), parts, word))
    return b"".join(lines)
