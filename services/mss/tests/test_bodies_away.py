"""A store of bodies that does not answer now: clients are told to come again, and nothing is taken for lost."""

from typing import NoReturn

import pytest

from barid_runtime.journal.bodies import LocalBodies
from barid_runtime.journal.port import BodyUnavailable

from .house import PASSWORD, House, letter


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def refuse(self: LocalBodies, pack: str) -> NoReturn:
        raise BodyUnavailable("status 503")

    monkeypatch.setattr(LocalBodies, "_file", refuse)
    return monkeypatch


async def test_imap_says_no_for_now_and_serves_it_later(house: House, away: pytest.MonkeyPatch) -> None:
    await house.deliver("bob", message=letter("one", body="it is here\r\n"))
    client = await house.imap(mailbox="INBOX")
    for command in ("FETCH 1 BODY.PEEK[]", "SEARCH BODY here"):
        lines, end = await client.ask(command)
        assert end.startswith(b"NO [UNAVAILABLE] "), command
        assert not any(b"NIL" in line for line in lines)
    await client.ok("FETCH 1 FLAGS")
    away.undo()
    (line,) = await client.ok("FETCH 1 BODY.PEEK[]")
    assert b"it is here" in line


async def test_pop3_says_that_it_is_for_now(house: House, away: pytest.MonkeyPatch) -> None:
    await house.deliver("bob")
    client = await house.raw("pop3")
    for line in ("USER bob@here.test", f"PASS {PASSWORD}"):
        client.send(f"{line}\r\n".encode())
        assert (await client.line()).startswith(b"+OK")
    client.send(b"RETR 1\r\n")
    assert (await client.line()).startswith(b"-ERR [SYS/TEMP]")
    away.undo()
    client.send(b"RETR 1\r\n")
    assert (await client.line()).startswith(b"+OK")
