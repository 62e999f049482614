"""The relay with no more rights on the bus than its own; and a bus that dies and comes back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from pydantic import SecretStr

from barid_contracts import directory
from barid_contracts.queue import CAPTURED
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.typed import answer

from .foreign import Foreign
from .office import Office, resolve

USERS = {"relay": "r" * 20, "barid": "b" * 20}


@pytest_asyncio.fixture
async def guarded(tmp_path: Path, settings: Any) -> AsyncIterator[tuple[EmbeddedNats, Office]]:
    server = EmbeddedNats(tmp_path / "nats", users=USERS)
    await server.start()
    bus = await connect(server.url, user="barid", password=USERS["barid"])
    await answer(bus, directory.RESOLVE, resolve, queue="directory")
    office = Office(bus, settings)
    await office.open()
    yield server, office
    await office.close()
    await bus.close()
    await server.stop()


async def test_all_that_it_does_it_may_do(guarded: tuple[EmbeddedNats, Office], start: Any) -> None:
    server, office = guarded
    told: list[bytes] = []

    async def listener(payload: bytes) -> None:
        told.append(payload)

    await office.bus.subscribe(CAPTURED.subject, listener)
    log_in = {"bus_url": server.url, "bus_user": "relay", "bus_password": SecretStr(USERS["relay"])}
    async with Foreign(replies={"RCPT": "550 5.1.1 no"}).open() as far:
        relay = await start(routes={"far.test": far.route}, **log_in)
        mail_id = await office.mail("x@far.test", "y@other.test")
        await office.outcome(mail_id, "bounced", "captured")
        assert (await office.notice())[0].parent == mail_id
        await office.until(lambda: told)
        await server.stop()
        await office.until(lambda: relay.checks()["bus"] == "not connected")
        await server.start()
        await office.until(lambda: relay.checks()["bus"] == "ok" and office.bus.connected, 10)
        far.replies.clear()
        again = await office.mail("z@far.test")
        await office.until(lambda: far.taken, 10)
        await office.outcome(again, "relayed")
