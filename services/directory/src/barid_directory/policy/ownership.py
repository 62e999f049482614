"""Whose an address is, and what else changes with it. Both walk aliases backwards, from target to alias."""

from ..ports import AliasRow, Book, DomainRow
from .addresses import canonical, parse, splits, without_detail
from .resolution import MAX_DEPTH, resolve

MAX_OWN = 1_000
"""Addresses told of one account, and told in one change: bounds the reply, whatever was configured."""


MAX_NAMING = 100_000
"""Aliases looked at when one address is deleted: all of any directory that fits a machine."""


def next_stop(book: Book, target: str) -> str | None:
    """The account or alias that a target means, in the order of `resolution`; None where it means none."""
    address = parse(target)
    if address is None:
        return None
    for local in (address.local, *[user for user, _ in splits(address.local)]):
        stop = f"{local}@{address.domain}"
        if book.account(stop) is not None or book.alias(stop) is not None:
            return stop
    return None


def naming(book: Book, address: str) -> tuple[list[AliasRow], list[DomainRow]]:
    """Aliases and domains that have this very address as a target or catch-all, perhaps with a detail."""
    plain = without_detail(address)
    rows = [book.alias(alias) for alias in book.aliases_to(plain, MAX_NAMING) if alias != address]
    aliases = [row for row in rows if row is not None and any(next_stop(book, t) == address for t in row.targets)]
    domains = [
        domain
        for domain in book.domains()
        if domain.catch_all is not None
        and without_detail(canonical(domain.catch_all) or "") == plain
        and next_stop(book, domain.catch_all) == address
    ]
    return aliases, domains


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
