"""A mailstore that is killed in the middle of settling, again and again: what was settled is settled exactly once."""

import asyncio
import signal

import pytest

from barid_contracts import settle
from barid_contracts.mail import Accepted, AcceptedBatch
from barid_mailstore.settings import Settings
from barid_runtime.bus.port import Bus, BusError
from barid_runtime.bus.typed import call

from .desk import Desk, filed, make_mail
from .processes import process, ready

ROUNDS = 3
ACCOUNTS = ("bob", "carl", "dora")


def request(mails: list[Accepted]) -> settle.SettleRequest:
    return settle.SettleRequest(
        accepted=AcceptedBatch(mails=mails), settlements=[filed(mail, n) for mail in mails for n in range(2)]
    )


async def settle_all(bus: Bus, batches: list[list[Accepted]]) -> list[list[Accepted]]:
    """Settle until the mailstore dies; returns the batches whose outcome is not known."""
    unknown: list[list[Accepted]] = []

    async def one(mails: list[Accepted]) -> None:
        try:
            await call(bus, settle.SETTLE, request(mails), timeout=1.0)
        except BusError:
            unknown.append(mails)

    for start in range(0, len(batches), 4):
        await asyncio.gather(*[one(mails) for mails in batches[start : start + 4]])
    return unknown


async def test_killed_in_the_middle_of_settling(bus: Bus, settings: Settings) -> None:
    desk = Desk(bus)
    batches = [[make_mail(ACCOUNTS[k % 3], ACCOUNTS[(k + 1) % 3]) for _ in range(5)] for k in range(120)]
    owed = batches
    for round_ in range(ROUNDS):
        async with process(settings) as child:
            await ready(desk)
            settling = asyncio.create_task(settle_all(bus, owed))
            await asyncio.sleep(0.03 + 0.04 * round_)
            child.send_signal(signal.SIGKILL)
            owed = await settling
    async with process(settings) as child:
        await ready(desk)
        # Everything again, also what was answered: a redelivery may repeat any of it.
        assert await settle_all(bus, batches) == []
        for account in ACCOUNTS:
            rows = await desk.rows(account)
            assert list(rows) == list(range(1, len(rows) + 1))
        counts = [(await desk.box(account)).messages for account in ACCOUNTS]
        assert sum(counts) == 2 * sum(len(mails) for mails in batches)
        assert counts == [400, 400, 400]
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b'{"accepted":{"mails":[]},"settlements":[{}]}', b"[" * 5000])
async def test_requests_that_are_no_requests(desk: Desk, text: bytes) -> None:
    async def ask() -> bytes:
        return await desk.bus.request(settle.SETTLE.subject, text)

    assert await desk.refused(ask()) == "invalid"
