"""The MDA on a real bus and a real stream. The mailstore and the directory are played, so that they can be made to
fail; `test_delivery_into_the_mailstore.py` uses the real ones."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from barid_contracts.directory import ACCOUNT_GET, DIRECTORY_CHANGED, Account, AccountLookup, DirectoryChanged
from barid_contracts.mail import ACCEPTED_LOCAL, Accepted, AcceptedBatch, Obligation
from barid_contracts.settle import (
    ACTIVE_SCRIPT,
    COUNT_ATTEMPT,
    MAILSTORE_MISSING,
    SETTLE,
    ActiveScriptReply,
    ActiveScriptRequest,
    AttemptReply,
    AttemptRequest,
    MissingReply,
    MissingRequest,
    Settled,
    Settlement,
    SettleReply,
    SettleRequest,
)
from barid_contracts.store import MAILBOX_STATUS, MailboxInfo, MailboxName
from barid_mda.adapters.accounts import RememberedAccounts
from barid_mda.adapters.mailstore import BusMailstore
from barid_mda.adapters.scripts import RememberedScripts
from barid_mda.handlers import consumer as consumer_module
from barid_mda.handlers import settling as settling_module
from barid_mda.handlers.service import Doors, MdaService
from barid_mda.policy.delivery import Site
from barid_runtime.bus.nats import connect
from barid_runtime.bus.port import Bus, OperationFailed, Stream, Subscription
from barid_runtime.bus.typed import announce, answer
from barid_runtime.clock import SystemClock
from barid_runtime.ids import new_mail_id

NOW = 1_700_000_000.0


def mail(*accounts: str, **fields: Any) -> Accepted:
    return Accepted(
        mail_id=new_mail_id(NOW),
        at=int(NOW * 1000),
        reverse_path=fields.pop("reverse_path", "bob@b.test"),
        obligations=[
            Obligation(n=n, kind="account", address=f"{a}@a.test", original=f"{a}@a.test", account=a)
            for n, a in enumerate(accounts)
        ],
        size=100,
        headers=fields.pop("headers", "Subject: lunch\r\n\r\n"),
        **fields,
    )


class Surroundings:
    """The mailstore's ledger and the directory's accounts, as plain data, and switches to make them fail."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.ends: dict[tuple[str, int], Settlement] = {}
        self.requests: list[SettleRequest] = []
        self.raw_requests: list[bytes] = []
        self.attempts: Counter[tuple[str, int]] = Counter()
        self.scripts: dict[str, str] = {}
        self.gone: set[str] = set()
        self.mailboxes: set[str] = set()
        self.asked: Counter[str] = Counter()
        self.refuse: Callable[[SettleRequest], bool] = lambda _: False
        self.down = False
        self._mailstore: list[Subscription] = []
        self._changed = asyncio.Event()

    async def open(self) -> None:
        self.directory = await answer(self.bus, ACCOUNT_GET, self.account, queue="directory")
        await self.bring_up()

    async def bring_up(self) -> None:
        self._mailstore = [
            await self.bus.serve(SETTLE.subject, self.settle, queue="mailstore"),
            await answer(self.bus, COUNT_ATTEMPT, self.count, queue="mailstore"),
            await answer(self.bus, MAILSTORE_MISSING, self.missing, queue="mailstore"),
            await answer(self.bus, ACTIVE_SCRIPT, self.active, queue="mailstore"),
            await answer(self.bus, MAILBOX_STATUS, self.status, queue="mailstore"),
        ]

    async def take_down(self) -> None:
        for subscription in self._mailstore:
            await subscription.drain()
        self._mailstore = []

    async def account(self, request: AccountLookup) -> Account:
        self.asked[f"account {request.id}"] += 1
        if request.id in self.gone or request.id is None:
            raise OperationFailed("not_found")
        return Account(id=request.id, address=f"{request.id}@a.test", addresses=[f"{request.id}@a.test"])

    async def active(self, request: ActiveScriptRequest) -> ActiveScriptReply:
        self.asked[f"script {request.account}"] += 1
        text = self.scripts.get(request.account, "")
        return ActiveScriptReply(text=text, etag=f"etag-{hash(text)}" if text else "")

    async def status(self, request: MailboxName) -> MailboxInfo:
        if request.name not in self.mailboxes:
            raise OperationFailed("not_found")
        return MailboxInfo(id=1, name=request.name, uidvalidity=1, uidnext=1, modseq=1, messages=0, unseen=0, size=0)

    async def count(self, request: AttemptRequest) -> AttemptReply:
        for key in request.keys:
            self.attempts[key.mail_id, key.n] += 1
        return AttemptReply(counts=[self.attempts[key.mail_id, key.n] for key in request.keys])

    async def missing(self, request: MissingRequest) -> MissingReply:
        return MissingReply(keys=[key for key in request.keys if (key.mail_id, key.n) not in self.ends])

    async def settle(self, payload: bytes) -> bytes:
        if self.down:
            raise OperationFailed("unavailable")
        request = SettleRequest.model_validate_json(payload)
        if self.refuse(request):
            raise OperationFailed("internal")
        self.requests.append(request)
        self.raw_requests.append(payload)
        carried = {m.mail_id for m in request.accepted.mails}
        results = []
        for settlement in request.settlements:
            assert settlement.mail_id in carried
            key = settlement.mail_id, settlement.n
            text = self.scripts.get(settlement.account, "")
            if key in self.ends:
                status = "repeated"
            elif settlement.outcome == "filed" and settlement.script != (f"etag-{hash(text)}" if text else ""):
                status = "stale"
            else:
                self.ends[key] = settlement
                status = "done"
            results.append(Settled(mail_id=settlement.mail_id, n=settlement.n, status=status))
        self._changed.set()
        return SettleReply(results=results).model_dump_json().encode()

    async def publish(self, *mails: Accepted) -> bytes:
        payload = AcceptedBatch(mails=list(mails)).model_dump_json().encode()
        await self.bus.publish_durable(ACCEPTED_LOCAL.subject, payload, message_id=mails[0].mail_id)
        return payload

    async def end_of(self, one: Accepted, n: int = 0) -> Settlement:
        async with asyncio.timeout(20):
            while (one.mail_id, n) not in self.ends:
                self._changed.clear()
                await self._changed.wait()
        return self.ends[one.mail_id, n]

    async def until(self, true: Callable[[], Any]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.01)

    async def nothing_pending(self) -> None:
        consumer = await self.bus.consumer("MAIL", durable="mda", subject=ACCEPTED_LOCAL.subject)
        async with asyncio.timeout(20):
            while await consumer.pending():
                await asyncio.sleep(0.02)


def make_mda(nats_url: str, mailstore: Callable[[Bus], Any] = BusMailstore) -> MdaService:
    async def open_doors() -> Doors:
        bus = await connect(nats_url, name="mda")
        accounts = RememberedAccounts(bus)
        await accounts.open()
        return Doors(bus, accounts, RememberedScripts(bus), mailstore(bus))

    return MdaService(open_doors=open_doors, clock=SystemClock(), site=Site("mx.a.test"), batches=4, gather=0.003)


@pytest_asyncio.fixture
async def around(bus: Bus) -> Surroundings:
    surroundings = Surroundings(bus)
    await surroundings.open()
    await bus.ensure_stream(Stream("MAIL", ("mail.v1.accepted.>",)))
    return surroundings


@pytest_asyncio.fixture
async def mda(nats_url: str, around: Surroundings) -> AsyncIterator[MdaService]:
    service = make_mda(nats_url)
    await service.start()
    yield service
    await service.drain()


async def test_a_batch_is_settled_and_passed_on_byte_for_byte(mda: MdaService, around: Surroundings) -> None:
    first, second = mail("alice", "bob"), mail("alice")
    payload = await around.publish(first, second)
    assert (await around.end_of(second)).account == "alice"
    assert {key[1] for key in around.ends if key[0] == first.mail_id} == {0, 1}
    assert around.raw_requests[0].startswith(b'{"accepted":' + payload + b',"settlements":[')
    await around.nothing_pending()
    assert mda.checks() == {"bus": "ok", "mailstore": "ok", "directory": "ok"}


async def test_remote_obligations_are_not_ours(mda: MdaService, around: Surroundings) -> None:
    one = mail("alice")
    elsewhere = Obligation(n=1, kind="remote", address="x@c.test", original="x@c.test")
    one = one.model_copy(update={"obligations": [*one.obligations, elsewhere]})
    await around.publish(one)
    await around.nothing_pending()
    assert list(around.ends) == [(one.mail_id, 0)]


async def test_scripts_and_accounts_are_remembered(mda: MdaService, around: Surroundings) -> None:
    around.scripts["alice"] = 'require "fileinto"; fileinto "Lunch";'
    for _ in range(5):
        one = mail("alice")
        await around.publish(one)
        assert (await around.end_of(one)).filings[0].mailbox == "Lunch"
    assert around.asked == Counter({"account alice": 1, "script alice": 1})


async def test_a_newer_script_is_fetched_and_run(mda: MdaService, around: Surroundings) -> None:
    await around.publish(before := mail("alice"))
    assert (await around.end_of(before)).filings == []
    around.scripts["alice"] = 'require "fileinto"; fileinto "Lunch";'
    await around.publish(one := mail("alice", "bob"))
    assert (await around.end_of(one)).filings[0].mailbox == "Lunch"
    assert (await around.end_of(one, 1)).filings == []
    around.scripts["alice"] = ""
    await around.publish(after := mail("alice"))
    assert (await around.end_of(after)).filings == []


async def test_a_script_that_does_not_compile_keeps(mda: MdaService, around: Surroundings) -> None:
    around.scripts["alice"] = "this is no sieve"
    await around.publish(one := mail("alice"))
    assert "does not compile" in (await around.end_of(one)).rules[0]


async def test_questions_are_answered_by_the_mailstore(mda: MdaService, around: Surroundings) -> None:
    around.scripts["alice"] = (
        'require ["mailbox", "fileinto"]; if mailboxexists "Work" { fileinto "Work"; } else { fileinto "Other"; }'
    )
    await around.publish(one := mail("alice"))
    assert (await around.end_of(one)).filings[0].mailbox == "Other"
    around.mailboxes.add("Work")
    await around.publish(two := mail("alice"))
    assert (await around.end_of(two)).filings[0].mailbox == "Work"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("keep;", "filed"),
        ("discard;", "discarded"),
        ('redirect "carol@c.test";', "redirected"),
    ],
)
async def test_every_end_is_an_end_for_the_bus_as_well(
    mda: MdaService, around: Surroundings, script: str, outcome: str
) -> None:
    around.scripts["alice"] = script
    await around.publish(one := mail("alice"))
    assert (await around.end_of(one)).outcome == outcome
    await around.nothing_pending()
    assert len(around.requests) == 1


async def test_an_account_that_is_gone_bounces(mda: MdaService, around: Surroundings) -> None:
    await around.publish(one := mail("alice"))
    await around.end_of(one)
    around.gone.add("alice")
    await announce(around.bus, DIRECTORY_CHANGED, DirectoryChanged(account="alice"))
    for _ in range(100):  # the news and the mail travel apart
        await around.publish(two := mail("alice"))
        end = await around.end_of(two)
        if end.outcome == "bounced":
            break
    assert end.outcome == "bounced"
    assert end.children[0].recipients == ["bob@b.test"]
    assert around.asked["account alice"] == 1


async def test_while_the_mailstore_is_away_work_is_kept_and_nothing_counted(
    mda: MdaService, around: Surroundings
) -> None:
    await around.publish(mail("alice"))
    await around.nothing_pending()
    await around.take_down()
    mails = [mail("alice") for _ in range(5)]
    for one in mails:
        await around.publish(one)
    await around.until(lambda: "mailstore" in mda._patience.faults)
    assert mda.checks()["mailstore"] != "ok"
    await around.bring_up()
    for one in mails:
        await around.end_of(one)
    await around.nothing_pending()
    assert mda.checks()["mailstore"] == "ok"
    assert not around.attempts


async def test_while_the_directory_is_away_known_accounts_get_their_mail(mda: MdaService, around: Surroundings) -> None:
    await around.publish(known := mail("alice"))
    await around.end_of(known)
    await around.directory.drain()
    await around.publish(known := mail("alice"))
    await around.end_of(known)
    await around.publish(stranger := mail("bob"))
    await around.until(lambda: mda.checks()["directory"] != "ok")
    around.directory = await answer(around.bus, ACCOUNT_GET, around.account, queue="directory")
    await around.end_of(stranger)
    assert not around.attempts


async def test_long_work_is_kept_ours_by_heartbeats(monkeypatch: Any, nats_url: str, around: Surroundings) -> None:
    monkeypatch.setattr("barid_mda.handlers.service.ACK_WAIT", 0.5)
    monkeypatch.setattr(consumer_module, "HEARTBEAT", 0.1)
    around.down = True
    first = make_mda(nats_url)
    await first.start()
    await around.publish(one := mail("alice"))
    await around.until(lambda: "mailstore" in first._patience.faults)
    other = await around.bus.consumer("MAIL", durable="mda", subject=ACCEPTED_LOCAL.subject, ack_wait=0.5)
    assert await other.fetch(1, 1.5) == []
    around.down = False
    await around.end_of(one)
    await first.drain()


async def test_unavailable_is_waited_out_as_well(mda: MdaService, around: Surroundings) -> None:
    around.down = True
    await around.publish(one := mail("alice"))
    await around.until(lambda: "mailstore" in mda._patience.faults)
    around.down = False
    await around.end_of(one)
    assert not around.attempts


async def test_closing_while_the_mailstore_is_away_leaves_the_work_to_the_next(
    nats_url: str, mda: MdaService, around: Surroundings
) -> None:
    around.down = True
    await around.publish(one := mail("alice"))
    await around.until(lambda: "mailstore" in mda._patience.faults)
    async with asyncio.timeout(5):
        await mda.drain()
    around.down = False
    after = make_mda(nats_url)
    await after.start()
    try:
        await around.end_of(one)
    finally:
        await after.drain()


async def test_a_refused_mail_is_held_and_its_neighbours_are_not(
    monkeypatch: Any, mda: MdaService, around: Surroundings
) -> None:
    monkeypatch.setattr(consumer_module, "RETRY_PAUSE", 0.01)
    mails = [mail("alice"), mail("bob", "carol"), mail("alice")]
    poison = mails[1].mail_id
    around.refuse = lambda request: any(s.mail_id == poison and s.outcome != "held" for s in request.settlements)
    await around.publish(*mails)
    assert (await around.end_of(mails[0])).outcome == "filed"
    assert (await around.end_of(mails[2])).outcome == "filed"
    for n in (0, 1):
        end = await around.end_of(mails[1], n)
        assert (end.outcome, end.reason) == ("held", "settling refused: internal")
    assert around.attempts[poison, 0] == 3
    await around.nothing_pending()


async def test_a_mail_whose_handling_raises_is_held(monkeypatch: Any, mda: MdaService, around: Surroundings) -> None:
    monkeypatch.setattr(consumer_module, "RETRY_PAUSE", 0.01)
    decide = settling_module.decide

    def fragile(at_hand: Any, *rest: Any) -> Any:
        if "poison" in at_hand.mail.headers:
            raise ZeroDivisionError
        return decide(at_hand, *rest)

    monkeypatch.setattr(settling_module, "decide", fragile)
    good, bad = mail("alice"), mail("alice", headers="Subject: poison\r\n\r\n")
    await around.publish(good, bad)
    assert (await around.end_of(good)).outcome == "filed"
    end = await around.end_of(bad)
    assert (end.outcome, end.reason) == ("held", "ZeroDivisionError in delivery")
    assert around.attempts[bad.mail_id, 0] == 3
    await around.nothing_pending()


async def test_a_mail_that_ends_the_process_is_singled_out(
    monkeypatch: Any, nats_url: str, around: Surroundings
) -> None:
    """The death of the process is played by stopping the service in the middle, unheard by the bus."""
    monkeypatch.setattr(consumer_module, "ACK_WAIT", 0.3)
    monkeypatch.setattr("barid_mda.handlers.service.ACK_WAIT", 0.3)
    monkeypatch.setattr(consumer_module, "SUSPECT_AFTER", 2)
    decide = settling_module.decide
    dead = asyncio.Event()

    def deadly(at_hand: Any, *rest: Any) -> Any:
        if "poison" in at_hand.mail.headers:
            dead.set()
            raise asyncio.CancelledError
        return decide(at_hand, *rest)

    monkeypatch.setattr(settling_module, "decide", deadly)

    async def silent(*_: Any) -> None:
        """The dead acknowledge nothing."""

    mails = [mail("alice"), mail("bob", headers="Subject: poison\r\n\r\n"), mail("carol")]
    await around.publish(*mails)
    deaths = 0
    answer_the_bus = consumer_module.Consuming._answer
    async with asyncio.timeout(30):
        while (mails[1].mail_id, 0) not in around.ends:
            dead.clear()
            service = make_mda(nats_url)
            monkeypatch.setattr(consumer_module.Consuming, "_answer", silent)
            await service.start()
            waits = [asyncio.ensure_future(dead.wait()), asyncio.ensure_future(around.end_of(mails[1]))]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            deaths += dead.is_set()
            for wait in waits:
                wait.cancel()
            if not dead.is_set():
                monkeypatch.setattr(consumer_module.Consuming, "_answer", answer_the_bus)
            await service.drain()
    assert around.ends[mails[1].mail_id, 0].outcome == "held"
    assert around.ends[mails[0].mail_id, 0].outcome == "filed"
    assert deaths == 2 + 3
    service = make_mda(nats_url)
    await service.start()
    try:
        assert (await around.end_of(mails[2])).outcome == "filed"
        await around.nothing_pending()
    finally:
        await service.drain()


async def test_what_is_no_batch_is_dropped(mda: MdaService, around: Surroundings) -> None:
    await around.bus.publish_durable(ACCEPTED_LOCAL.subject, b'{"mails":[{"mail_id":"?"}]}', message_id="x")
    await around.publish(one := mail("alice"))
    await around.end_of(one)
    await around.nothing_pending()


async def test_a_mail_to_thousands_is_settled_in_pieces(mda: MdaService, around: Surroundings) -> None:
    one = mail(*[f"u{n}" for n in range(2500)])
    await around.publish(one)
    await around.nothing_pending()
    assert len(around.ends) == 2500
    assert max(len(request.settlements) for request in around.requests) == 1000


async def test_many_messages_become_few_requests(mda: MdaService, around: Surroundings) -> None:
    mails = [mail("alice") for _ in range(300)]
    await asyncio.gather(*(around.publish(one) for one in mails))
    await around.nothing_pending()
    assert len(around.ends) == 300
    assert len(around.requests) < 150


async def test_it_survives_the_same_batch_twice(mda: MdaService, around: Surroundings) -> None:
    one = mail("alice")
    payload = AcceptedBatch(mails=[one]).model_dump_json().encode()
    for n in range(3):
        await around.bus.publish_durable(ACCEPTED_LOCAL.subject, payload, message_id=f"again {n}")
    await around.nothing_pending()
    assert len(around.ends) == 1


async def test_drain_is_quiet_twice(mda: MdaService) -> None:
    await mda.drain()
    await mda.drain()
    assert mda.checks()["bus"] == "not connected"
