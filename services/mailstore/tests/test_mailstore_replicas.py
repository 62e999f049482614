"""Several mailstores on one PostgreSQL, asked for the same accounts at once."""

import asyncio
import itertools
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from barid_contracts import settle, store
from barid_contracts.mail import Accepted, AcceptedBatch
from barid_mailstore.adapters.tables.shared import SharedIndex
from barid_mailstore.adapters.tables.store import open_store
from barid_mailstore.adapters.tables.unit import Overtaken, Unit
from barid_mailstore.handlers.service import Mailstore
from barid_mailstore.ports.errors import Invalid, NotFound
from barid_mailstore.ports.store import Store
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import Bus, BusError, OperationFailed
from barid_runtime.clock import SystemClock
from barid_runtime.database.door import Place
from barid_runtime.database.embedded import EmbeddedPostgres
from barid_runtime.ids import new_mail_id
from barid_testing.fixtures import ManualClock

from .desk import NOW, Desk, People, filed, make_mail, new_mailstore, rows_of, uids, wide
from .processes import is_started, process

ACCOUNTS = ("bob", "carl", "dora")
ROUND_TRIPS = 10
"""Most of them for a batch of fifty mails of fifty accounts, BEGIN and COMMIT included."""


@pytest.fixture
def place(postgres_place: Place) -> Place:
    return postgres_place


@pytest_asyncio.fixture
async def replicas(settings: Settings, mailstore: Mailstore, clock: ManualClock) -> AsyncIterator[list[Mailstore]]:
    other = new_mailstore(settings, clock)
    await other.start()
    yield [mailstore, other]
    await other.drain()


@pytest_asyncio.fixture
async def stores(place: Place) -> AsyncIterator[list[Store]]:
    """Two, without the services around them."""
    async with AsyncExitStack() as stack:
        opened = []
        for _ in range(2):
            made, _, database = await open_store(place, SystemClock())
            stack.push_async_callback(database.close)
            opened.append(made)
        yield opened


def request(mails: list[Accepted], **more: Any) -> settle.SettleRequest:
    settlements = [filed(mail, o.n, **more) for mail in mails for o in mail.obligations]
    return settle.SettleRequest(accepted=AcceptedBatch(mails=mails), settlements=settlements)


def index_of(store: Store) -> SharedIndex:
    index: SharedIndex = store.bodies._index  # type: ignore[attr-defined]
    return index


async def insistently(work: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """As the other services do: again, until there is an answer."""
    async with asyncio.timeout(seconds):
        while True:
            try:
                return await work()
            except OperationFailed as failed:
                if failed.code != "unavailable":
                    raise
            except BusError:
                pass
            await asyncio.sleep(0.02)


async def a_load(desk: Desk, batches: list[list[Accepted]], done: list[None]) -> None:
    """Settles all batches, each twice and by two at once; meanwhile flags are stored in the same mailboxes.

    done: grows with every batch that was settled.
    """
    stop = asyncio.Event()

    async def deliver(mine: list[list[Accepted]]) -> None:
        for mails in mine:
            settlements = request(mails).settlements
            for _ in range(2):
                await insistently(lambda m=mails, s=settlements: desk.settle(m, s))  # type: ignore[misc]
            done.append(None)

    async def flag(account: str) -> None:
        for flag in itertools.cycle(("\\Seen", "\\Flagged", "one", "two")):
            if stop.is_set():
                return
            mode = random.choice(["add", "remove"])
            await insistently(lambda m=mode, f=flag: desk.flag(account, "INBOX", None, m, f))  # type: ignore[misc]

    flagging = [asyncio.create_task(flag(account)) for account in ACCOUNTS]
    backwards = batches[::-1]
    await asyncio.gather(deliver(batches[::2]), deliver(batches[1::2]), deliver(backwards))
    stop.set()
    await asyncio.gather(*flagging)


async def check_mailboxes(desk: Desk, batches: list[list[Accepted]]) -> None:
    """Nothing lost, nothing twice, no UID left out, and the counters are those of the rows."""
    wanted = {account: sorted(m.mail_id for b in batches for m in b if m.obligations[0].account == account)
              for account in ACCOUNTS}  # fmt: skip
    for account in ACCOUNTS:
        view = await desk.view(account)
        numbers = uids(view.uids)
        assert numbers == list(range(1, len(numbers) + 1))
        box = view.info
        assert (box.messages, box.uidnext) == (len(numbers), len(numbers) + 1)
        assert box.unseen == sum(not flags & 1 for flags in wide(view.flags))
        assert box.modseq >= max(wide(view.modseqs), default=1)
        found: list[str] = []
        for start in range(0, len(numbers), 200):
            asked = store.SummariesRequest(
                account=account, mailbox=box.id, uids=numbers[start : start + 200], fields=["body"]
            )
            found += [row.mail_id for row in (await desk.ask(store.SUMMARIES, asked)).rows]
        assert sorted(found) == wanted[account]


def some_batches(count: int, of: int = 5) -> list[list[Accepted]]:
    return [[make_mail(ACCOUNTS[(k + n) % 3]) for n in range(of)] for k in range(count)]


async def test_two_settle_and_store_flags_in_the_same_mailboxes(desk: Desk, replicas: list[Mailstore]) -> None:
    await desk.listen()
    batches = some_batches(40)
    await a_load(desk, batches, [])
    await check_mailboxes(desk, batches)
    for account in ACCOUNTS:
        box = await desk.box(account)
        changes = [c for e in desk.events if e.account == account for c in e.changes if c.mailbox == box.id]
        # Two replicas tell, so the order may differ; but each MODSEQ is given once, and stands on the one before.
        changes.sort(key=lambda change: change.modseq)
        assert [c.modseq for c in changes] == list(range(changes[0].modseq, box.modseq + 1))
        assert all(c.previous == c.modseq - 1 for c in changes)
        assert [uid for c in changes for uid in uids(c.added)] == list(range(1, box.messages + 1))
    served = [mailstore._meters.settled_total for mailstore in replicas]
    assert all(served)
    assert sum(served) == sum(len(mails) for mails in batches)


async def test_replicas_are_killed_in_the_middle(bus: Bus, settings: Settings, people: People) -> None:
    desk = Desk(bus)
    batches = some_batches(120)
    done: list[None] = []
    async with process(settings) as first, process(settings) as second:
        await asyncio.gather(is_started(first), is_started(second))
        load = asyncio.create_task(a_load(desk, batches, done))
        await desk.until(lambda: len(done) > 20, 20)
        first.send_signal(signal.SIGKILL)
        async with process(settings) as third:
            await is_started(third)
            await desk.until(lambda: len(done) > 60, 20)
            assert not load.done()
            second.send_signal(signal.SIGKILL)
            await load
            await check_mailboxes(desk, batches)


async def test_postgresql_ends_in_the_middle_and_comes_back(
    desk: Desk, replicas: list[Mailstore], postgres_server: EmbeddedPostgres
) -> None:
    batches = some_batches(60)
    await desk.deliver("bob")
    for mail in batches[0]:
        await desk.box(mail.obligations[0].account or "")
    done: list[None] = []
    load = asyncio.create_task(a_load(desk, batches, done))
    await desk.until(lambda: len(done) > 20)
    await postgres_server.kill()
    await asyncio.sleep(0.2)
    assert not load.done()
    await postgres_server.start()
    await load
    await desk.expunge("bob", numbers=[1], only_deleted=False)
    for account in ACCOUNTS:
        wanted = sum(m.obligations[0].account == account for b in batches for m in b)
        view = await desk.view(account)
        assert view.info.messages == wanted == len(uids(view.uids))
        first = 2 if account == "bob" else 1
        assert uids(view.uids) == list(range(first, wanted + first))


async def test_an_account_that_all_touch_first_is_made_once(desk: Desk, replicas: list[Mailstore]) -> None:
    names = [f"account{n}" for n in range(12)]

    async def touch(name: str) -> list[str]:
        return sorted(await desk.names(name))

    orders = [random.sample(names, len(names)) for _ in range(4)]
    seen = await asyncio.gather(*[touch(name) for order in orders for name in order])
    assert {tuple(boxes) for boxes in seen} == {("Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash")}
    assert await rows_of(replicas[0], "account") == 12
    assert await rows_of(replicas[0], "mailbox") == 72


async def test_outcomes_without_an_account_are_written_once(stores: list[Store]) -> None:
    """Nothing but the ledger's key keeps replicas apart here."""
    mails = [make_mail("nobody") for _ in range(30)]

    def bounced(mail: Accepted) -> settle.SettleRequest:
        lost = settle.Settlement(mail_id=mail.mail_id, n=0, account="nobody", outcome="bounced", reason="is gone")
        return settle.SettleRequest(accepted=AcceptedBatch(mails=[mail]), settlements=[lost])

    answers = await asyncio.gather(*[each.settling.settle(bounced(mail)) for mail in mails for each in stores])
    statuses = [status for commit in answers for status in commit.result]
    assert sorted(statuses) == ["done"] * 30 + ["repeated"] * 30


async def test_what_one_remembers_is_read_anew_when_the_other_has_changed_it(stores: list[Store]) -> None:
    first, second = stores
    mail = make_mail("bob")
    for each in (first, second, first):
        await each.settling.settle(request([make_mail("bob")]))
    await second.scripts.put("bob", "mine", "keep;", activate=True)
    assert (await first.settling.settle(request([mail]))).result == ["stale"]
    await second.mailboxes.create("bob", "Lists", "")
    commit = await first.settling.settle(request([make_mail("bob")], script=(await first.scripts.active("bob")).etag,
                                                 filings=[settle.Filing(mailbox="Lists")]))  # fmt: skip
    lists = await second.mailboxes.status("bob", "Lists")
    assert lists is not None
    assert commit.result == ["done"]
    assert lists.messages == 1
    await second.mailboxes.delete("bob", "Lists")
    with pytest.raises(NotFound):
        await first.messages.store("bob", lists.id, None, "add", ["\\Seen"], None)
    await second.accounts.set_gone("bob")
    await second.accounts.remove("bob")
    await first.mailboxes.touch("bob")
    fresh = await second.mailboxes.status("bob", "INBOX")
    assert fresh is not None
    assert (fresh.messages, fresh.uidnext) == (0, 1)


async def test_quota_is_crossed_once_whoever_files(stores: list[Store]) -> None:
    first, second = stores
    await first.mailboxes.touch("bob")
    await second.quotas.set_limit("bob", 1_500)
    crossed = []
    for k in range(6):
        commit = await stores[k % 2].settling.settle(request([make_mail("bob", size=400)]))
        crossed.append(commit.over)
    assert [over for over in crossed if over] == [["bob"]]


async def test_a_batch_of_fifty_accounts_costs_few_round_trips(
    stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = stores
    names = [f"account{n}" for n in range(50)]

    def batch() -> settle.SettleRequest:
        return request([make_mail(name) for name in names])

    for each in stores:
        await each.settling.settle(batch())
    said: list[str] = []
    for method in ("fetch", "execute"):
        plain = getattr(asyncpg.Connection, method)

        async def counted(connection: Any, sql: str, *arguments: Any, plain: Any = plain) -> Any:
            said.append(sql)
            return await plain(connection, sql, *arguments)

        monkeypatch.setattr(asyncpg.Connection, method, counted)
    await second.settling.settle(batch())
    known = len(said)
    await first.settling.settle(batch())
    anew = len(said) - known
    print(f"round trips: {known}, {anew} where all accounts are read anew")
    assert known <= ROUND_TRIPS
    assert anew <= ROUND_TRIPS


async def test_one_that_refuses_late_undoes_itself_alone(stores: list[Store]) -> None:
    """Units that wait at the same moment share a transaction."""
    index = index_of(stores[0])

    def refuse(unit: Unit) -> None:
        account = unit.account("bob")
        unit.create_mailbox(account, "Never")
        raise Invalid("after a change")

    def fail(unit: Unit) -> None:
        unit.dirty = True
        unit.cursor.execute("INSERT INTO account (uuid) VALUES (NULL)")

    mails = [make_mail("bob") for _ in range(6)]
    work = [stores[0].settling.settle(request([mail])) for mail in mails]
    answers = await asyncio.gather(
        *work[:3], index.write(refuse, ["bob"]), index.write(fail), *work[3:], return_exceptions=True
    )
    assert [type(answer).__name__ for answer in answers[3:5]] == ["Invalid", "NotNullViolationError"]
    assert [answer.result for answer in answers[:3] + answers[5:]] == [["done"]] * 6  # type: ignore[union-attr]
    for each in stores:
        boxes = await each.mailboxes.list_all("bob")
        assert boxes is not None
        assert "Never" not in {box.name for box in boxes.mailboxes}
    view = await stores[1].views.view(
        store.ViewRequest(account="bob", mailbox=next(b.id for b in boxes.mailboxes if b.name == "INBOX"))
    )
    assert uids(view.uids) == [1, 2, 3, 4, 5, 6]


async def test_one_that_is_always_overtaken_hears_that_it_can_not_be_done(stores: list[Store]) -> None:
    def work(unit: Unit) -> None:
        raise Overtaken

    with pytest.raises(Exception, match="again and again"):
        await index_of(stores[0]).write(work)


async def test_a_body_is_not_swept_from_under_a_copy_that_is_being_filed(stores: list[Store]) -> None:
    """Two recipients of one mail: the first has expunged his copy when the second's is filed."""
    first, second = stores
    for _ in range(20):
        mail = make_mail("bob", "carl")
        only = request([mail])
        to_bob, to_carl = [only.model_copy(update={"settlements": [each]}) for each in only.settlements]
        await first.settling.settle(to_bob)
        inbox = await first.mailboxes.status("bob", "INBOX")
        assert inbox is not None
        await first.messages.expunge("bob", inbox.id, None, only_deleted=False)
        await asyncio.gather(second.settling.settle(to_carl), first.bodies.sweep())
        his = await second.mailboxes.status("carl", "INBOX")
        assert his is not None
        text = await second.views.summaries("carl", his.id, [his.uidnext - 1], ["body"])
        (row,) = store.SummariesReply.model_validate_json(text).rows
        assert row.mail_id == mail.mail_id


async def test_one_has_a_duty_until_it_gives_it_up_or_is_silent(stores: list[Store]) -> None:
    first, second = stores
    taken = await asyncio.gather(*[each.duties.mine("sweeping", 60) for each in (*stores, *stores)])
    assert sorted(taken[:2]) == [False, True]
    assert taken[:2] == taken[2:]
    holder, other = (first, second) if taken[0] else (second, first)
    assert await other.duties.mine("forgetting", 0.05)
    await holder.duties.give_up()
    assert await other.duties.mine("sweeping", 60)
    await asyncio.sleep(0.1)
    assert await holder.duties.mine("forgetting", 60)
    assert not await holder.duties.mine("sweeping", 60)


async def test_one_replica_reconciles(replicas: list[Mailstore], clock: ManualClock) -> None:
    rounds: list[int] = []
    for number, mailstore in enumerate(replicas):
        reconciler = mailstore.reconciler
        assert reconciler is not None

        async def round_(number: int = number) -> None:
            rounds.append(number)

        reconciler.round = round_  # type: ignore[method-assign]
    await clock.advance(3_600)
    await settled(rounds, 1)
    await clock.advance(3_600)
    await settled(rounds, 2)
    assert len(set(rounds)) == 1


async def settled(rounds: list[int], count: int) -> None:
    async with asyncio.timeout(5):
        while len(rounds) < count:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert len(rounds) == count


async def test_children_are_taken_from_each_others_sight(place: Place) -> None:
    async with AsyncExitStack() as stack:
        boxes = []
        for _ in range(2):
            made, outbox, database = await open_store(place, SystemClock())
            stack.push_async_callback(database.close)
            boxes.append(outbox)
        mail = make_mail("bob")
        child = settle.Child(
            mail_id=new_mail_id(NOW), kind="redirect", reverse_path="", recipients=["x@far.test"], body="same"
        )
        await made.settling.settle(request([mail], children=[child]))
        found = await asyncio.gather(*[box.due(50) for box in boxes])
        rows = [row.mail_id for each in found for row in each]
        assert rows == [child.mail_id]
        taker, other = boxes if found[0] else reversed(boxes)
        # The journal did not take it: who had it tries again soon, and needn't wait until its own claim is over.
        assert [row.mail_id for row in await taker.due(50)] == rows
        assert await other.due(50) == []
        await taker.delete(rows)
        assert [await box.due(50) for box in boxes] == [[], []]


async def test_a_transaction_that_is_run_again_begins_with_what_the_database_has(
    stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection is lost when everything is counted and nothing is committed."""
    first = stores[0]
    await first.settling.settle(request([make_mail("bob")]))
    plain, lost = asyncpg.Connection.execute, list[str]()

    async def execute(connection: Any, sql: str, *arguments: Any) -> Any:
        if "INTO ledger" in sql and not lost:
            lost.append(sql)
            raise ConnectionResetError("the server is gone")
        return await plain(connection, sql, *arguments)

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    assert (await first.settling.settle(request([make_mail("bob")]))).result == ["done"]
    assert lost
    inbox = await first.mailboxes.status("bob", "INBOX")
    assert inbox is not None
    assert (inbox.messages, inbox.uidnext, inbox.modseq) == (2, 3, 3)
