"""RFC 5322 dates (§3.3, and the obsolete zones of §4.3), as numbers: this room has no clock."""

import re
from datetime import date
from typing import NamedTuple

_DATE = re.compile(
    rb"\s*+(?:[A-Za-z]{2,9}\.?,?\s*+)?([0-9]{1,2})[\s-]++([A-Za-z]{3})[A-Za-z]{0,6}[\s-]++([0-9]{2,4})\s++"
    rb"([0-9]{1,2})[:.]([0-9]{2})(?:[:.]([0-9]{2}))?\s*+(?:([+-])([0-9]{2}):?([0-9]{2})|([A-Za-z]{1,5}))?"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), start=1
    )
}
_ZONES = {
    b"est": -300,
    b"edt": -240,
    b"cst": -360,
    b"cdt": -300,
    b"mst": -420,
    b"mdt": -360,
    b"pst": -480,
    b"pdt": -420,
}
_EPOCH = date(1970, 1, 1).toordinal()


class SentDate(NamedTuple):
    """``seconds`` since 1970 in UTC; ``offset`` of the sender's zone in minutes (SENTON goes by the written day)."""

    seconds: int
    offset: int


def parse_date(value: bytes | None) -> SentDate | None:
    """None if it cannot be understood. About 2 µs."""
    if value is None:
        return None
    match = _DATE.match(value)
    if match is None:
        return None
    day, month_name, year_text, hour, minute, second, sign, zone_hours, zone_minutes, zone = match.groups()
    month = _MONTHS.get(month_name.lower())
    if month is None:
        return None
    year = int(year_text)
    if len(year_text) < 4:
        # RFC 5322 §4.3: two digits below 50 are of this century; three count from 1900.
        year += 2000 if year < 50 else 1900
    try:
        days = date(year, month, int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    if int(hour) > 23 or int(minute) > 59:
        return None
    if sign:
        offset = int(zone_hours) * 60 + int(zone_minutes)
        if offset >= 24 * 60:
            return None
        offset = -offset if sign == b"-" else offset
    else:
        offset = _ZONES.get((zone or b"").lower(), 0)
    # A leap second counts as the one before it.
    seconds = ((days * 24 + int(hour)) * 60 + int(minute) - offset) * 60 + min(int(second or 0), 59)
    return SentDate(seconds, offset)
