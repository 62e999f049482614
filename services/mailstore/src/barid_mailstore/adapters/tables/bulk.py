"""Rows that are inserted by the dozen, in each dialect's own way.

On PostgreSQL they travel as one array a column: one round trip, and a third of the server's time that a statement
a row takes. There, text can't hold NUL: a header may have one, no client can be sent it, and a space takes its place.
"""

from collections.abc import Sequence
from typing import Any

from barid_runtime.database.port import Cursor, Value


def storable(text: str) -> str:
    return text.replace("\0", " ") if "\0" in text else text


class Bulk:
    """types: of all columns of the table in their order, as PostgreSQL calls them."""

    def __init__(self, table: str, *types: str) -> None:
        places = ", ".join("?" * len(types))
        arrays = ", ".join([f"?::{each}[]" for each in types])
        self.row = f"INSERT INTO {table} VALUES ({places})"  # noqa: S608
        """Of a single one, in both dialects."""
        self._arrays = f"INSERT INTO {table} SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608
        self._texts = [number for number, each in enumerate(types) if each == "text"]

    def insert(self, cursor: Cursor, rows: Sequence[Sequence[Value]]) -> bool:
        """False: some of them are there already, put in by another replica."""
        if cursor.dialect == "sqlite":
            cursor.executemany(self.row, rows)
            return True
        columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
        for number in self._texts:
            column = columns[number]
            if "\0" in "".join(filter(None, column)):
                columns[number] = [value and storable(value) for value in column]
        cursor.execute(self._arrays, columns)
        return cursor.changes() == len(rows)
