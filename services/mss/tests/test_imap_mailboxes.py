"""Mailboxes by name."""

from .house import House


async def test_create_rename_delete(house: House) -> None:
    client = await house.imap()
    await client.ok("CREATE Projects/2026/")
    assert (await client.no("CREATE Projects")).startswith(b"NO [ALREADYEXISTS]")
    assert (await client.no("CREATE INBOX")).startswith(b"NO [ALREADYEXISTS]")
    assert await client.ok('LIST "" Projects*') == [
        b'* LIST (\\HasChildren) "/" Projects',
        b'* LIST (\\HasNoChildren) "/" Projects/2026',
    ]
    await client.ok("RENAME Projects Work")
    assert await client.ok('LIST "Work/" %') == [b'* LIST (\\HasNoChildren) "/" Work/2026']
    assert (await client.no("RENAME Projects Other")).startswith(b"NO [NONEXISTENT]")
    await client.ok("DELETE Work")
    assert await client.ok('LIST "" Work*') == [
        b'* LIST (\\Noselect \\HasChildren) "/" Work',
        b'* LIST (\\HasNoChildren) "/" Work/2026',
    ]
    assert (await client.no("SELECT Work")).startswith(b"NO [NONEXISTENT]")
    assert (await client.no("DELETE INBOX")).startswith(b"NO [CANNOT]")


async def test_names_of_the_world(house: House) -> None:
    client = await house.imap()
    await client.ok("CREATE &U,BTFw-")
    assert await client.ok('LIST "" &U,BTFw-') == [b'* LIST (\\HasNoChildren) "/" &U,BTFw-']
    await client.ok('CREATE "two words"')
    assert await client.ok('STATUS "two words" (MESSAGES)') == [b'* STATUS "two words" (MESSAGES 0)']


async def test_a_name_that_holds_others_is_not_deleted_twice(house: House) -> None:
    client = await house.imap()
    await client.ok("CREATE a/b")
    await client.ok("DELETE a")
    assert (await client.no("DELETE a")).startswith(b"NO [HASCHILDREN]")
    await client.ok("CREATE a")
    await client.ok("SELECT a")


async def test_who_deletes_what_it_has_selected_goes_on_without(house: House) -> None:
    client, other = await house.imap(), await house.imap()
    await client.ok("CREATE old")
    await client.ok("SELECT old")
    await other.ok("EXAMINE old")
    assert await client.ok("DELETE old") == [b"* OK [CLOSED] Previous mailbox closed"]
    assert await other.line() == b"* BYE The selected mailbox was deleted"
    lines, end = await client.ask("FETCH 1:* FLAGS")
    assert (lines, end) == ([], b"BAD Select a mailbox first")
    await client.ok("SELECT INBOX")
    await client.ok("CREATE old/inner")
    await client.ok("SELECT old")
    await client.ok("DELETE old")
    await client.ok("NOOP")
    assert (await client.no("SELECT old")).startswith(b"NO [NONEXISTENT]")


async def test_another_mailbox_is_selected_behind_a_boundary(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    lines = await client.ok("SELECT Sent")
    assert lines[0] == b"* OK [CLOSED] Previous mailbox closed"
    await client.ok("UNSELECT")
    assert b"CLOSED" not in b"".join(await client.ok("EXAMINE Sent"))
    lines, end = await client.ask("SELECT nowhere")
    assert lines == [b"* OK [CLOSED] Previous mailbox closed"]
    assert end.startswith(b"NO [NONEXISTENT]")


async def test_subscriptions(house: House) -> None:
    client = await house.imap()
    assert b'* LSUB () "/" INBOX' in await client.ok('LSUB "" "*"')
    await client.ok("UNSUBSCRIBE Junk")
    assert b'* LSUB () "/" Junk' not in await client.ok('LSUB "" "*"')
    await client.ok("SUBSCRIBE Future/Plans")
    assert b'* LSUB (\\Noselect) "/" Future' in await client.ok('LSUB "" "%"')


async def test_the_root(house: House) -> None:
    client = await house.imap()
    assert await client.ok('LIST "" ""') == [b'* LIST (\\Noselect) "/" ""']


async def test_status_of_all_that_it_may_be_asked(house: House) -> None:
    client = await house.imap()
    (line,) = await client.ok("STATUS INBOX (UIDVALIDITY HIGHESTMODSEQ APPENDLIMIT)")
    assert b"APPENDLIMIT 52428800" in line
    for content in (b"Subject: one\r\n\r\n", b"Subject: two\r\n\r\nand more\r\n"):
        await client.append(content)
    assert await client.ok("STATUS INBOX (MESSAGES SIZE)") == [b"* STATUS INBOX (MESSAGES 2 SIZE 42)"]
    assert (await client.no("STATUS Nowhere (MESSAGES)")).startswith(b"NO [NONEXISTENT]")


async def test_a_mailbox_is_full_of_keywords(house: House) -> None:
    client = await house.imap()
    await client.append(b"Subject: one\r\n\r\n")
    await client.ok("SELECT INBOX")
    for first in range(0, 55, 11):
        names = " ".join(f"k{n}" for n in range(first, first + 11))
        await client.ok(f"STORE 1 +FLAGS.SILENT ({names})")
    assert (await client.no("STORE 1 +FLAGS (k55)")).startswith(b"NO [LIMIT]")
    await client.ok("STORE 1 +FLAGS (K54)")
    lines = await client.ok("EXAMINE INBOX") + await client.ok("SELECT INBOX")
    (kept,) = [line for line in lines if b"PERMANENTFLAGS (\\" in line]
    assert b"k54" in kept
    assert b"\\*" not in kept
