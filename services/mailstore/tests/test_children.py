"""Children of settled mails: redirects and vacation answers come out of the outbox as accepted mails, once."""

from barid_contracts import settle
from barid_contracts.mail import ACCEPTED_REMOTE, ACCEPTED_STREAM, Accepted, AcceptedBatch
from barid_contracts.trace import MAILSTORE_TRACE, TraceRequest
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import Bus
from barid_runtime.ids import child_id
from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.packs import PackJournal

from .desk import NOW, Desk, filed, make_mail


async def accepted_for_the_relay(bus: Bus, count: int) -> list[Accepted]:
    consumer = await bus.consumer(ACCEPTED_STREAM, durable="relay", subject=ACCEPTED_REMOTE.subject)
    mails: list[Accepted] = []
    while len(mails) < count:
        deliveries = await consumer.fetch(10, 5.0)
        assert deliveries, "nothing came"
        for delivery in deliveries:
            mails += AcceptedBatch.model_validate_json(delivery.payload).mails
            await delivery.ack()
    return mails


def vacation(settlement: settle.Settlement) -> settle.Settlement:
    child = settle.Child(
        mail_id=child_id(settlement.mail_id, settlement.n, 0),
        kind="vacation",
        reverse_path="",
        recipients=["ann@far.test"],
        body="own",
        content=b"From: bob@here.test\r\nSubject: away\r\n\r\nBack soon.\r\n",
    )
    until = (NOW + 86_400) * 1000
    memory = settle.VacationMemory(handle="h", sender="ann@far.test", until=until, child=child)
    return settlement.model_copy(update={"vacation": memory})


async def test_a_vacation_answers_a_sender_once(desk: Desk, bus: Bus, settings: Settings) -> None:
    first, second = make_mail("bob"), make_mail("bob")
    for mail in (first, second, first):
        await desk.settle([mail], [vacation(filed(mail))])
    (child,) = await accepted_for_the_relay(bus, 1)
    assert child.mail_id == child_id(first.mail_id, 0, 0)
    assert child.parent == first.mail_id
    assert child.reverse_path == ""
    assert child.subject == "away"
    assert child.ref is not None
    body = await LocalBodies(settings.data / "journal").read(child.ref)
    assert body.endswith(b"Back soon.\r\n")
    steps = (await desk.ask(MAILSTORE_TRACE, TraceRequest(mail_id=first.mail_id))).steps
    assert [step.what for step in steps] == ["accepted", "filed", "child"]
    assert steps[2].mail_id == child.mail_id


async def test_a_redirect_carries_the_parents_bytes(desk: Desk, bus: Bus, settings: Settings) -> None:
    root = settings.data / "journal"
    journal = PackJournal(root, "smtp_ingress")
    body = b"Subject: hello\r\n\r\nhi\r\n"
    mail = make_mail("bob", size=len(body))
    ref = await journal.append(mail, body)
    await journal.close()
    mail = mail.model_copy(update={"ref": ref})
    child = settle.Child(
        mail_id=child_id(mail.mail_id, 0, 0),
        kind="redirect",
        reverse_path=mail.reverse_path,
        recipients=["else@where.test"],
        body="same",
        prefix="Delivered-To: bob@here.test\r\n",
    )
    settlement = settle.Settlement(
        mail_id=mail.mail_id, n=0, account="bob", outcome="redirected", children=[child], rules=["redirect"]
    )
    assert await desk.settle([mail], [settlement]) == ["done"]
    (accepted,) = await accepted_for_the_relay(bus, 1)
    assert accepted.ref is not None
    assert await LocalBodies(root).read(accepted.ref) == b"Delivered-To: bob@here.test\r\n" + body
    assert [(o.kind, o.address) for o in accepted.obligations] == [("remote", "else@where.test")]
    steps = (await desk.ask(MAILSTORE_TRACE, TraceRequest(mail_id=mail.mail_id))).steps
    assert [(step.what, step.parent) for step in steps] == [
        ("accepted", None),
        ("redirected", None),
        ("child", mail.mail_id),
    ]


async def test_a_child_is_told_with_its_parent_and_its_own_time(desk: Desk) -> None:
    """Its id has the time of its parent, who may have been accepted long before."""
    parent = make_mail("ann")
    later = parent.at + 60_000
    child = make_mail("bob", mail_id=child_id(parent.mail_id, 0, 0), parent=parent.mail_id, at=later)
    await desk.settle([child], [filed(child)])
    accepted, end = (await desk.ask(MAILSTORE_TRACE, TraceRequest(mail_id=child.mail_id))).steps
    if accepted.what != "accepted":  # the desk's clock may be behind that minute
        accepted, end = end, accepted
    assert (accepted.at, accepted.parent) == (later, parent.mail_id)
    assert (end.what, end.detail) == ("filed", "in INBOX")
