"""A relay whose tables come from a backup: what may have been sent since is held, everything else goes on."""

import time
from typing import Any

from barid_relay.adapters.doors import MIGRATIONS
from barid_relay.adapters.tables import restored
from barid_relay.handlers.service import Relay
from barid_relay.settings import Settings
from barid_runtime.database.door import Place, open_at
from barid_runtime.ids import child_id, new_mail_id

from .foreign import Foreign
from .office import Office


async def restore(place: Place, at: float) -> int:
    database = await open_at(place, MIGRATIONS)
    try:
        return await database.write(lambda cursor: restored.restored(cursor, at))
    finally:
        await database.close()


async def test_what_was_queued_is_held_for_a_decision(office: Office, start: Any, settings: Settings) -> None:
    async with Foreign(replies={"MAIL": "451 4.3.0 later"}).open() as busy:
        relay: Relay = await start(routes={"far.test": busy.route})
        mails = [await office.mail("bob@far.test") for _ in range(3)]
        for mail in mails:
            await office.deferred(mail)
        await relay.drain()
    assert await restore(settings.place, time.time()) == 3
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route})
        items = await office.queued()
        assert [(item.state, item.last_error) for item in items] == [("held", restored.QUEUED_THEN)] * 3
        assert await office.act("release", (mails[0], 0)) == 1
        await office.outcome(mails[0], "relayed")
        assert await office.act("drop", (mails[1], 0)) == 1
        assert await office.act("bounce", (mails[2], 0)) == 1
        notice, _ = await office.notice()
        assert notice.parent == mails[2]
        assert len(far.taken) == 1


async def test_what_was_accepted_before_and_is_not_known_is_held(
    office: Office, start: Any, settings: Settings
) -> None:
    await restore(settings.place, time.time() + 3600)
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route})
        before = await office.mail("bob@far.test", "cat@far.test")
        await office.mail("dan@far.test", mail_id=child_id(before, 0, 0), parent=before, origin="redirect")
        await office.outcome(before, "held", "held")
        await office.outcome(child_id(before, 0, 0), "held")
        after = new_mail_id(time.time() + 7200)
        await office.mail("bob@far.test", mail_id=after)
        await office.outcome(after, "relayed")
        assert {item.last_error for item in await office.queued()} == {restored.ACCEPTED_SINCE}
        assert await office.act("release", (before, 0)) == 1
        await office.until(lambda: len(far.taken) == 2)


async def test_a_notice_of_a_decision_is_sent(office: Office, start: Any, settings: Settings) -> None:
    """Its name has the time of the mail that it is about, which is from before."""
    async with Foreign().open() as far:
        await restore(settings.place, time.time())
        await start(routes={"far.test": far.route, "away.test": far.route})
        mail = new_mail_id(time.time() - 3600)
        await office.mail("bob@far.test", reverse_path="ann@away.test", mail_id=mail)
        await office.outcome(mail, "held")
        assert await office.act("bounce", (mail, 0)) == 1
        await office.until(lambda: len(far.taken) == 1)
