"""What can still be read of records whose lead is damaged: enough for a line of the footer. Pure; nothing is verified.

Such a line makes the record known to the reconciler, which finds that it can't be read, and says so to an operator:
that is all that a name and the numbers of obligations are for. A record that was torn, rather than damaged after it was
durable, has no such line: nobody was told that we have it.
"""

import re
from collections.abc import Iterator

from . import record
from .footer import Entry

_FLAGS = 13
_MAIL_ID = slice(16, 42)
_BODY_SIZE = slice(54, 62)

_NAME = re.compile(rb"[0-9A-HJKMNP-TV-Z]{26}")
_OBLIGATION = re.compile(rb'\{"n":(\d{1,5}),"kind":"(account|remote)"')
"""As the head's JSON begins each. A string inside of it can't look like that: its quotes are escaped."""


def damaged_entries(data: bytes, offset: int, salt: bytes) -> Iterator[Entry]:
    """Lines for what seems to be records in these bytes of a pack, which begin at `offset`."""
    marker = record.RECORD_MARKER + salt
    at = data.find(marker)
    while at >= 0:
        end = data.find(marker, at + 1)
        entry = _entry(data[at : end if end >= 0 else None], offset + at)
        if entry is not None:
            yield entry
        at = end


def _entry(data: bytes, offset: int) -> Entry | None:
    name = data[_MAIL_ID]
    if len(data) < record.FIXED or _NAME.fullmatch(name) is None:
        return None
    size = record.lead_size(data[: record.FIXED]) or record.FIXED
    head = data[record.FIXED : size] if size > record.FIXED else data[record.FIXED :]
    found = [(int(number), kind) for number, kind in _OBLIGATION.findall(head)]
    if not found and b'"obligations"' in head:
        found = [(0, b"account")]  # whose it was is gone, that it was somebody's is not
    return Entry(
        name.decode(),
        offset,
        min(size, len(data)),
        int.from_bytes(data[_BODY_SIZE], "little"),
        data[_FLAGS],
        tuple([number for number, kind in found if kind == b"account"]),
        tuple([number for number, kind in found if kind == b"remote"]),
    )
