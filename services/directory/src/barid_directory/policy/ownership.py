"""Whose an address is, and what else changes with it. Both walk aliases backwards, from target to alias."""

from ..ports import Book
from .addresses import without_detail
from .resolution import MAX_DEPTH, resolve

MAX_OWN = 1_000
"""Addresses told of one account, and told in one change: bounds the reply, whatever was configured."""


def leading_to(book: Book, address: str) -> list[str]:
    """All aliases whose way may pass the address, however far, nearest first; without the address itself."""
    found: dict[str, None] = {}
    edge = [address]
    for _ in range(MAX_DEPTH):
        next_edge: dict[str, None] = {}
        for target in edge:
            room = MAX_OWN - len(found) - len(next_edge)
            if room <= 0:
                break
            next_edge.update(dict.fromkeys(book.aliases_to(without_detail(target), room)))
        edge = [alias for alias in next_edge if alias not in found and alias != address]
        if not edge:
            break
        found.update(dict.fromkeys(edge))
    return list(found)


def own_addresses(book: Book, account: str, address: str) -> list[str]:
    """The account's address, and the aliases that lead only to it: what it may send as."""
    own = [address]
    for alias in leading_to(book, address):
        targets = resolve(book, alias).targets
        if len(targets) == 1 and targets[0].account == account:
            own.append(alias)
    return own


def affected(book: Book, address: str) -> list[str]:
    """Addresses whose resolution may differ when this one changes (each also with any detail)."""
    return [address, *leading_to(book, address)]
