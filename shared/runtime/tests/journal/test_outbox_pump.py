"""Children are journalled under their own names, then their rows go."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest_asyncio

from barid_contracts.directory import Resolution, Target
from barid_contracts.mail import Accepted, BodyRef, Obligation
from barid_runtime.bus.port import BusUnavailable
from barid_runtime.ids import child_id, new_mail_id
from barid_runtime.journal import scan
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.folder import packs_of, writer_folders
from barid_runtime.journal.packs import PackJournal
from barid_runtime.outbox import POLL, OutboxPump, OutboxRow, obligations_of
from barid_testing.contracts.journal import body_of, mail_of
from barid_testing.fixtures import ManualClock

PARENT = new_mail_id(1_700_000_000)


class Table:
    """An outbox in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, OutboxRow] = {}
        self.given_up: dict[str, str] = {}
        self.deaf = False

    def add(self, row: OutboxRow) -> OutboxRow:
        self.rows[row.mail_id] = row
        return row

    async def due(self, limit: int) -> Sequence[OutboxRow]:
        return list(self.rows.values())[:limit]

    async def delete(self, mail_ids: Sequence[str]) -> None:
        if self.deaf:
            raise asyncio.CancelledError  # the process dies here
        for mail_id in mail_ids:
            del self.rows[mail_id]

    async def give_up(self, mail_id: str, reason: str) -> None:
        self.given_up[mail_id] = reason
        del self.rows[mail_id]


class Room:
    def __init__(self, root: Path, clock: ManualClock) -> None:
        self.root = root
        self.clock = clock
        self.table = Table()
        self.journal = PackJournal(root, "mailstore")
        self.bodies = LocalBodies(root)
        self.directory_away = False
        self.pump = OutboxPump(self.table, self.resolve, self.journal, self.bodies, clock)

    async def resolve(self, recipients: Sequence[str]) -> list[Obligation]:
        if self.directory_away:
            raise BusUnavailable("away")
        return [Obligation(n=n, kind="remote", address=r, original=r) for n, r in enumerate(recipients)]

    def journalled(self) -> list[Accepted]:
        return [
            found.mail(f"{folder.name}/{path.name}")
            for folder in writer_folders(self.root)
            for path in packs_of(folder)
            for found in scan.walk(path)
            if isinstance(found, scan.Found) and found.lead.mail_id != PARENT
        ]


@pytest_asyncio.fixture
async def room(tmp_path: Path, manual_clock: ManualClock) -> AsyncIterator[Room]:
    room = Room(tmp_path / "journal", manual_clock)
    yield room
    await room.pump.close()
    await room.journal.close()
    room.bodies.close()


def child(k: int, **fields: object) -> OutboxRow:
    row = {
        "mail_id": child_id(PARENT, 0, k),
        "kind": "vacation",
        "reverse_path": "",
        "recipients": ["carol@example.net"],
        "body": "own",
        "content": b"Subject: away\r\nMessage-ID: <1@x>\r\n\r\nBack on Monday\r\n",
        "parent": PARENT,
    }
    return OutboxRow(**(row | fields))  # type: ignore[arg-type]


async def parent_of(room: Room, body: bytes) -> BodyRef:
    mail = mail_of(len(body)).model_copy(update={"mail_id": PARENT})
    spool = room.journal.spool()
    await spool.write(body)
    return await room.journal.append(mail, spool if len(body) > 300_000 else body)


async def test_a_child_of_its_own_content(room: Room) -> None:
    row = room.table.add(child(0))
    assert await room.pump.pump() == 1
    (mail,) = room.journalled()
    assert (mail.mail_id, mail.parent, mail.origin, mail.reverse_path) == (row.mail_id, PARENT, "vacation", "")
    assert (mail.subject, mail.message_id) == ("away", "<1@x>")
    assert mail.headers == "Subject: away\r\nMessage-ID: <1@x>\r\n\r\n"
    assert mail.obligations[0].address == "carol@example.net"
    assert mail.ref is not None
    assert await room.bodies.read(mail.ref) == row.content
    assert room.table.rows == {}


async def test_a_redirect_has_its_prefix_and_its_parents_bytes(room: Room) -> None:
    for k, size in enumerate((500, 700_000, 9_000_000)):
        body = b"Subject: hello\r\nTo: me\r\n\r\n" + body_of(size)
        ref = await parent_of(room, body)
        row = room.table.add(child(k, kind="redirect", body="same", prefix="Received: by us\r\n", content=b"", ref=ref))
        assert await room.pump.pump() == 1
        mail = (
            room.journalled()[-1] if size < 600_000 else next(m for m in room.journalled() if m.mail_id == row.mail_id)
        )
        assert mail.received_count == 1
        assert mail.subject == "hello"
        assert mail.ref is not None
        assert await room.bodies.read(mail.ref) == b"Received: by us\r\n" + body


async def test_many_rows_share_syncs(room: Room) -> None:
    for k in range(120):
        room.table.add(child(k))
    while await room.pump.pump():
        pass
    assert len(room.journalled()) == 120
    assert room.journal.batches < 10


async def test_a_death_before_the_deletion_journals_the_same_name_again(room: Room) -> None:
    row = room.table.add(child(0))
    room.table.deaf = True
    await asyncio.gather(room.pump.pump(), return_exceptions=True)
    room.table.deaf = False
    assert await room.pump.pump() == 1
    first, second = room.journalled()
    assert first.mail_id == second.mail_id == row.mail_id
    assert first.obligations == second.obligations


async def test_a_lost_body_is_given_up_and_holds_up_nobody(room: Room) -> None:
    ref = BodyRef(pack="ingress.00000000000000000000000000/000001.pack", offset=64, head=300, size=100)
    lost = room.table.add(child(0, kind="redirect", body="same", ref=ref))
    room.table.add(child(1))
    assert await room.pump.pump() == 1
    assert list(room.table.given_up) == [lost.mail_id]
    assert room.table.rows == {}


async def test_it_waits_for_the_directory_and_wakes_by_itself_and_when_told(room: Room) -> None:
    room.directory_away = True
    room.table.add(child(0))
    room.pump.start()
    await asyncio.sleep(0.05)
    assert room.journalled() == []
    room.directory_away = False
    await room.clock.advance(1)
    await gone(room)
    room.table.add(child(1))
    room.pump.notify()
    await gone(room)
    room.table.add(child(2))
    await asyncio.sleep(0.05)
    assert room.table.rows
    await room.clock.advance(POLL)
    await gone(room)
    assert len(room.journalled()) == 3


async def gone(room: Room) -> None:
    for _ in range(200):
        if not room.table.rows:
            await asyncio.sleep(0.02)
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the row is still there")


def test_two_ways_to_one_account_are_one_obligation() -> None:
    ann = Target(kind="account", address="ann@here", account="A", detail="box")
    far = Target(kind="remote", address="far@there")
    obligations = obligations_of(
        [
            Resolution(address="ann@here", status="local", targets=[ann]),
            Resolution(address="alias@here", status="local", targets=[ann, far]),
            Resolution(address="far@there", status="remote"),
            Resolution(address="nobody@here", status="unknown"),
        ]
    )
    assert [(o.n, o.kind, o.address, o.account, o.detail) for o in obligations] == [
        (0, "account", "ann@here", "A", "box"),
        (1, "remote", "far@there", None, None),
        (2, "remote", "nobody@here", None, None),
    ]
