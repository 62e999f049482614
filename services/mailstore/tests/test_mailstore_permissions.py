"""All that the mailstore does is allowed to it on a bus that allows each service only its own subjects."""

from pathlib import Path

from pydantic import SecretStr

from barid_contracts import directory, settle
from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_STREAM, Key
from barid_contracts.queue import HELD_ACT, HeldAction
from barid_mailstore.settings import Settings
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.typed import answer
from barid_runtime.ids import child_id

from .desk import Desk, People, filed, make_mail, new_mailstore
from .test_children import accepted_for_the_relay


async def test_under_its_own_permissions(tmp_path: Path) -> None:
    users = {"mailstore": "storage-password", "barid": "other-password"}
    nats = EmbeddedNats(tmp_path / "nats", users=users)
    await nats.start()
    bus = await connect(nats.url, user="barid", password=users["barid"])
    settings = Settings(
        data=tmp_path / "data",
        bus_url=nats.url,
        bus_user="mailstore",
        bus_password=SecretStr(users["mailstore"]),
        reconcile_grace_at_start=3600,
    )
    service = new_mailstore(settings)
    people = People()
    await answer(bus, directory.ACCOUNT_GET, people.get, queue="directory")
    await answer(bus, directory.RESOLVE, people.resolve, queue="directory")
    asked: list[str] = []

    async def missing(request: settle.MissingRequest) -> settle.MissingReply:
        asked.append("missing")
        return settle.MissingReply(keys=[])

    async def references(request: settle.ReferencesRequest) -> settle.ReferencesReply:
        asked.append("references")
        return settle.ReferencesReply(packs=[])

    await answer(bus, settle.RELAY_MISSING, missing, queue="relay")
    await answer(bus, settle.RELAY_REFERENCES, references, queue="relay")
    await service.start()
    try:
        desk = Desk(bus)
        people.quotas["bob"] = 100
        await desk.listen()
        mail, poison = make_mail("bob"), make_mail("bob")
        answer_ = settle.Child(
            mail_id=child_id(mail.mail_id, 0, 0),
            kind="vacation",
            reverse_path="",
            recipients=["ann@far.test"],
            body="own",
            content=b"Subject: away\r\n\r\n",
        )
        held = settle.Settlement(mail_id=poison.mail_id, n=0, account="bob", outcome="held", reason="crashed")
        assert await desk.settle([mail, poison], [filed(mail, children=[answer_]), held]) == ["done", "done"]
        await desk.until(lambda: desk.events and desk.quota_events)
        assert [child.subject for child in await accepted_for_the_relay(bus, 1)] == ["away"]
        key = Key(mail_id=poison.mail_id, n=0)
        assert (await desk.ask(HELD_ACT, HeldAction(action="release", keys=[key]))).changed == 1
        consumer = await bus.consumer(ACCEPTED_STREAM, durable="mda", subject=ACCEPTED_LOCAL.subject)
        (again,) = await consumer.fetch(5, 5.0)
        assert poison.mail_id.encode() in again.payload
        assert service.reconciler is not None
        await service.reconciler.round()
        assert service.checks() == {"bus": "ok", "journal": "ok", "database": "ok"}
    finally:
        await service.drain()
        await bus.close()
        await nats.stop()
