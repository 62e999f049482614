"""The packs of a bucket as the reconciler sees them: `BucketKeeper`.

Every pack here is sealed, and complete once it is old enough: its own publisher told the bus of it, or is dead. Before
`least_age` its PUT may still be under way as far as its senders know, so it is left alone.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from barid_contracts.mail import Accepted

from ...logging import get_logger
from ...objects.place import KEEP_MOST, PUT_MARGIN
from ...objects.port import Listed, ObjectError, ObjectMissing, ObjectStore
from .. import lookup, record, scan
from ..footer import TRAILER, Entry, decode_entries, decode_trailer
from ..keeper import PackState
from ..lifecycle import OBJECT_GRACE, Referenced
from ..port import BodyCorrupt, BodyMissing, BodyUnavailable
from . import keys
from .closed import closed_packs
from .listing import Listing, Standing

DELETE_AGE = 2 * KEEP_MOST
"""Seconds before anything is deleted: no local copy is left then that would bring it back."""

ABORTED_KEPT = 86_400.0
"""Seconds that a refused pack and its mark stay: its PUT may arrive late, but not a day. Longer while rows
refer to it."""

TAIL = 64 * 1024
"""Bytes read at a pack's end: a footer of 900 mails."""

REMEMBERED = 200_000
"""Lines of footers kept from round to round, 400 B each: what is open at 300 mails a second for ten minutes."""

AT_ONCE = 8
"""Footers read at once."""

COLLECT_MOST = 20_000
"""Packs looked at in one `collect`; the next goes on behind them."""

READ_MOST = 64 * 1024 * 1024
"""Bytes of packs read for a Message-ID, which footers don't have: a second."""

ASK = 1_000
"""Names of one question to those who may refer to them."""

T = TypeVar("T")

log = get_logger("journal.keeper")


class BucketKeeper:
    """All ages are by the store's clock: ours may be wrong, and what it aged would be deleted.

    put_seconds: the longest deadline of a PUT of any writer. margin: seconds beyond it before a
    pack is looked at."""

    def __init__(self, store: ObjectStore, put_seconds: float, margin: float = PUT_MARGIN) -> None:
        self._store = store
        self._least_age = put_seconds + margin
        self._listing = Listing(store)
        self._open: dict[str, Standing] = {}
        self._entries: dict[str, list[Entry]] = {}
        self._remembered = 0
        self._collected = ""
        self._told: set[str] = set()
        self._turn = asyncio.Lock()

    async def states(self) -> list[PackState]:
        return await self._ask(self._states)

    def _states(self) -> list[PackState]:
        self._listing.flush()
        now = self._store.now()
        self._look(now)
        old = [each.name for each in self._open.values() if now - each.modified >= self._least_age]
        return [PackState(name, True, True) for name in old]

    def _look(self, now: float) -> None:
        """What is open, and its footers as far as they are remembered."""
        self._open = {each.name: each for each in self._listing.standing(now)}
        self._entries = {name: lines for name, lines in self._entries.items() if name in self._open}
        self._remembered = sum(map(len, self._entries.values()))
        fresh = [name for name in self._open if name not in self._entries]
        if fresh:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(self._remember, fresh))

    def _remember(self, name: str) -> None:
        if self._remembered < REMEMBERED:
            try:
                entries = self._entries[name] = self._read_footer(name, self._open[name].size)
            except (ObjectError, BodyMissing):
                return  # whoever needs it asks again, and hears why
            self._remembered += len(entries)

    async def entries(self, pack: str) -> list[Entry]:
        return await self._ask(lambda: self._entries_of(pack))

    def _entries_of(self, pack: str) -> list[Entry]:
        known = self._entries.get(pack)
        if known is None:
            standing = self._open.get(pack)
            size = standing.size if standing else self._store.size(_key(pack))
            if size is None:
                raise BodyMissing(f"no pack {pack}")
            known = self._read_footer(pack, size)
        return known

    def _read_footer(self, pack: str, size: int) -> list[Entry]:
        key = _key(pack)
        start = max(0, size - TAIL)
        tail = self._store.get(key, start)
        trailer = decode_trailer(tail[-TRAILER:], size)
        if trailer is not None:
            begin = trailer.offset - start
            lines = tail[begin:-TRAILER] if begin >= 0 else self._store.get(key, trailer.offset, trailer.size)
            try:
                return decode_entries(lines, trailer)
            except BodyCorrupt:
                pass  # the records are still there to be walked
        return [scan.entry_of(each) for each in scan.walk_data(self._store.get(key)) if isinstance(each, scan.Found)]

    async def load(self, pack: str, entries: Sequence[Entry]) -> list[Accepted]:
        return await self._ask(lambda: list(self._load(pack, entries)))

    def _load(self, pack: str, entries: Sequence[Entry]) -> Iterator[Accepted]:
        key = _key(pack)
        whole = self._store.get(key) if len(entries) > 2 else None
        for entry in entries:
            if whole is not None:
                lead = whole[entry.offset : entry.offset + entry.lead]
            else:
                lead = self._store.get(key, entry.offset, entry.lead)
            try:
                yield scan.Found(entry.offset, record.decode_lead(lead)).mail(pack)
            except BodyCorrupt:
                continue

    async def load_again(self, pack: str, offset: int) -> Accepted | None:
        def read() -> Accepted | None:
            try:
                found = [entry for entry in self._entries_of(pack) if entry.offset == offset]
                return next(self._load(pack, found), None)
            except (BodyMissing, ObjectMissing):
                return None

        return await self._ask(read)

    async def find(self, mail_id: str, named: float) -> Accepted | None:
        def read() -> Accepted | None:
            self._look(self._store.now())
            latest = sorted(self._open.values(), key=lambda each: each.modified)
            for each in [each for each in latest if each.modified >= named - lookup.SLACK][: lookup.PACKS_MOST]:
                found = [entry for entry in self._entries_of(each.name) if entry.mail_id == mail_id]
                if found:
                    return next(self._load(each.name, found), None)
            return None

        return await self._ask(read)

    async def find_called(self, message_id: str, most: int) -> list[Accepted]:
        def read() -> list[Accepted]:
            self._look(self._store.now())
            in_json = lookup.in_json(message_id)
            mails: list[Accepted] = []
            left = READ_MOST
            for each in sorted(self._open.values(), key=lambda each: each.modified, reverse=True):
                left -= each.size
                if left < 0 or len(mails) >= most:
                    break
                for found in scan.walk_data(self._store.get(_key(each.name))):
                    if isinstance(found, scan.Found) and in_json in found.lead.head:
                        mail = found.mail(each.name)
                        mails += [mail] if mail.message_id == message_id else []
            return mails[:most]

        return await self._ask(read)

    async def named(self, before: str) -> set[str]:
        def read() -> set[str]:
            self._look(self._store.now())
            return {entry.mail_id for name in self._open for entry in self._entries_of(name) if entry.mail_id < before}

        return await self._ask(read)

    async def still_open(self, names: Collection[str]) -> set[str]:
        try:
            return await self._ask(lambda: self._still_open(names))
        except BodyUnavailable:
            return set(names)

    def _still_open(self, names: Collection[str]) -> set[str]:
        found: set[str] = set()
        folders: dict[str, set[str]] = {}
        for name in names:
            folder = name.partition("/")[0]
            if keys.pack_key(name) is None or self._listing.is_finished(folder):
                continue
            if name.startswith(keys.OBJECTS):
                if self._store.size(name) is not None:
                    found.add(name)
            else:
                folders.setdefault(folder, set()).add(name)
        for folder, mine in folders.items():
            left = mine - closed_packs(self._store, folder)
            if left:
                there = {keys.name_in(each.key) for each in self._store.below(keys.folder_prefix(folder))}
                refused = {keys.name_in(each.key) for each in self._store.below(keys.aborted_prefix(folder))}
                found |= (left & there) - refused
        return found

    async def close(self, pack: str) -> None:
        self._listing.close(pack)

    async def collect(self, referenced: Referenced, grace: float) -> list[str]:
        now = await self._ask(self._store.now)
        before = now - max(grace, DELETE_AGE)
        packs = await self._ask(lambda: self._closed_before(before))
        objects = await self._ask(lambda: self._unnamed_objects(now, now - max(grace, OBJECT_GRACE, DELETE_AGE)))
        gone: list[str] = []
        async for dead, _ in _sorted_out([*packs, *objects], referenced):
            await self._ask(lambda dead=dead: self._store.delete([_key(name) for name in dead]))  # type: ignore[misc]
            gone += dead
        refused = await self._ask(lambda: self._refused_before(now - ABORTED_KEPT))
        async for dead, kept in _sorted_out(refused, referenced):
            await self._ask(lambda dead=dead: self._forget_refused(dead))  # type: ignore[misc]
            self._tell_delivered(kept)
        return gone

    def _closed_before(self, before: float) -> list[str]:
        """The next stretch of packs that are closed and old."""
        self._listing.flush()
        found: list[str] = []
        closed: set[str] = set()
        folder = ""
        looked = 0
        for listed in self._store.below(keys.PACKS, after=self._collected):
            self._collected = listed.key
            name = keys.name_in(listed.key)
            if name is None:
                continue
            if name.partition("/")[0] != folder:
                folder = name.partition("/")[0]
                closed = closed_packs(self._store, folder) if self._lists_before(folder, before) else set()
            if name in closed and listed.modified < before:
                found.append(name)
            looked += 1
            if looked == COLLECT_MOST:
                return found
        self._collected = ""
        return found

    def _lists_before(self, folder: str, before: float) -> bool:
        """Whether nothing in that folder was closed since."""
        return all(each.modified < before for each in self._store.below(keys.closed_prefix(folder)))

    def _unnamed_objects(self, now: float, before: float) -> list[str]:
        old: list[Listed] = [each for each in self._store.below(keys.OBJECTS) if each.modified < before]
        if not old:
            return []
        self._look(now)
        in_use = {
            f"{keys.OBJECTS}{entry.mail_id}"
            for name in self._open
            for entry in self._entries_of(name)
            if entry.flags & record.EXTERNAL
        }
        return [each.key for each in old if each.key not in in_use and keys.pack_key(each.key) is not None]

    def _refused_before(self, before: float) -> list[str]:
        old = [keys.name_in(each.key) for each in self._store.below(keys.ABORTED) if each.modified < before]
        return [name for name in old if name is not None]

    def _forget_refused(self, packs: Sequence[str]) -> None:
        # First the packs, or they would count while their marks are gone.
        self._store.delete([_key(name) for name in packs])
        self._store.delete([keys.aborted_key(name) for name in packs])

    def _tell_delivered(self, packs: Sequence[str]) -> None:
        """Refused, and rows refer to them: they stay, with their marks. Said once."""
        for name in packs:
            if name not in self._told:
                self._told.add(name)
                log.warning("journal_refused_pack_delivered", pack=name)

    async def _ask(self, work: Callable[[], T]) -> T:
        """One at a time, for what is remembered is shared."""
        async with self._turn:
            try:
                return await asyncio.to_thread(work)
            except ObjectMissing as error:
                raise BodyMissing(str(error)) from error
            except ObjectError as error:
                raise BodyUnavailable(str(error)) from error


async def _sorted_out(names: list[str], referenced: Referenced) -> AsyncIterator[tuple[list[str], list[str]]]:
    """Those that nothing refers to, and the others, ASK at a time."""
    for at in range(0, len(names), ASK):
        asked = names[at : at + ASK]
        kept = await referenced(asked)
        yield [name for name in asked if name not in kept], [name for name in asked if name in kept]


def _key(pack: str) -> str:
    key = keys.pack_key(pack)
    if key is None:
        raise BodyMissing(f"no pack {pack}")
    return key
