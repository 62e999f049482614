"""What operators and the reconciler ask of the relay, and tell it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from barid_contracts.queue import CAPTURED_LIST, QUEUE_LIST, CapturedRequest, QueueListRequest
from barid_contracts.trace import RELAY_TRACE, TraceRequest
from barid_runtime.bus.port import OperationFailed

from .foreign import Foreign
from .office import Office


@pytest_asyncio.fixture
async def busy(start: Any) -> AsyncIterator[Foreign]:
    """A host that takes nothing now."""
    async with Foreign(replies={"MAIL": "451 4.3.0 later"}).open() as far:
        await start(routes={"far.test": far.route, "further.test": far.route})
        yield far


async def test_the_queue_by_pages(office: Office, busy: Foreign) -> None:
    for k in range(5):
        await office.deferred(await office.mail(f"u{k}@far.test"))
    await office.deferred(await office.mail("x@FURTHER.test"))
    page = await office.ask(QUEUE_LIST, QueueListRequest(limit=4))
    assert [item.address for item in page.items] == [f"u{k}@far.test" for k in range(4)]
    rest = await office.ask(QUEUE_LIST, QueueListRequest(limit=4, after=page.next))
    assert [item.address for item in rest.items] == ["u4@far.test", "x@FURTHER.test"]
    assert rest.next is None
    assert [item.address for item in await office.queued(domain="Further.test")] == ["x@FURTHER.test"]
    assert await office.queued(domain="nowhere.test") == []
    for after in ("", "1", "x.y", "1.2.3", "9" * 30 + ".1", "-1.0"):
        with pytest.raises(OperationFailed, match="invalid"):
            await office.ask(QUEUE_LIST, QueueListRequest(after=after))


async def test_hold_release_retry_bounce(office: Office, busy: Foreign) -> None:
    mail_id = await office.mail("bob@far.test")
    await office.deferred(mail_id)
    key = (mail_id, 0)
    assert await office.act("hold", key) == 1
    assert await office.act("hold", key) == 0
    assert [item.state for item in await office.queued()] == ["held"]
    assert "held" in await office.what(mail_id)
    assert await office.act("retry", key) == 0
    assert await office.act("release", key) == 1
    await office.deferred(mail_id, 2)
    assert await office.act("retry", key, ("01ARZ3NDEKTSV4RRFFQ69G5FAV", 0)) == 1
    await office.deferred(mail_id, 3)
    assert await office.act("bounce", key) == 1
    assert await office.act("bounce", key) == 0
    _, notice = await office.notice()
    assert "gave the mail back" in notice.get_payload()[0].get_payload()  # type: ignore[union-attr,index]


async def test_drop_tells_nobody(office: Office, busy: Foreign) -> None:
    mail_id = await office.mail("bob@far.test")
    await office.deferred(mail_id)
    await office.act("hold")
    assert await office.act("drop", (mail_id, 0)) == 1
    assert await office.queued() == []
    assert await office.missing((mail_id, 0)) == []
    assert "discarded" in await office.what(mail_id)
    assert "child" not in await office.what(mail_id)


async def test_bounce_all(office: Office, busy: Foreign) -> None:
    for k in range(5):
        await office.deferred(await office.mail(f"u{k}@far.test"))
    await office.act("hold")
    assert await office.act("bounce") == 5
    assert await office.queued() == []


async def test_missing_and_references(office: Office, start: Any) -> None:
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route, "dead.test": "127.0.0.1:1"})
        gone = await office.mail("bob@far.test")
        waiting = await office.mail("bob@dead.test")
        await office.outcome(gone, "relayed")
        await office.deferred(waiting)
        never = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
        keys = [(gone, 0), (gone, 1), (waiting, 0), (never, 0)]
        assert await office.missing(*keys) == [(gone, 1), (never, 0)]
        pack = f"{office.journal.folder}/000001.pack"
        assert await office.references(pack, "smtp_ingress.01ARZ3NDEKTSV4RRFFQ69G5FAV/000009.pack") == [pack]
        await office.act("bounce")
        assert await office.references(pack) == []
        assert await office.missing(*keys[:3]) == [(gone, 1)]


async def test_the_trace_by_message_id(office: Office, start: Any) -> None:
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("bob@far.test", message_id="<x@y>")
        await office.outcome(mail_id, "relayed")
        reply = await office.ask(RELAY_TRACE, TraceRequest(message_id="<x@y>"))
        assert [(step.mail_id, step.what) for step in reply.steps] == [(mail_id, "accepted"), (mail_id, "relayed")]
        assert reply.steps[0].detail == "from <ann@here.test>, subject 'hello'"
        assert reply.steps[1].detail == "127.0.0.1: 250 2.0.0 taken as 42"
        assert (await office.ask(RELAY_TRACE, TraceRequest(message_id="<other@y>"))).steps == []
        with pytest.raises(OperationFailed, match="invalid"):
            await office.ask(RELAY_TRACE, TraceRequest())


async def test_the_trace_tells_what_still_waits(office: Office, start: Any) -> None:
    async with Foreign(replies={"RCPT TO:<bob@far.test>": "450 later"}).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("bob@far.test")
        item = await office.deferred(mail_id)
        *before, waiting = await office.steps(mail_id)
        assert [step.what for step in before] == ["accepted", "attempt"]
        assert (waiting.what, waiting.n, waiting.address) == ("waiting", 0, "bob@far.test")
        due = datetime.fromtimestamp(item.due / 1000, UTC)
        assert waiting.detail == f"deferred; next attempt at {due:%Y-%m-%d %H:%M:%S} UTC"
        await office.act("hold")
        assert await office.what(mail_id) == ["accepted", "attempt", "held"]


async def test_the_trace_tells_who_made_whom(office: Office, start: Any) -> None:
    """Parent and child name each other, so that whoever merges traces can order them by cause."""
    async with Foreign(replies={"RCPT TO:<bob@far.test>": "550 no"}).open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("bob@far.test", reverse_path="pen@far.test")
        await office.outcome(mail_id, "bounced")
        *_, made = await office.steps(mail_id)
        assert (made.what, made.parent, made.address) == ("child", mail_id, "pen@far.test")
        await office.outcome(made.mail_id, "relayed")
        first, *_ = await office.steps(made.mail_id)
        assert (first.what, first.parent, first.detail) == (
            "accepted",
            mail_id,
            "from <>, subject 'Undelivered mail returned to sender'",
        )
        assert first.at >= made.at


async def test_events_that_can_not_be_read_hinder_nobody(office: Office, start: Any) -> None:
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route})
        for k, payload in enumerate([b"", b"{}", b"[1]", b"\xff\xfe", b'{"mails":[{"mail_id":1}, 7]}', b"[" * 20000]):
            await office.bus.publish_durable("mail.v1.accepted.remote", payload, message_id=f"bad{k}")
        await office.outcome(await office.mail("bob@far.test"), "relayed")


async def test_captured_pages_that_are_none(office: Office, start: Any) -> None:
    await start()
    with pytest.raises(OperationFailed, match="invalid"):
        await office.ask(CAPTURED_LIST, CapturedRequest(after="x"))


async def test_checks(office: Office, start: Any) -> None:
    relay = await start()
    assert relay.checks() == {"bus": "ok", "journal": "ok", "database": "ok"}
    assert relay.ports() == {}
    await relay.drain()
    assert relay.checks() == {"relay": "not started"}
