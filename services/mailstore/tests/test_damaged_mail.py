"""A record whose checksum fails before it was delivered: it is held, its neighbours go on, its pack is closed."""

from pathlib import Path

from barid_contracts import queue
from barid_contracts.mail import ACCEPTED_LOCAL, ACCEPTED_REMOTE, Accepted, Key
from barid_contracts.trace import MAILSTORE_TRACE, TraceRequest
from barid_mailstore.handlers.reconciler import Reconciler
from barid_runtime.bus.port import Bus
from barid_testing.fixtures import delete_streams

from .desk import Desk, filed
from .journals import Relay, accept, owed, published, states


class Rot:
    """Octets of a record that are something else for a while."""

    def __init__(self, root: Path, mail: Accepted) -> None:
        assert mail.ref is not None
        self._path = root / mail.ref.pack
        self._at = mail.ref.offset + 120
        with self._path.open("r+b") as pack:
            pack.seek(self._at)
            self._was = pack.read(20)
        self._write(b"\xff" * 20)

    def heal(self) -> None:
        self._write(self._was)

    def _write(self, octets: bytes) -> None:
        with self._path.open("r+b") as pack:
            pack.seek(self._at)
            pack.write(octets)


async def held(desk: Desk) -> list[queue.HeldItem]:
    page: queue.HeldPage = await desk.ask(queue.HELD_LIST, queue.QueueListRequest())
    return page.items


async def act(desk: Desk, action: str, mail: Accepted, n: int = 0) -> int:
    request = queue.HeldAction.model_validate({"action": action, "keys": [Key(mail_id=mail.mail_id, n=n)]})
    reply: queue.QueueActionReply = await desk.ask(queue.HELD_ACT, request)
    return reply.changed


async def traced(desk: Desk, mail: Accepted) -> list[tuple[str, int | None, str]]:
    steps = (await desk.ask(MAILSTORE_TRACE, TraceRequest(mail_id=mail.mail_id))).steps
    return [(step.what, step.n, step.detail) for step in steps]


async def test_it_is_held_and_its_neighbours_are_delivered(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    mails, _ = await accept(bus, root, [owed("bob", "carl") for _ in range(5)])
    await delete_streams(bus)
    Rot(root, mails[2])
    await desk.settle(mails[2:3], [filed(mails[2], 1)])  # it came to carl before it rotted
    await reconciler.round()
    again = await published(bus, "mda", ACCEPTED_LOCAL.subject)
    sound = [mail for mail in mails if mail is not mails[2]]
    assert [mail.mail_id for mail in again] == [mail.mail_id for mail in sound]
    assert await held(desk) == [], "a disk may fail to read something once"
    await reconciler.round()
    (item,) = await held(desk)
    assert (item.mail_id, item.n, item.account) == (mails[2].mail_id, 0, "")
    assert item.reason.startswith("damaged")
    assert ("accepted", None, "from <ann@far.test>") in [
        (w, n, d.split(",")[0]) for w, n, d in await traced(desk, item)
    ]
    assert ("held", 0, item.reason) in await traced(desk, mails[2])
    await desk.settle(sound, [filed(mail, n) for mail in sound for n in (0, 1)])
    await reconciler.round()
    assert states(root) == ["closed"]
    await reconciler.round()
    assert await published(bus, "mda", ACCEPTED_LOCAL.subject) == []
    assert len(await held(desk)) == 1


async def test_nobody_knows_whom_it_came_from(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    (mail,), _ = await accept(bus, root, [owed("bob")])
    Rot(root, mail)
    await reconciler.round()
    await reconciler.round()
    assert [(what, detail) for what, _, detail in await traced(desk, mail)] == [
        ("accepted", ""),
        ("held", "damaged: the record in its pack can't be read"),
    ]


async def test_when_the_pack_was_put_right_it_can_be_released(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    (mail,), _ = await accept(bus, root, [owed("bob")])
    rot = Rot(root, mail)
    for _ in range(3):
        await reconciler.round()
    assert states(root) == ["closed"], "and kept, as long as it is held"
    await delete_streams(bus)
    await reconciler.round()
    assert await act(desk, "release", mail) == 0
    assert len(await held(desk)) == 1
    rot.heal()
    assert await act(desk, "release", mail) == 1
    (again,) = await published(bus, "mda", ACCEPTED_LOCAL.subject)
    assert again == mail
    assert await desk.settle([again], [filed(again)]) == ["done"]
    assert await held(desk) == []
    assert [what for what, _, _ in await traced(desk, mail)] == ["accepted", "filed"]


async def test_what_others_are_owed_is_held_here_too_and_handed_over_when_it_can_be_read(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    (mail,), _ = await accept(bus, root, [owed(remote=("x@far.test", "y@far.test"))])
    relay.known = {(mail.mail_id, 1)}
    rot = Rot(root, mail)
    for _ in range(3):
        await reconciler.round()
    assert [(item.mail_id, item.n) for item in await held(desk)] == [(mail.mail_id, 0)]
    assert states(root) == ["closed"]
    rot.heal()
    await delete_streams(bus)
    await reconciler.round()
    assert await act(desk, "release", mail) == 1
    (again,) = await published(bus, "relay", ACCEPTED_REMOTE.subject)
    assert [o.address for o in again.obligations] == ["x@far.test"]
    assert await held(desk) == []
    assert await traced(desk, mail) == [], "the relay's from now on"


async def test_discarded_it_lets_its_pack_go(
    desk: Desk, bus: Bus, root: Path, relay: Relay, reconciler: Reconciler
) -> None:
    (mail,), _ = await accept(bus, root, [owed("bob")])
    Rot(root, mail)
    for _ in range(3):
        await reconciler.round()
    assert states(root) == ["closed"]
    assert await act(desk, "discard", mail) == 1
    await reconciler.round()
    assert states(root) == []
    assert [what for what, _, _ in await traced(desk, mail)] == ["accepted", "discarded"]
