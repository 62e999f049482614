"""Index ranges cut into pieces, so that a command on a million messages is answered in steps."""

from collections.abc import Iterator, Sequence

from barid_protocols.imap.changes import Slices


def pieces(slices: Slices, most: int) -> Iterator[list[tuple[int, int]]]:
    """In order, each of at most `most` messages."""
    piece: list[tuple[int, int]] = []
    room = most
    for start, stop in slices:
        while start < stop:
            end = min(stop, start + room)
            piece.append((start, end))
            room -= end - start
            start = end
            if not room:
                yield piece
                piece, room = [], most
    if piece:
        yield piece


def indexes(slices: Slices) -> list[int]:
    return [index for start, stop in slices for index in range(start, stop)]


def as_slices(found: Sequence[int]) -> list[tuple[int, int]]:
    """Of ascending indexes."""
    slices: list[tuple[int, int]] = []
    for index in found:
        if slices and slices[-1][1] == index:
            slices[-1] = (slices[-1][0], index + 1)
        else:
            slices.append((index, index + 1))
    return slices
