"""Columns of rows as little-endian bytes, as contracts carry them."""

from collections.abc import Sequence
from struct import pack


def uid_column(values: Sequence[int]) -> bytes:
    """32 bits each."""
    return pack(f"<{len(values)}I", *values)


def wide_column(values: Sequence[int]) -> bytes:
    """64 bits each: flags and mod-sequences."""
    return pack(f"<{len(values)}Q", *values)
