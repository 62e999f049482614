"""The server on the real parts."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from barid_runtime.bus.port import Bus

from .house import House, open_house


@pytest_asyncio.fixture
async def house(tmp_path: Path, nats_url: str, bus: Bus) -> AsyncIterator[House]:
    async with open_house(tmp_path / "data", nats_url, bus) as house:
        yield house
