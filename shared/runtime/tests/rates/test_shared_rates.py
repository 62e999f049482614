"""Replicas on a real bus: what one lets through counts at all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest_asyncio

from barid_runtime.bus.nats import connect
from barid_runtime.rates.shared import EXCHANGE, SharedRates

Start = Callable[[str], Any]


@pytest_asyncio.fixture
async def start(nats_url: str, manual_clock: Any) -> AsyncIterator[Start]:
    ends: list[Any] = []

    async def make(writer: str, name: str = "submission") -> SharedRates:
        bus = await connect(nats_url, name=writer)
        rates = SharedRates(name, writer, bus, manual_clock)
        await rates.start()
        ends.extend((rates, bus))
        return rates

    yield make
    for each in ends:
        await each.close()


async def until(rates: SharedRates, key: str, count: float) -> None:
    async with asyncio.timeout(10):
        while rates.rate(key) != count:
            await asyncio.sleep(0.005)


async def test_what_each_lets_through_sums_up(start: Start, manual_clock: Any) -> None:
    a, b, strangers = await start("a"), await start("b"), await start("c", "of something else")
    for _ in range(6):
        assert a.take([("anna", 1, 10)]) is None
    for _ in range(3):
        assert b.take([("anna", 1, 10)]) is None
    assert b.rate("anna") == 3, "told once in a while, not each time"
    await manual_clock.advance(EXCHANGE)
    await until(a, "anna", 9)
    await until(b, "anna", 9)
    assert a.take([("anna", 1, 10)]) is None
    assert a.take([("anna", 1, 10)]) == "anna"
    assert strangers.rate("anna") == 0


async def test_who_comes_later_hears_of_all_also_of_those_who_are_gone(start: Start, manual_clock: Any) -> None:
    first, second = await start("first"), await start("second")
    first.take([("anna", 7, 10)])
    await first.close()  # the last is told at the end
    await until(second, "anna", 7)
    third = await start("third")
    await until(third, "anna", 7)
    assert third.take([("anna", 4, 10)]) == "anna"
