"""The default: mail for other domains is kept here, and nobody is dialled."""

from typing import Any

from barid_contracts.queue import CAPTURED, Captured

from .foreign import Foreign
from .office import BODY, TRACE, Office


async def test_capture_dials_nobody_and_tells(office: Office, start: Any, monkeypatch: Any) -> None:
    from barid_relay.adapters.dns import DnsResolver
    from barid_relay.adapters.smtp.dialer import SmtpDialer

    async def never(*arguments: Any) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr(SmtpDialer, "dial", never)
    monkeypatch.setattr(DnsResolver, "_ask", never)
    told: list[Captured] = []

    async def listener(payload: bytes) -> None:
        told.append(Captured.model_validate_json(payload))

    await office.bus.subscribe(CAPTURED.subject, listener)
    await start()
    mail_id = await office.mail("bob@far.test", "dora@further.test", subject="Hello World")
    await office.outcome(mail_id, "captured", "captured")
    await office.until(lambda: told)
    items = await office.captured()
    assert [(item.mail_id, item.n, item.address) for item in items] == [
        (mail_id, 0, "bob@far.test"),
        (mail_id, 1, "dora@further.test"),
    ]
    assert [item for event in told for item in event.items] == items
    assert items[0].reverse_path == "ann@here.test"
    assert items[0].size == len(TRACE) + len(BODY)
    assert items[0].trace.encode() + await office.bodies.read(items[0].ref) == TRACE.encode() + BODY
    assert await office.captured(address="DORA@further.test") == items[1:]
    assert await office.captured(subject="lo wor") == items
    assert await office.captured(subject="100%") == []
    assert await office.missing((mail_id, 0), (mail_id, 1)) == []
    assert await office.queued() == []


async def test_captured_mail_keeps_its_body_until_it_is_cleared(office: Office, start: Any) -> None:
    await start()
    mail_id = await office.mail("bob@far.test")
    await office.outcome(mail_id, "captured")
    pack = f"{office.journal.folder}/000001.pack"
    assert await office.references(pack) == [pack]
    assert await office.clear_captured() == 1
    assert await office.captured() == []
    assert await office.references(pack) == []
    assert await office.what(mail_id) == ["accepted", "captured"]
    again = await office.mail("bob@far.test")
    await office.outcome(again, "captured")
    # A cursor from before still means "after that": numbers are not used twice.
    assert [item.mail_id for item in await office.captured(after="1")] == [again]


async def test_a_named_route_is_dialled_all_the_same(office: Office, start: Any) -> None:
    async with Foreign().open() as far:
        await start(routes={"Far.Test": far.route})
        mail_id = await office.mail("bob@far.test", "dora@further.test")
        await office.outcome(mail_id, "relayed", "captured")
        assert far.taken[0].recipients == ["bob@far.test"]


async def test_a_captured_queue_from_another_mode(office: Office, start: Any) -> None:
    relay = await start(routes={"far.test": "127.0.0.1:1"})
    mail_id = await office.mail("bob@far.test")
    await office.deferred(mail_id)
    await relay.drain()
    await start()
    await office.act("retry")
    await office.outcome(mail_id, "captured")
