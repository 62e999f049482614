"""The server as a process of its own: it starts, serves a large mailbox, bounds its memory, and ends on SIGTERM."""

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from .house import PASSWORD, House, Raw, letter


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


@pytest_asyncio.fixture
async def process(house: House) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """Beside the house's own server, on the same data."""
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "barid_mss",
        env={
            **os.environ,
            "BARID_DATA": str(house.data),
            "BARID_BUS_URL": house.nats_url,
            "BARID_LOG_LEVEL": "warning",
            "BARID_IMAP_PORT": str(port),
            "BARID_IMAPS_PORT": "0",
            "BARID_POP3_PORT": "0",
            "BARID_POP3S_PORT": "0",
            "BARID_ALLOW_PLAINTEXT": "true",
        },
    )
    yield process, port
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0


async def _log_in(house: House, port: int) -> Raw:
    async with asyncio.timeout(20):
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            client = Raw(reader, writer)
            house.wires.append(client)
            await client.line()
            await client.ok(f'LOGIN bob@here.test "{PASSWORD}"')
            return client


async def test_what_is_done_at_one_node_is_seen_at_the_other(
    house: House, process: tuple[asyncio.subprocess.Process, int]
) -> None:
    here, there = await house.imap(mailbox="INBOX"), await _log_in(house, process[1])
    await there.ok("SELECT INBOX")
    await here.append(letter("over there"))
    lines = await there.ok("STATUS INBOX (MESSAGES)")
    assert b"* STATUS INBOX (MESSAGES 1)" in lines
    lines += await there.ok("NOOP")
    assert b"* 1 EXISTS" in lines
    (line,) = await there.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
    assert b"over there" in line
    there.close()


async def test_a_mailbox_of_five_thousand(house: House, process: tuple[asyncio.subprocess.Process, int]) -> None:
    here = await house.imap(mailbox="INBOX")
    message = letter("one of many")
    for _ in range(5):
        await here.append(message)
    while (count := int((await here.ok("STATUS INBOX (MESSAGES)"))[0].rpartition(b" ")[2].rstrip(b")"))) < 5_000:
        await here.ok("NOOP")
        await here.ok(f"COPY 1:{min(count, 5_000 - count)} INBOX")
    client = await _log_in(house, process[1])
    assert b"* 5000 EXISTS" in await client.ok("SELECT INBOX")
    lines = await client.ok("FETCH 1:* (UID FLAGS)", within=20)
    assert len(lines) == 5_000
    assert lines[-1].startswith(b"* 5000 FETCH (UID 5000 FLAGS")
    assert len(await client.ok("UID FETCH 1:* (RFC822.SIZE ENVELOPE)", within=20)) == 5_000
    await client.ok("STORE 1:* +FLAGS.SILENT (\\Seen)", within=20)
    assert await client.ok("SEARCH UNSEEN") == [b"* SEARCH"]
    await client.ok("STORE 2001:4000 +FLAGS.SILENT (\\Deleted)", within=20)
    lines = await client.ok("EXPUNGE", within=20)
    assert lines[0] == b"* 4000 EXPUNGE"
    assert sum(line.endswith(b"EXPUNGE") for line in lines) == 2_000
    assert await client.ok("FETCH 2001 UID") == [b"* 2001 FETCH (UID 4001)"]
    client.close()


async def test_large_messages_at_once_do_not_raise_memory(
    house: House, process: tuple[asyncio.subprocess.Process, int]
) -> None:
    """Ten of 20 MB, uploaded and read by slow hands."""
    running, port = process
    message = letter("large", body="0123456789abcdef" * 64 * 1024 * 20)
    clients = [await _log_in(house, port) for _ in range(10)]
    for client in clients:
        await client.ok("SELECT INBOX")
    before = _megabytes(running.pid)
    peak = before

    async def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, _megabytes(running.pid))
            await asyncio.sleep(0.02)

    async def upload(client: Raw) -> None:
        client.send(b"a APPEND INBOX {%d+}\r\n" % len(message))
        for at in range(0, len(message), 1 << 16):
            client.send(message[at : at + (1 << 16)])
            await client.writer.drain()
        client.send(b"\r\n")
        _, end = await client.answer(b"a", within=60)
        assert end.startswith(b"OK"), end

    watching = asyncio.ensure_future(watch())
    await asyncio.gather(*[upload(client) for client in clients])
    for client in clients:
        client.send(b"b FETCH 1:10 BODY.PEEK[]\r\n")
    await asyncio.sleep(1)
    for client in clients:
        client.close()
    watching.cancel()
    assert peak - before < 60, f"{before:.0f} MB grew to {peak:.0f}"
