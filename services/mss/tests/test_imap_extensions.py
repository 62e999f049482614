"""Extensions over a real socket, on the real parts: one house for all, and a user of its own for each test."""

import base64

import pytest

from .house import House, Raw, letter

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def three(client: Raw) -> None:
    """alpha, beta, gamma in INBOX, selected."""
    for subject in ("alpha", "beta", "gamma"):
        await client.append(letter(subject, body=f"{subject}\r\n" * 100 if subject == "gamma" else "short\r\n"))
    await client.ok("SELECT INBOX")


async def test_search_returns_what_is_asked_for(client: Raw) -> None:
    await three(client)
    assert await client.ok("UID SEARCH RETURN (MIN MAX COUNT) SUBJECT a") == [
        b'* ESEARCH (TAG "t%d") UID MIN 1 MAX 3 COUNT 3' % client.count
    ]
    assert await client.ok("SEARCH RETURN () LARGER 600") == [b'* ESEARCH (TAG "t%d") ALL 3' % client.count]
    assert await client.ok("UID SEARCH RETURN (PARTIAL -1:-2) ALL") == [
        b'* ESEARCH (TAG "t%d") UID PARTIAL (-1:-2 2:3)' % client.count
    ]
    assert await client.ok("UID FETCH 1:* (RFC822.SIZE) (PARTIAL 2:2)") != []
    assert await client.ok("SEARCH YOUNGER 3600") == [b"* SEARCH 1 2 3"]
    assert await client.ok("SEARCH OLDER 3600") == [b"* SEARCH"]


async def test_a_result_is_kept_for_the_next_command(client: Raw) -> None:
    await three(client)
    assert await client.ok("SEARCH RETURN (SAVE) OR SUBJECT alpha SUBJECT gamma") == []
    assert await client.ok("STORE $ +FLAGS.SILENT (\\Deleted)") == []
    assert await client.ok("UID SEARCH UID $ BODY short") == [b"* SEARCH 1"]
    await client.ok("UID EXPUNGE $")
    assert await client.ok("UID SEARCH ALL") == [b"* SEARCH 2"]
    assert await client.ok("UID SEARCH $") == [b"* SEARCH"]


async def test_mailboxes_are_listed_with_their_counters(client: Raw) -> None:
    await client.append(letter())
    await client.ok("CREATE Work/Done")
    assert await client.ok('LIST "" (INBOX Work/%) RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT))') == [
        b'* LIST (\\HasNoChildren \\Subscribed) "/" INBOX',
        b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2)",
        b'* LIST (\\HasNoChildren) "/" Work/Done',
        b"* STATUS Work/Done (MESSAGES 0 UIDNEXT 1)",
    ]
    await client.ok("SUBSCRIBE Work/Done")
    await client.ok("SUBSCRIBE Gone/Away")
    assert await client.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" (Work Gone)') == [
        b'* LIST (\\NonExistent) "/" Gone ("CHILDINFO" ("SUBSCRIBED"))',
        b'* LIST (\\HasChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))',
    ]


async def test_a_mailbox_is_made_for_a_use(client: Raw) -> None:
    assert (await client.no("CREATE Outgoing (USE (\\Sent))")).startswith(b"NO [USEATTR]")
    await client.ok("DELETE Sent")
    await client.ok("CREATE Outgoing (USE (\\Sent))")
    assert b'* LIST (\\HasNoChildren \\Sent) "/" Outgoing' in await client.ok('LIST (SPECIAL-USE) "" *')


async def test_a_mailbox_keeps_its_id_under_another_name(client: Raw) -> None:
    _, end = await client.ask("CREATE One")
    (made,) = [word for word in end.split() if word.startswith(b"(F")]
    await client.ok("RENAME One Two")
    assert await client.ok("STATUS Two (MAILBOXID)") == [b"* STATUS Two (MAILBOXID " + made.rstrip(b"]") + b")"]
    assert b"* OK [MAILBOXID " + made + b" Its id" in await client.ok("SELECT Two")


def mail_of(*parts: tuple[str, bytes]) -> bytes:
    """A multipart; parts are (encoding, encoded body)."""
    bodies = b"".join(
        b"--x\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: %b\r\n\r\n%b\r\n"
        % (encoding.encode(), body)
        for encoding, body in parts
    )
    head = b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    return head + bodies + b"--x--\r\n"


async def test_parts_come_without_their_encoding(client: Raw) -> None:
    large = bytes(range(256)) * 1500
    await client.append(
        mail_of(
            ("base64", base64.encodebytes(b"a\0b").replace(b"\n", b"\r\n")),
            ("base64", base64.encodebytes(large).replace(b"\n", b"\r\n")),
            ("x-secret", b"???"),
        )
    )
    await client.ok("SELECT INBOX")
    assert await client.ok("FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[2])") == [
        b"* 1 FETCH (BINARY[1] ~{3}\r\na\0b BINARY.SIZE[2] %d)" % len(large)
    ]
    (line,) = await client.ok("FETCH 1 BINARY.PEEK[2]<1000.200000>")
    assert line == b"* 1 FETCH (BINARY[2]<1000> ~{200000}\r\n" + large[1000:201000] + b")"
    assert await client.ok("FETCH 1 BINARY.PEEK[4]") == [b"* 1 FETCH (BINARY[4] NIL)"]
    assert (await client.no("FETCH 1 BINARY[3]")).startswith(b"NO [UNKNOWN-CTE]")
    assert b"\\Seen" in b"".join(await client.ok("FETCH 1 FLAGS"))
    (line,) = await client.ok("FETCH 1 BINARY.SIZE[]")
    assert line in [
        b"* 1 FETCH (BINARY.SIZE[] %d)" % int(size.split()[-1].rstrip(b")"))
        for size in await client.ok("FETCH 1 RFC822.SIZE")
    ]


async def test_a_message_of_one_part_is_decoded_too(client: Raw) -> None:
    await client.append(b"Subject: one\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=\r\n=C3=9Fe\r\n")
    await client.ok("SELECT INBOX")
    assert await client.ok("FETCH 1 BINARY.PEEK[1]") == [b"* 1 FETCH (BINARY[1] {9}\r\nGr\xc3\xbc\xc3\x9fe\r\n)"]


async def test_a_literal_of_octets_is_taken_unless_it_holds_nul(client: Raw) -> None:
    client.send(b"x1 APPEND INBOX ~{15+}\r\nSubject: x\r\n\r\n\xe4\r\n")
    assert (await client.answer(b"x1"))[1].startswith(b"OK [APPENDUID")
    client.send(b"x2 APPEND INBOX ~{15+}\r\nSubject: x\r\n\r\n\x00\r\n")
    assert (await client.answer(b"x2"))[1].startswith(b"NO [UNKNOWN-CTE]")


async def test_a_preview_is_the_beginning_of_the_text(client: Raw) -> None:
    await client.append(letter(body="Dear  Bob,\r\n\r\nall is well.\r\n" + "more " * 100))
    await client.append(
        b"Subject: html\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n"
        b"<html><head><style>p { color: red }</style></head><body><p>Gr\xfc\xdfe</p></body></html>\r\n"
    )
    await client.append(b"Subject: none\r\nContent-Type: image/png\r\n\r\nPNG\r\n")
    await client.ok("SELECT INBOX")
    first, second, third = await client.ok("FETCH 1:3 (PREVIEW (LAZY))")
    assert first.startswith(b'* 1 FETCH (PREVIEW "Dear Bob, all is well. more more')
    assert len(first.split(b'"')[1]) == 200
    assert second == b"* 2 FETCH (PREVIEW {7}\r\nGr\xc3\xbc\xc3\x9fe)"
    assert third == b'* 3 FETCH (PREVIEW "")'
    assert b"\\Seen" not in b"".join(await client.ok("FETCH 1:3 FLAGS"))


async def test_copies_have_the_id_of_the_original(client: Raw) -> None:
    await three(client)
    first, second, _ = await client.ok("FETCH 1:3 (EMAILID THREADID)")
    found = first.split(b"(")[2].split(b")")[0]
    assert first == b"* 1 FETCH (EMAILID (" + found + b") THREADID NIL)"
    assert found not in second
    await client.ok("COPY 1 Archive")
    await client.ok("SELECT Archive")
    assert await client.ok("FETCH 1 (EMAILID)") == [b"* 1 FETCH (EMAILID (" + found + b"))"]
    assert await client.ok(b"SEARCH EMAILID " + found) == [b"* SEARCH 1"]
    assert await client.ok(b"SEARCH NOT EMAILID " + found) == [b"* SEARCH"]


async def test_messages_are_sorted_and_threaded(client: Raw) -> None:
    await client.append(letter("zebra", Message_ID="<z@far.test>"))
    await client.append(letter("apple", body="longer\r\n" * 10))
    await client.append(letter("Re: zebra", References="<z@far.test>"))
    await client.ok("SELECT INBOX")
    assert await client.ok("SORT (SUBJECT) UTF-8 ALL") == [b"* SORT 2 1 3"]
    assert await client.ok("UID SORT (REVERSE SIZE) UTF-8 UNSEEN") == [b"* SORT 2 3 1"]
    assert await client.ok("UID SORT RETURN (COUNT MIN) (SUBJECT) UTF-8 BODY longer") == [
        b'* ESEARCH (TAG "t%d") UID MIN 2 COUNT 1' % client.count
    ]
    assert await client.ok("UID THREAD REFERENCES UTF-8 ALL") == [b"* THREAD (1 3)(2)"]
    assert await client.ok("THREAD ORDEREDSUBJECT UTF-8 2:3") == [b"* THREAD (2)(3)"]


async def test_revision_2_is_spoken_when_it_is_enabled(client: Raw) -> None:
    await three(client)
    await client.ok("CLOSE")
    assert await client.ok("ENABLE IMAP4rev2") == [b"* ENABLED IMAP4rev2"]
    lines = await client.ok("SELECT INBOX")
    assert lines[-1] == b'* LIST () "/" INBOX'
    assert not any(word in b"".join(lines) for word in (b"RECENT", b"UNSEEN"))
    assert await client.ok("SEARCH SUBJECT gamma") == [b'* ESEARCH (TAG "t%d") ALL 3' % client.count]
    assert await client.ok("SEARCH UNSEEN") == [b'* ESEARCH (TAG "t%d") ALL 1:3' % client.count]
    assert await client.ok("FETCH 3 FLAGS") == [b"* 3 FETCH (FLAGS ())"]
    await client.ok('CREATE "Entwürfe & mehr"')
    assert await client.ok('LIST "" Entw*') == ['* LIST (\\HasNoChildren) "/" "Entwürfe & mehr"'.encode()]
    assert await client.ok('STATUS "Entwürfe & mehr" (DELETED)') == ['* STATUS "Entwürfe & mehr" (DELETED 0)'.encode()]


async def test_names_are_one_in_both_spellings(one_house: House, user: str, client: Raw) -> None:
    await client.ok("ENABLE UTF8=ACCEPT")
    await client.ok('CREATE "日本"')
    other = await one_house.imap(user)
    assert await other.ok('LIST "" &ZeVnLA-') == [b'* LIST (\\HasNoChildren) "/" &ZeVnLA-']
    assert (await client.ask("SELECT INBOX"))[1].startswith(b"OK")
    assert (await client.ask("SEARCH CHARSET UTF-8 SUBJECT x"))[1].startswith(b"BAD")


async def test_several_messages_come_at_once_or_not_at_all(client: Raw) -> None:
    client.send(b"m1 APPEND INBOX (\\Seen) {16+}\r\nSubject: one\r\n\r\n {16+}\r\nSubject: two\r\n\r\n\r\n")
    assert (await client.answer(b"m1"))[1].split(b" ", 3)[3] == b"1:2] Appended"
    large = letter("large", body="x" * 70 + "\r\n") * 4000
    client.send(b"m2 APPEND INBOX {16+}\r\nSubject: six\r\n\r\n (\\Flagged) {%d+}\r\n" % len(large) + large + b"\r\n")
    assert (await client.answer(b"m2"))[1].split(b" ", 3)[3] == b"3:4] Appended"
    client.send(b"m3 APPEND INBOX {16+}\r\nSubject: bad\r\n\r\n {16+}\r\nSubject: \0bad\r\n\r\n\r\n")
    assert (await client.answer(b"m3"))[1].startswith(b"BAD")
    await client.ok("SELECT INBOX")
    assert await client.ok("FETCH 1:* (FLAGS RFC822.SIZE)") == [
        b"* 1 FETCH (RFC822.SIZE 16 FLAGS (\\Seen \\Recent))",
        b"* 2 FETCH (RFC822.SIZE 16 FLAGS (\\Recent))",
        b"* 3 FETCH (RFC822.SIZE 16 FLAGS (\\Recent))",
        b"* 4 FETCH (RFC822.SIZE %d FLAGS (\\Flagged \\Recent))" % len(large),
    ]
    assert await client.ok("SEARCH SUBJECT two") == [b"* SEARCH 2"]


async def test_a_message_takes_the_place_of_another(client: Raw) -> None:
    await three(client)
    client.send(b"r1 UID REPLACE 2 INBOX (\\Draft) {18+}\r\nSubject: fresh\r\n\r\n\r\n")
    lines, end = await client.answer(b"r1")
    assert lines[0].startswith(b"* OK [APPENDUID ")
    assert lines[0].endswith(b" 4] Replaced")
    assert lines[1:3] == [b"* 2 EXPUNGE", b"* 3 EXISTS"]
    assert end == b"OK Replaced"
    assert await client.ok("UID SEARCH ALL") == [b"* SEARCH 1 3 4"]
    client.send(b"r2 REPLACE 1 Drafts {18+}\r\nSubject: moved\r\n\r\n\r\n")
    lines, end = await client.answer(b"r2")
    assert b"* 1 EXPUNGE" in lines
    assert await client.ok("STATUS Drafts (MESSAGES)") == [b"* STATUS Drafts (MESSAGES 1)"]
    client.send(b"r3 UID REPLACE 2 INBOX {18+}\r\nSubject: late!\r\n\r\n\r\n")
    assert (await client.answer(b"r3"))[1].startswith(b"NO [EXPUNGEISSUED]")
    await client.ok("EXAMINE INBOX")
    client.send(b"r4 REPLACE 1 INBOX {18+}\r\nSubject: never\r\n\r\n\r\n")
    assert (await client.answer(b"r4"))[1].startswith(b"NO [READ-ONLY]")
    await client.ok("NOOP")
