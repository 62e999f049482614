"""A store of bodies that does not answer now: the mail is tried again, not held as lost."""

from typing import Any, NoReturn

import pytest

from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.port import BodyUnavailable

from .foreign import Foreign
from .office import Office


async def test_mail_whose_body_is_away_is_deferred(office: Office, start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: LocalBodies, pack: str) -> NoReturn:
        raise BodyUnavailable("status 503")

    monkeypatch.setattr(LocalBodies, "_file", refuse)
    async with Foreign().open() as far:
        await start(routes={"far.test": far.route})
        mail_id = await office.mail("bob@far.test")
        item = await office.deferred(mail_id)
        assert "can't be read now" in item.last_error
        assert not far.taken
