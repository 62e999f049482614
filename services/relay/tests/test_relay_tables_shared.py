"""Two relays on the tables of one PostgreSQL: what each does at the same moment as the other."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from barid_contracts.mail import Key
from barid_contracts.settle import Child
from barid_relay.adapters.doors import MIGRATIONS
from barid_relay.adapters.tables.memory import TableMemory
from barid_relay.adapters.tables.outbox import TableOutbox
from barid_relay.adapters.tables.queue import TableQueue
from barid_relay.adapters.tables.replicas import TableReplicas, leases
from barid_relay.ports.hosts import Answer, Fate
from barid_relay.ports.queue import Compose, Notices, Parcel, Result
from barid_runtime.clock import SystemClock
from barid_runtime.database.door import Place, open_at
from barid_runtime.database.port import Database
from barid_runtime.ids import new_mail_id

from .test_relay_killed import FAR, RELAYED, new_mail, results

pytestmark = pytest.mark.parametrize("place", ["postgres"], indirect=True)

CAPTURED = Answer(Fate.CAPTURED, "2.0.0", reason="kept")


def nobody_is_told(written: Any) -> Notices:
    return Notices()


@pytest_asyncio.fixture
async def databases(place: Place) -> AsyncIterator[list[Database]]:
    opened = [await open_at(place, MIGRATIONS) for _ in range(2)]
    yield opened
    for each in opened:
        await each.close()


@pytest.fixture
def two(databases: list[Database]) -> list[TableQueue]:
    return [TableQueue(database, SystemClock(), f"relay {k}") for k, database in enumerate(databases)]


def some_mails(count: int, recipients: int = 1) -> list[Any]:
    return [new_mail(new_mail_id(1_700_000_000 + k), recipients) for k in range(count)]


def keys(parcels: list[Parcel]) -> list[tuple[str, int]]:
    return [(parcel.mail_id, each.n) for parcel in parcels for each in parcel.recipients]


async def value(database: Database, sql: str) -> Any:
    row = await database.read(lambda cursor: cursor.one(sql))
    assert row is not None
    return row[0]


async def test_a_mail_that_both_take_in_is_queued_once(two: list[TableQueue]) -> None:
    """The bus delivered a batch again, to the other relay, before the first had acknowledged it."""
    mails = some_mails(50, recipients=3)
    added = await asyncio.gather(two[0].enqueue(mails), two[1].enqueue(list(reversed(mails))))
    assert sum(added) == 150
    assert len(keys(await two[0].lease("x.test", FAR, 1000, 60))) == 150


async def test_a_batch_that_names_a_mail_twice(two: list[TableQueue]) -> None:
    first, second = new_mail(recipients=1), new_mail(recipients=2)
    assert await two[0].enqueue([first, second, first]) == 2
    assert await two[1].enqueue([second]) == 0


async def test_what_a_relay_took_in_whose_clock_is_ahead_is_due_at_once(databases: list[Database]) -> None:
    ahead, right = SystemClock(), SystemClock()
    ahead.now = lambda: right.now() + 7_200  # type: ignore[method-assign]
    await TableQueue(databases[0], ahead, "ahead").enqueue(some_mails(3))
    other = TableQueue(databases[1], right, "right")
    assert len(keys(await other.lease("x.test", int(right.now() * 1000) + 1_000, 1000, 60))) == 3


async def test_no_row_is_leased_by_both(two: list[TableQueue]) -> None:
    await two[0].enqueue(some_mails(60, recipients=5))
    batches = await asyncio.gather(*[two[k % 2].lease("x.test", FAR, 40, 60) for k in range(10)])
    taken = [key for batch in batches for key in keys(batch)]
    assert len(taken) == len(set(taken)) == 300
    assert all(each.epoch == 1 for batch in batches for parcel in batch for each in parcel.recipients)


async def test_who_starts_leaves_the_leases_of_others_alone(two: list[TableQueue]) -> None:
    await two[0].enqueue(some_mails(3))
    held = await two[0].lease("x.test", FAR, 100, 60)
    assert await two[1].recover(lambda domain: domain) == 0
    assert await two[1].lease("x.test", FAR, 100, 60) == []
    done = [await two[0].settle(parcel, results(parcel, RELAYED), 2, nobody_is_told) for parcel in held]
    assert all(len(each.results) == 1 for each in done)


async def test_a_result_of_a_lease_that_the_other_took_is_not_written(two: list[TableQueue]) -> None:
    first, second = two
    await first.enqueue(some_mails(1, recipients=4))
    (late,) = await first.lease("x.test", FAR, 100, 0.01)
    await asyncio.sleep(0.02)
    (taken,) = await second.lease("x.test", FAR, 2, 60)
    # Half of the mail is the other's now; of the rest nobody took anything, so it is ours still.
    assert await first.renew([late], 60) == {(late.row, 2), (late.row, 3)}
    written = await first.settle(late, results(late, RELAYED), 2, nobody_is_told)
    assert [result.recipient.n for result in written.results] == [2, 3]
    written = await second.settle(taken, results(taken, RELAYED), 2, nobody_is_told)
    assert [result.recipient.n for result in written.results] == [0, 1]
    assert await first.missing([Key(mail_id=late.mail_id, n=n) for n in range(4)]) == []


async def test_what_was_settled_is_not_renewed(two: list[TableQueue]) -> None:
    await two[0].enqueue(some_mails(1))
    (parcel,) = await two[0].lease("x.test", FAR, 100, 60)
    await two[0].settle(parcel, results(parcel, Answer(Fate.DEFERRED, "4.0.0", reason="later")), 2, nobody_is_told)
    assert await two[0].renew([parcel], 60) == set()
    assert len(await two[1].lease("x.test", FAR, 100, 60)) == 1


async def test_an_operator_takes_what_nobody_has_in_hand(two: list[TableQueue]) -> None:
    await two[0].enqueue(some_mails(4))
    in_hand = keys(await two[0].lease("x.test", FAR, 2, 60))
    items = (await two[1].page(None, 10, None, FAR)).items
    assert [item.state for item in items] == ["leased", "leased", "due", "due"]
    wanted = [Key(mail_id=item.mail_id, n=item.n) for item in items]
    both = await asyncio.gather(*[queue.lease_keys(wanted, 60) for queue in two])
    taken = [key for batch in both for key in keys(batch)]
    assert sorted(taken + in_hand) == sorted((key.mail_id, key.n) for key in wanted)


@pytest.mark.parametrize("answer", [RELAYED, CAPTURED])
async def test_the_last_two_recipients_of_a_mail_settled_at_once_put_it_to_sleep(
    two: list[TableQueue], databases: list[Database], answer: Answer
) -> None:
    """Else its body would be kept for ever."""
    for _ in range(10):
        await two[0].enqueue(some_mails(5, recipients=2))
        parcels = await two[0].lease("x.test", FAR, 1000, 60)

        async def settle(queue: TableQueue, parcel: Parcel, k: int) -> None:
            alone = replace(parcel, recipients=parcel.recipients[k : k + 1])
            await queue.settle(alone, results(alone, answer), 2, nobody_is_told)

        await asyncio.gather(*[settle(two[k], parcel, k) for parcel in parcels for k in range(2)])
        if answer is CAPTURED:
            cleared = await asyncio.gather(*[queue.clear_captured() for queue in two])
            assert sum(cleared) == 10
        assert await value(databases[0], "SELECT count(*) FROM mail WHERE live") == 0


@pytest.mark.parametrize("answers", [(RELAYED, CAPTURED, RELAYED), (RELAYED, RELAYED, CAPTURED)])
async def test_a_mail_is_awake_while_anybody_is_left(
    two: list[TableQueue], databases: list[Database], answers: tuple[Answer, ...]
) -> None:
    """Its trace and its body are needed until then; by whoever looks at what was captured, until that is cleared."""
    await two[0].enqueue(some_mails(1, recipients=3))
    (parcel,) = await two[0].lease("x.test", FAR, 100, 60)
    for k, answer in enumerate(answers):
        alone = replace(parcel, recipients=parcel.recipients[k : k + 1])
        await two[0].settle(alone, results(alone, answer), 2, nobody_is_told)
        assert await value(databases[0], "SELECT count(*) FROM mail WHERE live") == 1
    ends = await value(databases[0], "SELECT string_agg(outcome, ' ' ORDER BY n) FROM ledger")
    assert ends == " ".join(answer.fate.value for answer in answers)
    assert await two[0].clear_captured() == 1
    assert await value(databases[0], "SELECT count(*) FROM mail WHERE live") == 0


async def test_captured_mail_that_is_cleared_while_more_comes(two: list[TableQueue], databases: list[Database]) -> None:
    await two[0].enqueue(some_mails(40, recipients=3))
    parcels = await two[0].lease("x.test", FAR, 1000, 60)
    cleared = 0

    async def clear() -> None:
        nonlocal cleared
        for _ in range(5):
            cleared += await two[1].clear_captured()

    await asyncio.gather(
        *[two[0].settle(each, results(each, CAPTURED), 2, nobody_is_told) for each in parcels], clear()
    )
    assert cleared + await two[0].clear_captured() == 120
    assert await value(databases[0], "SELECT count(*) FROM mail WHERE live") == 0


async def test_who_reads_captured_mail_in_its_order_misses_none(
    two: list[TableQueue], databases: list[Database]
) -> None:
    """Though two relays number it."""
    await two[0].enqueue(some_mails(200))
    parcels = await two[0].lease("x.test", FAR, 1000, 60)
    seen: list[int] = []
    following = "SELECT id FROM captured WHERE id > ? ORDER BY id"

    async def read() -> None:
        while len(seen) < len(parcels):
            after = seen[-1] if seen else 0
            found = await databases[0].read(lambda cursor, after=after: cursor.all(following, (after,)))  # type: ignore[misc]
            seen.extend(row[0] for row in found)

    async def capture(k: int) -> None:
        for parcel in parcels[k::8]:
            await two[k % 2].settle(parcel, results(parcel, CAPTURED), 2, nobody_is_told)

    async with asyncio.timeout(20):
        await asyncio.gather(read(), *[capture(k) for k in range(8)])
    assert len(set(seen)) == len(parcels)


async def test_finished_mail_is_forgotten_by_two_at_once(two: list[TableQueue], databases: list[Database]) -> None:
    await two[0].enqueue(some_mails(30))
    for parcel in await two[0].lease("x.test", FAR, 1000, 60):
        await two[0].settle(parcel, results(parcel, RELAYED), 2, nobody_is_told)
    memories = [TableMemory(database) for database in databases]
    found = [each.row for each in await memories[0].finished(0, FAR, 100)]
    assert len(found) == 30
    assert sum(await asyncio.gather(*[memory.forget(found) for memory in memories])) == 30
    assert await value(databases[0], "SELECT (SELECT count(*) FROM mail) + (SELECT count(*) FROM ledger)") == 0


async def test_captured_mail_that_two_prune_is_pruned_once(two: list[TableQueue], databases: list[Database]) -> None:
    await two[0].enqueue(some_mails(30))
    for parcel in await two[0].lease("x.test", FAR, 1000, 60):
        await two[0].settle(parcel, results(parcel, CAPTURED), 2, nobody_is_told)
    memories = [TableMemory(database) for database in databases]
    gone = await asyncio.gather(*[memory.let_go(500, 0, 20, 1 << 30) for memory in memories])
    assert sum(gone) == 10
    assert (await memories[0].captured_load()).copies == 20


def tell(parcel: Parcel) -> Compose:
    def compose(written: Any) -> Notices:
        child = Child(
            mail_id=new_mail_id(1_700_000_000.0),
            kind="dsn",
            reverse_path="",
            recipients=[parcel.reverse_path],
            body="own",
            content=b"Subject: no\r\n\r\nno\r\n",
        )
        return Notices(failed=child if written else None)

    return compose


async def test_a_notice_is_in_the_hands_of_one(two: list[TableQueue], databases: list[Database]) -> None:
    await two[0].enqueue(some_mails(20))
    refused = Answer(Fate.BOUNCED, "5.1.1", reason="no")
    for parcel in await two[0].lease("x.test", FAR, 100, 60):
        written: list[Result] = results(parcel, refused)
        await two[0].settle(parcel, written, 2, tell(parcel))
    replicas = [TableReplicas(database, f"relay {k}") for k, database in enumerate(databases)]
    outboxes = [TableOutbox(database, f"relay {k}", alone=False) for k, database in enumerate(databases)]
    await asyncio.gather(*[each.beat(60) for each in replicas])
    first, second = await asyncio.gather(outboxes[0].due(12), outboxes[1].due(12))
    taken = [row.mail_id for row in (*first, *second)]
    assert len(taken) == len(set(taken)) >= 12
    # What one has, it sees again until it is done; the other doesn't.
    assert {row.mail_id for row in await outboxes[0].due(50)} >= {row.mail_id for row in first}
    await outboxes[0].delete([row.mail_id for row in await outboxes[0].due(50)])
    assert await outboxes[0].due(50) == []
    # It has left, or is dead: then they are anybody's.
    await replicas[1].leave()
    assert {row.mail_id for row in await outboxes[0].due(50)} == {row.mail_id for row in second}
    await outboxes[0].give_up(second[0].mail_id, "its body is lost")
    assert second[0].mail_id not in {row.mail_id for row in await outboxes[0].due(50)}


async def test_who_lives(databases: list[Database]) -> None:
    ours, theirs = (TableReplicas(database, f"relay {k}") for k, database in enumerate(databases))
    assert await ours.beat(60) == ["relay 0"]
    assert sorted(await theirs.beat(0.05)) == ["relay 0", "relay 1"]
    assert sorted(await ours.beat(60)) == ["relay 0", "relay 1"]
    await asyncio.sleep(0.1)
    assert await ours.beat(60) == ["relay 0"]
    assert await value(databases[0], "SELECT count(*) FROM replica") == 1
    await ours.leave()
    assert await value(databases[0], "SELECT count(*) FROM replica") == 0


async def test_text_that_the_database_can_not_hold(two: list[TableQueue]) -> None:
    """A NUL in a header, in what a host says, in a question."""
    await two[0].enqueue([replace(new_mail(), subject="a\0b", message_id="<\0x>", trace="Received: \0\r\n")])
    (parcel,) = await two[0].lease("x.test", FAR, 100, 60)
    assert (parcel.subject, parcel.message_id) == ("ab", "<x>")
    said = Answer(Fate.DEFERRED, "4.0.0", "mx", reply="450 \0 later")
    assert len((await two[0].settle(parcel, results(parcel, said), 2, nobody_is_told)).results) == 1
    assert (await two[0].page(None, 10, "x\0.test", FAR)).items[0].last_error == "mx: 450  later"
    assert await two[0].trace(None, "<\0x>", 0) != []


async def test_rows_follow_the_settings_slice_by_slice(two: list[TableQueue], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barid_relay.adapters.tables.intake.REGATHERED", 7)
    await two[0].enqueue(some_mails(25))
    await asyncio.gather(*[queue.recover(lambda domain: "=capture") for queue in two])
    assert len(await two[0].lease("=capture", FAR, 100, 60)) == 25


async def test_each_can_tell_who_has_what_and_for_how_long_it_has_been_due(
    two: list[TableQueue], databases: list[Database]
) -> None:
    first, second = (TableReplicas(database, f"relay {k}") for k, database in enumerate(databases))
    for replica in (first, second):
        await replica.beat(60)
    await two[0].enqueue(some_mails(5))
    now = int(SystemClock().now() * 1000)
    await two[0].lease("x.test", FAR, 2, 60)
    await two[1].lease("x.test", FAR, 1, 60)
    for database in databases:
        told = await database.read(leases)
        assert [(each.what, each.holder, each.count, each.epoch) for each in told] == [
            ("member", "relay 0", 1, None),
            ("member", "relay 1", 1, None),
            ("recipients", "relay 0", 2, 1),
            ("recipients", "relay 1", 1, 1),
        ]
        assert all(now < each.until < now + 90_000 for each in told)
    depth = await two[1].depth(now + 600_000)
    assert depth.counts == {"due": 2, "deferred": 0, "leased": 3, "held": 0}
    assert 590_000 < depth.overdue <= 660_000
    await second.leave()
    assert [each.holder for each in await databases[0].read(leases) if each.what == "member"] == ["relay 0"]
