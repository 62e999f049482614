"""Rows of a table as lines of JSON, compressed: the same whichever database they came from.

A line is a list of values: null, numbers, text, and {"bytes": "base64"}. Booleans are true and false, or 1 and 0.
"""

import base64
import gzip
import hashlib
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from barid_runtime.database.port import Value

LEVEL = 1
"""Of gzip: a fifth of the size at 100 MB/s; more gains a tenth and takes three times as long."""

ROWS = 500


class TableFile:
    """Written from the beginning to the end. Use it in a `with`."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._raw = path.open("xb")
        # Without a time in it: the same rows are the same bytes.
        self._file = gzip.GzipFile("", "wb", LEVEL, self._raw, mtime=0)
        self._path = path
        self._line(columns)

    def _line(self, values: Sequence[Any]) -> None:
        self._file.write(json.dumps(values, separators=(",", ":"), default=_encoded).encode() + b"\n")

    def write(self, rows: Sequence[Sequence[Value]]) -> None:
        for row in rows:
            self._line(row)

    def __enter__(self) -> "TableFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()

    def digest(self) -> str:
        """Once it is closed."""
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _encoded(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"bytes": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} is no value of a table")


def open_table(path: Path) -> tuple[list[str], AsyncIterator[list[list[Value]]]]:
    """Columns, and rows in slices. Raises OSError, ValueError, EOFError."""
    file = gzip.open(path, "rb")  # noqa: SIM115 - the iterator closes it
    return cast("list[str]", json.loads(file.readline())), _slices(cast("BinaryIO", file))


async def _slices(file: BinaryIO) -> AsyncIterator[list[list[Value]]]:
    with file:
        some: list[list[Value]] = []
        for line in file:
            some.append([_decoded(value) for value in json.loads(line)])
            if len(some) == ROWS:
                yield some
                some = []
        if some:
            yield some


def _decoded(value: Any) -> Value:
    return base64.b64decode(value["bytes"]) if isinstance(value, dict) else value
