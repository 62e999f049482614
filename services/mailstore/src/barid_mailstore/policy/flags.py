"""Flags as one integer: system flags in bits 0–4, the mailbox's keywords from bit 8 on (`barid_contracts.store`)."""

from collections.abc import Iterable, Sequence

from barid_protocols.imap.flags import ALL_SYSTEM, DELETED, MAX_KEYWORDS, SEEN, canonical_keyword

__all__ = ["ALL_SYSTEM", "DELETED", "MAX_KEYWORDS", "SEEN", "has_room", "mask_of", "translation"]

KEYWORD_SHIFT = 8
"""Bits 8–62 are MAX_KEYWORDS: SQLite's integers have 64 bits and a sign."""

_SYSTEM = {"\\seen": 1, "\\answered": 2, "\\flagged": 4, "\\deleted": 8, "\\draft": 16}


def mask_of(flags: Iterable[str], keywords: Sequence[str], *, learn: bool) -> tuple[int, list[str]]:
    """The bits of `flags` in a mailbox whose keywords are `keywords`, and the names that had to be added for it.

    Unknown keywords are added (`learn`) while there is room, else left out, as are unknown system flags: the
    protocol's door has refused those that a client may not set.
    """
    mask = 0
    added: list[str] = []
    positions: dict[str, int] | None = None
    for flag in flags:
        folded = flag.lower()
        bit = _SYSTEM.get(folded)
        if bit is not None:
            mask |= bit
            continue
        if folded.startswith("\\") or not folded:
            continue
        if positions is None:
            positions = {name.lower(): position for position, name in enumerate(keywords)}
        position = positions.get(folded)
        if position is None:
            if not learn or len(positions) >= MAX_KEYWORDS:
                continue
            position = positions[folded] = len(positions)
            added.append(canonical_keyword(flag))
        mask |= 1 << (KEYWORD_SHIFT + position)
    return mask, added


def has_room(flags: Iterable[str], keywords: Sequence[str]) -> bool:
    """Whether all keywords of `flags` are known in the mailbox, or can be added."""
    wanted = {flag.lower() for flag in flags if not flag.startswith("\\")}
    return len(wanted.union(name.lower() for name in keywords)) <= MAX_KEYWORDS


def translation(used: int, source: Sequence[str], target: Sequence[str]) -> tuple[list[tuple[int, int]], list[str]]:
    """How keyword bits move from one mailbox to another: (bit there, bit here) of those in `used`, and names to add."""
    pairs: list[tuple[int, int]] = []
    added: list[str] = []
    for position, name in enumerate(source):
        bit = KEYWORD_SHIFT + position
        if not used >> bit & 1:
            continue
        mask, new = mask_of([name], [*target, *added], learn=True)
        added += new
        if mask:
            pairs.append((bit, mask.bit_length() - 1))
    return pairs, added
