"""Whatever happens to requests and answers on their way: what is said to have been done was done once, and what is said
to have failed is not done, then or later."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barid_contracts.store import COPY, CopyReply, CopyRequest
from barid_mss.handlers.asking import OutcomeUnknown, ask_until_known
from barid_mss.policy import deadlines
from barid_runtime.bus.port import BusError, BusUnavailable, DeadlineExceeded, NoResponders, OperationFailed

BEGAN = 1_790_000_000.0
REPLY = CopyReply(uidvalidity=1, source=b"", target=b"")

Fate = tuple[str, float]
"""What befalls one request, and a number of seconds that it may need."""


@dataclass
class Away:
    """A bus with a mailstore behind it, and the clock of whoever asks. skew: of the mailstore's clock."""

    fates: list[Fate]
    skew: float = 0.0
    time: float = BEGAN
    connected: bool = True
    done: int = 0
    asked: int = 0
    exists: bool = True
    on_their_way: list[float] = field(default_factory=list)
    """Times at which copies of the request arrive whose answer nobody hears."""

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds
        self.deliver_due()

    def deliver_due(self) -> None:
        due, self.on_their_way = (
            [at for at in self.on_their_way if at <= self.time],
            [at for at in self.on_their_way if at > self.time],
        )
        for _ in due:
            try:
                self.execute()
            except OperationFailed:
                pass

    def execute(self) -> None:
        """As the mailstore does it."""
        if self.done:
            return
        if (self.time + self.skew) * 1000 >= self.not_after:
            raise OperationFailed("late")
        if not self.exists:
            raise OperationFailed("not_found")
        self.done += 1

    async def request(self, subject: str, payload: bytes, *, timeout: float = 5.0) -> bytes:
        self.asked += 1
        self.not_after = CopyRequest.model_validate_json(payload).not_after
        kind, seconds = self.fates.pop(0) if self.fates else ("lost", 0.0)
        await self.sleep(min(seconds, timeout) if kind not in ("held up", "away") else 0.0)
        match kind:
            case "answered":
                self.execute()
                return REPLY.model_dump_json().encode()
            case "no mailbox":
                self.exists = False
                try:
                    self.execute()
                finally:
                    self.exists = True
                return REPLY.model_dump_json().encode()
            case "no mailstore":
                raise NoResponders
            case "database away":
                raise OperationFailed("unavailable")
            case "a bug":
                raise OperationFailed("internal")
            case "commit failed":
                raise OperationFailed("unknown")
            case "committed in silence":
                self.execute()
                raise OperationFailed("unknown")
            case "bus lost behind it":
                self.execute()
                raise BusUnavailable
            case "bus lost before it":
                raise BusUnavailable
            case "away":
                self.connected = False
                raise BusUnavailable
            case "killed before the answer":
                self.execute()
            case "held up":
                self.on_their_way.append(self.time + seconds)
        await self.sleep(timeout)
        raise DeadlineExceeded


KINDS = (
    "answered", "no mailbox", "no mailstore", "database away", "a bug", "commit failed", "committed in silence",
    "bus lost behind it", "bus lost before it", "killed before the answer", "held up", "lost",
)  # fmt: skip


async def ask(away: Away) -> CopyReply:
    window = deadlines.Window(away.now(), deadlines.of_change(1))
    request = CopyRequest(account="a", mailbox=1, uids=[1], target="T", not_after=window.not_after, key="K")
    bus: Any = away
    clock: Any = away
    return await ask_until_known(bus, clock, COPY, request, window)


@settings(max_examples=100, deadline=None)
@given(
    fates=st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 30)), max_size=8),
    skew=st.floats(-0.9, 0.9),
)
def test_what_is_said_is_true_now_and_later(fates: list[Fate], skew: float) -> None:
    away = Away(list(fates), skew)
    said: str
    try:
        asyncio.run(ask(away))
        said = "done"
    except OutcomeUnknown:
        said = "unknown"
    except BusError:
        said = "no"
    assert away.time - BEGAN <= deadlines.of_change(1) + deadlines.UNKNOWN + 30 + deadlines.AGAIN
    away.time += 3600
    away.deliver_due()
    assert away.done <= 1
    if said != "unknown":
        assert away.done == (said == "done"), said


@pytest.mark.parametrize("kind", ["killed before the answer", "bus lost behind it", "committed in silence", "lost"])
def test_an_answer_that_was_lost_is_asked_for_again(kind: str) -> None:
    away = Away([(kind, 0.0), ("no mailstore", 0.0), ("database away", 0.0), ("answered", 0.0)])
    assert asyncio.run(ask(away)) == REPLY
    assert (away.done, away.asked) == (1, 4)


@pytest.mark.parametrize("kind", ["no mailbox", "no mailstore", "database away", "a bug"])
def test_a_refusal_is_passed_on_at_once_while_nobody_else_can_have_the_request(kind: str) -> None:
    away = Away([(kind, 0.0)])
    with pytest.raises(BusError):
        asyncio.run(ask(away))
    assert (away.asked, away.time) == (1, BEGAN)


def test_a_refusal_is_not_believed_while_an_earlier_copy_may_be_done() -> None:
    away = Away([("held up", 2.5), ("no mailbox", 0.0), ("answered", 1.0)])
    assert asyncio.run(ask(away)) == REPLY
    assert away.done == 1


def test_a_mailstore_that_cannot_look_does_not_say_that_it_was_not_done() -> None:
    away = Away([("killed before the answer", 0.0), *[("database away", 0.0)] * 40, ("answered", 0.0)])
    assert asyncio.run(ask(away)) == REPLY
    assert away.time - BEGAN > deadlines.of_change(1) + deadlines.SKEW
    assert away.done == 1


def test_a_bus_that_stays_away_is_a_no_when_nothing_was_sent() -> None:
    away = Away([("away", 0.0)] * 100)
    away.connected = False
    with pytest.raises(BusUnavailable):
        asyncio.run(ask(away))
    assert deadlines.of_change(1) < away.time - BEGAN < deadlines.of_change(1) + 2


def test_nobody_waits_for_ever() -> None:
    away = Away([])
    with pytest.raises(OutcomeUnknown):
        asyncio.run(ask(away))
    assert away.time - BEGAN < 30
    assert away.asked < 20
