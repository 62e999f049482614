"""The keys of SORT (RFC 5256 §3, RFC 5957), and what of a message each looks at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from barid_protocols.imap.base_subject import base_subject
from barid_protocols.mime.addresses import Address, parse_addresses
from barid_protocols.mime.dates import parse_date
from barid_protocols.mime.headers import HeaderBlock
from barid_protocols.mime.words import decode_words


class SortKey(Enum):
    ARRIVAL = b"ARRIVAL"
    CC = b"CC"
    DATE = b"DATE"
    FROM = b"FROM"
    SIZE = b"SIZE"
    SUBJECT = b"SUBJECT"
    TO = b"TO"
    DISPLAYFROM = b"DISPLAYFROM"
    DISPLAYTO = b"DISPLAYTO"


@dataclass(frozen=True, slots=True)
class Criterion:
    key: SortKey
    reverse: bool = False


class Sortable(Protocol):
    """One message."""

    @property
    def received(self) -> int:
        """The internal date in epoch seconds."""

    @property
    def size(self) -> int: ...
    @property
    def block(self) -> HeaderBlock: ...


_Row = TypeVar("_Row", bound=Sortable)
_FIELDS = {SortKey.CC: b"cc", SortKey.FROM: b"from", SortKey.TO: b"to"}
_DISPLAYED = {SortKey.DISPLAYFROM: b"from", SortKey.DISPLAYTO: b"to"}


def needs_header(criteria: Iterable[Criterion]) -> bool:
    return any(each.key not in (SortKey.ARRIVAL, SortKey.SIZE) for each in criteria)


def sorted_by(criteria: Sequence[Criterion], rows: Iterable[_Row]) -> list[_Row]:
    """``rows``, which come in the order of the mailbox: it decides between equals (RFC 5256 §3)."""
    ordered = list(rows)
    # Stable sorts, the last criterion first; REVERSE keeps equals in the mailbox's order, too.
    for criterion in reversed(criteria):
        ordered.sort(key=lambda row, key=criterion.key: _value(key, row), reverse=criterion.reverse)  # type: ignore[misc]
    return ordered


def sent_seconds(row: Sortable) -> int:
    """When it was sent, in UTC; when it came, if nothing says that (RFC 5256 §2.2)."""
    sent = parse_date(row.block.date)
    return row.received if sent is None else sent.seconds


def subject_of(row: Sortable) -> tuple[str, bool]:
    return base_subject(decode_words(row.block.get(b"subject") or b""))


def _value(key: SortKey, row: Sortable) -> int | str:
    match key:
        case SortKey.ARRIVAL:
            return row.received
        case SortKey.SIZE:
            return row.size
        case SortKey.DATE:
            return sent_seconds(row)
        case SortKey.SUBJECT:
            return subject_of(row)[0]
        case SortKey.DISPLAYFROM | SortKey.DISPLAYTO:
            address = _first_address(row, _DISPLAYED[key])
            return "" if address is None else _displayed(address)
        case _:
            address = _first_address(row, _FIELDS[key])
            return "" if address is None else decode_words(address.local or b"").casefold()


def _first_address(row: Sortable, field: bytes) -> Address | None:
    """A group's name counts as an address here (RFC 5256 §3)."""
    value = row.block.get(field)
    found = parse_addresses(value, 1) if value else []
    return found[0] if found else None


def _displayed(address: Address) -> str:
    """RFC 5957 §3: the name that a user sees, else the address."""
    name = decode_words(address.name) if address.name else ""
    return (name or decode_words(address.address)).casefold()
