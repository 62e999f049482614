"""The trace of a mail that was accepted and has not ended: the journal knows it when nobody else does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from barid_contracts import queue
from barid_contracts.mail import Accepted, Key
from barid_contracts.trace import MAILSTORE_TRACE, TraceRequest
from barid_mailstore.handlers.reconciler import Reconciler
from barid_runtime.bus.port import Bus
from barid_runtime.ids import new_mail_id
from barid_runtime.journal import folder, lookup

from .desk import NOW, Desk, filed
from .journals import Relay, accept, owed


async def told(desk: Desk, mail: Accepted, **by: str) -> list[tuple[str, int | None, str, str]]:
    steps = (await desk.ask(MAILSTORE_TRACE, TraceRequest(**(by or {"mail_id": mail.mail_id})))).steps
    assert {step.mail_id for step in steps} <= {mail.mail_id}
    return [(step.what, step.n, step.address, step.detail) for step in steps]


ACCEPTED = ("accepted", None, "", "from <ann@far.test>, subject 'hello'")
BOB = ("waiting", 0, "bob@here.test", "for delivery")


@pytest.mark.parametrize("seal", [True, False], ids=["sealed", "open"])
async def test_what_is_owed_to_whom(desk: Desk, bus: Bus, root: Path, relay: Relay, seal: bool) -> None:
    mails, journal = await accept(bus, root, [owed("bob", remote=("x@far.test",)) for _ in range(20)], seal=seal)
    mail = mails[7]
    assert await told(desk, mail) == [ACCEPTED, BOB, ("waiting", 1, "x@far.test", "for the relay")]
    await desk.settle([mail], [filed(mail)])
    assert [(what, n) for what, n, *_ in await told(desk, mail)] == [("accepted", None), ("filed", 0), ("waiting", 1)]
    relay.known = {(mail.mail_id, 1)}
    assert [what for what, *_ in await told(desk, mail)] == ["accepted", "filed"], "the relay tells of its own"
    await journal.close()


async def test_a_mail_of_the_relay_alone_is_told_until_the_relay_has_it(
    desk: Desk, bus: Bus, root: Path, relay: Relay
) -> None:
    (mail,), _ = await accept(bus, root, [owed(remote=("x@far.test",))])
    assert await told(desk, mail) == [ACCEPTED, ("waiting", 0, "x@far.test", "for the relay")]
    relay.away = True
    assert (await told(desk, mail))[1][3] == "for the relay, or there already: it does not answer"
    relay.away = False
    relay.known = {(mail.mail_id, 0)}
    assert await told(desk, mail) == []


async def test_by_message_id(desk: Desk, bus: Bus, root: Path, relay: Relay) -> None:
    odd = '<we"ird\\é@far.test>'
    (mail, other), _ = await accept(bus, root, [owed("bob", message_id=odd), owed("bob")])
    assert await told(desk, mail, message_id=odd) == [ACCEPTED, BOB]
    assert await told(desk, other, message_id=other.message_id) == [ACCEPTED, BOB]
    assert (await desk.ask(MAILSTORE_TRACE, TraceRequest(message_id="<nobody@far.test>"))).steps == []


async def test_a_held_mail_that_was_released_waits_again(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    (mail,), _ = await accept(bus, root, [owed("bob")])
    held = filed(mail, outcome="held", reason="crashed")
    await desk.settle([mail], [held])
    assert (await told(desk, mail))[1:] == [("held", 0, "bob@here.test", "crashed")]
    await reconciler.round()  # its pack is closed
    await desk.ask(queue.HELD_ACT, queue.HeldAction(action="release", keys=[Key(mail_id=mail.mail_id, n=0)]))
    assert [what for what, *_ in await told(desk, mail)] == ["accepted", "attempt", "waiting"]


async def test_who_is_not_there_is_not_told_of(desk: Desk, bus: Bus, root: Path, relay: Relay) -> None:
    await accept(bus, root, [owed("bob")])
    stranger = owed("bob")
    assert await told(desk, stranger) == []


async def test_a_refused_record_is_not_told_of(desk: Desk, bus: Bus, root: Path, relay: Relay) -> None:
    """Its sync failed, its sender heard 451."""
    (mail, other), _ = await accept(bus, root, [owed("bob"), owed("bob")])
    assert mail.ref is not None
    place = root / mail.ref.pack
    folder.add_aborted(place.parent, place.name, [(mail.ref.offset, mail.mail_id)])
    assert await told(desk, mail) == []
    assert await told(desk, other) == [ACCEPTED, BOB]
    assert await told(desk, mail, message_id=mail.message_id) == []


async def test_a_footer_that_rotted_is_no_reason_not_to_find_it(desk: Desk, bus: Bus, root: Path, relay: Relay) -> None:
    mails, _ = await accept(bus, root, [owed("bob") for _ in range(3)])
    assert mails[2].ref is not None
    path = root / mails[2].ref.pack
    data = bytearray(path.read_bytes())
    data[data.rfind(mails[2].mail_id.encode()) + 25] ^= 1
    path.write_bytes(data)
    assert await told(desk, mails[2]) == [ACCEPTED, BOB]


async def test_packs_written_before_the_mail_was_named_are_not_read(
    desk: Desk, bus: Bus, root: Path, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept(bus, root, [owed("bob")])
    read: list[Path] = []
    in_pack: Callable[..., object] = lookup._in_pack

    def noting(path: Path, mail_id: str) -> object:
        read.append(path)
        return in_pack(path, mail_id)

    monkeypatch.setattr(lookup, "_in_pack", noting)
    assert lookup.find(root, new_mail_id(NOW), NOW) is None
    assert len(read) == 1
    later = NOW + 2 * lookup.SLACK
    assert lookup.find(root, new_mail_id(later), later) is None
    assert len(read) == 1
