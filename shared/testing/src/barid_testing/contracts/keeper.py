"""The duties of a keeper of packs (`barid_runtime.journal.keeper`).

A subclass gives the fixture `shelf`, a Shelf: a journal, the keeper of its packs, and the time, which is moved by hand.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pytest

from barid_contracts.mail import Accepted
from barid_runtime.ids import new_mail_id
from barid_runtime.journal.keeper import PackKeeper
from barid_runtime.journal.port import OBJECT_ABOVE, JournalWriter

from .journal import body_of, mail_of


class Shelf(Protocol):
    """keeper, journal: of the same store. now: the keeper's time, epoch seconds."""

    keeper: PackKeeper
    journal: JournalWriter

    @property
    def now(self) -> float: ...

    async def settle(self) -> None:
        """The journal's writer ends, what it wrote was told to the bus, and is old enough to be looked at."""

    def pass_years(self) -> None:
        """Nothing is too young any more to be deleted."""


@dataclass
class Referring:
    """Who is asked what is still referred to."""

    kept: Sequence[str] = ()
    away: bool = False
    asked: int = 0

    async def __call__(self, names: Sequence[str]) -> set[str]:
        self.asked += 1
        if self.away:
            raise ConnectionError
        return set(names) & set(self.kept)


async def append(
    shelf: Shelf, size: int = 300, *, message_id: str = "", accounts: int = 1, remotes: int = 0
) -> Accepted:
    mail = mail_of(size, accounts=accounts, remotes=remotes).model_copy(update={"message_id": message_id})
    spool = shelf.journal.spool()
    await spool.write(body_of(size))
    ref = await shelf.journal.append(mail, spool if size > OBJECT_ABOVE else body_of(size))
    await spool.discard()
    return mail.model_copy(update={"ref": ref})


def packs_of(mails: Sequence[Accepted]) -> list[str]:
    """Without repetitions, in order."""
    return list(dict.fromkeys(mail.ref.pack for mail in mails if mail.ref is not None))


class KeeperContract:
    """Found, read, closed, deleted; and never too early."""

    async def test_what_was_told_is_found_and_read(self, shelf: Shelf) -> None:
        mails = await asyncio.gather(*[append(shelf, accounts=1 + n % 2, remotes=n % 3) for n in range(6)])
        await shelf.settle()
        states = await shelf.keeper.states()
        assert [state.name for state in states] == packs_of(mails)
        assert all(state.sealed and state.complete for state in states)
        entries = [(state.name, entry) for state in states for entry in await shelf.keeper.entries(state.name)]
        assert [entry.mail_id for _, entry in entries] == [mail.mail_id for mail in mails]
        assert [(len(entry.accounts), len(entry.remotes)) for _, entry in entries] == [
            (1 + n % 2, n % 3) for n in range(6)
        ]
        for mail, (pack, entry) in zip(mails, entries, strict=True):
            assert await shelf.keeper.load(pack, [entry]) == [mail]
            assert await shelf.keeper.load_again(pack, entry.offset) == mail
        assert await shelf.keeper.load_again(states[0].name, 7) is None
        assert await shelf.keeper.load_again("ingress.00000000000000000000000000/000009.pack", 0) is None

    async def test_a_mail_is_found_by_its_names(self, shelf: Shelf) -> None:
        mails = [await append(shelf, message_id=f"<{n}@far.test>") for n in range(4)]
        await shelf.settle()
        wanted = mails[2]
        assert await shelf.keeper.find(wanted.mail_id, shelf.now) == wanted
        assert await shelf.keeper.find(new_mail_id(shelf.now), shelf.now) is None
        assert await shelf.keeper.find_called("<2@far.test>", 5) == [wanted]
        assert await shelf.keeper.find_called("<7@far.test>", 5) == []
        assert await shelf.keeper.named(new_mail_id(shelf.now + 3600)) == {mail.mail_id for mail in mails}
        assert await shelf.keeper.named(mails[0].mail_id) == set()

    async def test_what_is_closed_is_not_looked_at_again(self, shelf: Shelf) -> None:
        mails = [await append(shelf, message_id="<same@far.test>") for _ in range(2)]
        await shelf.settle()
        packs = packs_of(mails)
        assert await shelf.keeper.still_open(packs) == set(packs)
        for _ in range(2):  # a second time changes nothing
            for pack in packs:
                await shelf.keeper.close(pack)
            assert await shelf.keeper.states() == []
        assert await shelf.keeper.still_open(packs) == set()
        assert await shelf.keeper.find(mails[0].mail_id, shelf.now) is None
        assert await shelf.keeper.find_called("<same@far.test>", 5) == []
        assert await shelf.keeper.named(new_mail_id(shelf.now + 3600)) == set()

    async def test_names_of_nothing_are_not_open(self, shelf: Shelf) -> None:
        mail = await append(shelf)
        await shelf.settle()
        strange = ["ingress.00000000000000000000000000/000001.pack", "objects/01ARZ3NDEKTSV4RRFFQ69G5FAV", "../x"]
        assert await shelf.keeper.still_open([*strange, *packs_of([mail])]) == set(packs_of([mail]))

    async def test_only_what_is_closed_and_old_and_unreferenced_is_deleted(self, shelf: Shelf) -> None:
        mail = await append(shelf)
        await shelf.settle()
        (pack,) = packs_of([mail])
        referring = Referring(kept=[pack])
        shelf.pass_years()
        assert await shelf.keeper.collect(referring, 0.0) == [], "it is not closed"
        await shelf.keeper.close(pack)
        await shelf.keeper.states()
        shelf.pass_years()
        assert await shelf.keeper.collect(referring, 0.0) == [], "something refers to it"
        assert referring.asked
        with pytest.raises(ConnectionError):
            await shelf.keeper.collect(Referring(away=True), 0.0)
        assert await shelf.keeper.collect(Referring(), 1e12) == [], "it is younger than asked for"
        assert await shelf.keeper.collect(Referring(), 0.0) == [pack]
        assert await shelf.keeper.collect(Referring(), 0.0) == []

    async def test_a_large_body_outlives_every_pack_that_names_it_and_is_not_closed(self, shelf: Shelf) -> None:
        mail = await append(shelf, OBJECT_ABOVE + 1)
        assert mail.ref is not None
        await shelf.settle()
        (state,) = await shelf.keeper.states()
        shelf.pass_years()
        assert await shelf.keeper.collect(Referring(), 0.0) == []
        assert await shelf.keeper.still_open([mail.ref.pack]) == {mail.ref.pack}
        await shelf.keeper.close(state.name)
        await shelf.keeper.states()
        shelf.pass_years()
        assert await shelf.keeper.collect(Referring(kept=[mail.ref.pack]), 0.0) == [state.name]
        assert await shelf.keeper.collect(Referring(), 0.0) == [mail.ref.pack]
        assert await shelf.keeper.collect(Referring(), 0.0) == []
