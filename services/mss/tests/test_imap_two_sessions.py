"""Two sessions on one mailbox: what each is told of the other, and when."""

from .house import House, letter


async def test_flags_travel(house: House) -> None:
    bob, other = await house.imap(mailbox="INBOX"), await house.imap(mailbox="INBOX")
    await bob.append(letter())
    assert b"* 1 EXISTS" in await other.ok("NOOP")
    assert await bob.ok("STORE 1 +FLAGS ($Forwarded \\Answered)") == [
        b"* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded)",
        b"* 1 FETCH (FLAGS (\\Answered \\Recent $Forwarded))",
    ]
    assert await other.ok("NOOP") == [
        b"* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded)",
        b"* 1 FETCH (UID 1 FLAGS (\\Answered $Forwarded))",
    ]


async def test_expunge_waits_for_a_command_that_allows_it(house: House) -> None:
    bob, other = await house.imap(mailbox="INBOX"), await house.imap(mailbox="INBOX")
    for number in range(3):
        await bob.append(letter(f"m{number}"))
    await other.ok("NOOP")
    await bob.ok("STORE 1 +FLAGS (\\Deleted)")
    await bob.ok("EXPUNGE")
    # Numbers must not shift under a FETCH; the message that is gone has flags still, but no body any more.
    lines = await other.ok("FETCH 1:3 UID")
    assert lines[:3] == [b"* 1 FETCH (UID 1)", b"* 2 FETCH (UID 2)", b"* 3 FETCH (UID 3)"]
    lines, end = await other.ask("FETCH 1:3 RFC822.SIZE")
    assert [line.split()[1] for line in lines if b"SIZE" in line] == [b"2", b"3"]
    assert end.startswith(b"NO [EXPUNGEISSUED]")
    assert (await other.no("STORE 1 +FLAGS (\\Seen)")).startswith(b"NO [EXPUNGEISSUED]")
    assert await other.ok("NOOP") == [b"* 1 EXPUNGE"]
    assert await other.ok("FETCH 1 UID") == [b"* 1 FETCH (UID 2)"]


async def test_idle_hears_of_the_other(house: House) -> None:
    bob, other = await house.imap(mailbox="INBOX"), await house.imap(mailbox="INBOX")
    await other.idle()
    await bob.append(letter())
    assert await other.line() == b"* 1 EXISTS"
    await bob.ok("STORE 1 +FLAGS (\\Deleted)")
    assert await other.line() == b"* 1 FETCH (UID 1 FLAGS (\\Deleted))"
    await bob.ok("EXPUNGE")
    assert await other.line() == b"* 1 EXPUNGE"
    await other.done()


async def test_conditional_store(house: House) -> None:
    bob, other = await house.imap(), await house.imap(mailbox="INBOX")
    lines = await bob.ok("SELECT INBOX (CONDSTORE)")
    assert any(b"[HIGHESTMODSEQ " in line for line in lines)
    await bob.append(letter("a"))
    await bob.append(letter("b"))
    _, second = await bob.ok("FETCH 1:2 (MODSEQ)")
    modseq = int(second.rpartition(b"(")[2].rstrip(b")"))
    await other.ok("NOOP")
    await other.ok("STORE 1 +FLAGS (\\Flagged)")
    lines, end = await bob.ask(f"STORE 1:2 (UNCHANGEDSINCE {modseq}) +FLAGS.SILENT (\\Seen)")
    assert end.startswith(b"OK [MODIFIED 1]")
    assert any(line.startswith(b"* 2 FETCH (MODSEQ") for line in lines)
    lines = await bob.ok(f"FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})")
    assert [line.split()[1] for line in lines] == [b"1", b"2"]
    assert await bob.ok(f"SEARCH MODSEQ {modseq + 2}") == [b"* SEARCH 2 (MODSEQ %d)" % (modseq + 2)]


async def test_recent_is_the_first_sessions(house: House) -> None:
    await house.deliver("bob")
    bob = await house.imap()
    assert b"* 1 RECENT" in await bob.ok("SELECT INBOX")
    other = await house.imap()
    assert b"* 0 RECENT" in await other.ok("SELECT INBOX")
    await bob.ok("LOGOUT")
    await other.ok("UNSELECT")
    await house.deliver("bob")
    assert await other.ok("STATUS INBOX (RECENT)") == [b"* STATUS INBOX (RECENT 1)"]
    assert b"* 1 RECENT" in await other.ok("SELECT INBOX")


async def test_a_deleted_mailbox_ends_its_sessions(house: House) -> None:
    bob, other = await house.imap(), await house.imap()
    await bob.ok("CREATE Projects")
    await other.ok("SELECT Projects")
    idle = await house.imap(mailbox="Projects")
    await idle.idle()
    await bob.ok("DELETE Projects")
    assert (await idle.line()).startswith(b"* BYE The selected mailbox was deleted")
    assert (await other.line()).startswith(b"* BYE The selected mailbox was deleted")


async def test_a_renamed_mailbox_stays_selected(house: House) -> None:
    bob, other = await house.imap(), await house.imap()
    await bob.ok("CREATE Projects")
    await other.ok("SELECT Projects")
    await bob.ok("RENAME Projects Work")
    await bob.append(letter(), mailbox="Work")
    assert b"* 1 EXISTS" in await other.ok("NOOP")
    await bob.ok("CREATE Projects")
    await bob.append(letter(), mailbox="Work")
    assert b"* 2 EXISTS" in await other.ok("NOOP")
