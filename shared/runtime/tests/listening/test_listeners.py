"""Doors: who is asked for when, who is let in, and what is left when a door closes."""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from barid_runtime import listeners
from barid_runtime.listeners import Doorway, PlainListener, TlsListener, open_listener
from barid_runtime.tls import ensure_self_signed, opportunistic_client_context, server_context

HOST = "127.0.0.1"


class Guest(asyncio.Protocol):
    """Says what happens to it, and greets."""

    welcome = True

    def __init__(self, inside: "set[Guest]") -> None:
        self.inside = inside
        self.heard: list[str] = []
        guests.append(self)

    def admit(self, peer: object) -> bool:
        assert isinstance(peer, tuple)
        assert peer[0] == HOST
        self.heard.append("admit")
        self.inside.add(self)
        return self.welcome

    def connection_made(self, transport: Any) -> None:
        if "admit" not in self.heard:
            self.admit(transport.get_extra_info("peername"))
        self.heard.append("made")
        transport.write(b"hello\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.append("lost")
        self.inside.discard(self)


class Stranger(Guest):
    welcome = False


guests: list[Guest] = []


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    return server_context(*ensure_self_signed(folder, ["localhost"], time.time()))


Opened = PlainListener[Guest] | TlsListener[Guest]
Open = Callable[..., Any]


@pytest_asyncio.fixture
async def opened(context: ssl.SSLContext) -> AsyncIterator[Open]:
    guests.clear()
    doors: list[Opened] = []

    async def make(*, tls: bool, kind: type[Guest] = Guest, patience: float = 10.0) -> Opened:
        door = await open_listener(Doorway("door", HOST, 0, kind, patience if tls else None), lambda: context)
        doors.append(door)
        return door

    yield make
    for door in doors:
        door.close()
    await asyncio.sleep(0)


async def connect(door: Opened, *, tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(HOST, door.port, ssl=opportunistic_client_context() if tls else None)


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("tls", [False, True])
async def test_a_guest_is_admitted_and_then_made_and_then_lost(opened: Open, tls: bool) -> None:
    door = await opened(tls=tls)
    reader, writer = await connect(door, tls=tls)
    assert await reader.readline() == b"hello\r\n"
    assert list(door.connections) == guests
    writer.close()
    await until(lambda: not door.connections)
    assert guests[0].heard == ["admit", "made", "lost"]


async def test_a_stranger_gets_no_handshake(opened: Open) -> None:
    door = await opened(tls=True, kind=Stranger)
    with pytest.raises((ssl.SSLError, OSError)):
        await connect(door, tls=True)
    assert guests[0].heard == ["admit", "lost"]
    assert not door.connections


async def test_who_is_within_the_handshake_counts_as_connected(opened: Open) -> None:
    """Limits would not hold for those who connect and say nothing."""
    door = await opened(tls=True)
    _, writer = await connect(door, tls=False)
    await until(lambda: door.connections)
    assert guests[0].heard == ["admit"]
    writer.close()
    await until(lambda: not door.connections)
    assert guests[0].heard == ["admit", "lost"]


async def test_a_handshake_has_its_time(opened: Open) -> None:
    door = await opened(tls=True, patience=0.1)
    reader, writer = await connect(door, tls=False)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    await until(lambda: not door.connections)
    assert guests[0].heard == ["admit", "lost"]
    writer.close()


async def test_what_is_no_handshake_is_told_in_the_log_with_the_doors_name(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(listeners.log, "info", lambda event, **fields: told.append({"event": event, **fields}))
    door = await opened(tls=True)
    _, writer = await connect(door, tls=False)
    writer.write(b"EHLO me.test\r\n")
    await until(lambda: told)
    assert (told[0]["event"], told[0]["door"], told[0]["ip"]) == ("no TLS", "door", HOST)
    assert guests[0].heard == ["admit", "lost"]
    writer.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_door_that_closes_keeps_who_is_in_and_lets_nobody_else_in(opened: Open, tls: bool) -> None:
    door = await opened(tls=tls)
    reader, writer = await connect(door, tls=tls)
    await reader.readline()
    door.close()
    with pytest.raises(OSError):
        await connect(door, tls=False)
    assert list(door.connections) == guests
    assert guests[0].heard == ["admit", "made"]
    writer.close()
    await until(lambda: not door.connections)


async def test_a_door_that_closes_ends_the_handshakes_that_are_under_way(opened: Open) -> None:
    door = await opened(tls=True)
    reader, writer = await connect(door, tls=False)
    await until(lambda: door.connections)
    door.close()
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    assert guests[0].heard == ["admit", "lost"]
    assert not door.connections
    writer.close()


async def test_when_descriptors_run_out_it_tries_again_later(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "ACCEPT_AGAIN", 0.05)
    failures = 0

    def accept(self: socket.socket) -> tuple[socket.socket, Any]:
        nonlocal failures
        if failures < 2:
            failures += 1
            raise OSError(24, "Too many open files")
        return original(self)

    original = socket.socket.accept
    door = await opened(tls=True)
    monkeypatch.setattr(socket.socket, "accept", accept)
    reader, writer = await connect(door, tls=True)
    assert await reader.readline() == b"hello\r\n"
    assert failures == 2
    writer.close()
    await until(lambda: not door.connections)


async def test_a_crowd_is_let_in_over_some_turns_of_the_loop(opened: Open) -> None:
    door = await opened(tls=True)
    crowd = listeners.ACCEPTED_MOST * 2 + 1
    clients = [await connect(door, tls=False) for _ in range(crowd)]
    await until(lambda: len(list(door.connections)) == crowd)
    for _, writer in clients:
        writer.close()
    await until(lambda: not door.connections)


async def test_a_port_that_is_taken_is_an_error(opened: Open, context: ssl.SSLContext) -> None:
    door = await opened(tls=True)
    for patience in (None, 1.0):
        with pytest.raises(OSError):
            await open_listener(Doorway("other", HOST, door.port, Guest, patience), lambda: context)
