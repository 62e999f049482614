"""Many sessions at once in one mailbox, at all access nodes: each is told a story without contradictions, and all
stories end alike."""

import asyncio
import random
from collections import Counter

import pytest

from barid_testing.mail_system import Endpoint, MailSystem

from .watcher import Refused, Watcher, uid_set

SESSIONS = 6
STEPS = 60

pytestmark = pytest.mark.asyncio


def doors(system: MailSystem) -> list[Endpoint]:
    """IMAP of every access node."""
    return system.endpoints("imap")


class Walk:
    """One session's deeds. keyword: nobody else changes it, so each message must have it as this session left it."""

    def __init__(self, watcher: Watcher, number: int) -> None:
        self.watcher = watcher
        self.number = number
        self.keyword = f"$S{number}"
        self.rng = random.Random(number)
        self.added: set[int] = set()
        self.marked: dict[int, bool] = {}

    async def go(self, steps: int) -> None:
        deeds = (self.append, self.mark, self.mark, self.mark_by_number, self.delete, self.expunge, self.copy)
        for _ in range(steps):
            await self.rng.choice((*deeds, self.look))()

    async def append(self) -> None:
        text = b"Subject: %d of %d\r\n\r\nx\r\n" % (len(self.added), self.number)
        self.added.add(await self.watcher.append(text))

    async def mark(self) -> None:
        if uids := self._some():
            on = self.rng.random() < 0.6
            await self.watcher.do(f"UID STORE {uid_set(uids)} {'+' if on else '-'}FLAGS.SILENT ({self.keyword})")
            self.marked |= dict.fromkeys(uids, on)
            self.watcher.know_silently(uids, self.keyword, on)

    async def mark_by_number(self) -> None:
        """While others expunge: the number must mean what it meant to this session."""
        known = [(n, each.uid) for n, each in enumerate(self.watcher.messages, 1) if each.uid]
        if known:
            number, uid = self.rng.choice(known)
            try:
                await self.watcher.do(f"STORE {number} +FLAGS ({self.keyword})")
            except Refused as refused:
                assert "[EXPUNGEISSUED]" in refused.line, refused  # gone, and not told yet: RFC 2180 §4.2
            else:
                self.marked[uid] = True

    async def delete(self) -> None:
        if uids := self._some():
            await self.watcher.do(f"UID STORE {uid_set(uids[:2])} +FLAGS (\\Deleted)")

    async def expunge(self) -> None:
        await self.watcher.do("EXPUNGE")

    async def copy(self) -> None:
        if uids := self._some():
            await self.watcher.do(f"UID COPY {uid_set(uids[:2])} Archive")

    async def look(self) -> None:
        await self.watcher.settle()

    def _some(self) -> list[int]:
        uids = [each.uid for each in self.watcher.messages if each.uid]
        return self.rng.sample(uids, min(len(uids), self.rng.randint(1, 4)))


async def test_everybody_sees_the_same_mailbox(mail_system: MailSystem) -> None:
    account = mail_system.account()
    nodes = doors(mail_system)
    watchers = [
        await Watcher.connect(nodes[n % len(nodes)], account, f"s{n}x", qresync=n % 3 == 1) for n in range(SESSIONS)
    ]
    for watcher in watchers:
        await watcher.select()
    walks = [Walk(watcher, number) for number, watcher in enumerate(watchers)]
    async with asyncio.TaskGroup() as group:
        for walk in walks:
            group.create_task(walk.go(STEPS))
    for watcher in watchers:
        await watcher.settle()
    fresh = await Watcher.connect(nodes[-1], account, "fresh")
    await fresh.select()
    truth = fresh.view()
    for walk in walks:
        assert walk.watcher.view() == truth, walk.watcher.name
        for uid, on in walk.marked.items():
            assert uid not in truth or (walk.keyword in truth[uid]) == on, (walk.watcher.name, uid)
    # No message went but those whose end was told, and none came but those that were appended.
    added = Counter(uid for walk in walks for uid in walk.added)
    assert added.total() == len(added)
    gone = set().union(*(watcher.gone for watcher in watchers))
    assert truth.keys() == added.keys() - gone
    for watcher in (*watchers, fresh):
        await watcher.close()
