"""One read may hold forty thousand commands. Their replies leave piece by piece, others have their turn in between, and
what a peer does not read is not made."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from barid_protocols.smtp.options import MOST_OWED
from barid_runtime.clock import SystemClock
from barid_smtp_ingress.adapters.aiosmtpd_transport import SmtpTransport
from barid_smtp_ingress.adapters.known_file import KnownFile
from barid_smtp_ingress.adapters.patient_bus import PatientBus
from barid_smtp_ingress.handlers.service import IngressService, doors
from barid_smtp_ingress.settings import Settings

READ = 256 * 1024
"""What the loop reads at a time."""

HIGH_WATER = 64 * 1024


class Wire:
    """A transport whose peer reads when it is told to."""

    def __init__(self) -> None:
        self.protocol: Any = None
        self.kept = b""
        self.largest = 0
        self.paused = False

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.1", 1)

    def write(self, data: bytes) -> None:
        self.largest = max(self.largest, len(data))
        self.kept += data
        if len(self.kept) > HIGH_WATER:
            self.protocol.pause_writing()

    def read(self) -> bytes:
        """The peer takes all that there is."""
        taken, self.kept = self.kept, b""
        self.protocol.resume_writing()
        return taken

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None: ...


@pytest.fixture
async def wire(tmp_path: Path) -> Wire:
    service = IngressService(
        Settings(data=tmp_path, hostname="mx.here.test"),
        bus=PatientBus(lambda: asyncio.sleep(3600)),  # type: ignore[arg-type,return-value]
        start_bus=lambda: asyncio.sleep(0),
        journal=None,  # type: ignore[arg-type]
        publisher=None,  # type: ignore[arg-type]
        known=KnownFile(tmp_path / "known"),
        open_listener=None,  # type: ignore[arg-type]
        clock=SystemClock(),
    )
    door = doors(service._settings)[0]
    wire = Wire()
    wire.protocol = SmtpTransport(
        door, service._conversations(door.options.profile), None, set(), asyncio.get_running_loop()
    )
    wire.protocol.connection_made(wire)
    wire.protocol.data_received(b"EHLO client.test\r\n")
    await turns(3)
    assert wire.read().startswith(b"220")
    return wire


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.fixture(params=[b"NOOP\r\n", b"HELP\r\n", b"VRFY anna\r\n", b"EHLO client.test\r\n"])
def commands(request: pytest.FixtureRequest) -> Iterator[bytes]:
    yield request.param * (READ // len(request.param))


async def test_what_is_not_read_is_not_made(wire: Wire, commands: bytes) -> None:
    wire.protocol.data_received(commands)
    await turns(50)
    assert len(wire.kept) < HIGH_WATER + 2 * MOST_OWED
    wire.protocol.data_received(commands)
    assert wire.paused
    await turns(50)
    assert len(wire.kept) < HIGH_WATER + 2 * MOST_OWED


async def test_it_gets_all_replies_when_it_reads(wire: Wire, commands: bytes) -> None:
    line = commands[: commands.index(b"\n") + 1]
    wire.protocol.data_received(line)
    await turns(3)
    once = wire.read()
    wire.protocol.data_received(commands)
    wire.protocol.data_received(line)
    got = b""
    while len(got) < len(once) * (len(commands) // len(line) + 1):
        await turns(3)
        assert wire.kept
        got += wire.read()
    assert got == once * (len(commands) // len(line) + 1)
    assert wire.largest < 2 * MOST_OWED
    await turns(3)
    assert not wire.paused


async def test_others_have_their_turn(wire: Wire) -> None:
    """A peer that reads and reads does not keep the loop."""
    wire.protocol.pause_writing = lambda: None
    wire.protocol.data_received(b"NOOP\r\n" * (READ // 6))
    passed = 0
    while len(wire.kept) < READ // 6 * len(b"250 2.0.0 OK\r\n"):
        await asyncio.sleep(0)
        passed += 1
    assert passed >= 8


async def test_a_peer_that_goes_in_between(wire: Wire) -> None:
    wire.protocol.data_received(b"NOOP\r\n" * (READ // 6))
    wire.protocol.connection_lost(None)
    kept = len(wire.kept)
    await turns(20)
    assert len(wire.kept) == kept


async def test_an_end_of_file_behind_it_is_answered_in_order(wire: Wire) -> None:
    wire.protocol.data_received(b"NOOP\r\n" * (READ // 6))
    wire.protocol.eof_received()
    got = b""
    for _ in range(40):
        await turns(3)
        got += wire.read()
    assert got == b"250 2.0.0 OK\r\n" * (READ // 6)
    assert wire.protocol._core.closed
