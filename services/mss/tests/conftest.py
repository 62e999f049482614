"""The server on the real parts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest_asyncio
import uvloop

from barid_runtime.bus.port import Bus

from .house import House, open_house


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that the service runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest_asyncio.fixture
async def house(tmp_path: Path, nats_url: str, bus: Bus) -> AsyncIterator[House]:
    async with open_house(tmp_path / "data", nats_url, bus) as house:
        yield house
