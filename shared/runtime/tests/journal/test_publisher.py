"""Every durable mail that is owed reaches the bus, whatever dies in between."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_REMOTE, ACCEPTED_STREAM, Accepted, AcceptedBatch
from barid_runtime.bus.nats import NatsBus
from barid_runtime.bus.port import Bus, BusUnavailable, Stream
from barid_runtime.journal import events
from barid_runtime.journal import publisher as publishing
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.folder import packs_of, read_cursor, writer_folders
from barid_runtime.journal.lifecycle import packs
from barid_runtime.journal.pace import ENOUGH, GATHER
from barid_runtime.journal.packs import PackJournal
from barid_runtime.journal.port import JournalFailed
from barid_runtime.journal.publisher import Publisher
from barid_testing.contracts.journal import body_of, mail_of
from barid_testing.faulty_device import BROKEN, FaultyDevice


class Switch:
    """The real bus, with a switch before its durable publishing."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.away = False
        self.lost_answers = 0
        self._callbacks: list[Callable[[], Awaitable[None]]] = []

    @property
    def connected(self) -> bool:
        return not self.away

    async def publish_durable(self, subject: str, payload: bytes, *, message_id: str, traces: str = "") -> None:
        if self.away:
            raise BusUnavailable("away")
        await self._bus.publish_durable(subject, payload, message_id=message_id)
        if self.lost_answers:
            self.lost_answers -= 1
            raise BusUnavailable("lost after it was sent")

    async def ensure_stream(self, stream: Stream) -> None:
        if self.away:
            raise BusUnavailable("away")
        await self._bus.ensure_stream(stream)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._callbacks.append(callback)

    async def back(self) -> None:
        self.away = False
        for callback in self._callbacks:
            await callback()


Start = Callable[..., Awaitable[tuple[PackJournal, Publisher]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest_asyncio.fixture
async def switch(bus: NatsBus) -> Switch:
    await bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    return Switch(bus)


@pytest_asyncio.fixture
async def start(root: Path, switch: Switch) -> AsyncIterator[Start]:
    running: list[tuple[PackJournal, Publisher]] = []

    async def make(service: str = "ingress", **options: object) -> tuple[PackJournal, Publisher]:
        memory = options.pop("memory", publishing.MEMORY)
        gather = options.pop("gather", GATHER)
        journal = PackJournal(root, service, **options)  # type: ignore[arg-type]
        publisher = Publisher(journal, switch, owes=service != "mss", memory=memory, gather=gather)  # type: ignore[arg-type]
        await publisher.start()
        running.append((journal, publisher))
        return journal, publisher

    yield make
    for journal, publisher in running:
        await journal.close()
        await publisher.close(0.5)


async def everything(bus: Bus, subject: str) -> list[Accepted]:
    """All that stands in the stream for one kind, as a consumer would get it."""
    consumer = await bus.consumer(ACCEPTED_STREAM, durable=subject.rpartition(".")[2], subject=subject)
    mails: list[Accepted] = []
    while deliveries := await consumer.fetch(1000, 0.2):
        for delivery in deliveries:
            mails += AcceptedBatch.model_validate_json(delivery.payload).mails
            await delivery.ack()
    return mails


async def append(journal: PackJournal, count: int, accounts: int = 1, remotes: int = 0) -> list[Accepted]:
    mails = [mail_of(1000, accounts=accounts, remotes=remotes) for _ in range(count)]
    refs = await asyncio.gather(*[journal.append(mail, body_of(1000, n)) for n, mail in enumerate(mails)])
    return [mail.model_copy(update={"ref": ref}) for mail, ref in zip(mails, refs, strict=True)]


def by_name(mails: list[Accepted]) -> list[Accepted]:
    return sorted(mails, key=lambda mail: mail.mail_id)


async def test_what_is_owed_is_published_by_kind_and_in_batches(start: Start, bus: NatsBus) -> None:
    journal, publisher = await start()
    local = await append(journal, 100, accounts=2)
    remote = await append(journal, 10, accounts=0, remotes=1)
    both = await append(journal, 10, accounts=1, remotes=1)
    await append(journal, 10, accounts=0)
    await publisher.idle()
    assert by_name(await everything(bus, ACCEPTED_LOCAL.subject)) == local + both
    assert by_name(await everything(bus, ACCEPTED_REMOTE.subject)) == remote + both
    assert publisher.published == 120
    assert publisher.backlog == 0
    assert publisher.messages < 15


async def test_under_load_mails_gather_until_there_are_enough(start: Start, bus: NatsBus) -> None:
    journal, publisher = await start(gather=600)
    mails = await append(journal, 50)
    await asyncio.wait_for(publisher.idle(), 10)
    before = publisher.messages
    for _ in range(4):
        mails += await append(journal, 3)
    assert (publisher.messages, publisher.backlog) == (before, 12)
    mails += await append(journal, ENOUGH - 12)
    await asyncio.wait_for(publisher.idle(), 10)
    assert publisher.messages == before + 1
    assert by_name(await everything(bus, ACCEPTED_LOCAL.subject)) == mails


async def test_mails_that_gather_go_when_their_time_has_come(start: Start) -> None:
    journal, publisher = await start(gather=0.3)
    await append(journal, 50)
    await asyncio.wait_for(publisher.idle(), 10)
    await append(journal, 1)
    await asyncio.wait_for(publisher.idle(), 10)
    assert publisher.published == 51


async def test_a_quiet_service_waits_for_nothing(start: Start) -> None:
    journal, publisher = await start(gather=60)
    for n in range(5):
        await append(journal, 1)
        await asyncio.wait_for(publisher.idle(), 5)
        assert publisher.messages == n + 1


async def test_what_gathers_is_published_before_the_end(start: Start, bus: NatsBus) -> None:
    journal, publisher = await start(gather=0.5)
    mails = await append(journal, 50) + await append(journal, 3)
    await journal.close()
    await publisher.close()
    assert publisher.backlog == 0
    assert by_name(await everything(bus, ACCEPTED_LOCAL.subject)) == mails


async def test_published_references_lead_to_the_bodies(start: Start, bus: NatsBus, root: Path) -> None:
    journal, publisher = await start()
    await append(journal, 5)
    await publisher.idle()
    bodies = LocalBodies(root)
    mails = await everything(bus, ACCEPTED_LOCAL.subject)
    assert [await bodies.read(mail.ref) for mail in mails if mail.ref] == [body_of(1000, n) for n in range(5)]
    bodies.close()


async def test_mail_is_accepted_while_the_bus_is_away_and_published_when_it_is_back(
    start: Start, bus: NatsBus, switch: Switch
) -> None:
    switch.away = True
    journal, publisher = await start()
    mails = await append(journal, 50)
    await asyncio.sleep(0.1)
    assert publisher.backlog == 50
    assert publisher.problem
    await switch.back()
    await asyncio.wait_for(publisher.idle(), 2)
    assert by_name(await everything(bus, ACCEPTED_LOCAL.subject)) == mails
    assert not publisher.problem


async def test_a_lost_answer_publishes_nothing_twice(start: Start, bus: NatsBus, switch: Switch) -> None:
    journal, publisher = await start()
    switch.lost_answers = 3
    mails = await append(journal, 5)
    await publisher.idle()
    assert by_name(await everything(bus, ACCEPTED_LOCAL.subject)) == mails


async def test_more_than_memory_holds_is_read_from_the_packs(start: Start, bus: NatsBus, switch: Switch) -> None:
    switch.away = True
    journal, publisher = await start(memory=5000, pack_size=200_000)
    mails: list[Accepted] = []
    for n in range(20):
        mails += await append(journal, 30, accounts=n % 2, remotes=(n + 1) % 2)
    assert publisher._queue.memory <= 5000
    assert publisher.backlog == 600
    await switch.back()
    await asyncio.wait_for(publisher.idle(), 5)
    local, remote = await everything(bus, ACCEPTED_LOCAL.subject), await everything(bus, ACCEPTED_REMOTE.subject)
    assert by_name(local + remote) == mails
    assert publisher.backlog == 0
    assert publisher._queue.memory == 0


async def test_the_next_incarnation_publishes_what_this_one_could_not(
    start: Start, bus: NatsBus, switch: Switch
) -> None:
    switch.away = True
    journal, publisher = await start()
    mails = await append(journal, 40)
    await journal.close()
    await publisher.close()
    await switch.back()
    _, publisher = await start()
    await asyncio.sleep(0.1)
    await asyncio.wait_for(publisher.idle(), 2)
    assert by_name(await everything(bus, ACCEPTED_LOCAL.subject)) == mails
    assert publisher.backlog == 0


async def test_what_was_published_is_not_published_again_after_an_orderly_end(start: Start, bus: NatsBus) -> None:
    journal, publisher = await start()
    mails = await append(journal, 40)
    await journal.close()
    await publisher.close()
    _, publisher = await start()
    await asyncio.sleep(0.2)
    assert publisher.published == 0
    assert len(await everything(bus, ACCEPTED_LOCAL.subject)) == len(mails)


async def test_another_services_folder_is_left_to_it(start: Start, bus: NatsBus, switch: Switch, root: Path) -> None:
    switch.away = True
    journal, publisher = await start("relay")
    await append(journal, 3)
    await journal.close()
    await publisher.close()
    await switch.back()
    _, publisher = await start("ingress")
    await asyncio.sleep(0.2)
    assert await everything(bus, ACCEPTED_LOCAL.subject) == []
    assert read_cursor(writer_folders(root)[0]) == {}


async def test_an_aborted_mail_is_never_published(start: Start, bus: NatsBus, root: Path) -> None:
    device = FaultyDevice()
    journal, publisher = await start(device=device)
    kept = await append(journal, 1)
    device.fail |= {"sync": BROKEN, "truncate": BROKEN}
    with pytest.raises(JournalFailed):
        await append(journal, 1)
    device.fail.clear()
    kept += await append(journal, 1)
    await journal.close()
    await publisher.close()
    for folder in writer_folders(root):
        (folder / "cursor").unlink()
    _, publisher = await start()
    await asyncio.sleep(0.2)
    await publisher.idle()
    published = await everything(bus, ACCEPTED_LOCAL.subject)
    assert {mail.mail_id for mail in published} == {mail.mail_id for mail in kept}


KILLED = """
import asyncio, sys
from pathlib import Path
from barid_runtime.journal.pace import ENOUGH, GATHER
from barid_runtime.journal.packs import PackJournal
from barid_testing.contracts.journal import mail_of, body_of

async def main():
    journal = PackJournal(Path(sys.argv[1]), "ingress")
    async def one(n):
        while True:
            mail = mail_of(2000)
            await journal.append(mail, body_of(2000, n))
            print(mail.mail_id, flush=True)
    await asyncio.gather(*[one(n) for n in range(10)])

asyncio.run(main())
"""


async def test_what_a_killed_process_acknowledged_is_published_once(start: Start, bus: NatsBus, root: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(root)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = [await asyncio.to_thread(child.stdout.readline) for _ in range(200)]
    child.kill()
    told += child.stdout.read().splitlines(keepends=True)
    child.stdout.close()
    child.wait()
    _, publisher = await start()
    for _ in range(200):
        if publisher.published >= len(told):
            break
        await asyncio.sleep(0.02)
    await publisher.idle()
    published = [mail.mail_id for mail in await everything(bus, ACCEPTED_LOCAL.subject)]
    assert {name.strip() for name in told if name.endswith("\n")} <= set(published)
    assert len(published) == len(set(published))


async def test_a_long_batch_is_split_to_fit_messages(
    start: Start, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events.payloads, "__defaults__", (3000,))
    journal, publisher = await start()
    mails = await append(journal, 60)
    await publisher.idle()
    assert by_name(await everything(bus, ACCEPTED_LOCAL.subject)) == mails
    assert publisher.messages >= 6


async def test_a_journal_of_uploads_never_speaks_to_the_bus_and_its_packs_can_be_closed(
    start: Start, switch: Switch, root: Path
) -> None:
    switch.away = True
    journal, publisher = await start("mss")
    await append(journal, 5, accounts=0)
    await publisher.idle()
    await journal.close()
    await publisher.close()
    assert not publisher.problem
    assert [pack.complete for pack in packs(root)] == [True]


async def test_nor_does_it_for_what_a_killed_process_had_uploaded(start: Start, switch: Switch, root: Path) -> None:
    switch.away = True
    journal, publisher = await start("mss")
    await append(journal, 5, accounts=0)
    await journal.close()
    await publisher.close()
    (root / packs(root)[0].name).with_name("cursor").unlink()  # it was killed before it wrote how far it was
    _, publisher = await start("mss")
    for _ in range(100):
        if packs(root)[0].complete:
            break
        publisher._cursors.write()
        await asyncio.sleep(0.02)
    assert not publisher.problem
    assert packs(root)[0].complete


async def test_a_pack_that_can_not_be_read_holds_up_nobody(
    start: Start, bus: NatsBus, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch.away = True
    journal, publisher = await start(memory=0)
    await append(journal, 5)

    def broken(*_: object) -> None:
        raise OSError(5, "broken")

    monkeypatch.setattr(journal, "read_slice", broken)
    monkeypatch.setattr(publishing, "RECOVER_EVERY", 0.3)
    await switch.back()
    await asyncio.sleep(0.1)
    publisher._queue._limit = publishing.MEMORY
    later = await append(journal, 5)
    await asyncio.sleep(0.1)
    assert by_name(await everything(bus, ACCEPTED_LOCAL.subject)) == later
    monkeypatch.undo()
    for _ in range(100):
        if publisher.published == 10:
            break
        await asyncio.sleep(0.02)
    assert publisher.published == 10
    assert publisher.backlog == 0


async def test_the_cursor_follows_and_only_without_gaps(start: Start, root: Path) -> None:
    journal, publisher = await start()
    for _ in range(5):
        await append(journal, 10)
    await publisher.idle()
    await journal.close()
    await publisher.close()
    (folder,) = writer_folders(root)
    from barid_runtime.journal import scan

    (path,) = packs_of(folder)
    trailer = scan.trailer_of(path)
    assert trailer is not None
    assert read_cursor(folder) == {path.name: trailer.offset}
