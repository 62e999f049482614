"""Mails that crashed delivery: counted, held, shown, released or discarded."""

from barid_contracts import queue, settle
from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_STREAM, Accepted, AcceptedBatch, Key
from barid_contracts.trace import MAILSTORE_TRACE, TraceRequest, TraceStep
from barid_mailstore.handlers.service import Mailstore
from barid_runtime.bus.port import Bus, Stream
from barid_testing.fixtures import ManualClock

from .desk import Desk, filed, make_mail


async def hold(desk: Desk, mail: Accepted, n: int = 0) -> None:
    held = settle.Settlement(
        mail_id=mail.mail_id, n=n, account=str(mail.obligations[n].account), outcome="held", reason="it crashed"
    )
    assert await desk.settle([mail], [held]) == ["done"]


async def listed(desk: Desk) -> list[queue.HeldItem]:
    page: queue.HeldPage = await desk.ask(queue.HELD_LIST, queue.QueueListRequest())
    return page.items


async def act(desk: Desk, action: str, *keys: Key) -> int:
    reply: queue.QueueActionReply = await desk.ask(
        queue.HELD_ACT, queue.HeldAction.model_validate({"action": action, "keys": list(keys)})
    )
    return reply.changed


async def steps(desk: Desk, mail: Accepted) -> list[TraceStep]:
    return list((await desk.ask(MAILSTORE_TRACE, TraceRequest(mail_id=mail.mail_id))).steps)


async def delivered_again(bus: Bus) -> list[Accepted]:
    await bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    consumer = await bus.consumer(ACCEPTED_STREAM, durable="mda", subject=ACCEPTED_LOCAL.subject)
    mails: list[Accepted] = []
    for delivery in await consumer.fetch(10, 1.0):
        mails += AcceptedBatch.model_validate_json(delivery.payload).mails
        await delivery.ack()
    return mails


async def test_attempts_are_counted_and_forgotten(desk: Desk) -> None:
    mail = make_mail("bob", "carl")
    keys = [Key(mail_id=mail.mail_id, n=n) for n in (0, 1)]
    assert (await desk.ask(settle.COUNT_ATTEMPT, settle.AttemptRequest(keys=keys[:1], error="boom"))).counts == [1]
    assert (await desk.ask(settle.COUNT_ATTEMPT, settle.AttemptRequest(keys=keys, error="bang"))).counts == [2, 1]
    assert [step.detail for step in await steps(desk, mail)] == ["2: bang", "1: bang"]
    await desk.settle([mail], [filed(mail, 0)])
    assert [step.what for step in await steps(desk, mail)] == ["accepted", "attempt", "filed"]
    assert (await desk.ask(settle.COUNT_ATTEMPT, settle.AttemptRequest(keys=keys[:1], error="boom"))).counts == [1]


async def test_released_it_is_delivered(desk: Desk, bus: Bus) -> None:
    mail = make_mail("bob", "carl")
    await desk.settle([mail], [filed(mail, 1)])
    key = Key(mail_id=mail.mail_id, n=0)
    await desk.ask(settle.COUNT_ATTEMPT, settle.AttemptRequest(keys=[key], error="boom"))
    await hold(desk, mail)
    (item,) = await listed(desk)
    assert (item.mail_id, item.n, item.account, item.reason, item.attempts) == (mail.mail_id, 0, "bob", "it crashed", 1)
    await desk.bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    assert await act(desk, "release", key, Key(mail_id=mail.mail_id, n=7)) == 1
    assert await listed(desk) == []
    assert await act(desk, "release", key) == 0
    (again,) = await delivered_again(bus)
    assert again.model_copy(update={"obligations": mail.obligations}) == mail
    assert [o.n for o in again.obligations] == [0]
    assert await desk.settle([again], [filed(again)]) == ["done"]
    assert await desk.settle([mail], [filed(mail)]) == ["repeated"]
    assert (await desk.box("bob")).messages == 1


async def test_held_again_after_a_release(desk: Desk, bus: Bus) -> None:
    await desk.bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    mail = make_mail("bob")
    await hold(desk, mail)
    await act(desk, "release", Key(mail_id=mail.mail_id, n=0))
    await hold(desk, mail)
    assert len(await listed(desk)) == 1
    assert await act(desk, "release", Key(mail_id=mail.mail_id, n=0)) == 1


async def test_a_release_that_was_lost_is_repeated(
    desk: Desk, bus: Bus, mailstore: Mailstore, clock: ManualClock
) -> None:
    await desk.bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    mail = make_mail("bob")
    await hold(desk, mail)
    assert mailstore.doors is not None
    await mailstore.doors.store.held.release([Key(mail_id=mail.mail_id, n=0)])  # and then it crashed
    assert mailstore.reconciler is not None
    mailstore.reconciler.suspicious_grace = 0.0
    await clock.advance(1.0)
    await mailstore.reconciler.round()
    assert [again.mail_id for again in await delivered_again(bus)] == [mail.mail_id]


async def test_discarded_it_is_gone(desk: Desk) -> None:
    mail = make_mail("bob")
    await hold(desk, mail)
    key = Key(mail_id=mail.mail_id, n=0)
    assert await act(desk, "discard", key) == 1
    assert await listed(desk) == []
    assert (await steps(desk, mail))[-1].what == "discarded"
    assert await desk.settle([mail], [filed(mail)]) == ["repeated"]


async def test_pages_of_held_mails(desk: Desk) -> None:
    mails = [make_mail("bob") for _ in range(5)]
    for mail in mails:
        await hold(desk, mail)
    got: list[str] = []
    after = None
    while True:
        page = await desk.ask(queue.HELD_LIST, queue.QueueListRequest(after=after, limit=2))
        got += [item.mail_id for item in page.items]
        if (after := page.next) is None:
            break
    assert got == sorted(mail.mail_id for mail in mails)


async def test_those_that_wait_are_counted(desk: Desk, mailstore: Mailstore) -> None:
    await desk.bus.ensure_stream(Stream(ACCEPTED_STREAM, ("mail.v1.accepted.>",)))
    mails = [make_mail("bob") for _ in range(3)]
    for mail in mails:
        await hold(desk, mail)
    assert mailstore.doors is not None
    count = mailstore.doors.store.held.count
    assert await count() == 3
    await act(desk, "release", Key(mail_id=mails[0].mail_id, n=0))
    await act(desk, "discard", Key(mail_id=mails[1].mail_id, n=0))
    assert await count() == 1


async def test_the_trace_by_message_id(desk: Desk) -> None:
    mail = make_mail("bob", "carl", subject="where am I")
    rules = ["fileinto Junk"]
    await desk.settle([mail], [filed(mail, 0), filed(mail, 1, "Junk", rules=rules)])
    await desk.expunge("bob", only_deleted=False)
    found = (await desk.ask(MAILSTORE_TRACE, TraceRequest(message_id=mail.message_id))).steps
    assert [(step.what, step.n, step.address) for step in found] == [
        ("accepted", None, ""),
        ("filed", 0, "bob@here.test"),
        ("filed", 1, "carl@here.test"),
    ]
    assert found[0].detail == "from <ann@far.test>, subject 'where am I'"
    assert found[2].detail == "in Junk; rules: fileinto Junk"
    assert (await desk.ask(MAILSTORE_TRACE, TraceRequest(message_id="<nobody@x>"))).steps == []
    assert await desk.refused(desk.ask(MAILSTORE_TRACE, TraceRequest())) == "invalid"


async def test_scripts(desk: Desk) -> None:
    async def put(name: str, text: str, **more: bool) -> None:
        await desk.ask(settle.SIEVE_PUT, settle.ScriptPut(account="bob", name=name, text=text, **more))

    who = settle.ActiveScriptRequest(account="bob")
    assert (await desk.ask(settle.ACTIVE_SCRIPT, who)).text == ""
    assert await desk.refused(put("bad", "fileinto;")) == "invalid"
    await put("one", "keep;")
    await put("two", "discard;", activate=False)
    scripts = (await desk.ask(settle.SIEVE_LIST, who)).scripts
    assert [(script.name, script.active, script.text) for script in scripts] == [
        ("one", True, "keep;"),
        ("two", False, "discard;"),
    ]
    before = (await desk.ask(settle.ACTIVE_SCRIPT, who)).etag
    await put("one", "discard;", activate=False)
    assert (await desk.ask(settle.ACTIVE_SCRIPT, who)).etag != before
    delete = settle.SIEVE_DELETE
    assert await desk.refused(desk.ask(delete, settle.ScriptName(account="bob", name="one"))) == "conflict"
    assert await desk.refused(desk.ask(delete, settle.ScriptName(account="bob", name="x"))) == "not_found"
    assert (
        await desk.refused(desk.ask(settle.SIEVE_ACTIVATE, settle.ScriptName(account="bob", name="x"))) == "not_found"
    )
    await desk.ask(settle.SIEVE_ACTIVATE, settle.ScriptName(account="bob", name="two"))
    await desk.ask(delete, settle.ScriptName(account="bob", name="one"))
    assert (await desk.ask(settle.ACTIVE_SCRIPT, who)).text == "discard;"
