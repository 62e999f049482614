"""A process that ends by itself comes back after a pause that doubles, up to the most, and is forgotten in time.

The real supervisor on a loop whose clock jumps to what is due next; the fork server's end of the line is played.
"""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

import pytest

from barid.plan import Process
from barid.supervisor import ATTEMPTS_AT_START, PAUSE_FIRST, PAUSE_MOST, STABLE_SECONDS, Supervisor


class JumpingLoop(asyncio.SelectorEventLoop):
    """Nobody waits: when there is nothing to do, the next timer's time has come."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now = max(self._now, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


class Played:
    """The line to the fork server, and what comes back over it."""

    def __init__(self, *, was_ready: bool = True) -> None:
        self.supervisor = Supervisor([Process(("mda",))], [9], drain_seconds=1, log_level="error", log_format="json")
        self.supervisor._writer = self  # type: ignore[assignment]
        self.supervisor._settings = {"mda": {}}
        self.supervisor._was_ready = was_ready
        self._forks: asyncio.Queue[float] = asyncio.Queue()
        self._pid = 100
        self.supervisor._fork(self.supervisor._groups["mda"])

    def write(self, line: bytes) -> None:
        assert json.loads(line)["group"] == "mda"
        self._forks.put_nowait(asyncio.get_running_loop().time())

    async def live(self, seconds: float, code: int = 1, failure: str = "") -> float:
        """The process that is there or comes next ends after so long. How long after that one it came."""
        ended = asyncio.get_running_loop().time()
        forked = await self._forks.get()
        self._pid += 1
        said = {"group": "mda", "pid": self._pid}
        self.supervisor._on_message({"event": "forked", **said})
        await asyncio.sleep(seconds)
        if failure:
            self.supervisor._on_message({"event": "failed", "text": failure, "code": code, **said})
        self.supervisor._on_message({"event": "ended", "code": code, **said})
        return forked - ended


def run(test: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        runner.run(test)


def test_the_pause_doubles_up_to_the_most_and_is_forgotten_after_good_work() -> None:
    async def dialogue() -> None:
        played = Played()
        await played.live(0)
        pauses = [await played.live(0.01) for _ in range(9)]
        assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10])
        assert await played.live(STABLE_SECONDS - 1) == pytest.approx(PAUSE_MOST)
        assert await played.live(STABLE_SECONDS + 1) == pytest.approx(PAUSE_MOST)
        assert await played.live(0) == pytest.approx(PAUSE_FIRST)
        assert await played.live(0) == pytest.approx(2 * PAUSE_FIRST)

    run(dialogue())


def test_a_killed_process_comes_back_as_one_that_ended() -> None:
    async def dialogue() -> None:
        played = Played()
        await played.live(STABLE_SECONDS + 1, code=-9)
        assert await played.live(0) == pytest.approx(PAUSE_FIRST)

    run(dialogue())


def test_a_disk_that_is_full_later_is_waited_for() -> None:
    async def dialogue() -> None:
        played = Played()
        pauses = [await played.live(0, 74, "mda: the disk is full") for _ in range(10)]
        assert pauses[-1] == pytest.approx(PAUSE_MOST)
        assert not played.supervisor.failed.done()

    run(dialogue())


def test_before_the_first_time_it_was_ready_it_gives_up() -> None:
    async def dialogue() -> None:
        played = Played(was_ready=False)
        for _ in range(ATTEMPTS_AT_START):
            assert not played.supervisor.failed.done()
            await played.live(0)
        assert "mda does not start (exit code 1)" in str(played.supervisor.failed.result())

    run(dialogue())


def test_what_a_person_must_mend_is_said_at_once() -> None:
    async def dialogue() -> None:
        played = Played(was_ready=False)
        await played.live(0, 74, "mda: the disk is full")
        failure = played.supervisor.failed.result()
        assert (str(failure), failure.exit_code) == ("mda: the disk is full", 74)

    run(dialogue())


def test_wrong_settings_are_never_tried_again() -> None:
    async def dialogue() -> None:
        played = Played()
        await played.live(0, 78)
        assert played.supervisor.failed.result().exit_code == 78

    run(dialogue())
