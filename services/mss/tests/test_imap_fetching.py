"""What FETCH gives of messages of all kinds."""

import hashlib
from pathlib import Path
from typing import Any

from barid_mss.adapters.socket_wire import SocketWire

from .house import TRACE, House, letter

MULTIPART = (
    b"From: Ann <ann@far.test>\r\nSubject: two parts\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nfirst\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n"
    b"--b--\r\n"
)


class _Writes:
    """A transport that counts."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.sizes: list[int] = []

    def write(self, data: bytes) -> None:
        self.sizes.append(len(data))
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def counted(house: House) -> _Writes:
    assert house.server is not None
    (wire,) = house.server._open()
    assert isinstance(wire, SocketWire)
    wire.transport = _Writes(wire.transport)
    return wire.transport


async def test_one_message_and_its_tagged_ok_leave_in_one_write(house: House) -> None:
    await house.deliver("bob")
    client = await house.imap(mailbox="INBOX")
    await client.ok("FETCH 1 BODY.PEEK[]")
    writes = counted(house)
    for command in ("FETCH 1 (UID FLAGS)", "FETCH 1 ENVELOPE", "FETCH 1 BODY.PEEK[]", "UID FETCH 1 (RFC822.SIZE)"):
        await client.ok(command)
        assert len(writes.sizes) == 1, command
        writes.sizes.clear()


async def test_a_pipeline_that_asks_for_much_is_not_gathered_before_it_leaves(house: House) -> None:
    for _ in range(20):
        await house.deliver("bob")
    client = await house.imap(mailbox="INBOX")
    writes = counted(house)
    client.send(b"".join(b"p%d FETCH 1:* FLAGS\r\n" % n for n in range(500)))
    await client.answer(b"p499")
    assert max(writes.sizes) < 20_000


async def test_what_the_index_knows(house: House) -> None:
    await house.deliver("bob", message=letter("hello", body="line\r\n"))
    client = await house.imap(mailbox="INBOX")
    (line,) = await client.ok("FETCH 1 (UID RFC822.SIZE ENVELOPE INTERNALDATE BODY BODYSTRUCTURE)")
    assert line.startswith(b"* 1 FETCH (UID 1 RFC822.SIZE ")
    assert b'ENVELOPE ("Mon, 21 Sep 2026 12:00:00 +0200" "hello" (("Ann Far" NIL "ann" "far.test"))' in line
    assert b'BODY ("text" "plain"' in line
    assert b'BODYSTRUCTURE ("text" "plain"' in line
    (line,) = await client.ok("FETCH 1 (FAST)".replace("(FAST)", "FAST"))
    assert b"RFC822.SIZE" in line


async def test_sizes_and_offsets_count_the_prefix(house: House) -> None:
    message = letter(body="one\r\ntwo\r\n")
    await house.deliver("bob", message=message)
    whole = b"Return-Path: <ann@far.test>\r\nDelivered-To: bob@here.test\r\n" + TRACE.encode() + message
    client = await house.imap(mailbox="INBOX")
    (line,) = await client.ok("FETCH 1 (RFC822.SIZE BODY.PEEK[])")
    assert line == b"* 1 FETCH (RFC822.SIZE %d BODY[] {%d}\r\n%b)" % (len(whole), len(whole), whole)
    header, _, text = whole.partition(b"\r\n\r\n")
    (line,) = await client.ok("FETCH 1 BODY.PEEK[HEADER]")
    assert line.endswith(b"}\r\n" + header + b"\r\n\r\n)")
    (line,) = await client.ok("FETCH 1 BODY.PEEK[TEXT]")
    assert line == b"* 1 FETCH (BODY[TEXT] {10}\r\none\r\ntwo\r\n)"
    (line,) = await client.ok("FETCH 1 BODY.PEEK[]<5.10>")
    assert line == b"* 1 FETCH (BODY[]<5> {10}\r\n%b)" % whole[5:15]
    (line,) = await client.ok("FETCH 1 BODY.PEEK[1]")
    assert line == b"* 1 FETCH (BODY[1] {10}\r\n" + text + b")"
    (line,) = await client.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject Received)]")
    assert line.endswith(b"Received: by mx.here.test; now\r\nSubject: hello\r\n\r\n)")
    (line,) = await client.ok("FETCH 1 BODY.PEEK[2]")
    assert line == b"* 1 FETCH (BODY[2] NIL)"
    assert await client.ok("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (\\Recent))"]


async def test_parts(house: House) -> None:
    await house.deliver("bob", message=MULTIPART)
    client = await house.imap(mailbox="INBOX")
    for section, expected in {
        "1": b"first",
        "1.MIME": b"Content-Type: text/plain; charset=utf-8\r\n\r\n",
        "2": b"Subject: inner\r\n\r\ninner text",
        "2.HEADER": b"Subject: inner\r\n\r\n",
        "2.TEXT": b"inner text",
        "2.1": b"inner text",
        "2.HEADER.FIELDS (SUBJECT)": b"Subject: inner\r\n\r\n",
    }.items():
        (line,) = await client.ok(f"FETCH 1 BODY.PEEK[{section}]")
        assert line == b"* 1 FETCH (BODY[%b] {%d}\r\n%b)" % (section.encode(), len(expected), expected)


async def test_reading_sets_seen_once_for_all(house: House) -> None:
    for number in range(3):
        await house.deliver("bob", message=letter(f"m{number}"))
    client = await house.imap(mailbox="INBOX")
    lines = await client.ok("FETCH 1:3 BODY[TEXT]")
    assert [b"FLAGS (\\Seen \\Recent)" in line for line in lines] == [True] * 3
    lines = await client.ok("FETCH 1:3 BODY[TEXT]")
    assert [b"FLAGS" in line for line in lines] == [False] * 3
    await client.ok("EXAMINE INBOX")


async def test_examine_sets_nothing(house: House) -> None:
    await house.deliver("bob")
    client = await house.imap()
    await client.ok("EXAMINE INBOX")
    await client.ok("FETCH 1 RFC822")
    (line,) = await client.ok("FETCH 1 FLAGS")
    assert b"Seen" not in line


async def test_a_large_message_streams(house: House) -> None:
    message = letter(body="0123456789abcdef" * 64 * 1024 * 12)  # 12 MB: an object of its own
    client = await house.imap(mailbox="INBOX")
    assert (await client.append(message)).startswith(b"OK")
    (line,) = await client.ok("FETCH 1 BODY.PEEK[]", within=30)
    head = b"* 1 FETCH (BODY[] {%d}\r\n" % len(message)
    assert line[: len(head)] == head
    assert hashlib.sha256(line[len(head) : -1]).digest() == hashlib.sha256(message).digest()
    (line,) = await client.ok(f"FETCH 1 (BODY.PEEK[TEXT] UID BODY.PEEK[]<{len(message) - 5}.100>)", within=30)
    assert line.endswith(b" BODY[]<%d> {5}\r\nbcdef)" % (len(message) - 5))
    assert line.count(b"UID 1") == 1
    (line,) = await client.ok("FETCH 1 BODY.PEEK[TEXT]<1000000.16>")
    assert line.endswith(b"{16}\r\n0123456789abcdef)")


async def test_a_corrupt_record_is_reported_and_its_neighbours_are_served(house: House) -> None:
    for number in range(3):
        await house.deliver("bob", message=letter(f"m{number}", body=f"body {number} is here\r\n"))
    (pack,) = Path(house.data, "journal").glob("smtp_ingress.*/*.pack")
    content = pack.read_bytes()
    at = content.index(b"body 1 is here")
    with open(pack, "r+b") as file:
        file.seek(at)
        file.write(b"BODY")
    client = await house.imap(mailbox="INBOX")
    lines, end = await client.ask("FETCH 1:3 (UID BODY.PEEK[])")
    assert end.startswith(b"NO [CORRUPTION]")
    assert lines[1] == b"* 2 FETCH (UID 2 BODY[] NIL)"
    assert b"body 0 is here" in lines[0]
    assert b"body 2 is here" in lines[2]
    assert len(await client.ok("FETCH 1:3 ENVELOPE")) == 3
    lines, end = await client.ask("SEARCH BODY here")
    assert (lines, end[:16]) == ([b"* SEARCH 1 3"], b"NO [CORRUPTION] ")


async def test_a_large_body_that_breaks_costs_one_connection(house: House) -> None:
    client = await house.imap(mailbox="INBOX")
    await client.append(letter("big", body="0123456789abcdef" * 64 * 1024))
    (pack,) = Path(house.data, "journal").glob("mss.*/*.pack")
    with open(pack, "r+b") as file:
        file.seek(900_000)
        file.write(b"!")
    client.send(b"a FETCH 1 BODY.PEEK[]\r\n")
    assert len(await client.reader.read(-1)) < 1_100_000
    client = await house.imap(mailbox="INBOX")
    lines, end = await client.ask("FETCH 1 BODY.PEEK[]")
    assert lines == [b"* 1 FETCH (BODY[] NIL)"]
    assert end.startswith(b"NO [CORRUPTION]")
