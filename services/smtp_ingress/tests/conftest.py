"""Fixtures of the ingress: `rig` (not yet started), `served` (started with defaults), `published`."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
import uvloop

from barid_runtime.bus.port import Bus

from .ingress_rig import Published, Rig


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop of production: its TLS and its flow control differ from asyncio's own."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def rig(bus: Bus, nats_url: str, tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(bus, nats_url, tmp_path)
    await rig.start_directory()
    yield rig
    await rig.stop()
    await rig.stop_directory()


@pytest_asyncio.fixture
async def served(rig: Rig) -> Rig:
    await rig.serve_quota()
    await rig.start()
    return rig


@pytest_asyncio.fixture
async def published(bus: Bus) -> Published:
    found = Published(bus)
    await found.start()
    return found


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])
