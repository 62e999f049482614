"""QRESYNC and UIDONLY over a real socket: what a client is told that was away, and what one that stayed."""

import pytest

from .house import House, Raw, letter

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def five(house: House, user: str) -> tuple[Raw, bytes, bytes]:
    """A session with five messages, UIDVALIDITY and HIGHESTMODSEQ."""
    client = await house.imap(user)
    for number in range(5):
        await client.append(letter(f"m{number}"))
    lines = await client.ok("SELECT INBOX")
    told = {line.split()[2].lstrip(b"["): line.split()[3].rstrip(b"]") for line in lines if b"* OK [" in line}
    return client, told[b"UIDVALIDITY"], told[b"HIGHESTMODSEQ"]


async def test_who_comes_back_is_told_what_went(one_house: House, user: str) -> None:
    client, validity, modseq = await five(one_house, user)
    await client.ok("UID STORE 2,4 +FLAGS.SILENT (\\Deleted)")
    await client.ok("UID STORE 3 +FLAGS.SILENT (\\Flagged)")
    await client.ok("EXPUNGE")
    back = await one_house.imap(user)
    assert await back.ok("ENABLE QRESYNC") == [b"* ENABLED QRESYNC"]
    lines = await back.ok(b"SELECT INBOX (QRESYNC (%b %b))" % (validity, modseq))
    told = [line for line in lines if b"VANISHED" in line or b"FETCH" in line]
    assert told[0] == b"* VANISHED (EARLIER) 2,4"
    assert [line.split(b"MODSEQ")[0] for line in told[1:]] == [b"* 2 FETCH (UID 3 FLAGS (\\Flagged) "]
    (newest,) = [line.split()[3].rstrip(b"]") for line in lines if b"HIGHESTMODSEQ" in line]
    lines = await back.ok(b"SELECT INBOX (QRESYNC (%b %b))" % (validity, newest))
    assert [line for line in lines if b"VANISHED" in line or b"FETCH" in line] == []
    assert await back.ok(b"UID FETCH 3:5 (FLAGS) (CHANGEDSINCE %b VANISHED)" % modseq) == [
        b"* VANISHED (EARLIER) 4",
        b"* 2 FETCH (UID 3 FLAGS (\\Flagged) MODSEQ (%b))" % (b"%d" % (int(newest) - 1)),
    ]


async def test_who_stayed_hears_of_it_by_uid(one_house: House, user: str) -> None:
    client, _, _ = await five(one_house, user)
    other = await one_house.imap(user)
    await other.ok("ENABLE QRESYNC")
    await other.ok("SELECT INBOX")
    await client.ok("UID STORE 2:3,5 +FLAGS.SILENT (\\Deleted)")
    await client.ok("UID EXPUNGE 2:3")
    # Its numbers must not shift yet.
    assert (await other.ok("FETCH 5 UID"))[0] == b"* 5 FETCH (UID 5)"
    assert b"* VANISHED 2:3" in await other.ok("NOOP")
    lines, end = await other.ask("EXPUNGE")
    assert b"* VANISHED 5" in lines
    assert end.startswith(b"OK [HIGHESTMODSEQ ")
    lines, end = await other.ask("UID MOVE 4 Archive")
    assert lines[0].startswith(b"* OK [COPYUID")
    assert lines[1] == b"* VANISHED 4"
    assert end.startswith(b"OK [HIGHESTMODSEQ ")


async def test_messages_are_named_by_uid_alone(one_house: House, user: str) -> None:
    client, _, _ = await five(one_house, user)
    await client.ok("UID STORE 1 +FLAGS.SILENT (\\Deleted)")
    await client.ok("EXPUNGE")
    other = await one_house.imap(user)
    await other.ok("ENABLE UIDONLY")
    assert b"UNSEEN" not in b"".join(await other.ok("SELECT INBOX"))
    assert (await other.ask("FETCH 1 FLAGS"))[1].startswith(b"BAD [UIDREQUIRED]")
    assert await other.ok("UID FETCH 2:3 (FLAGS)") == [
        b"* 2 UIDFETCH (UID 2 FLAGS ())",
        b"* 3 UIDFETCH (UID 3 FLAGS ())",
    ]
    assert [line.split(b" BODY")[0] for line in await other.ok("UID FETCH 5 BODY.PEEK[TEXT]")] == [
        b"* 5 UIDFETCH (UID 5"
    ]
    assert await other.ok("UID FETCH 2 (UID MODSEQ)") != []
    lines = await other.ok("UID STORE 4 +FLAGS (\\Seen)")
    assert lines[0].startswith(b"* 4 UIDFETCH (UID 4 FLAGS (\\Seen)")
    await client.ok("UID STORE 2 +FLAGS.SILENT (\\Deleted)")
    await client.ok("EXPUNGE")
    assert b"* VANISHED 2" in await other.ok("NOOP")
