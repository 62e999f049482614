"""A directory or a mailstore that is there but says nothing: clients are told so soon, and nothing is done behind
their backs."""

import asyncio
import time

import pytest

from barid_contracts.store import (
    APPEND,
    COPY,
    MAILBOX_STATUS,
    STORE,
    AppendRequest,
    CopyRequest,
    MailboxInfo,
    MailboxName,
)
from barid_mss.policy import deadlines
from barid_runtime.bus.port import Bus, BusUnavailable, DeadlineExceeded
from barid_runtime.bus.typed import answer, call

from .house import PASSWORD, House, letter


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "LOGIN", 0.3)
    monkeypatch.setattr(deadlines, "of_change", lambda messages: 0.3)
    monkeypatch.setattr(deadlines, "AGAIN", 0.2)
    monkeypatch.setattr(deadlines, "SKEW", 0.1)
    monkeypatch.setattr(deadlines, "UNKNOWN", 0.8)


async def hang(bus: Bus, subject: str, queue: str) -> None:
    async def never(payload: bytes) -> bytes:
        await asyncio.sleep(3600)
        return b""

    await bus.serve(subject, never, queue=queue)


def test_nobody_waits_long() -> None:
    assert deadlines.LOGIN <= 5
    assert deadlines.of_change(1) <= 5.1
    assert deadlines.of_change(100_000) >= 30


@pytest.mark.usefixtures("impatient")
async def test_a_log_in_is_refused_soon(house: House) -> None:
    client = await house.raw()
    assert house.directory is not None
    await house.directory.drain()
    await hang(house.bus, "mail.v1.directory.authenticate", "directory")
    began = time.monotonic()
    assert (await client.no(f'LOGIN bob@here.test "{PASSWORD}"')).startswith(b"NO [UNAVAILABLE]")
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("impatient")
async def test_a_change_is_refused_soon_and_other_sessions_are_unharmed(house: House) -> None:
    client, idle = await house.imap(mailbox="INBOX"), await house.imap(mailbox="INBOX")
    await client.append(letter())
    await client.ok("NOOP")
    await idle.idle()
    assert await idle.line() == b"* 1 EXISTS"
    await house.stop_mailstore()
    for subject in (STORE.subject, COPY.subject):
        await hang(house.bus, subject, "mailstore")
    stuck = asyncio.ensure_future(client.ask("STORE 1 +FLAGS (\\Seen)"))
    other = await house.imap("eve")
    assert await other.ok("CAPABILITY")
    lines, end = await idle.done()
    assert (lines, end) == ([], b"OK Idled")
    lines, end = await asyncio.wait_for(stuck, 2)
    assert end.startswith(b"NO [UNAVAILABLE]")
    assert await client.ok("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (\\Recent))"]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("command", ["COPY 1 Sent", "MOVE 1 Sent", "APPEND Sent {9+}\r\nX: y\r\n\r\nz"])
async def test_of_what_nobody_knows_no_answer_is_given(house: House, command: str) -> None:
    """It may be done yet, so a NO would be a lie, and whoever believed it would have two copies."""
    client, other = await house.imap(mailbox="INBOX"), await house.imap("eve")
    await client.append(letter())
    await house.stop_mailstore()
    for subject in (COPY.subject, APPEND.subject):
        await hang(house.bus, subject, "mailstore")

    async def status(request: MailboxName) -> MailboxInfo:
        return MailboxInfo(id=1, name=request.name, uidvalidity=1, uidnext=1, modseq=1, messages=0, unseen=0, size=0)

    await answer(house.bus, MAILBOX_STATUS, status, queue="mailstore")
    began = time.monotonic()
    client.send(b"x " + command.encode() + b"\r\n")
    line = await client.line()
    name = command.split()[0]
    assert line == f"* BYE Nobody can say whether {name} was done; look before you repeat it".encode()
    assert await client.line() == b"", "and no tagged answer"
    assert 1 < time.monotonic() - began < 3
    await other.ok("CAPABILITY")


@pytest.mark.parametrize("lost", [BusUnavailable, DeadlineExceeded])
async def test_an_answer_that_was_lost_is_asked_for_again(house: House, lost: type[Exception]) -> None:
    """The mailstore was killed between its commit and its answer."""
    client = await house.imap(mailbox="INBOX")
    for number in range(3):
        await client.append(letter(f"m{number}"))
    assert house.server is not None
    assert house.server._desk is not None
    bus = house.server._desk.bus
    request = bus.request
    losing = True

    async def loses_the_first_answer(subject: str, payload: bytes, *, timeout: float = 5.0) -> bytes:
        nonlocal losing
        reply = await request(subject, payload, timeout=timeout)
        if losing and subject in (COPY.subject, APPEND.subject):
            losing = False
            raise lost
        return reply

    bus.request = loses_the_first_answer  # type: ignore[method-assign]
    assert (await client.append(letter("once"), "Sent")).startswith(b"OK [APPENDUID ")
    losing = True
    _, end = await client.ask("COPY 1 Sent")
    assert b" 1 2] " in end
    losing = True
    assert b" 2:3 3:4] " in (await client.ok("MOVE 2:3 Sent"))[0]
    assert await client.ok("STATUS Sent (MESSAGES)") == [b"* STATUS Sent (MESSAGES 4)"]
    assert await client.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 1)"]


async def test_those_who_ask_together_wait_for_one_deadline(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert house.server is not None
    assert house.server._desk is not None
    asked = 0
    silence = asyncio.Event()

    async def no_answer(*arguments: object, **more: object) -> object:
        nonlocal asked
        asked += 1
        await silence.wait()
        raise DeadlineExceeded("no answer")

    monkeypatch.setattr("barid_mss.views.status.call", no_answer)
    asking = [asyncio.ensure_future(house.server._desk.statuses.ask("a", "INBOX")) for _ in range(5)]
    await asyncio.sleep(0)
    silence.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DeadlineExceeded] * 5
    assert asked == 1


async def test_what_was_refused_is_not_done_later(house: House) -> None:
    """The mailstore wakes up and finds a COPY and an APPEND whose clients were told NO."""
    client = await house.imap(mailbox="INBOX")
    await client.append(letter())
    now = time.time()
    captured: list[CopyRequest | AppendRequest] = []
    assert house.server is not None
    assert house.server._desk is not None
    bus = house.server._desk.bus
    request = bus.request

    async def overheard(subject: str, payload: bytes, *, timeout: float = 5.0) -> bytes:
        for operation in (COPY, APPEND):
            if subject == operation.subject:
                captured.append(operation.request.model_validate_json(payload))  # type: ignore[arg-type]
        return await request(subject, payload, timeout=timeout)

    bus.request = overheard  # type: ignore[method-assign]
    await client.ok("COPY 1 Sent")
    assert (await client.append(letter("second"))).startswith(b"OK")
    copy, append = captured
    assert isinstance(copy, CopyRequest)
    assert isinstance(append, AppendRequest)
    assert await call(house.bus, COPY, copy) == await call(house.bus, COPY, copy), "but what was done is told"
    for each in (copy, append):
        assert 0 < each.not_after - now * 1000 < 10_000
    late = int(now * 1000) - 1
    with pytest.raises(Exception, match="late"):
        await call(house.bus, COPY, copy.model_copy(update={"not_after": late, "key": copy.key[:-1] + "0"}))
    with pytest.raises(Exception, match="late"):
        again = append.mail.model_copy(update={"mail_id": append.mail.mail_id[:-1] + "0"})
        await call(house.bus, APPEND, append.model_copy(update={"not_after": late, "mail": again}))
    assert await client.ok("STATUS Sent (MESSAGES)") == [b"* STATUS Sent (MESSAGES 1)"]
    assert await client.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 2)"]
