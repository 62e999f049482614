"""The clock that tests move."""

import asyncio

from barid_testing.fixtures import ManualClock


async def test_sleepers_wake_in_the_order_of_their_times(manual_clock: ManualClock) -> None:
    start = manual_clock.now()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await manual_clock.sleep(nap)
            woken.append((name, manual_clock.now() - start))

    tasks = [asyncio.create_task(sleeper("late", 20)), asyncio.create_task(sleeper("early", 5, 5, 50))]
    await asyncio.sleep(0)
    await manual_clock.advance(4)
    assert woken == []
    await manual_clock.advance(26)
    # The second nap began inside the advance, and ended inside it.
    assert woken == [("early", 5), ("early", 10), ("late", 20)]
    assert manual_clock.now() == start + 30
    for task in tasks:
        task.cancel()


async def test_a_sleeper_that_gave_up_is_forgotten(manual_clock: ManualClock) -> None:
    task = asyncio.create_task(manual_clock.sleep(5))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    await manual_clock.advance(10)
    assert task.cancelled()
