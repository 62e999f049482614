"""What well-known clients send, in their order and spelling, and what they rely on in the answers."""

import re

from .house import PASSWORD, House, letter


async def test_a_synchroniser_looks_around_uploads_finds_again_and_cleans_up(house: House) -> None:
    """As mbsync does: a header of its own finds what it has uploaded."""
    client = await house.raw()
    await client.ok("CAPABILITY")
    await client.ok(f'LOGIN bob@here.test "{PASSWORD}"')
    assert await client.ok("NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL NIL']
    assert b'* LIST (\\HasNoChildren) "/" INBOX' in await client.ok('LIST "" "*"')
    assert (await client.append(letter(), "Mirror")) == b"NO [TRYCREATE] No such mailbox"
    await client.ok('CREATE "Mirror"')
    await client.ok('SELECT "Mirror"')
    assert await client.ok("UID FETCH 1:* (UID FLAGS)") == []
    end = await client.append(
        b"X-TUID: k9Qw8Xz\r\nSubject: one\r\n\r\nx\r\n", "Mirror", '(\\Seen) " 7-Feb-2026 09:00:00 +0100" '
    )
    match = re.match(rb"OK \[APPENDUID \d+ (\d+)\]", end)
    assert match is not None
    uid = match[1].decode()
    assert await client.ok('UID SEARCH HEADER X-TUID "k9Qw8Xz"') == [f"* SEARCH {uid}".encode()]
    (line,) = await client.ok(f"UID FETCH {uid} (BODY.PEEK[HEADER.FIELDS (X-TUID)])")
    assert b"X-TUID: k9Qw8Xz" in line
    assert await client.ok(f"UID FETCH {int(uid) + 1}:* (UID FLAGS)") == [
        f"* 1 FETCH (UID {uid} FLAGS (\\Seen \\Recent))".encode()
    ]
    assert await client.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)") == []
    await client.ok("CLOSE")
    assert await client.ok("STATUS Mirror (MESSAGES)") == [b"* STATUS Mirror (MESSAGES 0)"]


async def test_a_desktop_client_opens_reads_moves_and_empties(house: House) -> None:
    """As Thunderbird does, in lower case and with CONDSTORE."""
    for number in range(3):
        await house.deliver("bob", message=letter(f"m{number}"))
    client = await house.imap()
    await client.ok('ID ("name" "Thunderbird" "version" "128.0")')
    await client.ok('lsub "" "*"')
    await client.ok('list "" "INBOX"')
    lines = await client.ok('select "INBOX" (CONDSTORE)')
    assert b"* 3 EXISTS" in lines
    assert any(b"[HIGHESTMODSEQ " in line for line in lines)
    lines = await client.ok("UID fetch 1:* (FLAGS)")
    assert [re.sub(rb"MODSEQ \(\d+\)", b"MODSEQ", line) for line in lines] == [
        b"* %d FETCH (UID %d FLAGS (\\Recent) MODSEQ)" % (n, n) for n in (1, 2, 3)
    ]
    fields = "From To Cc Subject Date Message-ID References Content-Type"
    lines = await client.ok(f"UID fetch 1:3 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({fields})])")
    assert [b"m%d" % n in line for n, line in enumerate(lines)] == [True] * 3
    (line,) = await client.ok("UID fetch 2 (UID RFC822.SIZE BODY[])")
    assert b"FLAGS (\\Seen \\Recent)" in line
    lines = await client.ok('uid copy 1 "Trash"')
    await client.ok("uid store 1 +Flags (\\Deleted \\Seen)")
    lines = await client.ok("expunge")
    assert b"* 1 EXPUNGE" in lines
    lines = await client.ok("UID fetch 1:* (FLAGS) (CHANGEDSINCE 1)")
    assert len(lines) == 2
    await client.ok("close")
    await client.ok('select "Trash"')
    await client.ok("uid store 1:* +Flags.silent (\\Deleted)")
    await client.ok("close")
    assert await client.ok('STATUS "Trash" (UIDNEXT MESSAGES UNSEEN RECENT)') == [
        b"* STATUS Trash (UIDNEXT 2 MESSAGES 0 UNSEEN 0 RECENT 0)"
    ]


async def test_a_terminal_client_asks_too_much_and_goes_on(house: House) -> None:
    """As mutt does: numbers from an old count, STATUS of what is selected, NOOP in between."""
    await house.deliver("bob")
    client = await house.imap(mailbox="INBOX")
    lines, end = await client.ask("FETCH 1:9 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER])")
    assert lines == []
    assert end.startswith(b"BAD")
    assert await client.ok("STATUS INBOX (MESSAGES UIDNEXT)") == [b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2)"]
    await house.deliver("bob")
    assert b"* 2 EXISTS" in await client.ok("NOOP")
    assert len(await client.ok("FETCH 1:2 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER])")) == 2
    assert await client.ok("UID FETCH 900:* UID") == [b"* 2 FETCH (UID 2)"]
    assert await client.ok("UID FETCH 900:999 UID") == []
    assert await client.ok("UID SEARCH UID 900:*") == [b"* SEARCH 2"]


async def test_a_mailbox_is_renamed_under_a_session_that_has_it_selected(house: House) -> None:
    client, other = await house.imap(), await house.imap()
    await client.ok("CREATE before")
    await client.append(letter("kept"), "before")
    await client.ok("SELECT before")
    await other.ok("RENAME before after")
    await client.ok("NOOP")
    assert await client.ok("STORE 1 +FLAGS.SILENT (\\Seen)") == []
    assert (await other.append(letter("more"), "after")).startswith(b"OK")
    assert b"* 2 EXISTS" in await client.ok("NOOP")
    assert (await client.no("SELECT before")).startswith(b"NO [NONEXISTENT]")


async def test_a_mailbox_that_is_deleted_and_made_again_is_another(house: House) -> None:
    client, other = await house.imap(), await house.imap()
    await client.ok("CREATE again")
    (first,) = await client.ok("STATUS again (UIDVALIDITY)")
    await client.ok("SELECT again")
    await client.idle()
    await other.ok("DELETE again")
    await other.ok("CREATE again")
    assert (await client.line()).startswith(b"* BYE")
    assert await other.ok("STATUS again (UIDVALIDITY)") != [first]


async def test_an_inbox_that_is_renamed_leaves_an_empty_one_to_its_sessions(house: House) -> None:
    await house.deliver("bob")
    client, other = await house.imap(mailbox="inbox"), await house.imap()
    await other.ok("RENAME Inbox Old")
    assert b"* 1 EXPUNGE" in await client.ok("NOOP")
    await house.deliver("bob")
    lines = await client.ok("NOOP")
    assert b"* 1 EXISTS" in lines
    assert await other.ok("STATUS Old (MESSAGES)") == [b"* STATUS Old (MESSAGES 1)"]
