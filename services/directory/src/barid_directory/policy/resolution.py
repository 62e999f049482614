"""Where an address leads: the one policy that both `resolve` and `explain` run.

In this order, the first that applies: a domain that is not ours is remote; an account of exactly this address; an
alias of exactly this address; the same two for the address without its detail, the longest user first (so an account
`a+b@…` gets its own mail); `postmaster` (RFC 5321 §4.5.1: it always leads somewhere); the domain's catch-all; unknown.

A detail follows an alias to the accounts here that it leads to, unless the alias names a detail of its own; it never
follows to another domain, whose delimiter we don't know.
"""

from collections.abc import Iterable
from typing import Literal

from barid_contracts.directory import Resolution, Target

from ..ports import Book
from .addresses import POSTMASTER, as_written, canonical_domain, parse, splits

MAX_DEPTH = 10
"""Aliases behind aliases: far beyond what people build, small enough that a mistake costs nothing."""

MAX_TARGETS = 1_000
"""Targets of one address: the most that one mail's recipients may become. Beyond it stands a mailing list."""


_SYSTEM = "<postmaster>"
"""The name under which a walk remembers that it tried the system's postmaster: no address, so no alias's name."""


class _Walk:
    """One address on its way. `visited` cuts loops; `reached` holds account ids and remote addresses, so that two ways
    to one are one target; `dead_end` remembers that an alias led nowhere."""

    __slots__ = ("book", "dead_end", "looped", "postmaster", "reached", "steps", "targets", "visited")

    def __init__(self, book: Book, postmaster: str, steps: list[str] | None) -> None:
        self.book = book
        self.postmaster = postmaster
        self.steps = steps
        self.targets: list[Target] = []
        self.reached: set[str] = set()
        self.visited: set[str] = set()
        self.dead_end = False
        self.looped = False

    def note(self, text: str) -> None:
        if self.steps is not None:
            self.steps.append(text)

    def remote(self, address: str) -> None:
        if address not in self.reached and len(self.targets) < MAX_TARGETS:
            self.reached.add(address)
            self.targets.append(Target(kind="remote", address=address))

    def arrive(self, account: str, address: str, detail: str | None) -> None:
        """Two ways to one account are one obligation, so the first way's detail counts."""
        if account in self.reached:
            self.note(f"{address} was reached before")
        elif len(self.targets) < MAX_TARGETS:
            self.reached.add(account)
            self.targets.append(Target(kind="account", address=address, account=account, detail=detail))
        else:
            self.note(f"{address} is beyond the limit of {MAX_TARGETS} targets")

    def exact(self, address: str, detail: str | None, depth: int) -> bool:
        """An account or an alias of this very address."""
        account = self.book.account(address)
        if account is not None:
            self.note(f"{address} is an account" + (f"; the detail is {detail!r}" if detail is not None else ""))
            self.arrive(account.id, address, detail)
            return True
        alias = self.book.alias(address)
        if alias is None:
            self.note(f"{address} is neither an account nor an alias")
            return False
        self.note(f"{address} is an alias of {', '.join(alias.targets)}")
        self.follow(address, alias.targets, detail, depth)
        return True

    def follow(self, source: str, targets: Iterable[str], detail: str | None, depth: int) -> None:
        if source in self.visited:
            self.dead_end = self.looped = True
            self.note(f"{source} leads back to itself: a loop, not followed again")
            return
        if depth >= MAX_DEPTH:
            self.dead_end = self.looped = True
            self.note(f"{source} is {MAX_DEPTH} aliases deep: not followed")
            return
        self.visited.add(source)
        for target in targets:
            if self.step(target, detail, depth + 1) == "unknown":
                self.dead_end = True
                self.note(f"{target} does not exist")

    def step(self, text: str, detail: str | None, depth: int) -> Literal["found", "remote", "unknown"]:
        address = parse(text)
        if address is None:
            name = canonical_domain(text.rpartition("@")[2])
            if "@" in text and (name is None or self.book.domain(name) is None):
                self.note(f"{text} is at no domain of ours")
                self.remote(text)
                return "remote"
            self.note(f"{text} is not an address")
            return "unknown"
        domain = self.book.domain(address.domain)
        if domain is None:
            self.note(f"{address.domain} is no domain of ours: remote")
            self.remote(text)
            return "remote"
        if self.exact(f"{address.local}@{address.domain}", detail, depth):
            return "found"
        for user, own_detail in splits(address.local):
            if self.exact(f"{user}@{address.domain}", as_written(text, own_detail), depth):
                return "found"
        if address.local == POSTMASTER and self.to_postmaster(address.domain, depth):
            return "found"
        if domain.catch_all is not None:
            self.note(f"{address.domain} catches all for {domain.catch_all}")
            self.follow(f"@{address.domain}", (domain.catch_all,), None, depth)
            return "found"
        self.note(f"{address.domain} has no catch-all")
        return "unknown"

    def whole(self, text: str) -> Literal["found", "remote", "unknown"]:
        """From an address as it was given."""
        way = self.step(text, None, 0)
        address = parse(text)
        if not self.targets and address is not None and address.local == POSTMASTER:
            self.to_postmaster(address.domain, 0)
        return way

    def to_postmaster(self, domain: str | None, depth: int) -> bool:
        """Who reads what is sent to `postmaster` where nobody has that address (RFC 5321 §4.5.1)."""
        if self.postmaster and _SYSTEM not in self.visited:
            self.note(f"the system's postmaster is {self.postmaster}")
            self.follow(_SYSTEM, (self.postmaster,), None, depth)
            if self.targets:
                return True
        first = (self.book.first_account(domain) if domain else None) or self.book.first_account(None)
        if first is None:
            self.note("there is no account yet that could read it")
            return False
        self.note(f"postmaster is the first account, {first.address}")
        self.arrive(first.id, first.address, None)
        return True

    def bare_postmaster(self) -> bool:
        """`<postmaster>` without a domain: of whichever of our domains has one."""
        if self.postmaster:
            return self.to_postmaster(None, 0)
        for domain in self.book.domains():
            if self.exact(f"{POSTMASTER}@{domain.name}", None, 0) and self.targets:
                return True
        return self.to_postmaster(None, 0)


def resolve(book: Book, text: str, *, postmaster: str = "", steps: list[str] | None = None) -> Resolution:
    """Where `text` leads. postmaster: the system's, canonical, or empty. steps: gets each rule tried, in words."""
    walk = _Walk(book, postmaster, steps)
    if "@" in text:
        way = walk.whole(text)
    elif text.lower() == POSTMASTER:
        way = "found" if walk.bare_postmaster() else "unknown"
    else:
        walk.note(f"{text} has no domain")
        way = "unknown"
    status: Literal["local", "remote", "unknown", "loop"]
    if way == "remote":
        status = "remote"
    elif walk.targets:
        status = "local"
    else:
        status = "loop" if walk.dead_end else "unknown"
    return Resolution(address=text, status=status, targets=walk.targets)


def goes_in_circles(book: Book, address: str) -> bool:
    """It leads back to itself, or on and on, and to nobody. Names that don't exist yet are no circle."""
    walk = _Walk(book, "", None)
    walk.whole(address)
    return walk.looped and not walk.targets


def explain(book: Book, text: str, *, postmaster: str = "") -> tuple[list[str], Resolution]:
    """The same way, told step by step."""
    steps: list[str] = []
    resolution = resolve(book, text, postmaster=postmaster, steps=steps)
    steps.append(f"{text} is {resolution.status}" + "".join(f"; to {t.kind} {t.address}" for t in resolution.targets))
    return steps, resolution
