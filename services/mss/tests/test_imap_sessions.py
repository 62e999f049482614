"""IMAP as a person could type it, on the real parts."""

import asyncio

from .house import PASSWORD, House, letter


async def test_log_in_list_select_fetch(house: House) -> None:
    await house.deliver("bob", message=letter("first"))
    client = await house.raw()
    assert await client.no('LOGIN bob@here.test "wrong"') == b"NO [AUTHENTICATIONFAILED] Wrong user name or password"
    await client.ok(f'LOGIN bob@here.test "{PASSWORD}"')
    assert b'* LIST (\\HasNoChildren \\Sent) "/" Sent' in await client.ok('LIST "" "*"')
    assert await client.ok("STATUS INBOX (MESSAGES UNSEEN UIDNEXT)") == [
        b"* STATUS INBOX (MESSAGES 1 UNSEEN 1 UIDNEXT 2)"
    ]
    lines = await client.ok("SELECT INBOX")
    assert b"* 1 EXISTS" in lines
    assert await client.ok("FETCH 1 (FLAGS UID)") == [b"* 1 FETCH (UID 1 FLAGS (\\Recent))"]
    (line,) = await client.ok("FETCH 1 BODY[]")
    assert line.endswith(b"How are you?\r\n FLAGS (\\Seen \\Recent))") or b"Received: by mx.here.test" in line


async def test_idle_hears_of_a_delivery(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    await client.idle()
    await house.deliver("bob")
    assert await client.line() == b"* 1 EXISTS"
    assert await client.line() == b"* 1 RECENT"
    lines, end = await client.done()
    assert (lines, end) == ([], b"OK Idled")


async def test_append_is_seen_at_once(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    end = await client.append(letter("mine"), extra="(\\Flagged) ")
    assert end.startswith(b"OK [APPENDUID ")
    assert await client.ok("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (\\Flagged \\Recent))"]


async def test_everything_in_one_pipeline(house: House) -> None:
    client = await house.imap()
    client.send(b"a SELECT INBOX\r\nb NOOP\r\nc STORE 1:* +FLAGS (\\Seen)\r\nd LOGOUT\r\n")
    _, end = await client.answer(b"a")
    assert end.startswith(b"OK [READ-WRITE]")
    await client.answer(b"b")
    await client.answer(b"c")
    lines, end = await client.answer(b"d")
    assert end.startswith(b"OK")
    assert lines[0].startswith(b"* BYE")
    assert await client.line() == b""
    await asyncio.sleep(0)
