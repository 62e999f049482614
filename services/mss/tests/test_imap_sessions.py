"""IMAP as a person could type it, on the real parts."""

import asyncio

from barid_mss.policy import patience

from .house import PASSWORD, House, letter


async def test_log_in_list_select_fetch(house: House) -> None:
    await house.deliver("bob", message=letter("first"))
    client = await house.raw()
    assert await client.no('LOGIN bob@here.test "wrong"') == b"NO [AUTHENTICATIONFAILED] Wrong user name or password"
    await client.ok(f'LOGIN bob@here.test "{PASSWORD}"')
    assert b'* LIST (\\HasNoChildren \\Sent) "/" Sent' in await client.ok('LIST "" "*"')
    assert await client.ok("STATUS INBOX (MESSAGES RECENT UNSEEN UIDNEXT)") == [
        b"* STATUS INBOX (MESSAGES 1 RECENT 1 UNSEEN 1 UIDNEXT 2)"
    ]
    lines = await client.ok("SELECT INBOX")
    assert b"* 1 EXISTS" in lines
    assert b"* 1 RECENT" in lines
    assert b"* OK [UNSEEN 1] First unseen message" in lines
    assert await client.ok("FETCH 1 (FLAGS UID)") == [b"* 1 FETCH (UID 1 FLAGS (\\Recent))"]
    (line,) = await client.ok("FETCH 1 BODY[]")
    assert line.startswith(b"* 1 FETCH (")
    assert b"Received: by mx.here.test" in line
    assert line.endswith(b"How are you?\r\n)")
    assert b"FLAGS (\\Seen \\Recent)" in line


async def test_authenticate_plain_and_id(house: House) -> None:
    client = await house.raw()
    assert any(b"IMAP4rev1" in line for line in await client.ok("CAPABILITY"))
    client.send(b"a AUTHENTICATE PLAIN\r\n")
    assert await client.line() == b"+ "
    client.send(b"AGJvYkBoZXJlLnRlc3QAY29ycmVjdCBob3JzZQ==\r\n")
    _, end = await client.answer(b"a")
    assert end.startswith(b"OK [CAPABILITY ")
    assert b"MOVE" in end
    assert await client.ok('ID ("name" "tester")') == [b'* ID ("name" "Barid")']
    assert await client.ok("NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL NIL']


async def test_nobody_acts_as_another(house: House) -> None:
    client = await house.raw()
    client.send(b"a AUTHENTICATE PLAIN ZXZlQGhlcmUudGVzdABib2JAaGVyZS50ZXN0AGNvcnJlY3QgaG9yc2U=\r\n")
    _, end = await client.answer(b"a")
    assert end.startswith(b"NO [AUTHENTICATIONFAILED]")


async def test_idle_hears_of_a_delivery(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    await client.idle()
    await house.deliver("bob")
    assert await client.line() == b"* 1 EXISTS"
    assert await client.line() == b"* 1 RECENT"
    lines, end = await client.done()
    assert (lines, end) == ([], b"OK Idled")


async def test_a_long_silence_in_idle_is_broken_from_time_to_time(house: House) -> None:
    idle, resting = await house.imap(mailbox="INBOX"), await house.imap(mailbox="INBOX")
    await idle.idle()
    assert house.server is not None
    now = asyncio.get_running_loop().time()
    for later in (patience.STILL_HERE - 1, patience.STILL_HERE + 1, patience.STILL_HERE + 2):
        for connection in house.server._open():
            connection.sweep(now + later)
    await house.deliver("bob")
    assert await idle.line() == b"* OK Still here"
    assert await idle.line() == b"* 1 EXISTS"
    assert await resting.ok("CAPABILITY")


async def test_idle_without_a_mailbox_just_waits(house: House) -> None:
    client = await house.imap()
    await client.idle()
    assert await client.done() == ([], b"OK Idled")


async def test_append_is_seen_at_once(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    end = await client.append(letter("mine"), extra='(\\Flagged) "01-Feb-2020 10:00:00 +0100" ')
    assert end.startswith(b"OK [APPENDUID ")
    assert await client.ok("FETCH 1 (FLAGS INTERNALDATE)") == [
        b'* 1 FETCH (INTERNALDATE " 1-Feb-2020 09:00:00 +0000" FLAGS (\\Flagged \\Recent))'
    ]


async def test_append_asks_before_it_comes(house: House) -> None:
    client = await house.imap()
    client.send(b"a APPEND Nowhere {10}\r\n")
    assert await client.line() == b"a NO [TRYCREATE] No such mailbox"
    client.send(b"b APPEND INBOX {4}\r\n")
    assert (await client.line()).startswith(b"+ ")
    client.send(b"x\r\n\r\r\n")
    assert (await client.line()).startswith(b"b OK [APPENDUID ")
    assert (await client.append(b"x" * 2_000, mailbox="Nowhere")) == b"NO [TRYCREATE] No such mailbox"
    await client.ok("NOOP")


async def test_everything_in_one_pipeline(house: House) -> None:
    client = await house.imap()
    client.send(b"a SELECT INBOX\r\nb NOOP\r\nc STORE 1:* +FLAGS (\\Seen)\r\nd LOGOUT\r\n")
    _, end = await client.answer(b"a")
    assert end.startswith(b"OK [READ-WRITE]")
    for tag in (b"b", b"c"):
        _, end = await client.answer(tag)
        assert end.startswith(b"OK")
    lines, end = await client.answer(b"d")
    assert end.startswith(b"OK")
    assert lines[0].startswith(b"* BYE")
    assert await client.line() == b""


async def test_copy_move_and_expunge(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    for number in range(4):
        await client.append(letter(f"m{number}"))
    assert (await client.no("COPY 1 Nowhere")).startswith(b"NO [TRYCREATE]")
    lines, end = await client.ask("COPY 1:2 Archive")
    assert end.startswith(b"OK [COPYUID ")
    assert end.split()[3:5] == [b"1:2", b"1:2]"]
    lines, end = await client.ask("MOVE 2:3 Archive")
    assert lines[0].startswith(b"* OK [COPYUID ")
    assert lines[1:3] == [b"* 3 EXPUNGE", b"* 2 EXPUNGE"]
    await client.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
    await client.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
    assert (await client.ok("UID EXPUNGE 4"))[0] == b"* 2 EXPUNGE"
    assert (await client.ok("EXPUNGE"))[0] == b"* 1 EXPUNGE"
    assert await client.ok("STATUS Archive (MESSAGES)") == [b"* STATUS Archive (MESSAGES 4)"]


async def test_copy_into_the_selected_mailbox_is_announced(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    await client.append(letter())
    lines, end = await client.ask("COPY 1 INBOX")
    assert b"* 2 EXISTS" in lines
    assert end.startswith(b"OK [COPYUID ")


async def test_close_expunges_unselect_does_not(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    await client.append(letter(), extra="(\\Deleted) ")
    await client.ok("UNSELECT")
    assert await client.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 1)"]
    await client.ok("EXAMINE INBOX")
    assert (await client.no("STORE 1 +FLAGS (\\Seen)")).startswith(b"NO [READ-ONLY]")
    await client.ok("CLOSE")
    assert await client.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 1)"]
    await client.ok("SELECT INBOX")
    await client.ok("CLOSE")
    assert await client.ok("STATUS INBOX (MESSAGES)") == [b"* STATUS INBOX (MESSAGES 0)"]


async def test_a_failed_select_leaves_nothing_selected(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    assert (await client.no("SELECT Nowhere")).startswith(b"NO [NONEXISTENT]")
    _, end = await client.ask("FETCH 1 FLAGS")
    assert end.startswith(b"BAD")


async def test_starttls(house: House) -> None:
    import ssl

    client = await house.raw()
    client.send(b"a STARTTLS\r\n")
    assert (await client.line()).startswith(b"a OK")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    await client.writer.start_tls(context)
    await client.ok(f'LOGIN bob@here.test "{PASSWORD}"')
    secure = await house.raw("imaps", tls=context)
    await secure.ok(f'LOGIN bob@here.test "{PASSWORD}"')
    await secure.ok("SELECT INBOX")
