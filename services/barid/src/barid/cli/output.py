"""Tables and sizes, for people."""

import sys
from collections.abc import Sequence
from datetime import datetime

from ..terminal import printable_line

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable_line(str(value))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> None:
    """On a terminal within its width; else each row on one line, uncut."""
    if not rows:
        print(empty, file=sys.stderr)  # noqa: T201
        return
    lines = [[cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        _show_on_terminal(columns, lines)
        return
    widths = [max(map(len, column)) for column in zip(columns, *lines, strict=True)]
    for line in [list(columns), *lines]:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())  # noqa: T201


def _show_on_terminal(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for line in lines:
        # As Text: brackets in a subject are no markup.
        table.add_row(*map(Text, line))
    Console().print(table)


def local_time(text: str) -> str:
    """An RFC 3339 time as the clock here shows it."""
    moment = datetime.fromisoformat(text).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S") + f".{moment.microsecond // 1000:03d}"


def size(count: int) -> str:
    number = float(count)
    for unit in _UNITS:
        if number < 1024 or unit == _UNITS[-1]:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError


def parse_size(text: str) -> int:
    """Bytes: `500`, `10K`, `2M`, `1G` (powers of 1024). Raises ValueError."""
    digits = text.strip().upper().removesuffix("B").removesuffix("I")
    factor = 1
    if digits[-1:] in "KMGT" and digits:
        factor = 1024 ** ("KMGT".index(digits[-1]) + 1)
        digits = digits[:-1]
    try:
        count = float(digits)
    except ValueError:
        count = -1
    if not 0 <= count * factor < 2**63:
        raise ValueError(f"{text} is no size: give bytes, or 10K, 2M, 1G")
    return int(count * factor)
